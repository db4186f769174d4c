//! The journal: kept, reopened, read from outside, given up.
#![cfg(feature = "journal")]

mod child;
mod cursors;
mod kit;

mod bus;
#[cfg(all(target_os = "linux", feature = "bincode"))]
mod disk;
mod durability;
mod faults;
mod flushes;
mod life;
mod mend;
mod properties;
mod retention;
#[cfg(feature = "bincode")]
mod running;
#[cfg(feature = "bincode")]
mod schemas;
mod stress;
