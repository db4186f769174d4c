//! The rivals, each set up as its own documentation says is fastest.

#[cfg(aeron)]
mod aeron;
mod calls;
mod channels;
mod disruptors;
mod files;
mod iceoryx;
mod lock;
mod mapping;
mod rings;
mod stores;
mod wal;

#[cfg(aeron)]
pub(crate) use aeron::AeronIpc;
pub(crate) use calls::{Calls, NamedPipe, UnixSocket};
pub(crate) use channels::{
    CrossbeamBlock, CrossbeamBoxed, CrossbeamSpin, KanalBlock, StdBound, StdUnbound,
};
pub(crate) use disruptors::{
    DisruptorMulti, DisruptorMultiFan, DisruptorSingle, DisruptorSingleFan,
};
pub(crate) use files::{Buffered, BufferedReplay, FlushAndSync, MappedReplay, Unbuffered};
pub(crate) use iceoryx::{Iceoryx, IceoryxCrowd};
pub(crate) use lock::MutexQueue;
pub(crate) use mapping::Mapping;
pub(crate) use rings::{RtrbChunks, RtrbFan, RtrbOne, ThingBufRing};
pub(crate) use stores::{CommitLogReplay, CommitLogs, Redb};
pub(crate) use wal::Okaywal;

/// How many records the batching contenders write at a time.
pub(crate) const BURST: u64 = 32;

/// How many payloads of `size` bytes a ring of `ring` bytes has.
const fn slots(ring: usize, size: usize) -> usize {
    let slots = ring / size;
    // What `disruptor` asks for at least, with several producers.
    if slots < 64 { 64 } else { slots }
}
