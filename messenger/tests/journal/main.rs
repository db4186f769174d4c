//! The journal: kept, reopened, read from outside, given up.
#![cfg(feature = "journal")]

mod kit;

mod life;
