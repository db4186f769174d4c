//! Tiny services that talk over one lock-free, memory-mapped message bus.

// The derives and macros name this crate as `messenger`; so do its own tests and docs.
extern crate self as messenger;

pub mod bus;
pub mod memory;
pub mod message;
pub mod runtime;
mod sync;
