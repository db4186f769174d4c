//! The journal: kept, reopened, read from outside, given up.
#![cfg(feature = "journal")]

mod child;
mod cursors;
mod kit;

#[cfg(target_os = "linux")]
mod disk;
mod durability;
mod faults;
mod flushes;
mod life;
mod mend;
mod retention;
mod running;
mod schemas;
