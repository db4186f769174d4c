//! A program with an event loop takes part in a table: it sleeps in `poll` for descriptors, and the bus is one of them.
//!
//! ```text
//!         this process, an event loop                 its child, a worker
//!                        ----------------- Question ---------------->
//!     doorbell           <---------------- Answer -------------------
//!     the child's output <------- a line of text, then the end ------
//! ```
//!
//! [`asking`](asking.rs) is the loop. It has one thread and is never asleep but in `poll`, for all that it waits for: a
//! `Doorbell`, whose descriptor can be read when messages may have come, and a pipe. What does so for `poll` does so for epoll, asyncio,
//! libuv or tokio's `AsyncFd`. (Tasks on tokio need no descriptor: `Subscription::next_async`.)
//!
//! ```text
//! cargo run --example event_loop
//! ```

#[cfg(target_os = "linux")]
mod asking;
#[cfg(target_os = "linux")]
mod squares;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1) {
        None => asking::ask(),
        Some(bus) => squares::answer(&bus),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("Buses that processes share need Linux.");
}
