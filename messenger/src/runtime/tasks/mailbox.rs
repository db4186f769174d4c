//! Async handlers: a mailbox on the worker's side, a tokio task on the other.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};

use tokio::task::JoinError;

use super::place::{Ended, Place, Task};
use super::queue::{Next, Queue, Waiting};
use super::task::{AsyncOutbox, Outlet, TaskPublisher, TaskShared};
use crate::bus::SourceId;
use crate::message::{Message, MessageInfo};
use crate::runtime::deliver::returned;
use crate::runtime::error::{HandlerError, Result};
use crate::runtime::failure::Call;
use crate::runtime::handler::{Handle, Handler, Lifecycle, Makes};
use crate::runtime::link::Link;
use crate::runtime::outbox::{Outbox, Seat};
use crate::runtime::runner::HOLD;

/// How many messages a mailbox holds unless the table says so by `(mailbox = N)`.
pub const MAILBOX: usize = 64;

/// A handler that runs as a tokio task: [`HandleAsync`] for each of its messages.
///
/// In a table `async` stands before its type: `server: async Server = ..`, or `server: async Server (mailbox = 16) = ..`. Its
/// messages wait for it in a [`Mailbox`], for as many as that says, or [`MAILBOX`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an async handler",
    label = "not an async handler",
    note = "write `impl AsyncHandler for {Self} {{}}`, or take out the `async` before it"
)]
pub trait AsyncHandler: Handler + Send {
    /// Called once, in the task, before the first message.
    ///
    /// # Errors
    ///
    /// Whatever the handler says: then nothing runs, and `run` returns the error.
    fn on_start(&mut self, out: &mut AsyncOutbox<Self>) -> impl Future<Output = Result> + Send {
        let _ = out;
        async { Ok(()) }
    }

    /// Called once, in the task, after the last message; not after a panic of this handler.
    ///
    /// # Errors
    ///
    /// Whatever the handler says; it is reported.
    fn on_stop(&mut self, out: &mut AsyncOutbox<Self>) -> impl Future<Output = Result> + Send {
        let _ = out;
        async { Ok(()) }
    }
}

/// An async handler that takes messages `M`, each an owned value, one after the other and in order.
///
/// ```
/// use messenger::{AsyncHandler, AsyncOutbox, HandleAsync, Handler, Message, Result};
///
/// struct Resolver;
/// # impl Handler for Resolver {
/// #     const ID: messenger::bus::SourceId = messenger::bus::SourceId::new(1);
/// #     const NAME: &'static str = "Resolver";
/// #     const SENDS: &'static [messenger::MessageInfo] = &[];
/// # }
/// # impl messenger::Lifecycle for Resolver {}
/// # #[derive(Clone)]
/// # struct Query { name: u32 }
/// # impl Message for Query {
/// #     const ID: messenger::bus::MessageId = messenger::bus::MessageId::new(1);
/// #     const NAME: &'static str = "Query";
/// #     type Mode = messenger::message::Serialized;
/// # }
///
/// impl AsyncHandler for Resolver {}
///
/// impl HandleAsync<Query> for Resolver {
///     async fn handle(&mut self, query: Query, out: &mut AsyncOutbox<Self>) -> Result {
///         // await whatever it takes, then `out.send(&Answer { .. })`
///         Ok(())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle `{M}` in its task",
    label = "no `impl HandleAsync<{M}> for {Self}`",
    note = "a handler in a `Mailbox` implements `HandleAsync<{M}>` in place of `Handle<{M}>`"
)]
pub trait HandleAsync<M: Message>: AsyncHandler {
    /// Takes one message.
    ///
    /// # Errors
    ///
    /// Whatever the handler says; the worker's error policy decides what follows.
    fn handle(
        &mut self,
        message: M,
        out: &mut AsyncOutbox<Self>,
    ) -> impl Future<Output = Result> + Send;
}

/// A message that can be kept in a [`Mailbox`]: a clone of its own, which its handler then owns.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be kept in the mailbox of an async handler",
    label = "not `Clone`, or it borrows",
    note = "an async handler owns its messages: derive `Clone`, and borrow nothing from the payload"
)]
pub trait Mailable: Message + Clone + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<M: Message + Clone + Send + 'static> Mailable for M {}

/// An async handler's place on its worker: copies its messages into a bounded queue that its task takes them from.
///
/// While the queue is full this worker reads nothing, for whichever of its handlers; the other workers go on. A panic in the
/// task is the handler's panic, and the worker's policy decides about it, also while the queue is worked off before the stop;
/// what is queued behind the message at fault is kept for the handler made again. If this handler panics on the worker's
/// thread, as a message is cloned for it, the worker waits until the task is done with what it has in hand.
///
/// The task runs on the runtime given to [`Builder::tokio`](crate::runtime::Builder::tokio), or on the one in which
/// [`Builder::run`](crate::runtime::Builder::run) is called. The worker's thread waits for the task when it starts and when it stops,
/// so where only one thread runs that runtime's tasks, `run`, `stop` and `join` are errors on it; what waits there is
/// [`Builder::run_async`](crate::runtime::Builder::run_async), [`Running::stop_async`](crate::runtime::Running::stop_async) and
/// [`Running::join_async`](crate::runtime::Running::join_async). A runtime of the current thread runs tasks in its `block_on` alone: who stops, joins or
/// drops a run behind that waits until somebody calls it again, or drops the runtime. Nobody finds out who waits there for what the task does: for room, in
/// [`SourcePublisher::send`](crate::runtime::SourcePublisher::send), or for a message, in
/// [`Subscription::next`](crate::runtime::Subscription::next).
///
/// Its tasks send by a publisher of their own: each async handler takes one of the bus's slots for members, besides the two of its
/// worker.
///
/// What lies in its mailbox counts as handled where a worker says how far it has got: a kill loses it.
pub struct Mailbox<H> {
    capacity: usize,
    /// Before the task has it.
    handler: Option<H>,
    running: Option<Started<H>>,
}

/// What waits for a handler, whichever task of it takes it.
type Letters<H> = Arc<Queue<Posted<H>>>;

/// A task that has been started.
struct Started<H> {
    queue: Letters<H>,
    shared: Arc<TaskShared>,
}

/// A message in a mailbox.
struct Posted<H> {
    route: usize,
    position: u64,
    mail: Box<dyn Mail<H>>,
}

trait Mail<H>: Send {
    fn open<'a>(
        self: Box<Self>,
        handler: &'a mut H,
        out: &'a mut AsyncOutbox<H>,
    ) -> Pin<Box<dyn Future<Output = Result> + Send + 'a>>;
}

struct Letter<M>(M);

impl<H: HandleAsync<M>, M: Message + Send + 'static> Mail<H> for Letter<M> {
    fn open<'a>(
        self: Box<Self>,
        handler: &'a mut H,
        out: &'a mut AsyncOutbox<H>,
    ) -> Pin<Box<dyn Future<Output = Result> + Send + 'a>> {
        Box::pin(handler.handle(self.0, out))
    }
}

impl<H> Mailbox<H> {
    /// A mailbox for at most `capacity` messages that wait (at least one).
    #[must_use]
    pub fn new(capacity: usize, handler: H) -> Self {
        Self {
            capacity: capacity.max(1),
            handler: Some(handler),
            running: None,
        }
    }

    /// The same from what a constructor's expression came to.
    ///
    /// # Errors
    ///
    /// The constructor's error.
    pub fn made(capacity: usize, expression: impl Makes<H>) -> Result<Self> {
        Ok(Self::new(capacity, expression.made()?))
    }
}

impl<H: AsyncHandler> Mailbox<H> {
    fn start(&mut self, handler: H, seat: Seat, link: &mut Link) -> Result {
        let Some(runtime) = link.tokio.clone() else {
            return Err(HandlerError::new(
                "an async handler needs a tokio runtime: call `run_async` in a task of one, or give `Builder::tokio` its handle",
            ));
        };
        let (queue, outlet) = self.place(seat, link)?;
        let shared = Arc::new(TaskShared::new(link, outlet));
        let out = AsyncOutbox::new(TaskPublisher::new(Arc::clone(&shared), seat, link.info));
        let (started, start) = mpsc::channel();
        queue.begin();
        // The task before it may have left as much as there is room for.
        link.mailbox_full = true;
        let life = Life {
            queue: Arc::clone(&queue),
            shared: Arc::clone(&shared),
        };
        let task = Task {
            shared: Arc::clone(&shared),
            handle: runtime.spawn(run(handler, life, out, started)),
        };
        if let Some(place) = link.place(seat.index) {
            place.task = Some(task);
        }
        self.running = Some(Started { queue, shared });
        loop {
            match start.recv_timeout(HOLD) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => {
                    // Nothing runs any more when this is told.
                    link.end_task(seat.index);
                    return Err(error);
                }
                Err(RecvTimeoutError::Disconnected) => return self.end(seat, link),
                // It may wait for room, which only this thread finds, or is to be told that there has been a stop.
                Err(RecvTimeoutError::Timeout) => link.flush_all(),
            }
        }
    }

    /// The queue and the outlet that the handler before it had, or new ones.
    fn place(&self, seat: Seat, link: &mut Link) -> Result<(Letters<H>, Arc<Outlet>)> {
        if let Some(place) = link.place(seat.index) {
            // A seat has one type of handlers.
            if let Ok(queue) = Arc::clone(&place.mail).into_any().downcast() {
                return Ok((queue, Arc::clone(&place.outlet)));
            }
        }
        let queue = Letters::new(Queue::new(self.capacity));
        let Some(publisher) = link.outlets.pop() else {
            return Err(HandlerError::new(
                "its `HandlerInfo` is not that of a `Mailbox`",
            ));
        };
        let outlet = Arc::new(Outlet::new(publisher, link.info.options.spill));
        link.places.push(Place {
            seat,
            mail: Arc::clone(&queue) as _,
            outlet: Arc::clone(&outlet),
            task: None,
        });
        Ok((queue, outlet))
    }

    /// Waits for the end of the task, and unwinds with its panic.
    #[cold]
    fn end(&mut self, seat: Seat, link: &mut Link) -> Result {
        self.running = None;
        let Some(Ended { result, in_hand }) = link.end_task(seat.index) else {
            return Ok(());
        };
        match result.map_err(JoinError::try_into_panic) {
            Ok(()) => Ok(()),
            Err(Ok(panic)) => {
                // The panic is about the message that the task had in hand.
                if let Some((route, position)) = in_hand {
                    (link.route, link.position, link.call) =
                        (route, position, Some(Call::OnMessage));
                }
                link.seat = seat.index;
                resume_unwind(panic)
            }
            Err(Err(_)) => {
                // No task of this handler sends any more.
                if let Some(place) = link.place(seat.index) {
                    Arc::clone(&place.outlet).hand_over(link);
                }
                if in_hand.is_none() {
                    return Err(shut_down());
                }
                report(link, seat, in_hand, shut_down());
                Ok(())
            }
        }
    }
}

/// A task's part of what outlives it.
struct Life<H> {
    queue: Letters<H>,
    shared: Arc<TaskShared>,
}

impl<H> Drop for Life<H> {
    fn drop(&mut self) {
        // Whoever waits for a place in the queue waits no longer.
        self.queue.end();
        self.shared.end();
    }
}

/// The task of a handler.
async fn run<H: AsyncHandler>(
    mut handler: H,
    life: Life<H>,
    mut out: AsyncOutbox<H>,
    started: mpsc::Sender<Result>,
) {
    let Life { queue, shared } = &life;
    let start = AsyncHandler::on_start(&mut handler, &mut out).await;
    let failed = start.is_err();
    // Nobody listens only if the worker's thread is gone.
    let _ = started.send(start);
    if failed {
        return;
    }
    while let Some(posted) = queue.next().await {
        let at = Some((posted.route, posted.position));
        out.position = posted.position;
        shared.take_in_hand(at);
        if let Err(error) = posted.mail.open(&mut handler, &mut out).await {
            shared.fail(at, error);
        }
        shared.take_in_hand(None);
    }
    // After a panic of this handler on the worker's thread there is no `on_stop` either.
    if queue.is_halted() {
        return;
    }
    if let Err(error) = AsyncHandler::on_stop(&mut handler, &mut out).await {
        shared.fail(None, error);
    }
}

impl<H: AsyncHandler> Handler for Mailbox<H> {
    const ID: SourceId = H::ID;
    const NAME: &'static str = H::NAME;
    const SENDS: &'static [MessageInfo] = H::SENDS;
    const IS_TASK: bool = true;
}

impl<H: AsyncHandler> Lifecycle for Mailbox<H> {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let (seat, link) = out.parts();
        match self.handler.take() {
            Some(handler) => self.start(handler, seat, link),
            None => Ok(()),
        }
    }

    fn on_loop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let (seat, link) = out.parts();
        let Some(Started { shared, .. }) = &self.running else {
            return Ok(());
        };
        if !shared.needs_care() {
            return Ok(());
        }
        shared.care(seat, link);
        if shared.has_ended() {
            return self.end(seat, link);
        }
        Ok(())
    }

    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let (seat, link) = out.parts();
        if let Some(Started { queue, .. }) = &self.running {
            queue.close();
        }
        self.end(seat, link)
    }
}

impl<H, M> Handle<M> for Mailbox<H>
where
    H: HandleAsync<M>,
    M: Mailable,
{
    fn handle(&mut self, message: &M, out: &mut Outbox<'_, Self>) -> Result {
        let (seat, link) = out.parts();
        let Some(Started { queue, .. }) = &self.running else {
            return Err(HandlerError::new("the handler's task has ended"));
        };
        let posted = Posted {
            route: link.route,
            position: link.position,
            mail: Box::new(Letter(message.clone())),
        };
        match queue.post(posted) {
            Next::Place => Ok(()),
            Next::Full => {
                link.mailbox_full = true;
                Ok(())
            }
            // The task has ended, though nobody told it to.
            Next::NoTask => self.end(seat, link),
        }
    }
}

impl<H: AsyncHandler> fmt::Debug for Mailbox<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("handler", &H::NAME)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

/// Why a task ended that was not let go on.
pub(super) fn shut_down() -> HandlerError {
    HandlerError::new("the tokio runtime of this async handler has been shut down")
}

/// Reports what the handler in `seat` returned about the message of `route` at `position`.
pub(crate) fn report(link: &mut Link, seat: Seat, at: Option<(usize, u64)>, error: HandlerError) {
    let before = (link.route, link.position, link.call);
    if let Some((route, position)) = at {
        (link.route, link.position, link.call) = (route, position, Some(Call::OnMessage));
    }
    returned(link, seat, error);
    (link.route, link.position, link.call) = before;
}
