//! Tiny services that talk over one lock-free, memory-mapped message bus.

// The derives and macros name this crate as `messenger`; so do its own tests and docs.
extern crate self as messenger;

pub mod bus;
pub mod memory;
#[cfg(not(loom))]
pub mod message;
#[cfg(not(loom))]
pub mod runtime;
mod sync;
