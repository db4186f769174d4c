//! The journal survives: processes killed at every point, disks that lose what was not flushed, files that are damaged.
//!
//! `MESSENGER_KILLS`, `MESSENGER_POWER_SEEDS` and `MESSENGER_DAMAGES` say how many cases of each are tried (`ci/nightly.sh`), and
//! `MESSENGER_SEED` with which one they begin.
#![cfg(all(feature = "journal", feature = "fault", target_os = "linux", not(miri)))]

mod check;
mod child;
mod damage;
mod disk;
mod harm;
mod kill;
mod kit;
mod power;
mod reopen;
mod repair;
