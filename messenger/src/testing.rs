//! Testing a handler alone: without a table, a bus of its own, or threads. See [`Harness`].

pub use crate::runtime::harness::{Harness, Sent, Unexpected};
