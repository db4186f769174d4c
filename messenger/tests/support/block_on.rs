//! A future that a thread waits for.

#[path = "unpark.rs"]
mod unpark;

use std::pin::pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any future is pending, on however busy a machine.
const LONG: Duration = Duration::from_secs(if cfg!(miri) { 3600 } else { 60 });

/// Runs a future on this thread, which sleeps while it is pending.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = unpark::unparks();
    let (mut future, begun) = (pin!(future), Instant::now());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park_timeout(LONG);
        assert!(begun.elapsed() < LONG, "the task was never woken");
    }
}
