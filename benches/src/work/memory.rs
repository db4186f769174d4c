//! How much memory a bus takes, and each reader more.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::{Conditions, Job, Metrics};
use crate::contender::Contender;

/// The ring that each gets, in bytes.
pub(crate) const RING: usize = 1 << 20;

/// Counts what is on the heap, while it is asked to.
struct Counting;

static ASKED: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static HEAP: Counting = Counting;

// SAFETY: all is left to `System`, which is one; counting touches no memory of its callers.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if ASKED.load(Ordering::Relaxed) {
            BYTES.fetch_add(layout.size() as i64, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if ASKED.load(Ordering::Relaxed) {
            BYTES.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        }
        // SAFETY: the caller's promise is handed on.
        unsafe { System.dealloc(at, layout) }
    }
}

/// The bytes on the heap that `make` leaves there, while its result lives.
fn heap_of<T>(make: impl FnOnce() -> T) -> i64 {
    let before = BYTES.load(Ordering::Relaxed);
    ASKED.store(true, Ordering::Relaxed);
    let made = make();
    let after = BYTES.load(Ordering::Relaxed);
    drop(made);
    ASKED.store(false, Ordering::Relaxed);
    after - before
}

/// Memory on the heap of one with so many readers.
pub(crate) struct Memory {
    pub(crate) readers: usize,
}

impl Job for Memory {
    fn run<C: Contender<N>, const N: usize>(self, _: Conditions) -> Result<Metrics, String> {
        let bytes = heap_of(|| C::open(RING, 1, self.readers));
        Ok(vec![("bytes", bytes as f64)])
    }
}
