//! A bus that processes share: how it is made, opened and removed, and what is done when a process dies.
#![cfg(all(feature = "shared", target_os = "linux", not(miri)))]

mod kit;
#[path = "../support/numbers.rs"]
mod numbers;

#[cfg(feature = "zero_copy")]
mod again;
mod death;
mod errors;
mod evict;
mod journal;
mod lapped;
mod look;
mod meanwhile;
mod mutations;
mod names;
mod namespaces;
#[cfg(feature = "zero_copy")]
mod pool;
#[cfg(feature = "zero_copy")]
mod pool_kill;
mod reader;
mod same_pid;
mod soak;
#[cfg(feature = "zero_copy")]
mod table;
