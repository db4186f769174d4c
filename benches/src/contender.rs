//! What everything that is measured looks like to the harness.

use std::hint::spin_loop;
use std::thread::yield_now;

/// How a thread of the harness waits between two looks at a queue that doesn't wait by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Idle {
    /// Looks again at once: for latency.
    Spin,
    /// Rests before it looks again, so that the other side can work in peace: for throughput,
    /// where every spinning contender is faster so (most by half, some by ten times).
    Rest,
    /// Looks a few times, then lets the next thread run: more threads than cores.
    GiveWay {
        /// How often it has looked in vain.
        looks: u32,
    },
}

impl Idle {
    /// The way that suits `threads` threads on two cores, if throughput is wanted.
    pub(crate) const fn for_threads(threads: usize) -> Self {
        if threads > 2 {
            Self::GiveWay { looks: 0 }
        } else {
            Self::Rest
        }
    }

    /// Nothing was there: waits a moment.
    #[inline(always)]
    pub(crate) fn wait(&mut self) {
        match self {
            Self::Spin => {}
            Self::Rest => rest(RESTS),
            Self::GiveWay { looks } => {
                *looks += 1;
                if *looks < 4 {
                    rest(RESTS);
                } else {
                    yield_now();
                }
            }
        }
    }

    /// Something was there.
    #[inline(always)]
    pub(crate) fn reset(&mut self) {
        if let Self::GiveWay { looks } = self {
            *looks = 0;
        }
    }
}

/// How many spin hints a rest is: some microseconds at most.
const RESTS: u32 = 256;

fn rest(hints: u32) {
    for _ in 0..hints {
        spin_loop();
    }
}

/// The end that writes payloads of `N` bytes.
pub(crate) trait Writer<const N: usize> {
    /// Writes `count` records with the sequence numbers from `first` on, waiting for room.
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle);
}

/// The end that reads them.
pub(crate) trait Reader<const N: usize> {
    /// Hands over what is there, at least one record, or returns 0; one that blocks waits for it.
    fn read(&mut self, each: impl FnMut(&[u8; N])) -> usize;
}

/// A bus, queue or channel with payloads of `N` bytes.
pub(crate) trait Contender<const N: usize> {
    /// Its writing end.
    type W: Writer<N> + Send;
    /// Its reading end.
    type R: Reader<N> + Send;

    /// Makes one with `ring` bytes for records. With several readers each gets every record.
    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>);
}

/// Says that a contender was asked for more ends than it has, which is a bug of the plan.
pub(crate) fn ends(writers: usize, readers: usize, most: (usize, usize)) {
    assert!(
        writers <= most.0 && readers <= most.1,
        "{writers} writers and {readers} readers planned, {most:?} possible"
    );
}
