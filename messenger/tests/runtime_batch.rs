//! Messages that are sent at once: as if one after the other, and by one claim where that can be.

mod support;

use std::cell::RefCell;
use std::thread;
use std::time::Duration;

use messenger::bus::{ClaimError, MessageId, PayloadWriter, Start, Subscriber};
use messenger::message::{DecodeError, EncodeError, Serialized};
use messenger::{
    DeserializeFrom, ExtendedMessage, FailureKind, Handle, Handler, Message, Outbox,
    PublishAllError, PublishError, Result, Running, SendError, SendFault, messenger,
};
use support::{bus, until};

type Meanwhile = Box<dyn FnMut(u64)>;

thread_local! {
    /// What is done while a number is written.
    static MEANWHILE: RefCell<Option<Meanwhile>> = RefCell::default();
}

/// A number in so many bytes, eight at the least; one that has more has them all zero.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Number {
    n: u64,
    len: usize,
    is: Is,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Is {
    Sound,
    Refused,
    Short,
    Panicking,
}

fn number(n: u64) -> Number {
    let (len, is) = (8, Is::Sound);
    Number { n, len, is }
}

fn numbers(count: u64) -> Vec<Number> {
    (0..count).map(number).collect()
}

impl Message for Number {
    const ID: MessageId = MessageId::new(1);
    const NAME: &'static str = "Number";
    type Mode = Serialized;
}

impl ExtendedMessage for Number {
    fn encoded_len(&self) -> Result<usize, EncodeError> {
        if self.is == Is::Refused {
            let (codec, reason) = ("by hand", "refused".to_owned());
            return Err(EncodeError::Codec { codec, reason });
        }
        Ok(self.len)
    }

    fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        MEANWHILE.with_borrow_mut(|it| it.iter_mut().for_each(|it| it(self.n)));
        match self.is {
            Is::Short => return Ok(()),
            Is::Panicking => panic!("while it is written"),
            _ => {}
        }
        to.put(&self.n.to_le_bytes())?;
        Ok(to.put_zeros(self.len - 8)?)
    }
}

impl DeserializeFrom<'_> for Number {
    fn deserialize_from(bytes: &[u8]) -> Result<Self, DecodeError> {
        let n = bytes.first_chunk().copied().map(u64::from_le_bytes);
        let n = n.ok_or(DecodeError::WrongSize {
            len: bytes.len(),
            expected: 8,
        })?;
        Ok(Number {
            len: bytes.len(),
            ..number(n)
        })
    }
}

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Number))]
pub(crate) struct Main;

/// Sends for each number that it gets as many at once.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Number))]
pub(crate) struct Burst {
    next: u64,
}

impl Handle<Number> for Burst {
    fn handle(&mut self, count: &Number, out: &mut Outbox<'_, Self>) -> Result {
        let all: Vec<_> = (self.next..self.next + count.n).map(number).collect();
        self.next += count.n;
        out.send_all(&all)
    }
}

/// Checks that all come in order.
#[derive(Debug, Handler)]
#[handler(id = 3)]
pub(crate) struct Order {
    next: u64,
}

impl Handle<Number> for Order {
    fn handle(&mut self, number: &Number, _: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(number.n, self.next, "out of order");
        self.next += 1;
        Ok(())
    }
}

messenger! {
    pub(crate) Numbers;
    outside: [ Main ]
    One (spill = 8192):
        handlers: [ burst: Burst = Burst { next: 0 }, order: Order = Order { next: 0 } ]
        routes: [
            Main, Number: [burst],
            Burst, Number: [order],
        ]
    Idle:
        handlers: [ idle: Idle = Idle ]
        routes: []
}

/// Takes nothing, sends nothing.
#[derive(Debug, Handler)]
#[handler(id = 4)]
pub(crate) struct Idle;

/// A run in which nobody answers, and what reads all of its bus.
fn idle(bytes: usize) -> (Running<Numbers>, Subscriber) {
    let app = Numbers::builder(bus(bytes)).only([Numbers::IDLE]).run();
    let app = app.unwrap();
    let subscriber = app.bus().subscribe(Start::Newest).unwrap();
    (app, subscriber)
}

/// The numbers that are there.
fn read(subscriber: &mut Subscriber) -> Vec<u64> {
    let mut all = Vec::new();
    let each = |record: messenger::bus::Record<'_>| {
        all.push(Number::deserialize_from(record.payload()).unwrap().n);
    };
    subscriber.poll(usize::MAX, each).unwrap();
    all
}

#[test]
fn they_share_a_claim_and_each_is_seen_at_once() {
    let (app, mut subscriber) = idle(1 << 16);
    let mut main = app.publisher::<Main>().unwrap();
    let bus = app.bus().clone();
    MEANWHILE.set(Some(Box::new(move |n| {
        assert_eq!(bus.tail(), 10 * 32, "all of them are claimed");
        let before = n.checked_sub(1);
        assert_eq!(read(&mut subscriber), Vec::from_iter(before));
    })));
    main.send_all(&numbers(10)).unwrap();
    MEANWHILE.take();
    assert_eq!(app.bus().stats().aborted, 0);
    main.send_all::<Number>(&[]).unwrap();
    assert_eq!(app.bus().tail(), 10 * 32);
}

/// As many as a claim for several takes, and one that has more than that.
#[test]
fn many_take_some_claims_and_a_long_one_its_own() {
    let (app, mut subscriber) = idle(1 << 20);
    let mut main = app.publisher::<Main>().unwrap();
    let mut all = numbers(2000);
    all[1500].len = 100_000;
    main.send_all(&all).unwrap();
    assert!(read(&mut subscriber).into_iter().eq(0..2000));
    assert_eq!(app.bus().stats().aborted, 0);
}

#[test]
fn those_before_one_that_cannot_be_sent_are_sent() {
    let (app, mut subscriber) = idle(1 << 16);
    let mut main = app.publisher::<Main>().unwrap();
    for at in [0, 1, 7] {
        for is in [Is::Refused, Is::Short] {
            let mut all = numbers(10);
            all[at].is = is;
            let PublishAllError { sent, error, .. } = main.send_all(&all).unwrap_err();
            let text = error.to_string();
            let PublishError::Encode(error) = error else {
                panic!("{text}");
            };
            let is_short = matches!(error, EncodeError::Length { written: 0, .. });
            assert_eq!((sent, is_short), (at, is == Is::Short), "{error}");
            assert!(read(&mut subscriber).into_iter().eq(0..at as u64));
        }
        let mut all = numbers(10);
        all[at].len = 1 << 15;
        let error = main.send_all(&all).unwrap_err();
        let why = format!(
            "after {at} messages that were sent: a payload of 32768 bytes was to be sent where at most 16384 fit, "
        );
        assert!(error.to_string().starts_with(&why), "{error}");
        assert!(read(&mut subscriber).into_iter().eq(0..at as u64));
    }
    // A panic leaves nothing open.
    let mut all = numbers(10);
    all[5].is = Is::Panicking;
    let sent = std::panic::AssertUnwindSafe(|| main.send_all(&all));
    assert!(std::panic::catch_unwind(sent).is_err());
    main.send(&number(5)).unwrap();
    assert!(read(&mut subscriber).into_iter().eq(0..6));
}

#[test]
fn as_many_are_sent_as_there_is_room_for() {
    let (app, mut subscriber) = idle(4096);
    let mut main = app.publisher::<Main>().unwrap();
    let all = numbers(300);
    let full = main.try_send_all(&all).unwrap_err();
    let is_full = matches!(full.error, PublishError::Claim(ClaimError::Full { .. }));
    assert_eq!((full.sent, is_full), (128, true), "{full}");
    let late = main.send_all_timeout(&all[128..], Duration::from_millis(5));
    let late = late.unwrap_err();
    let is_late = matches!(late.error, PublishError::Claim(ClaimError::Timeout { .. }));
    assert_eq!((late.sent, is_late), (0, true), "{late}");
    assert!(read(&mut subscriber).into_iter().eq(0..128));
    main.send_all_timeout(&all[128..200], Duration::from_secs(60))
        .unwrap();
    assert!(read(&mut subscriber).into_iter().eq(128..200));

    // The reader makes room as it goes on.
    let reader = thread::spawn(move || {
        let mut read_on = Vec::new();
        until(|| {
            read_on.append(&mut read(&mut subscriber));
            read_on.len() == 3000
        });
        assert!(read_on.into_iter().eq(0..3000));
        subscriber
    });
    main.send_all(&numbers(3000)).unwrap();
    let held = reader.join().unwrap();

    // Who waits for room is told of the stop, with how many were sent.
    let before = app.bus().tail();
    let waiter = thread::spawn(move || main.send_all(&numbers(300)).map_err(|e| (e.sent, e.error)));
    until(|| app.bus().tail() > before);
    thread::sleep(Duration::from_millis(20));
    app.stop().unwrap();
    let stopped = waiter.join().unwrap().unwrap_err();
    assert!(
        matches!(stopped, (1.., PublishError::Stopped)),
        "{stopped:?}"
    );
    drop(held);
}

/// Several by one claim would leave the end of the ring empty, where some of them have room.
#[test]
fn as_many_are_sent_as_there_is_room_for_before_and_after_the_end_of_the_ring() {
    let (app, mut subscriber) = idle(4096);
    let mut main = app.publisher::<Main>().unwrap();
    let all = [Number {
        len: 240,
        ..number(0)
    }; 18];
    main.send_all(&all[..14]).unwrap();
    assert_eq!(subscriber.poll(2, |_| ()), Ok(2));
    until(|| app.counters()[0].passed == 14);
    // Two before the end, and two after it.
    main.try_send_all(&all[14..]).unwrap();
    assert!(main.try_send(&all[0]).is_err());
}

#[test]
fn what_a_handler_sends_at_once_waits_for_room_in_order() {
    let app = Numbers::builder(bus(4096)).run().unwrap();
    let mut main = app.publisher::<Main>().unwrap();
    for count in [3, 200, 0, 1, 250, 5] {
        let sent = app.counters()[0].routes[1].messages + count;
        main.send(&number(count)).unwrap();
        until(|| app.counters()[0].routes[1].messages == sent);
    }
    assert!(app.counters()[0].spilled > 0);
    // More than the ring and the spill take.
    main.send(&number(1000)).unwrap();
    until(|| app.counters()[0].errors == 1);
    let report = app.stop().unwrap();
    let FailureKind::Returned(error) = &report.failures[0].kind else {
        panic!("{report}");
    };
    let error = error.downcast_ref::<SendError>().unwrap();
    let is_full = matches!(error.fault, SendFault::SpillFull { limit: 8192, .. });
    assert!(is_full, "{error}");
    let sent = report.workers[0].routes[1].messages;
    assert!((459..1459).contains(&sent), "{report}");
    assert_eq!(report.failures.len(), 1, "{report}");
}
