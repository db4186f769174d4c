//! The journal: kept, reopened, read from outside, given up.
#![cfg(feature = "journal")]

mod child;
mod kit;

#[cfg(target_os = "linux")]
mod disk;
mod life;
mod mend;
mod retention;
mod running;
