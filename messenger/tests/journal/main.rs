//! The journal: kept, reopened, read from outside, given up.
//!
//! Miri has no mappings of files: it runs what can be had in memory.
#![cfg(all(feature = "journal", feature = "bincode"))]

#[cfg(not(miri))]
mod child;
#[cfg(not(miri))]
mod cursors;
mod kit;
#[path = "../support/until.rs"]
mod until;

mod bus;
#[cfg(all(target_os = "linux", not(miri)))]
mod disk;
#[cfg(not(miri))]
mod durability;
#[cfg(not(miri))]
mod errors;
#[cfg(not(miri))]
mod faults;
#[cfg(not(miri))]
mod flushes;
#[cfg(all(feature = "zero_copy", not(miri)))]
mod layouts;
#[cfg(not(miri))]
mod life;
#[cfg(not(miri))]
mod mend;
mod properties;
#[cfg(not(miri))]
mod retention;
#[cfg(not(miri))]
mod running;
#[cfg(not(miri))]
mod schemas;
#[cfg(not(miri))]
mod stats;
mod stress;
