//! Lock-free rings: `rtrb` (one writer, one reader) and `thingbuf` (many writers).

use std::sync::Arc;

use thingbuf::ThingBuf;

use super::{BURST, slots};
use crate::contender::{Contender, Idle, Reader, Writer, ends};
use crate::payload::{fill, filled};

/// `rtrb`, one record at a time.
pub(crate) struct RtrbOne;
/// `rtrb`, several records at a time, by its chunks.
pub(crate) struct RtrbChunks;
/// One `rtrb` per reader, each written in turn by chunks.
pub(crate) struct RtrbFan;

/// An end used one record at a time.
pub(crate) struct One<T>(T);
/// An end used by chunks; a writer has one ring per reader.
pub(crate) struct Chunks<T>(T);

impl<const N: usize> Contender<N> for RtrbOne {
    type W = One<rtrb::Producer<[u8; N]>>;
    type R = One<rtrb::Consumer<[u8; N]>>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 1));
        let (producer, consumer) = rtrb::RingBuffer::new(slots(ring, N));
        (vec![One(producer)], vec![One(consumer)])
    }
}

impl<const N: usize> Writer<N> for One<rtrb::Producer<[u8; N]>> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        for seq in first..first + count {
            while self.0.is_full() {
                idle.wait();
            }
            idle.reset();
            let _ = self.0.push(filled(seq));
        }
    }
}

impl<const N: usize> Reader<N> for One<rtrb::Consumer<[u8; N]>> {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        self.0.pop().map_or(0, |bytes| {
            each(&bytes);
            1
        })
    }
}

/// Writes one chunk of up to `count` records; returns how many there was room for.
#[inline(always)]
fn put_chunk<const N: usize>(to: &mut rtrb::Producer<[u8; N]>, first: u64, count: usize) -> usize {
    let room = if to.cached_slots() >= count {
        count
    } else {
        to.slots().min(count)
    };
    if room == 0 {
        return 0;
    }
    to.write_chunk_uninit(room)
        .map_or(0, |chunk| chunk.fill_from_iter((first..).map(filled::<N>)))
}

#[inline(always)]
fn take_chunk<const N: usize>(
    from: &mut rtrb::Consumer<[u8; N]>,
    mut each: impl FnMut(&[u8; N]),
) -> usize {
    let there = from.slots();
    if there == 0 {
        return 0;
    }
    from.read_chunk(there).map_or(0, |chunk| {
        let (front, back) = chunk.as_slices();
        for bytes in front.iter().chain(back) {
            each(bytes);
        }
        chunk.commit_all();
        there
    })
}

impl<const N: usize> Contender<N> for RtrbChunks {
    type W = Chunks<rtrb::Producer<[u8; N]>>;
    type R = Chunks<rtrb::Consumer<[u8; N]>>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 1));
        let (producer, consumer) = rtrb::RingBuffer::new(slots(ring, N));
        (vec![Chunks(producer)], vec![Chunks(consumer)])
    }
}

impl<const N: usize> Writer<N> for Chunks<rtrb::Producer<[u8; N]>> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        let (mut seq, end) = (first, first + count);
        while seq < end {
            match put_chunk(&mut self.0, seq, BURST.min(end - seq) as usize) {
                0 => idle.wait(),
                put => {
                    idle.reset();
                    seq += put as u64;
                }
            }
        }
    }
}

impl<const N: usize> Reader<N> for Chunks<rtrb::Consumer<[u8; N]>> {
    #[inline(always)]
    fn read(&mut self, each: impl FnMut(&[u8; N])) -> usize {
        take_chunk(&mut self.0, each)
    }
}

impl<const N: usize> Contender<N> for RtrbFan {
    type W = Chunks<Vec<rtrb::Producer<[u8; N]>>>;
    type R = Chunks<rtrb::Consumer<[u8; N]>>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, usize::MAX));
        let (producers, consumers) = (0..readers)
            .map(|_| rtrb::RingBuffer::new(slots(ring, N)))
            .map(|(producer, consumer)| (producer, Chunks(consumer)))
            .unzip();
        (vec![Chunks(producers)], consumers)
    }
}

impl<const N: usize> Writer<N> for Chunks<Vec<rtrb::Producer<[u8; N]>>> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        let (mut start, end) = (first, first + count);
        while start < end {
            let stop = end.min(start + BURST);
            for producer in &mut self.0 {
                let mut seq = start;
                while seq < stop {
                    match put_chunk(producer, seq, (stop - seq) as usize) {
                        0 => idle.wait(),
                        put => {
                            idle.reset();
                            seq += put as u64;
                        }
                    }
                }
            }
            start = stop;
        }
    }
}

/// A slot of `thingbuf`.
#[derive(Clone)]
pub(crate) struct Slot<const N: usize>([u8; N]);

impl<const N: usize> Default for Slot<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

/// Keeps what a slot holds, since the writer writes all of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep;

impl<const N: usize> thingbuf::recycling::Recycle<Slot<N>> for Keep {
    fn new_element(&self) -> Slot<N> {
        Slot::default()
    }

    fn recycle(&self, _: &mut Slot<N>) {}
}

/// `thingbuf`'s lock-free queue, written and read in place, tried until it works.
pub(crate) struct ThingBufRing;

/// Either end of it.
pub(crate) struct InPlace<const N: usize>(Arc<ThingBuf<Slot<N>, Keep>>);

impl<const N: usize> Contender<N> for ThingBufRing {
    type W = InPlace<N>;
    type R = InPlace<N>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (usize::MAX, 1));
        let queue = Arc::new(ThingBuf::with_recycle(slots(ring, N), Keep));
        let made = (0..writers).map(|_| InPlace(Arc::clone(&queue))).collect();
        (made, vec![InPlace(queue)])
    }
}

impl<const N: usize> Writer<N> for InPlace<N> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        for seq in first..first + count {
            loop {
                if let Ok(mut slot) = self.0.push_ref() {
                    fill(&mut slot.0, seq);
                    break;
                }
                idle.wait();
            }
            idle.reset();
        }
    }
}

impl<const N: usize> Reader<N> for InPlace<N> {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        self.0.pop_ref().map_or(0, |slot| {
            each(&slot.0);
            1
        })
    }
}
