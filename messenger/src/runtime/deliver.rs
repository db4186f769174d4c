//! From a record to a handler's call.

use core::any::Any;
use core::borrow::Borrow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::describe::HandlerInfo;
use super::error::HandlerError;
use super::failure::{Call, Failure, FailureKind};
use super::handler::{Handle, Handler};
use super::link::{Link, NOBODY};
use super::options::OnError;
use super::outbox::{Outbox, Seat};
use super::timers::Timer;
use crate::message::Receive;

/// Decodes a record and calls its receivers.
#[derive(Debug)]
pub struct Delivery<'a> {
    link: &'a mut Link,
}

/// What unwinds when each receiver of a record has had it, and panics of some were caught on the way.
pub(crate) struct Caught;

impl<'a> Delivery<'a> {
    #[inline]
    pub(crate) fn new(link: &'a mut Link) -> Self {
        Self { link }
    }

    /// Gives the message in `payload` to its only receiver.
    // Never inlined: a worker's loop stays small however many routes it has, and so does what it keeps in registers.
    #[inline(never)]
    pub fn deliver<'m, M: Receive<'m>, H: Handle<M>>(
        mut self,
        seat: Seat,
        handler: &mut H,
        payload: &'m [u8],
    ) {
        self.link.seat = NOBODY;
        match M::receive(payload) {
            Ok(held) => self.call(seat, handler, held.borrow()),
            Err(error) => self.link.undecodable(error),
        }
    }

    /// Decodes the message in `payload` once, for `each` to [`handle`](Self::handle) by several receivers.
    #[inline]
    pub fn receive<'m, M: Receive<'m>>(
        mut self,
        payload: &'m [u8],
        each: impl FnOnce(&mut Self, &M),
    ) {
        self.link.seat = NOBODY;
        match M::receive(payload) {
            Ok(held) => each(&mut self, held.borrow()),
            Err(error) => self.link.undecodable(error),
        }
        if !self.link.caught.is_empty() {
            resume_unwind(Box::new(Caught));
        }
    }

    /// Gives the message to one of several receivers; a panic waits until all have had it.
    #[inline]
    pub fn handle<'m, M: Receive<'m>, H: Handle<M>>(
        &mut self,
        seat: Seat,
        handler: &mut H,
        message: &M,
    ) {
        // Whoever catches it decides, by the worker's policy, whether this handler is called again.
        let at = (self.link.route, self.link.position);
        let called = catch_unwind(AssertUnwindSafe(|| self.call(seat, handler, message)));
        if let Err(panic) = called {
            self.caught(seat, panic);
            // An async handler's panic may be over an earlier record.
            (self.link.route, self.link.position) = at;
        }
    }

    #[inline]
    fn call<'m, M: Receive<'m>, H: Handle<M>>(&mut self, seat: Seat, handler: &mut H, message: &M) {
        if self.link.any_dead && self.is_dead(seat) {
            return;
        }
        self.link.seat = seat.index;
        if let Err(error) = handler.handle(message, &mut Outbox::new(self.link, seat)) {
            returned(self.link, seat, error);
        }
    }

    #[cold]
    #[inline(never)]
    fn is_dead(&mut self, seat: Seat) -> bool {
        let dead = self.link.dead[usize::from(seat.index)];
        self.link.tally.orphaned.add(u64::from(dead));
        dead
    }

    #[cold]
    fn caught(&mut self, seat: Seat, panic: Box<dyn Any + Send>) {
        let panic = self.link.panic(seat.index, panic);
        self.link.caught.push(panic);
    }
}

/// A handler returned an error: what its worker's policy says.
#[cold]
#[inline(never)]
pub(crate) fn returned(link: &mut Link, seat: Seat, error: HandlerError) {
    let handling = link.call == Some(Call::OnMessage);
    link.tally.errors.add(1);
    if handling {
        link.tally.routes[link.route].errors.add(1);
    }
    let mut failure = Failure::of_handler(
        link.info,
        usize::from(seat.index),
        link.called(seat.index),
        FailureKind::Returned(error),
    );
    failure.record = link.record().filter(|_| handling);
    match link.info.options.on_error {
        OnError::Report => link.control.report(failure),
        OnError::Stop => {
            #[cfg(feature = "journal")]
            match link.call {
                Some(Call::OnLoop) => link.unkept = true,
                Some(Call::OnStop) => {}
                _ => link.note_given_up(seat.index, 0),
            }
            link.control.fail(failure);
        }
    }
}

/// Something done with handlers of a worker, whatever their types.
pub trait Visitor {
    /// Does it with one of them.
    fn visit<H: Handler>(&mut self, seat: Seat, handler: &mut H);
}

/// How a table reaches its handlers. Both are in one trait that each handler has, so that the compiler says of a type which is none that it is
/// none, once: two functions with a bound would have it say so of each.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler has an id and a list of what it sends: `#[derive(Handler)] #[handler(id = .., sends(..))]`"
)]
pub trait Hosted {
    /// What it is, but for its name in the table.
    const INFO: HandlerInfo;

    /// Has `visitor` visit it.
    fn visited(&mut self, seat: Seat, visitor: &mut impl Visitor);
}

impl<H: Handler> Hosted for H {
    const INFO: HandlerInfo = HandlerInfo::of::<H>();

    #[inline]
    fn visited(&mut self, seat: Seat, visitor: &mut impl Visitor) {
        visitor.visit(seat, self);
    }
}

/// Calls `on_loop`.
pub(crate) struct Turn<'a>(pub(crate) &'a mut Link);

impl Visitor for Turn<'_> {
    #[inline]
    fn visit<H: Handler>(&mut self, seat: Seat, handler: &mut H) {
        self.0.seat = seat.index;
        if let Err(error) = handler.on_loop(&mut Outbox::new(self.0, seat)) {
            returned(self.0, seat, error);
        }
    }
}

/// Calls `on_timer`.
pub(crate) struct Fire<'a>(pub(crate) &'a mut Link, pub(crate) Timer);

impl Visitor for Fire<'_> {
    fn visit<H: Handler>(&mut self, seat: Seat, handler: &mut H) {
        self.0.seat = seat.index;
        if let Err(error) = handler.on_timer(self.1, &mut Outbox::new(self.0, seat)) {
            returned(self.0, seat, error);
        }
    }
}

/// Calls `on_stop`.
pub(crate) struct Stop<'a>(pub(crate) &'a mut Link);

impl Visitor for Stop<'_> {
    fn visit<H: Handler>(&mut self, seat: Seat, handler: &mut H) {
        self.0.seat = seat.index;
        if let Err(error) = handler.on_stop(&mut Outbox::new(self.0, seat)) {
            returned(self.0, seat, error);
        }
    }
}

/// Calls `on_start`, and keeps its error.
pub(crate) struct Begin<'a>(pub(crate) &'a mut Link, pub(crate) Option<HandlerError>);

impl Visitor for Begin<'_> {
    fn visit<H: Handler>(&mut self, seat: Seat, handler: &mut H) {
        self.0.seat = seat.index;
        self.1 = handler.on_start(&mut Outbox::new(self.0, seat)).err();
    }
}
