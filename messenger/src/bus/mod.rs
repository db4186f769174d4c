//! The bus: one total order of records in memory, many publishers, many subscribers.
//!
//! Every record has a 64-bit position, in bytes, which only grows. Publishers claim a place in
//! the order, fill it and commit it; a claim that is dropped is aborted. Subscribers read all
//! committed records in order and hold back publishers that would overwrite what they have yet
//! to read; those that asked for it, for a stated time only ([`Bus::subscribe_evictable`]).
//! Observers hold nobody back, get copies, and may be lapped.
//!
//! ```
//! use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
//!
//! let bus = Bus::new(BusConfig::bytes(64 * 1024))?;
//! let mut publisher = bus.publisher()?;
//! let mut subscriber = bus.subscribe(Start::Oldest)?;
//!
//! let tag = Tag::new(SourceId::new(1), MessageId::new(7));
//! publisher.send(tag, b"hello")?;
//!
//! let record = subscriber.try_next()?.expect("it was committed");
//! assert_eq!((record.tag(), record.payload()), (tag, &b"hello"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The protocol, its states and its happens-before edges are described in `docs/bus.md`.

mod enrol;
mod error;
mod evict;
mod format;
#[cfg(any(
    all(test, loom),
    all(not(loom), feature = "shared", target_os = "linux")
))]
mod glance;
#[cfg(any(
    all(test, loom),
    all(not(loom), feature = "shared", target_os = "linux")
))]
pub(crate) mod hold;
mod ids;
mod layout;
mod members;
#[cfg_attr(
    not(any(loom, all(feature = "shared", target_os = "linux"))),
    expect(dead_code, reason = "only a bus that processes share has all edges")
)]
mod order;
mod park;
#[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
mod progress;
#[cfg(any(
    all(test, loom),
    all(not(loom), feature = "shared", target_os = "linux")
))]
mod recover;
mod ring;
mod room;
#[cfg(any(
    all(test, loom),
    all(not(loom), feature = "shared", target_os = "linux")
))]
pub(crate) mod seats;
#[cfg(any(
    all(test, loom),
    all(not(loom), feature = "shared", target_os = "linux")
))]
pub(crate) mod turns;
mod wait;

#[cfg(all(not(loom), feature = "shared", target_os = "linux"))]
mod bell;
#[cfg(not(loom))]
mod claim;
#[cfg(not(loom))]
mod config;
#[cfg(not(loom))]
mod handle;
#[cfg(all(not(loom), feature = "journal"))]
mod naps;
#[cfg(not(loom))]
mod observer;
#[cfg(not(loom))]
mod payload;
#[cfg(not(loom))]
mod prefetch;
#[cfg(all(not(loom), feature = "shared", target_os = "linux"))]
pub(crate) mod processes;
#[cfg(not(loom))]
mod publisher;
#[cfg(not(loom))]
mod record;
#[cfg(not(loom))]
mod registry;
#[cfg(not(loom))]
mod shared;
#[cfg(not(loom))]
mod stats;
#[cfg(not(loom))]
mod stream;
#[cfg(not(loom))]
mod subscriber;
#[cfg(not(loom))]
mod window;

#[cfg(all(test, loom))]
mod models;

pub use error::{
    BusError, ClaimError, CommitError, Corrupt, JoinError, Lost, NotSynced, ObserveError, ReadError,
};
pub use ids::{MessageId, SourceId, Tag};
pub use layout::record_len;
pub use wait::WaitStrategy;

#[cfg(not(loom))]
pub(crate) use registry::Runs;
#[cfg(all(feature = "tokio", not(loom)))]
pub(crate) use wait::wake_after;
#[cfg(not(loom))]
pub(crate) use wait::wake_each;
#[cfg(not(loom))]
pub use {
    claim::{Claim, Reservation},
    config::BusConfig,
    handle::{Bus, Multi, PublisherKind, Single},
    observer::{Observed, Observer},
    payload::{Overflow, PayloadWriter},
    publisher::Publisher,
    record::{OwnedRecord, Record},
    registry::{IdKind, Name, NameConflict, Registration},
    stats::{Stats, SubscriberState, SubscriberStats},
    stream::RecordStream,
    subscriber::{Evictable, Gating, Start, Subscriber, SubscriberKind},
};

/// What a journal is made of: the bus's format and its words, over segments.
#[cfg(all(not(loom), feature = "journal"))]
pub(crate) mod kept {
    pub(crate) use super::format::Format;
    pub(crate) use super::layout::{HEADER, Intent, State, TAIL_AT, meta, meta_len, meta_tag};
    pub(crate) use super::naps::Naps;
    pub(crate) use super::order::{finish_store, glance_fence, growth_load, growth_store};
    pub(crate) use super::prefetch::line_for_reading;
    pub(crate) use super::progress::{Progress, Word, finished_check, note_checked};
    pub(crate) use super::ring::{LAST, Memory, Uncovered};
    pub(crate) use super::shared::{
        Core, LastWords, Segments, last_words, over_segments, reset_words, words_len,
    };
    pub(crate) use super::window::Window;
}

/// The alignment, in bytes, of every payload's first byte.
pub const PAYLOAD_ALIGN: usize = 16;
