//! Async handlers: a mailbox on the worker's side, a tokio task on the other.

use core::any::Any;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::deliver::returned;
use super::error::{HandlerError, Result};
use super::handler::{Handle, Handler, Lifecycle, Makes};
use super::link::{Call, Link};
use super::outbox::{Outbox, Seat};
use super::task::{AsyncOutbox, TaskPublisher, TaskShared, lock};
use crate::bus::SourceId;
use crate::message::{Message, MessageInfo};

/// How many messages a mailbox holds unless the table says so by `(mailbox = N)`.
pub const MAILBOX: usize = 64;

/// A handler that runs as a tokio task: [`HandleAsync`] for each of its messages.
///
/// In a table it stands in a [`Mailbox`].
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
/// A full queue holds the reading of this worker, and of no other. A panic in the task is the handler's panic, and
/// the worker's policy decides about it; what is queued behind the message at fault is kept for the handler made again.
///
/// The task runs on the runtime given to [`Builder::tokio`](super::Builder::tokio), or on the one in which
/// [`Builder::run`](super::Builder::run) is called. The worker's thread waits for the task when it starts and when it stops,
/// so that runtime must be driven by other threads than the one that calls `run`, `stop` and `join`: by a multi-threaded
/// runtime, or through [`Builder::run_async`](super::Builder::run_async) and [`Running::join_async`](super::Running::join_async).
pub struct Mailbox<H: AsyncHandler> {
    capacity: usize,
    /// Before the task has it.
    handler: Option<H>,
    running: Option<Task<H>>,
}

/// A task that runs.
struct Task<H> {
    post: mpsc::Sender<Posted<H>>,
    shelf: Shelf<H>,
    shared: Arc<TaskShared>,
    task: JoinHandle<()>,
    runtime: tokio::runtime::Handle,
}

/// Where a task that ends before its time leaves what it has not handled, for the handler made in its place.
type Shelf<H> = Arc<Mutex<VecDeque<Posted<H>>>>;

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

impl<H: AsyncHandler> Mailbox<H> {
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

    fn start(&mut self, handler: H, seat: Seat, link: &mut Link) -> Result {
        let Some(runtime) = link.tokio.clone() else {
            return Err(HandlerError::new(
                "an async handler needs a tokio runtime: call `run` inside of one, or give `Builder::tokio` its handle",
            ));
        };
        let left: VecDeque<Posted<H>> = link.take_left(seat).unwrap_or_default();
        let (post, queue) = mpsc::channel(self.capacity);
        let shelf: Shelf<H> = Arc::default();
        let shared = Arc::new(TaskShared::new(link)?);
        let out = AsyncOutbox::new(TaskPublisher::new(Arc::clone(&shared), seat, link.info));
        let (started, start) = oneshot::channel();
        let borrowed = Borrowed {
            left,
            queue,
            shelf: Arc::clone(&shelf),
            shared: Arc::clone(&shared),
        };
        let task = runtime.spawn(run(handler, borrowed, out, started));
        self.running = Some(Task {
            post,
            shelf,
            shared,
            task,
            runtime,
        });
        match start.blocking_recv() {
            Ok(started) => started,
            Err(_) => Err(self.gone(seat, link, None)),
        }
    }

    /// The task has ended, though nobody told it to: unwinds with its panic.
    #[cold]
    fn gone(&mut self, seat: Seat, link: &mut Link, last: Option<Posted<H>>) -> HandlerError {
        let Some(task) = self.running.take() else {
            return HandlerError::new("the handler's task has not been started");
        };
        let ended = task.runtime.block_on(task.task);
        task.shared.close();
        task.shared.judge(seat, link);
        let mut left = core::mem::take(&mut *lock(&task.shelf));
        left.extend(last);
        link.keep_left(seat, left.len(), Box::new(left));
        match ended.map_err(tokio::task::JoinError::try_into_panic) {
            Err(Ok(panic)) => {
                // The panic is about the message that the task had in hand.
                if let Some((route, position)) = task.shared.in_hand() {
                    (link.route, link.position, link.call) = (route, position, Call::Handle);
                }
                link.seat = seat.index;
                resume_unwind(panic)
            }
            _ => HandlerError::new("the tokio runtime of this async handler has been shut down"),
        }
    }
}

/// What the task handles: what the handler before it left, then its queue. What it does not come to handle goes on
/// the shelf, however it ends.
struct Borrowed<H> {
    left: VecDeque<Posted<H>>,
    queue: mpsc::Receiver<Posted<H>>,
    shelf: Shelf<H>,
    shared: Arc<TaskShared>,
}

impl<H> Borrowed<H> {
    async fn next(&mut self) -> Option<Posted<H>> {
        match self.left.pop_front() {
            None => self.queue.recv().await,
            posted => posted,
        }
    }
}

impl<H> Drop for Borrowed<H> {
    fn drop(&mut self) {
        // Whoever waits for a place in the queue gets its message back.
        self.queue.close();
        let mut shelf = lock(&self.shelf);
        shelf.append(&mut self.left);
        while let Ok(posted) = self.queue.try_recv() {
            shelf.push_back(posted);
        }
        drop(shelf);
        self.shared.end();
    }
}

/// The task of a handler.
async fn run<H: AsyncHandler>(
    mut handler: H,
    mut borrowed: Borrowed<H>,
    mut out: AsyncOutbox<H>,
    started: oneshot::Sender<Result>,
) {
    let start = AsyncHandler::on_start(&mut handler, &mut out).await;
    let failed = start.is_err();
    // Nobody listens only if the worker's thread is gone.
    let _ = started.send(start);
    if failed {
        return;
    }
    while let Some(posted) = borrowed.next().await {
        out.position = posted.position;
        borrowed.shared.take_in_hand(posted.route, posted.position);
        if let Err(error) = posted.mail.open(&mut handler, &mut out).await {
            borrowed
                .shared
                .fail(Some((posted.route, posted.position)), error);
        }
    }
    if let Err(error) = AsyncHandler::on_stop(&mut handler, &mut out).await {
        borrowed.shared.fail(None, error);
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
        let Some(task) = &self.running else {
            return Ok(());
        };
        if !task.shared.needs_care() {
            return Ok(());
        }
        task.shared.care(seat, link);
        if task.shared.has_ended() {
            return Err(self.gone(seat, link, None));
        }
        Ok(())
    }

    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let (seat, link) = out.parts();
        let Some(Task {
            post,
            shared,
            task,
            runtime,
            ..
        }) = self.running.take()
        else {
            return Ok(());
        };
        // The queue's end, once the task has taken what is in it.
        drop(post);
        let ended = runtime.block_on(task);
        shared.judge(seat, link);
        shared.flush(link);
        shared.close();
        link.tally.unsent.add(shared.overflowing());
        match ended.map_err(tokio::task::JoinError::try_into_panic) {
            Ok(()) => Ok(()),
            Err(Ok(panic)) => resume_unwind(panic),
            Err(Err(_)) => Err(HandlerError::new(
                "the tokio runtime of this async handler was shut down before its messages were handled",
            )),
        }
    }
}

impl<H, M> Handle<M> for Mailbox<H>
where
    H: HandleAsync<M>,
    M: Mailable,
{
    fn handle(&mut self, message: &M, out: &mut Outbox<'_, Self>) -> Result {
        let (seat, link) = out.parts();
        let Some(task) = &self.running else {
            return Err(HandlerError::new("the handler's task has ended"));
        };
        let posted = Posted {
            route: link.route,
            position: link.position,
            mail: Box::new(Letter(message.clone())),
        };
        let posted = match task.post.try_send(posted) {
            Ok(()) => return Ok(()),
            Err(
                mpsc::error::TrySendError::Full(posted) | mpsc::error::TrySendError::Closed(posted),
            ) => posted,
        };
        // The task never waits for this thread, so it comes to take from the queue, or ends.
        match task.post.blocking_send(posted) {
            Ok(()) => Ok(()),
            Err(mpsc::error::SendError(posted)) => Err(self.gone(seat, link, Some(posted))),
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

/// Reports what the handler in `seat` returned about the message of `route` at `position`.
pub(crate) fn report(link: &mut Link, seat: Seat, at: Option<(usize, u64)>, error: HandlerError) {
    let before = (link.route, link.position, link.call);
    if let Some((route, position)) = at {
        (link.route, link.position, link.call) = (route, position, Call::Handle);
    }
    returned(link, seat, error);
    (link.route, link.position, link.call) = before;
}

/// What is left in the queue of a handler that panicked.
pub(crate) struct LeftQueue {
    pub(crate) seat: u16,
    pub(crate) len: usize,
    pub(crate) queue: Box<dyn Any + Send>,
}
