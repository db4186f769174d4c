//! The program, end to end: the built binary on journals and shared buses that the tests make.

#[cfg(target_os = "linux")]
mod bus_journal;
#[cfg(target_os = "linux")]
mod bus_kit;
#[cfg(target_os = "linux")]
mod bus_look;
#[cfg(target_os = "linux")]
mod bus_read;
mod changing;
mod damaged;
mod exchange;
mod kit;
mod live;
mod market;
mod payloads;
mod reading;
#[cfg(target_os = "linux")]
mod terminal;
mod texts;
