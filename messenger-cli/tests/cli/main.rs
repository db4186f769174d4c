//! The program, end to end: the built binary on journals and shared buses that the tests make.

mod changing;
mod damaged;
mod exchange;
mod kit;
mod live;
mod market;
mod reading;
#[cfg(target_os = "linux")]
mod shared;
#[cfg(target_os = "linux")]
mod terminal;
mod texts;
