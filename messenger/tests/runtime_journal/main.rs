//! Tables that run on a journal: they go on after a stop and after a kill, and are replayed.
#![cfg(all(feature = "journal", feature = "bincode", not(miri)))]

#[path = "../journal/kit.rs"]
#[expect(dead_code, reason = "the tests of the journal use the rest")]
mod kit;
#[path = "../support/log.rs"]
mod log;
mod table;
#[path = "../support/until.rs"]
mod until;

mod errors;
mod exact;
mod fields;
mod full;
mod held;
#[cfg(all(feature = "fault", target_os = "linux"))]
mod kept;
#[cfg(all(feature = "fault", target_os = "linux"))]
mod kill;
mod last;
mod policy;
mod renamed;
mod replay;
mod restore;
mod run;
mod surplus;
mod torn;
