//! The journal: kept, reopened, read from outside, given up.
#![cfg(all(feature = "journal", feature = "bincode"))]

mod child;
mod cursors;
mod kit;

mod bus;
#[cfg(target_os = "linux")]
mod disk;
mod durability;
mod faults;
mod flushes;
mod life;
mod mend;
mod properties;
mod retention;
mod running;
mod schemas;
mod stress;
