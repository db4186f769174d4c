//! What a handler is: the traits that its author implements or derives.

use super::error::Result;
use super::outbox::Outbox;
use super::timers::Timer;
use crate::bus::SourceId;
use crate::message::{Message, MessageInfo};

/// A nano-service: something that takes messages ([`Handle`]) and sends some.
///
/// Derive it; by hand it looks so:
///
/// ```
/// use messenger::bus::SourceId;
/// use messenger::message::MessageInfo;
/// use messenger::{Handler, Lifecycle};
///
/// struct Printer;
///
/// impl Handler for Printer {
///     const ID: SourceId = SourceId::new(4);
///     const NAME: &'static str = "Printer";
///     const SENDS: &'static [MessageInfo] = &[];
/// }
///
/// impl Lifecycle for Printer {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "not a handler",
    note = "a handler has an id and a list of what it sends: `#[derive(Handler)] #[handler(id = .., sends(..))]`"
)]
pub trait Handler: Lifecycle + Sized + 'static {
    /// What stands as the source in the records it sends, unless the table gives an instance another one.
    const ID: SourceId;
    /// The name of the type.
    const NAME: &'static str;
    /// The messages it sends; each of them also implements [`SentBy`] this handler.
    const SENDS: &'static [MessageInfo];
    /// Whether it is the place of an async handler on its worker.
    #[doc(hidden)]
    const IS_TASK: bool = false;
}

/// What a handler does besides handling messages. All of it is optional: `#[derive(Handler)]` writes an empty
/// implementation, unless `#[handler(lifecycle)]` says that the author writes one. (Without that, one that he writes all the same is a
/// "conflicting implementation", E0119.)
///
/// All of these run on the worker's thread, and all may send.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no life cycle",
    label = "`Lifecycle` is not implemented",
    note = "`#[derive(Handler)]` implements it; after `#[handler(lifecycle)]` write `impl Lifecycle for {Self} {{ .. }}`"
)]
pub trait Lifecycle: Sized {
    /// Called once, when all handlers of all workers are made, before the first message.
    ///
    /// # Errors
    ///
    /// Whatever the handler says: then nothing runs, and `run` returns the error.
    #[inline]
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let _ = out;
        Ok(())
    }

    /// Called in each turn of the worker's loop, after a batch of messages; not while the worker sleeps.
    ///
    /// # Errors
    ///
    /// Whatever the handler says; the worker's error policy decides what follows.
    #[inline]
    fn on_loop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let _ = out;
        Ok(())
    }

    /// Called when a timer that the handler set by [`Outbox::timer`] is due, also while the worker sleeps.
    ///
    /// # Errors
    ///
    /// Whatever the handler says; the worker's error policy decides what follows.
    #[inline]
    fn on_timer(&mut self, timer: Timer, out: &mut Outbox<'_, Self>) -> Result {
        let _ = (timer, out);
        Ok(())
    }

    /// Called once, after the last message, when the messenger or the worker stops; not after a panic of
    /// this handler. What it sends stands on the bus, but no handler of this table gets it any more.
    ///
    /// # Errors
    ///
    /// Whatever the handler says; it is reported.
    #[inline]
    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let _ = out;
        Ok(())
    }
}

/// A handler that takes messages `M`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{M}`",
    label = "no `impl Handle<{M}> for {Self}`",
    note = "write `impl Handle<{M}> for {Self}`, or take the receiver out of the route; if it is async, declare it `name: async {Self} = ..`"
)]
pub trait Handle<M: Message>: Handler {
    /// Takes one message.
    ///
    /// # Errors
    ///
    /// Whatever the handler says; the worker's error policy decides what follows.
    fn handle(&mut self, message: &M, out: &mut Outbox<'_, Self>) -> Result;
}

/// A message that the handler `H` declares to send. `#[derive(Handler)]` implements it for each entry of `sends(..)`.
#[diagnostic::on_unimplemented(
    message = "`{H}` does not declare that it sends `{Self}`",
    label = "not in the `sends(..)` of `{H}`",
    note = "add it to the list of `{H}`: `#[handler(id = .., sends(.., {Self}))]`; or take a message that is there"
)]
pub trait SentBy<H> {}

/// A source outside of the table `A`, listed in its `outside: [..]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no outside source of the table `{A}`",
    label = "not in the `outside: [..]` of `{A}`",
    note = "only who is listed there publishes from outside: `outside: [ {Self} ]`"
)]
pub trait Outside<A>: Handler {}

/// What the expression after `name: Type =` in a table may be: the handler, or a `Result` with it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not make a handler `{H}`",
    label = "gives `{Self}`",
    note = "the expression in the table gives a `{H}`, or a `Result<{H}, E>` whose `E` is an error"
)]
pub trait Makes<H> {
    /// The handler, or why there is none.
    ///
    /// # Errors
    ///
    /// The constructor's error.
    fn made(self) -> Result<H>;
}

// That it is a handler is told at its type, and only there.
impl<H> Makes<H> for H {
    fn made(self) -> Result<H> {
        Ok(self)
    }
}

impl<H, E: Into<super::error::HandlerError>> Makes<H> for core::result::Result<H, E> {
    fn made(self) -> Result<H> {
        self.map_err(Into::into)
    }
}

/// What a constructor's expression came to.
///
/// # Errors
///
/// The constructor's error.
pub fn made<H>(expression: impl Makes<H>) -> Result<H> {
    expression.made()
}
