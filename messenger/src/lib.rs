//! Tiny services that talk over one lock-free, memory-mapped message bus.

// The derives and macros name this crate as `messenger`; so do its own tests and docs.
extern crate self as messenger;

pub mod bus;
pub mod memory;
#[cfg(not(loom))]
pub mod message;
#[cfg(not(loom))]
pub mod runtime;
mod sync;
#[cfg(not(loom))]
mod table;

#[cfg(not(loom))]
pub use message::{DeserializeFrom, ExtendedMessage, Message, MessageInfo, Receive};
#[cfg(all(not(loom), feature = "zero_copy"))]
pub use message::{Plain, ZeroCopyMessage};
pub use messenger_macros::{Handler, Message, Plain};
#[cfg(not(loom))]
pub use runtime::{
    AfterPanic, App, Builder, Failed, FailedRecord, Failure, FailureKind, Graph, Handle, Handler,
    HandlerError, Lifecycle, OnError, OnPanic, Outbox, Outside, PublishError, Report, Result,
    RouteCounters, Running, SendError, SendFault, SentBy, SourcePublisher, StartError, Stopper,
    SubscribeError, Subscription, Timer, WorkerCounters, WorkerId, WorkerOptions,
};

#[cfg(all(not(loom), feature = "tokio"))]
pub use runtime::{AsyncHandler, AsyncOutbox, HandleAsync, Mailbox, TaskPublisher};

/// What the output of the macros names. Not for use by hand.
#[doc(hidden)]
#[cfg(not(loom))]
pub mod __macro {
    pub use crate::bus::{Bus, SourceId, Tag, WaitStrategy};
    pub use crate::message::expand::*;
    pub use crate::runtime::*;
    pub use messenger_macros::messenger_table;
}
