//! A queue under `Mutex` and `Condvar`, as one writes it by hand: the reader takes all there is
//! by swapping queues, and nobody is woken who isn't waiting.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::slots;
use crate::contender::{Contender, Idle, Reader, Writer, ends};
use crate::payload::filled;

struct State<const N: usize> {
    queue: VecDeque<[u8; N]>,
    reader_waits: bool,
    writers_waiting: usize,
}

struct Shared<const N: usize> {
    state: Mutex<State<N>>,
    filled: Condvar,
    drained: Condvar,
    slots: usize,
}

impl<const N: usize> Shared<N> {
    fn lock(&self) -> MutexGuard<'_, State<N>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The writing end.
pub(crate) struct Push<const N: usize>(Arc<Shared<N>>);
/// The reading end, with the queue it swaps in.
pub(crate) struct Swap<const N: usize>(Arc<Shared<N>>, VecDeque<[u8; N]>);

/// The queue itself.
pub(crate) struct MutexQueue;

impl<const N: usize> Contender<N> for MutexQueue {
    type W = Push<N>;
    type R = Swap<N>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (usize::MAX, 1));
        // Two queues of half the ring each: one being filled, one being read.
        let slots = slots(ring, N) / 2;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: VecDeque::with_capacity(slots),
                reader_waits: false,
                writers_waiting: 0,
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
            slots,
        });
        let made = (0..writers).map(|_| Push(Arc::clone(&shared))).collect();
        (made, vec![Swap(shared, VecDeque::with_capacity(slots))])
    }
}

impl<const N: usize> Writer<N> for Push<N> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, _: &mut Idle) {
        let shared = &*self.0;
        for seq in first..first + count {
            let bytes = filled(seq);
            let mut state = shared.lock();
            while state.queue.len() == shared.slots {
                state.writers_waiting += 1;
                state = shared
                    .drained
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.writers_waiting -= 1;
            }
            state.queue.push_back(bytes);
            let wake = std::mem::take(&mut state.reader_waits);
            drop(state);
            if wake {
                shared.filled.notify_one();
            }
        }
    }
}

impl<const N: usize> Reader<N> for Swap<N> {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        let Self(shared, taken) = self;
        let mut state = shared.lock();
        while state.queue.is_empty() {
            state.reader_waits = true;
            state = shared
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.queue, taken);
        let wake = state.writers_waiting > 0;
        drop(state);
        if wake {
            shared.drained.notify_all();
        }
        let count = taken.len();
        for bytes in taken.drain(..) {
            each(&bytes);
        }
        count
    }
}
