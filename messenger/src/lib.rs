//! Tiny services that talk over one lock-free, memory-mapped message bus.
//!
//! A *handler* knows the messages it takes and those it sends, and no other handler. A *table*, written with
//! [`messenger!`], says which *worker* (a thread) runs which handlers, and who gets what from whom. A table that is wrong
//! does not compile. The [bus] underneath gives every message a place in one total order, and every reader sees that order.
//!
#![cfg_attr(feature = "bincode", doc = "```")]
#![cfg_attr(not(feature = "bincode"), doc = "```text")]
//! use messenger::bus::{Bus, BusConfig, Start};
//! use messenger::{Handle, Handler, Message, Outbox, Result, messenger, messenger_id_enum};
//! use serde::{Deserialize, Serialize};
//!
//! // What travels are ids: of the message, and of who sent it.
//! messenger_id_enum! {
//!     enum Mid { Name = 1, Greeting = 2 }
//!     enum Hid { Greeter = 1, Main = 2 }
//! }
//!
//! #[derive(Message, Serialize, Deserialize)]
//! #[message(id = Mid::Name, codec = bincode)]
//! struct Name(String);
//!
//! #[derive(Message, Serialize, Deserialize)]
//! #[message(id = Mid::Greeting, codec = bincode)]
//! struct Greeting(String);
//!
//! /// Greets whom it hears of.
//! #[derive(Handler)]
//! #[handler(id = Hid::Greeter, sends(Greeting))]
//! struct Greeter { greeted: u32 }
//!
//! impl Handle<Name> for Greeter {
//!     fn handle(&mut self, name: &Name, out: &mut Outbox<'_, Self>) -> Result {
//!         self.greeted += 1;
//!         out.send(&Greeting(format!("Hello, {}, number {}!", name.0, self.greeted)))
//!     }
//! }
//!
//! /// `main` is a source like a handler, but outside of the workers.
//! #[derive(Handler)]
//! #[handler(id = Hid::Main, sends(Name))]
//! struct Main;
//!
//! messenger! {
//!     Hello;
//!     outside: [ Main ]
//!     Desk:
//!         handlers: [ greeter: Greeter = Greeter { greeted: 0 } ]
//!         routes: [ Main, Name: [greeter] ]
//!     drop: [ Greeter, Greeting ]
//! }
//!
//! let hello = Hello::builder(Bus::new(BusConfig::bytes(1 << 16))?).run()?;
//! let mut greetings = hello.subscribe_gating::<(Greeting,)>(Start::Newest)?;
//! hello.publisher::<Main>()?.send(&Name("Ada".into()))?;
//! let greeting = greetings.receive()?.expect("nobody has stopped it");
//! assert_eq!(greeting.0, "Hello, Ada, number 1!");
//! hello.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to read on
//!
//! [`messenger!`] for tables, [`Message`](derive@Message) and [`message`] for messages and their codecs, [`Handler`](derive@Handler),
//! [`Handle`] and [`Lifecycle`] for handlers, [`testing`] for their tests, [`Builder`] and [`Running`] for starting and stopping, [`bus`] for the bus alone.
//!
//! # When not to use it
//!
//! For two threads and one queue a channel is less to learn. Handlers send and forget: a program that is calls which wait for
//! results is better written as functions. Every handler has its place in the table: this is no pool for work that any free
//! thread may take. The bus has a fixed size: when it is full, publishers wait, fail, or spill up to a limit; a journal grows, as long as
//! the disk lets it. Processes share a bus, in memory or over a journal, on one machine and on Linux.
//!
//! # Features
//!
//! | feature | | gives |
//! |---|---|---|
//! | `bincode` | default | `codec = bincode`: serde, with the bytes of bincode 1 |
//! | `zero_copy` | default | `codec = zero_copy`: plain data, built and read in place |
//! | `postcard` | | `codec = postcard`: serde, compact |
//! | `prost` | | `codec = prost`: protobuf |
//! | `journal` | | a bus in files, which survives and can be replayed |
//! | `shared` | | a bus that processes share, any of which may die at any instant; with `journal`; Linux only |
//! | `tokio` | | async handlers |
//! | `tracing` | | events of the runtime |
//! | `svg` | | the routes as a picture |

// The derives and macros name this crate as `messenger`; so do its own tests and docs.
extern crate self as messenger;

#[macro_use]
#[doc(hidden)]
pub mod fault;

pub mod bus;
#[cfg(all(not(loom), feature = "journal"))]
mod checksum;
#[cfg(all(not(loom), feature = "journal"))]
pub mod journal;
pub mod memory;
#[cfg(not(loom))]
pub mod message;
#[cfg(not(loom))]
pub mod runtime;
#[cfg(all(not(loom), feature = "shared", target_os = "linux"))]
pub mod shared;
mod sync;
#[cfg(not(loom))]
mod table;
#[cfg(not(loom))]
pub mod testing;
mod words;

#[cfg(not(loom))]
pub use message::{DeserializeFrom, ExtendedMessage, Message, MessageInfo, Receive};
#[cfg(all(not(loom), feature = "zero_copy"))]
pub use message::{Plain, ZeroCopyMessage};
pub use messenger_macros::{Handler, Message, Plain};
#[cfg(not(loom))]
pub use runtime::{
    AfterPanic, App, Builder, Call, Failed, FailedRecord, Failure, FailureKind, Graph, Ground,
    Handle, Handler, HandlerError, Lifecycle, OnError, OnPanic, Outbox, Outside, PublishAllError,
    PublishError, Report, Result, RouteCounters, Running, SendError, SendFault, SentBy,
    SourcePublisher, StartError, Stopper, SubscribeError, Subscription, Timer, WorkerCounters,
    WorkerId, WorkerOptions,
};

#[cfg(all(not(loom), feature = "journal"))]
pub use runtime::{
    Act, ActKind, Divergence, Replay, ReplayError, Replayed, Undecodable, Unrecorded,
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
