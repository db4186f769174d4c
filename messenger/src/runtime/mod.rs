//! Handlers, routes and workers.
//!
//! A program is a set of [handlers](Handler), which know only the messages they take and send. A table says for each
//! worker which messages of which source go to which of its handlers. A worker is a thread that reads the bus in order,
//! looks up each record's [route](RouteTable), decodes it and calls the receivers, who send by their [`Outbox`].
//!
//! `messenger!` declares, and all the rest is here, as plain generic code: [`Builder`] starts a table, [`Running`] is one
//! that runs, [`Report`] is how it ended. `messenger/tests/by_hand.rs` shows a table without the macro.
//!
//! What holds:
//!
//! * A handler is made, called and dropped on its worker's thread; it need not be `Send`.
//! * Sending never waits. What finds the ring full is kept in the worker's bounded spill and goes out in order; a worker
//!   with a spill waits only for readers that are behind it, so that workers wait neither for themselves nor in a circle.
//! * A [stop](Running::stop) has a position: what stands before it is delivered, what comes after it is counted.
//! * A record that does not decode, a handler's error and a handler's panic are [failures](Failure): reported with their
//!   place, counted, skipped; the worker's [options](WorkerOptions) say what follows.

mod aligned;
mod app;
mod batch;
mod check;
mod control;
mod counters;
mod deliver;
mod describe;
mod error;
mod failure;
mod gate;
mod graph;
mod ground;
mod handler;
pub(crate) mod harness;
#[cfg(feature = "journal")]
mod kept;
mod link;
mod names;
mod options;
mod outbox;
mod publish;
mod runner;
mod running;
mod spill;
#[cfg(all(feature = "shared", target_os = "linux"))]
mod split;
mod start_error;
mod subscribe;
mod supervise;
mod table;
#[cfg(feature = "tokio")]
mod tasks;
mod thread;
mod timers;
mod told;
mod trace;
mod worker;

pub use app::{App, Builder, Spawner, WorkerId};
pub use check::Faults;
pub use counters::{RouteCounters, WorkerCounters};
pub use deliver::{Delivery, Hosted, Visitor};
pub use describe::{AppInfo, Dropped, HandlerInfo, Route, SourceInfo, WorkerInfo, sends};
pub use error::{HandlerError, Result};
pub use failure::{AfterPanic, Call, Failed, FailedRecord, Failure, FailureKind, Report};
pub use graph::{Drawing, Edge, Graph, Node};
pub use ground::Ground;
pub use handler::{Handle, Handler, Lifecycle, Makes, Outside, SentBy, made};
#[cfg(feature = "journal")]
pub use kept::{Act, ActKind, Divergence, Replay, ReplayError, Replayed, Undecodable, Unrecorded};
pub use link::{SendError, SendFault};
pub use options::{OnError, OnPanic, WorkerOptions, restart_needs_unwinding};
pub use outbox::{Outbox, Seat};
pub use publish::{PublishAllError, PublishError, SourcePublisher};
pub use running::{Running, Stopper};
pub use start_error::StartError;
pub use subscribe::{MessageSet, MessageStream, Received, SubscribeError, Subscription};
pub use table::{RouteTable, route_buckets, route_slots};
#[cfg(feature = "tokio")]
pub use tasks::{AsyncHandler, AsyncOutbox, HandleAsync, MAILBOX, Mailbox, TaskPublisher};
pub use timers::Timer;
pub use worker::{Making, Worker};
