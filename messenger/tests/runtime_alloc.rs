//! From the bus through routing and a handler and back to the bus: no allocation.
#![cfg(all(feature = "bincode", feature = "zero_copy"))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use messenger::bus::{Bus, BusConfig};
use messenger::{Handle, Handler, Message, Outbox, Result, messenger};
use serde::{Deserialize, Serialize};

/// Counts what the thread that asks for it allocates.
struct Counting;

thread_local! {
    static COUNTED: Cell<Option<u64>> = const { Cell::new(None) };
}

fn count() {
    // A thread that is going down has nothing to count.
    let _ = COUNTED.try_with(|counted| counted.set(counted.get().map(|n| n + 1)));
}

// SAFETY: hands everything on to the system's allocator, whose contract is the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(memory, layout, len) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// A bincode message that borrows its text.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Line<'a> {
    n: u32,
    text: &'a str,
}

/// A bincode message without owned fields.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Point {
    n: u32,
    at: (i64, Option<f32>, [u8; 4]),
}

/// A zero-copy message.
#[derive(Clone, Copy, Message, Debug)]
#[message(id = 3, codec = zero_copy)]
#[repr(C)]
pub(crate) struct Quote {
    n: u32,
    price: u32,
}

/// Sends round and round.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Line<'_>, Point, Quote))]
pub(crate) struct Ring {
    warm: u32,
    rounds: u32,
    also: u32,
}

/// Gets some of it too.
#[derive(Debug, Handler)]
#[handler(id = 2)]
pub(crate) struct Second(u32);

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 3, sends(Line<'_>))]
pub(crate) struct Boss;

impl Handle<Line<'_>> for Ring {
    fn handle(&mut self, m: &Line<'_>, out: &mut Outbox<'_, Self>) -> Result {
        if m.n == self.warm {
            COUNTED.set(Some(0));
        }
        if m.n == self.warm + self.rounds {
            let counted = COUNTED.replace(None);
            assert_eq!(counted, Some(0), "allocations in {} rounds", self.rounds);
            out.stop();
        }
        self.also += m.text.len() as u32;
        out.send(&Point {
            n: m.n,
            at: (-1, Some(0.5), [1, 2, 3, 4]),
        })
    }
}

impl Handle<Point> for Ring {
    fn handle(&mut self, m: &Point, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(m.at.2, [1, 2, 3, 4]);
        out.build(|quote: &mut Quote| {
            quote.n = m.n;
            quote.price = 7;
        })
    }
}

impl Handle<Quote> for Ring {
    fn handle(&mut self, m: &Quote, out: &mut Outbox<'_, Self>) -> Result {
        if m.n % 2 == 0 {
            out.send(&Line {
                n: m.n + 1,
                text: "round and round",
            })
        } else {
            out.send(&Quote {
                n: m.n + 1,
                price: m.price,
            })
        }
    }
}

impl Handle<Quote> for Second {
    fn handle(&mut self, m: &Quote, _: &mut Outbox<'_, Self>) -> Result {
        self.0 += m.price;
        Ok(())
    }
}

messenger! {
    pub(crate) Merry;
    outside: [ Boss ]
    Go:
        handlers: [
            ring: Ring = Ring { warm: 11, rounds: if cfg!(miri) { 50 } else { 5000 }, also: 0 },
            second: Second = Second(0),
        ]
        routes: [
            Boss, Line: [ring],
            Ring, Line: [ring],
            Ring, Point: [ring],
            Ring, Quote: [ring, second],
        ]
}

#[test]
fn nothing_is_allocated_on_the_way() {
    let app = Merry::builder(Bus::new(BusConfig::bytes(4096)).unwrap())
        .run()
        .unwrap();
    let first = Line { n: 1, text: "go" };
    app.publisher::<Boss>().unwrap().send(&first).unwrap();
    let report = app.join().unwrap();
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.messages() > 100);
}
