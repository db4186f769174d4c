//! One handler and nobody else, as its author's tests call it.

use core::fmt;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::aligned::AlignedBytes;
use super::control::Control;
use super::counters::{RouteTally, Tally};
use super::deliver::{Begin, Delivery, Fire, Stop, Turn, Visitor};
use super::describe::{HandlerInfo, Route, WorkerInfo};
use super::error::Result;
use super::failure::{Call, Failure, FailureKind};
use super::handler::{Handle, Handler, SentBy};
use super::link::Link;
use super::options::WorkerOptions;
use super::outbox::Seat;
use super::told::Told;
use crate::bus::{Bus, BusConfig, MessageId, Record, SourceId, Start, Subscriber};
use crate::message::{DecodeError, ExtendedMessage, Receive};
use crate::words::in_words;

/// A handler under test: hands it messages, lets time pass, and shows what it sends.
///
#[cfg_attr(feature = "bincode", doc = "```")]
#[cfg_attr(not(feature = "bincode"), doc = "```text")]
/// use messenger::testing::Harness;
/// use messenger::{Handle, Handler, Message, Outbox, Result};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Message, Serialize, Deserialize)]
/// #[message(id = 1, codec = bincode)]
/// struct Sale { article: String, cents: u64 }
///
/// #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
/// #[message(id = 2, codec = bincode)]
/// struct Sum { cents: u64 }
///
/// #[derive(Handler, Default)]
/// #[handler(id = 1, sends(Sum))]
/// struct Book { cents: u64 }
///
/// impl Handle<Sale> for Book {
///     fn handle(&mut self, sale: &Sale, out: &mut Outbox<'_, Self>) -> Result {
///         self.cents += sale.cents;
///         out.send(&Sum { cents: self.cents })
///     }
/// }
///
/// let mut book = Harness::new(Book::default());
/// book.handle(&Sale { article: "tea".into(), cents: 250 })?;
/// book.handle(&Sale { article: "bread".into(), cents: 320 })?;
///
/// assert_eq!(book.expect_sent::<Sum>()?, Sum { cents: 250 });
/// assert_eq!(book.expect_sent::<Sum>()?, Sum { cents: 570 });
/// assert!(book.sent().is_empty());
/// assert_eq!(book.handler().cents, 570);
/// # Ok::<(), messenger::HandlerError>(())
/// ```
///
/// A message goes the whole way, there and back: its codec writes it into a ring, and what is read there is handed to the handler by
/// the code of a worker. So a type that is read otherwise than it is written is found, too. All runs on the thread of the test, and a
/// panic of the handler is one of the test.
///
/// Nothing is called by itself: [`start`](Self::start), [`turn`](Self::turn) and [`stop`](Self::stop) are for tests of a handler with a
/// [`Lifecycle`](super::Lifecycle). Each call gives back what the handler has returned: what a worker makes of an error, or of a panic, stands in
/// the table, which is not here. The handler has the id of its type, and in place of a name in the table that of its type.
///
/// # Time and chance
///
/// The clock of a harness stands still. [`advance`](Self::advance) moves it on, and fires the timers that are due by then;
/// [`set_now`](Self::set_now) sets what [`Outbox::now`](super::Outbox::now) says, which begins with [`SystemTime::UNIX_EPOCH`]. What
/// [`Outbox::random`](super::Outbox::random) gives can be [told before](Self::set_random). None of this reaches a handler that asks the
/// system itself.
///
/// # A full ring
///
/// What a handler sends in one call has to find room in the ring, of 1 MiB, and in the [spill](WorkerOptions::spill) of a worker, of 1 MiB; both
/// are emptied before each call. Beyond that `out.send` fails as on a worker, with [`SendFault::SpillFull`](super::SendFault::SpillFull). A message
/// takes at most a quarter of the ring. [`on`](Self::on) chooses its length.
///
/// # What it is not for
///
/// Async handlers, which send from a task: `new` does not compile with a `Mailbox`. A test of one is a small table on a tokio runtime. And
/// whatever is the table's: routes, the order between handlers, policies, restoring.
pub struct Harness<H> {
    handler: H,
    link: Link,
    subscriber: Subscriber,
    /// What it has sent and nobody has looked at.
    sent: VecDeque<Sent>,
    /// What was looked at last: its message may borrow from it.
    taken: Option<Sent>,
}

/// What its worker is called.
pub(super) const WORKER: &str = "Harness";
/// As who the test sends.
const TEST: Seat = Seat::new(1, SourceId::new(u16::MAX));

impl<H: Handler> Harness<H> {
    const SEAT: Seat = Seat::new(0, H::ID);

    const WORKER: WorkerInfo = WorkerInfo {
        name: WORKER,
        options: WorkerOptions::new(),
        handlers: &[
            HandlerInfo::of::<H>(),
            HandlerInfo::of::<H>().named("test").with_id(TEST.source),
        ],
        routes: &[],
    };

    /// A harness for `handler`.
    ///
    /// # Panics
    ///
    /// If there is no memory for its ring.
    #[must_use]
    pub fn new(handler: H) -> Self {
        Self::on(BusConfig::bytes(1 << 20), handler).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same with a ring like this: a longer one for long messages, a short one to see what the handler does when it is full.
    ///
    /// # Errors
    ///
    /// A [`BusError`](crate::bus::BusError): there can be no such ring, or there is no memory for it.
    pub fn on(ring: BusConfig, handler: H) -> Result<Self> {
        const {
            assert!(
                !H::IS_TASK,
                "a `Harness` is not for async handlers: test this one by a small table, on a tokio runtime"
            );
        }
        let bus = Bus::new(ring)?;
        let (publisher, subscriber) = (bus.publisher()?, bus.subscribe(Start::Oldest)?);
        let info = const { &Self::WORKER };
        let tally = Tally {
            // For whichever message is handed on.
            routes: Box::new([RouteTally::default()]),
            ..Tally::new(info)
        };
        let control = Control::new(bus, Duration::ZERO, None);
        let mut harness = Self {
            handler,
            link: Link::new(info, Arc::new(control), Arc::new(tally), publisher),
            subscriber,
            sent: VecDeque::new(),
            taken: None,
        };
        harness.told();
        Ok(harness)
    }

    /// Hands it a message. Gives what its [`handle`](Handle::handle) returns.
    ///
    /// # Errors
    ///
    /// The handler's own. A [`SendError`](super::SendError) that names the handler `test`: the message does not encode, or is longer
    /// than the ring allows. A [`Failure`]: what its codec has written does not decode.
    pub fn handle<'m, M>(&'m mut self, message: &M) -> Result
    where
        M: ExtendedMessage + Receive<'m>,
        H: Handle<M>,
    {
        self.turn_to(Call::OnMessage);
        self.link.info = const {
            &WorkerInfo {
                routes: &[Route::of::<H, M>(&[0]).sent_by(TEST.source, "test")],
                ..Self::WORKER
            }
        };
        self.link.route = 0;
        self.link.send(TEST, message)?;
        // Nothing else is in the ring.
        if let Some(record) = self.subscriber.try_next()? {
            self.link.position = record.position();
            let payload = record.payload();
            Delivery::new(&mut self.link).deliver::<M, H>(Self::SEAT, &mut self.handler, payload);
        }
        outcome(&self.link)
    }

    /// Calls [`on_start`](super::Lifecycle::on_start).
    ///
    /// # Errors
    ///
    /// The handler's own.
    pub fn start(&mut self) -> Result {
        self.turn_to(Call::OnStart);
        let mut begin = Begin(&mut self.link, None);
        begin.visit(Self::SEAT, &mut self.handler);
        begin.1.map_or(Ok(()), Err)
    }

    /// Calls [`on_loop`](super::Lifecycle::on_loop).
    ///
    /// # Errors
    ///
    /// The handler's own.
    pub fn turn(&mut self) -> Result {
        self.turn_to(Call::OnLoop);
        Turn(&mut self.link).visit(Self::SEAT, &mut self.handler);
        outcome(&self.link)
    }

    /// Lets so much time pass, and calls [`on_timer`](super::Lifecycle::on_timer) for each timer that is due by then, the earliest first.
    /// Gives their number. One that is set meanwhile waits for the next call, as on a worker that was late: go through a period in
    /// steps of it.
    ///
    /// # Errors
    ///
    /// The handler's own. Timers that are due and have not fired for that wait for the next call; it may be one of no time.
    ///
    /// # Panics
    ///
    /// If no clock goes so far.
    pub fn advance(&mut self, by: Duration) -> Result<usize> {
        let told = self.told();
        told.instant += by;
        told.time += by;
        let (now, last) = (told.instant, self.link.timers.last());
        let mut fired = 0;
        while let Some((_, timer)) = self.link.timers.due(now, last) {
            self.turn_to(Call::OnTimer);
            Fire(&mut self.link, timer).visit(Self::SEAT, &mut self.handler);
            outcome(&self.link)?;
            fired += 1;
        }
        Ok(fired)
    }

    /// How long it is to the next timer; `None`: none is set.
    pub fn next_timer(&mut self) -> Option<Duration> {
        let now = self.told().instant;
        let due = self.link.timers.next()?;
        Some(due.saturating_duration_since(now))
    }

    /// Calls [`on_stop`](super::Lifecycle::on_stop).
    ///
    /// # Errors
    ///
    /// The handler's own.
    pub fn stop(&mut self) -> Result {
        self.turn_to(Call::OnStop);
        Stop(&mut self.link).visit(Self::SEAT, &mut self.handler);
        outcome(&self.link)
    }

    /// Whether it has asked for a stop, by [`Outbox::stop`](super::Outbox::stop). It can be handed messages after that, as it would get those that were committed
    /// before.
    #[must_use]
    pub fn has_asked_to_stop(&self) -> bool {
        self.link.control.is_stopping()
    }

    /// What it has sent since the last look, in order.
    pub fn sent(&mut self) -> Vec<Sent> {
        self.take_out();
        core::mem::take(&mut self.sent).into()
    }

    /// The next message that it has sent, which is to be an `M`.
    ///
    /// # Errors
    ///
    /// [`Unexpected`]: it has sent something else, which stays to be looked at, or nothing; or what it has sent does not decode.
    pub fn expect_sent<'a, M>(&'a mut self) -> Result<M::Held, Unexpected>
    where
        M: SentBy<H> + Receive<'a>,
    {
        self.take_out();
        let (handler, expected) = (H::NAME, M::NAME);
        match self.sent.pop_front() {
            Some(next) if next.message == M::ID => {
                let payload = self.taken.insert(next).payload();
                M::receive(payload).map_err(|error| Unexpected::Undecodable {
                    handler,
                    expected,
                    error,
                })
            }
            other => {
                if let Some(other) = other {
                    self.sent.push_front(other);
                }
                Err(Unexpected::Other {
                    handler,
                    expected,
                    sent: self.sent.iter().map(Sent::name).collect(),
                })
            }
        }
    }

    /// The position of the message that was handed to it last, which [`Outbox::position`](super::Outbox::position) tells.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.link.position
    }

    /// Sets what [`Outbox::now`](super::Outbox::now) says from now on. It moves no timer.
    pub fn set_now(&mut self, now: SystemTime) {
        self.told().time = now;
    }

    /// Sets which numbers [`Outbox::random`](super::Outbox::random) gives next; after them it gives any.
    pub fn set_random(&mut self, numbers: impl IntoIterator<Item = u64>) {
        self.told().random = numbers.into_iter().collect();
    }

    /// Sets what [`Outbox::is_again`](super::Outbox::is_again) says from now on.
    pub fn set_again(&mut self, again: bool) {
        self.told().again = again;
    }

    /// The handler.
    #[must_use]
    pub fn handler(&self) -> &H {
        &self.handler
    }

    /// The handler.
    #[must_use]
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// The handler, taken out.
    #[must_use]
    pub fn into_handler(self) -> H {
        self.handler
    }

    fn told(&mut self) -> &mut Told {
        self.link.told.get_or_insert_with(|| Box::new(Told::new()))
    }

    /// Begins a call, with all the room that there can be.
    fn turn_to(&mut self, call: Call) {
        self.take_out();
        self.link.turn_to(call);
    }

    /// Takes all that was sent out of the ring, and out of the spill behind it.
    fn take_out(&mut self) {
        loop {
            let sent = &mut self.sent;
            let read = self
                .subscriber
                .poll(usize::MAX, |record| sent.push_back(Sent::new::<H>(&record)));
            // An error comes again with the next message.
            if read.is_err() || self.link.spill.is_empty() {
                return;
            }
            // The ring is empty, which is room for one at least.
            self.link.flush();
        }
    }
}

/// What a call has come to: where a worker reports it, it is given back here.
fn outcome(link: &Link) -> Result {
    let mut report = link.control.result(Vec::new())?;
    match report.failures.pop() {
        None => Ok(()),
        Some(Failure {
            kind: FailureKind::Returned(error),
            ..
        }) => Err(error),
        Some(failure) => Err(failure.into()),
    }
}

impl<H: Handler> fmt::Debug for Harness<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Harness")
            .field("handler", &H::NAME)
            .field("sent", &self.sent)
            .finish_non_exhaustive()
    }
}

/// A message that a handler under test has sent, not decoded yet.
pub struct Sent {
    position: u64,
    message: MessageId,
    name: &'static str,
    payload: AlignedBytes,
}

impl Sent {
    fn new<H: Handler>(record: &Record<'_>) -> Self {
        let message = record.message();
        let declared = H::SENDS.iter().find(|sends| sends.id == message);
        let mut payload = AlignedBytes::default();
        payload.copy_from(record.payload());
        Self {
            position: record.position(),
            message,
            // Who writes `SentBy` by hand may have forgotten it there.
            name: declared.map_or("a message that is not in `SENDS`", |sends| sends.name),
            payload,
        }
    }

    /// Where it stands in the ring.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What it is.
    #[must_use]
    pub fn message(&self) -> MessageId {
        self.message
    }

    /// What it is, by its name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its bytes.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.payload.as_slice()
    }

    /// The message, if it is an `M`.
    #[must_use]
    pub fn get<'a, M: Receive<'a>>(&'a self) -> Option<Result<M::Held, DecodeError>> {
        (self.message == M::ID).then(|| M::receive(self.payload()))
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name)
            .field("position", &self.position)
            .field("payload", &self.payload)
            .finish()
    }
}

/// A handler under test has not sent what it was to send.
#[non_exhaustive]
pub enum Unexpected {
    /// It has sent something else, or nothing.
    Other {
        /// The handler's type.
        handler: &'static str,
        /// The message that was expected next.
        expected: &'static str,
        /// The messages it has sent and nobody has looked at yet.
        sent: Vec<&'static str>,
    },
    /// It has sent the message, but the bytes are none.
    Undecodable {
        /// The handler's type.
        handler: &'static str,
        /// The message.
        expected: &'static str,
        /// Why.
        error: DecodeError,
    },
}

/// So many messages are named in a text.
const NAMED: usize = 8;

impl fmt::Display for Unexpected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Other {
                handler,
                expected,
                sent,
            } => {
                write!(
                    f,
                    "`{handler}` was to send `{expected}` next, and has sent "
                )?;
                if sent.is_empty() {
                    return f.write_str("nothing since the last look");
                }
                for (n, name) in sent.iter().take(NAMED).enumerate() {
                    write!(f, "{}`{name}`", if n == 0 { "" } else { ", " })?;
                }
                match sent.len().saturating_sub(NAMED) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Undecodable {
                handler,
                expected,
                error,
            } => write!(
                f,
                "`{handler}` has sent `{expected}`, and its bytes don't decode: {error}"
            ),
        }
    }
}

in_words!(Unexpected);

impl std::error::Error for Unexpected {}
