//! Messages and handlers of a crate that calls `messenger` something else, has no prelude, and names its
//! own things as others name theirs. `tests/table.rs` makes tables of them.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(missing_docs, unused, rust_2018_idioms, unreachable_pub)]

use ::bus_framework::{
    Handle, Handler, Lifecycle, Message, Outbox, Plain, Result as Handled, messenger,
    messenger_id_enum,
};
use ::serde::{Deserialize, Serialize};

/// Not the crate.
pub mod core {}
/// Not the crate.
pub mod std {}
/// Not the crate.
pub mod messenger_macros {}

/// Not the prelude's.
#[derive(
    ::core::clone::Clone, ::core::marker::Copy, ::core::cmp::PartialEq, ::core::fmt::Debug,
)]
pub struct Option;
/// Not the prelude's.
#[expect(non_camel_case_types, reason = "named as it would hurt most")]
#[derive(::core::fmt::Debug)]
pub struct u16;

messenger_id_enum! {
    /// The messages.
    pub enum Mid {
        /// A number.
        Some = 1,
        /// A text.
        None = 2,
        /// Bytes.
        Ok = 3,
        /// Bytes with more behind them.
        Vec = 4,
    }
    /// The sources.
    pub enum Hid {
        /// The first handler.
        Worker = 1,
        /// The second.
        App = 2,
        /// The outside.
        Route = 3,
        /// Another instance of the second.
        Seat = 4,
    }
}

/// What ids are counted from.
const FIRST: ::core::primitive::u16 = 1;

/// A message of serde.
#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Some, codec = bincode, crate = ::bus_framework)]
pub struct Some {
    /// How far it has come.
    pub count: ::core::primitive::u16,
}

/// A message that borrows.
#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::None, codec = bincode, crate = ::bus_framework)]
pub struct None<'a> {
    /// What it says.
    pub text: &'a str,
}

/// A part of a zero-copy message.
#[derive(::core::clone::Clone, ::core::marker::Copy, Plain)]
#[message(crate = ::bus_framework)]
#[repr(u8)]
pub enum Result {
    /// Good.
    Ok = 1,
    /// Bad.
    Err = 2,
}

/// A zero-copy message.
#[derive(::core::clone::Clone, ::core::marker::Copy, Message)]
#[message(id = Mid::Ok, codec = zero_copy, crate = ::bus_framework)]
#[repr(C)]
pub struct Ok {
    /// A part of it.
    pub result: Result,
}

/// A zero-copy message with a tail.
#[derive(Message)]
#[message(id = FIRST + 3, codec = zero_copy, crate = ::bus_framework)]
pub struct Vec<'a> {
    /// What it begins with.
    pub head: &'a Ok,
    /// What follows.
    pub tail: &'a [Result],
}

/// A handler that is called as the trait which the macro implements for its workers.
#[derive(Handler)]
#[handler(id = Hid::Worker, sends(Some, None<'_>, Ok), crate = ::bus_framework)]
pub struct Worker;

impl Handle<Some> for Worker {
    fn handle(&mut self, message: &Some, out: &mut Outbox<'_, Self>) -> Handled {
        out.send(&None { text: "seen" })?;
        out.send(&Ok { result: Result::Ok })?;
        out.send(&Some {
            count: message.count + 1,
        })
    }
}

/// A handler that is called as the trait which the macro implements for its table.
#[derive(Handler)]
#[handler(id = Hid::App, lifecycle, crate = ::bus_framework)]
pub struct App {
    /// How much it has seen.
    pub seen: ::core::primitive::u16,
}

impl Lifecycle for App {}

impl Handle<Some> for App {
    fn handle(&mut self, message: &Some, out: &mut Outbox<'_, Self>) -> Handled {
        ::core::assert_eq!(self.seen + 1, message.count);
        out.stop();
        Handled::Ok(())
    }
}

impl Handle<None<'_>> for App {
    fn handle(&mut self, message: &None<'_>, _: &mut Outbox<'_, Self>) -> Handled {
        ::core::assert_eq!(message.text, "seen");
        Handled::Ok(())
    }
}

impl Handle<Ok> for App {
    fn handle(&mut self, message: &Ok, _: &mut Outbox<'_, Self>) -> Handled {
        ::core::assert!(::core::matches!(message.result, Result::Ok));
        Handled::Ok(())
    }
}

/// Who publishes from outside.
#[derive(Handler)]
#[handler(id = FIRST + 2, sends(Some), crate = ::bus_framework)]
pub struct Route;

messenger! {
    pub Table(config: ::core::primitive::u16);

    outside: [ Route ]

    /// Whose handlers are called as the locals and items beside them.
    Self_ (wait = block_now, on_panic = stop, on_error = stop, spill = 1 << 16, batch = 8):
        handlers: [
            /// The first.
            worker: Worker = Worker,
            r#fn: App = App { seen: *config },
            routes: App as Hid::Seat = {
                let making = *config;
                App { seen: making }
            },
        ]
        routes: [
            Route, Some: [worker],
            Worker, Some: [r#fn],
            Worker, None<'_>: [r#fn, routes],
            Worker, Ok: [routes],
        ]
}

/// Where constants are called as what the derives have in hand.
#[expect(
    missing_docs,
    non_upper_case_globals,
    reason = "named as it would hurt most"
)]
pub mod lower {
    use super::*;
    use ::core::primitive::{u8, usize};

    pub const bits: usize = 2;
    pub const number: u8 = 0;
    pub const head: usize = 2;
    pub const tail: usize = 2;
    pub const to: u8 = 0;
    pub const bytes: u8 = 0;

    /// As long as they say.
    #[derive(::core::clone::Clone, ::core::marker::Copy, Plain)]
    #[message(crate = ::bus_framework)]
    #[repr(C)]
    pub struct Part {
        pub bits: [u8; bits],
    }

    #[derive(::core::clone::Clone, ::core::marker::Copy, Plain)]
    #[message(crate = ::bus_framework)]
    #[repr(u8)]
    pub enum Kind {
        One = 1,
    }

    #[derive(Message)]
    #[message(id = 10, codec = zero_copy, crate = ::bus_framework)]
    pub struct Parts<'a> {
        pub head: &'a [u8; head],
        pub tail: &'a [Part],
    }

    #[derive(Message, Serialize, Deserialize)]
    #[message(id = 11, codec = bincode, crate = ::bus_framework)]
    pub struct Text<'a> {
        pub text: &'a str,
    }
}
