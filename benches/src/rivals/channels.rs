//! Channels which move values: `crossbeam-channel`, `kanal`, and those of the standard library.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

use super::slots;
use crate::contender::{Contender, Idle, Reader, Writer, ends};
use crate::payload::filled;

/// Sent or received in the channel's own waiting way.
pub(crate) struct Block<T>(T);
/// Sent and received by trying until it works.
pub(crate) struct Spin<T>(T);
/// The payload moves as a box.
pub(crate) struct Boxed<T>(T);

fn clones<T: Clone, U>(end: T, count: usize, wrap: impl Fn(T) -> U) -> Vec<U> {
    (0..count).map(|_| wrap(end.clone())).collect()
}

/// Bounded channels, waiting by themselves.
macro_rules! blocking {
    ($($(#[$says:meta])* $name:ident: $from:ident::{$sender:ident, $receiver:ident, $bounded:ident},)*) => {$(
        $(#[$says])*
        pub(crate) struct $name;

        impl<const N: usize> Contender<N> for $name {
            type W = Block<$from::$sender<[u8; N]>>;
            type R = Block<$from::$receiver<[u8; N]>>;

            fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
                ends(writers, readers, (usize::MAX, 1));
                let (sender, receiver) = $from::$bounded(slots(ring, N));
                (clones(sender, writers, Block), vec![Block(receiver)])
            }
        }

        impl<const N: usize> Writer<N> for Block<$from::$sender<[u8; N]>> {
            #[inline(always)]
            fn write(&mut self, first: u64, count: u64, _: &mut Idle) {
                for seq in first..first + count {
                    let _ = self.0.send(filled(seq));
                }
            }
        }

        impl<const N: usize> Reader<N> for Block<$from::$receiver<[u8; N]>> {
            #[inline(always)]
            fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
                self.0.recv().map_or(0, |bytes| {
                    each(&bytes);
                    1
                })
            }
        }
    )*};
}

blocking! {
    /// `crossbeam-channel`.
    CrossbeamBlock: crossbeam_channel::{Sender, Receiver, bounded},
    /// `kanal`.
    KanalBlock: kanal::{Sender, Receiver, bounded},
    /// `std::sync::mpsc::sync_channel`.
    StdBound: mpsc::{SyncSender, Receiver, sync_channel},
}

/// `crossbeam-channel`, bounded, tried until it works.
pub(crate) struct CrossbeamSpin;

impl<const N: usize> Contender<N> for CrossbeamSpin {
    type W = Spin<crossbeam_channel::Sender<[u8; N]>>;
    type R = Spin<crossbeam_channel::Receiver<[u8; N]>>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (usize::MAX, 1));
        let (sender, receiver) = crossbeam_channel::bounded(slots(ring, N));
        (clones(sender, writers, Spin), vec![Spin(receiver)])
    }
}

impl<const N: usize> Writer<N> for Spin<crossbeam_channel::Sender<[u8; N]>> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        for seq in first..first + count {
            let mut bytes = filled(seq);
            while let Err(error) = self.0.try_send(bytes) {
                bytes = error.into_inner();
                idle.wait();
            }
            idle.reset();
        }
    }
}

impl<const N: usize> Reader<N> for Spin<crossbeam_channel::Receiver<[u8; N]>> {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        self.0.try_recv().map_or(0, |bytes| {
            each(&bytes);
            1
        })
    }
}

/// `crossbeam-channel`, bounded, with a box for each payload: for large ones.
pub(crate) struct CrossbeamBoxed;

impl<const N: usize> Contender<N> for CrossbeamBoxed {
    type W = Boxed<crossbeam_channel::Sender<Box<[u8]>>>;
    type R = Boxed<crossbeam_channel::Receiver<Box<[u8]>>>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (usize::MAX, 1));
        let (sender, receiver) = crossbeam_channel::bounded(slots(ring, N));
        (clones(sender, writers, Boxed), vec![Boxed(receiver)])
    }
}

impl<const N: usize> Writer<N> for Boxed<crossbeam_channel::Sender<Box<[u8]>>> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, _: &mut Idle) {
        for seq in first..first + count {
            let mut bytes = Vec::with_capacity(N);
            for i in 0..(N / 512).max(1) as u64 {
                let mut piece = [0; 512];
                crate::payload::fill(&mut piece, seq + i * 64);
                bytes.extend_from_slice(&piece[..N.min(512)]);
            }
            let _ = self.0.send(bytes.into_boxed_slice());
        }
    }
}

impl<const N: usize> Reader<N> for Boxed<crossbeam_channel::Receiver<Box<[u8]>>> {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        let Ok(bytes) = self.0.recv() else { return 0 };
        match bytes.first_chunk() {
            Some(bytes) => each(bytes),
            None => unreachable!("the writer boxes N bytes"),
        }
        1
    }
}

/// How many records each side of an unbounded channel handles between two looks at the other.
const STRIDE: u64 = 256;

/// `std::sync::mpsc::channel`: unbounded, so the harness keeps its writers from running away
/// by a count which the reader stores now and then.
pub(crate) struct StdUnbound;

/// A writer which looks at the reader's count now and then.
pub(crate) struct Kept<const N: usize> {
    sender: mpsc::Sender<[u8; N]>,
    read: Arc<AtomicU64>,
    sent: u64,
    ahead: u64,
}

/// A reader which stores its count now and then.
pub(crate) struct Counting<const N: usize> {
    receiver: mpsc::Receiver<[u8; N]>,
    read: Arc<AtomicU64>,
    count: u64,
}

impl<const N: usize> Contender<N> for StdUnbound {
    type W = Kept<N>;
    type R = Counting<N>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (usize::MAX, 1));
        let (sender, receiver) = mpsc::channel();
        let read = Arc::new(AtomicU64::new(0));
        // Each writer may be as far ahead of all reading as the ring is long.
        let ahead = (slots(ring, N) as u64).max(4 * STRIDE);
        let made = (0..writers)
            .map(|_| Kept {
                sender: sender.clone(),
                read: Arc::clone(&read),
                sent: 0,
                ahead,
            })
            .collect();
        let reader = Counting {
            receiver,
            read,
            count: 0,
        };
        (made, vec![reader])
    }
}

impl<const N: usize> Writer<N> for Kept<N> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        for seq in first..first + count {
            let _ = self.sender.send(filled(seq));
            self.sent += 1;
            if self.sent.is_multiple_of(STRIDE) {
                while self.sent > self.read.load(Ordering::Relaxed) + self.ahead {
                    idle.wait();
                }
                idle.reset();
            }
        }
    }
}

impl<const N: usize> Reader<N> for Counting<N> {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        let Ok(bytes) = self.receiver.recv() else {
            return 0;
        };
        each(&bytes);
        self.count += 1;
        if self.count.is_multiple_of(STRIDE) {
            self.read.store(self.count, Ordering::Relaxed);
        }
        1
    }
}
