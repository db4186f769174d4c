//! A waker that panics.

use std::sync::Arc;
use std::task::Wake;

/// Panics where it is to wake somebody.
pub(crate) struct Bang;

impl Wake for Bang {
    fn wake(self: Arc<Self>) {
        panic!("on waking");
    }
}
