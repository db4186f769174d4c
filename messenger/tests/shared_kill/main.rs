//! Processes that share a bus are killed, at every point and at any time, while others publish and read: nothing that was committed
//! is lost, doubled or torn, all see one order, and nothing is left.
//!
//! `MESSENGER_SHARED_KILLS` says how many are killed at random moments on a ring (`ci/nightly.sh`), besides those at each point, and `MESSENGER_SEED` with
//! which seed they begin.
#![cfg(all(feature = "shared", feature = "fault", target_os = "linux", not(miri)))]

mod arena;
mod kit;
mod left;
mod makers;
mod other;
mod points;
mod poverty;
mod stale;
mod stall;
mod survivor;
mod twins;
mod victim;
