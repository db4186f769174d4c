//! Processes that share a bus are killed, at every point and at any time, while others publish and read: nothing that was committed
//! is lost, doubled or torn, all see one order, and nothing is left.
//!
//! `MESSENGER_SHARED_KILLS` says how many kills are tried (`ci/nightly.sh`), and `MESSENGER_SEED` with which seed they begin.
#![cfg(all(feature = "shared", feature = "fault", target_os = "linux", not(miri)))]

mod arena;
mod kit;
mod makers;
mod other;
mod points;
mod stale;
mod stall;
mod survivor;
mod twins;
mod victim;
