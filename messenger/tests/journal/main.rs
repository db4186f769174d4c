//! The journal: kept, reopened, read from outside, given up.
#![cfg(feature = "journal")]

mod child;
mod kit;

mod life;
mod mend;
