//! One handler under test: messages, hooks, time and chance, what it sends, and what is said when that is something else.

#![forbid(unsafe_code)]
#![cfg(all(feature = "bincode", feature = "zero_copy"))]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, SystemTime};

use messenger::bus::{BusConfig, ClaimError, MessageId, PayloadWriter};
use messenger::message::{DecodeError, EncodeError, Serialized};
use messenger::testing::{Harness, Sent, Unexpected};
use messenger::{
    DeserializeFrom, ExtendedMessage, Failure, FailureKind, Handle, Handler, Lifecycle, Message,
    Outbox, Result, SendError, SendFault, Timer,
};
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);

/// An order for so many.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
struct Order(u32);

#[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
#[message(id = 2, codec = bincode)]
struct Item {
    number: u32,
    text: String,
}

/// Borrows from the payload.
#[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
#[message(id = 3, codec = bincode)]
struct Note<'a>(&'a str);

/// Received in place.
#[derive(Clone, Copy, Message, PartialEq, Debug)]
#[message(id = 4, codec = zero_copy)]
#[repr(C)]
struct Quote {
    price: u64,
    size: u64,
}

/// In place, with a tail.
#[derive(Message, PartialEq, Debug)]
#[message(id = 5, codec = zero_copy)]
struct Depth<'a> {
    head: &'a Quote,
    levels: &'a [u64],
}

/// Why the shop does not take an order.
#[derive(PartialEq, Debug)]
struct TooMany(u32);

impl std::fmt::Display for TooMany {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} are too many", self.0)
    }
}

impl std::error::Error for TooMany {}

/// Sends an item for each that was ordered.
#[derive(Handler, Default, Debug)]
#[handler(id = 7, sends(Item, Note<'_>))]
struct Shop {
    sold: u32,
    most: u32,
    at: u64,
}

impl Shop {
    fn selling(most: u32) -> Self {
        let (sold, at) = (0, 0);
        Self { sold, most, at }
    }
}

impl Handle<Order> for Shop {
    fn handle(&mut self, order: &Order, out: &mut Outbox<'_, Self>) -> Result {
        self.at = out.position();
        assert_ne!(order.0, 13, "thirteen");
        for _ in 0..order.0.min(self.most) {
            let number = self.sold;
            out.send(&Item {
                number,
                text: format!("{number:050}"),
            })?;
            self.sold += 1;
        }
        if order.0 > self.most {
            return Err(TooMany(order.0).into());
        }
        Ok(())
    }
}

impl Handle<Note<'_>> for Shop {
    fn handle(&mut self, note: &Note<'_>, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!((out.name(), out.source().get()), ("Shop", 7));
        out.send(&Note(&note.0[1..]))
    }
}

fn numbers(sent: &[Sent]) -> Vec<u32> {
    let items = sent.iter().map(|sent| sent.get::<Item>());
    items.map(|item| item.unwrap().unwrap().number).collect()
}

#[test]
fn a_message_goes_in_and_others_come_out() -> Result {
    let mut shop = Harness::new(Shop::selling(9));
    shop.handle(&Order(2))?;
    assert_eq!(shop.handler().at, shop.position());
    let first = shop.position();
    let item = shop.expect_sent::<Item>()?;
    assert_eq!((item.number, item.text.len()), (0, 50));

    // The one that has not been looked at comes before what follows.
    shop.handle(&Order(1))?;
    assert!(shop.position() > first);
    let sent = shop.sent();
    assert_eq!(numbers(&sent), [1, 2]);
    assert_eq!((sent[0].message(), sent[0].name()), (Item::ID, "Item"));
    assert!(sent[0].get::<Note<'_>>().is_none());
    assert_eq!(
        sent[0].payload(),
        Item {
            number: 1,
            text: format!("{:050}", 1)
        }
        .to_vec()?
    );
    assert!(sent[0].position() < sent[1].position());
    assert!(format!("{sent:?}").starts_with("[Item { position: "));
    assert!(shop.sent().is_empty());

    shop.handler_mut().sold = 20;
    shop.handle(&Order(1))?;
    assert_eq!(shop.expect_sent::<Item>()?.number, 20);
    assert_eq!(shop.into_handler().sold, 21);
    Ok(())
}

#[test]
fn messages_may_borrow() -> Result {
    let mut shop = Harness::new(Shop::default());
    let text = String::from("hello");
    shop.handle(&Note(&text))?;
    drop(text);
    shop.handle(&Note("jello"))?;
    assert_eq!(shop.expect_sent::<Note<'_>>()?, Note("ello"));
    assert_eq!(shop.expect_sent::<Note<'_>>()?, Note("ello"));
    Ok(())
}

#[test]
fn the_handlers_error_is_given_back() {
    let mut shop = Harness::new(Shop::selling(2));
    let error = shop.handle(&Order(3)).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&TooMany(3)));
    assert_eq!(error.to_string(), "3 are too many");
    // What it had sent is sent, and the next call is another matter.
    assert_eq!(numbers(&shop.sent()), [0, 1]);
    shop.handle(&Order(1)).unwrap();
    assert_eq!(numbers(&shop.sent()), [2]);
}

#[test]
#[should_panic(expected = "thirteen")]
fn a_panic_is_the_tests() {
    let _ = Harness::new(Shop::default()).handle(&Order(13));
}

#[test]
fn a_panic_that_is_caught_leaves_the_harness_whole() {
    let mut shop = Harness::new(Shop::selling(9));
    for round in 0..100 {
        shop.handle(&Order(1)).unwrap();
        let caught = catch_unwind(AssertUnwindSafe(|| shop.handle(&Order(13))));
        assert!(caught.is_err());
        assert_eq!(numbers(&shop.sent()), [round]);
    }
}

#[test]
fn what_is_not_there_is_told() -> Result {
    let mut shop = Harness::new(Shop::selling(20));
    let nothing = shop.expect_sent::<Item>().unwrap_err();
    assert_eq!(
        nothing.to_string(),
        "`Shop` was to send `Item` next, and has sent nothing since the last look"
    );

    shop.handle(&Note("one"))?;
    shop.handle(&Order(1))?;
    let other = shop.expect_sent::<Item>().unwrap_err();
    assert_eq!(
        format!("{other:?}"),
        "`Shop` was to send `Item` next, and has sent `Note`, `Item`"
    );
    assert!(matches!(other, Unexpected::Other { sent, .. } if sent == ["Note", "Item"]));
    // It is still there.
    assert_eq!(shop.expect_sent::<Note<'_>>()?.0, "ne");
    assert_eq!(shop.expect_sent::<Item>()?.number, 0);

    shop.handle(&Order(10))?;
    let many = shop.expect_sent::<Note<'_>>().unwrap_err().to_string();
    assert!(many.ends_with("`Item`, `Item` and 2 more"), "{many}");
    Ok(())
}

/// Sends what it is told about prices, in place.
#[derive(Handler, Default)]
#[handler(id = 8, sends(Quote, Depth<'_>))]
struct Desk;

impl Handle<Quote> for Desk {
    fn handle(&mut self, quote: &Quote, out: &mut Outbox<'_, Self>) -> Result {
        out.send(quote)?;
        out.build(|next: &mut Quote| next.price = quote.price + 1)?;
        out.send(&Depth {
            head: quote,
            levels: &[1, 2, 3],
        })
    }
}

impl Handle<Depth<'_>> for Desk {
    fn handle(&mut self, depth: &Depth<'_>, out: &mut Outbox<'_, Self>) -> Result {
        out.build(|sum: &mut Quote| sum.size = depth.levels.iter().sum())?;
        for n in 0..depth.head.size {
            out.build_tailed::<Depth>(depth.levels.len(), |head, levels| {
                assert_eq!((head.price, head.size), (0, 0));
                assert!(levels.iter().all(|&level| level == 0));
                head.price = n;
                levels.copy_from_slice(depth.levels);
            })?;
        }
        if depth.levels.is_empty() {
            out.build_tailed::<Depth>(usize::MAX, |_, _| ())?;
        }
        Ok(())
    }
}

#[test]
fn messages_in_place() -> Result {
    let mut desk = Harness::new(Desk);
    let quote = Quote { price: 7, size: 2 };
    desk.handle(&quote)?;
    assert_eq!(*desk.expect_sent::<Quote>()?, quote);
    assert_eq!(*desk.expect_sent::<Quote>()?, Quote { price: 8, size: 0 });
    let depth = desk.expect_sent::<Depth<'_>>()?;
    assert_eq!((depth.head, depth.levels), (&quote, &[1, 2, 3][..]));

    let levels = vec![4; 10];
    desk.handle(&Depth {
        head: &quote,
        levels: &levels,
    })?;
    assert_eq!(desk.expect_sent::<Quote>()?.size, 40);
    for price in 0..2 {
        let depth = desk.expect_sent::<Depth<'_>>()?;
        assert_eq!(depth.head, &Quote { price, size: 0 });
        assert_eq!(depth.levels, levels);
    }
    let too_long = desk.handle(&Depth {
        head: &Quote { price: 0, size: 1 },
        levels: &[],
    });
    let too_long = too_long.unwrap_err();
    let error = too_long.downcast_ref::<SendError>().unwrap();
    let len = usize::MAX;
    let is_told =
        matches!(error.fault, SendFault::Claim(ClaimError::TooLarge { len: it, .. }) if it == len);
    assert!(is_told, "{error}");
    assert_eq!(desk.sent().len(), 2, "the sum, and one without a tail");
    Ok(())
}

/// Some are built in the ring, and the others where they wait for room.
#[test]
fn tails_are_built_in_place_also_when_the_ring_is_full() -> Result {
    let mut desk = Harness::on(BusConfig::bytes(1024), Desk)?;
    let (price, size) = (0, 50);
    desk.handle(&Depth {
        head: &Quote { price, size },
        levels: &[5, 6, 7],
    })?;
    assert_eq!(desk.expect_sent::<Quote>()?.size, 18);
    for price in 0..size {
        let depth = desk.expect_sent::<Depth<'_>>()?;
        assert_eq!((depth.head.price, depth.levels), (price, &[5, 6, 7][..]));
    }
    assert!(desk.sent().is_empty());
    Ok(())
}

/// Ticks once in a period until it is told to stop, asks for the time and for chance, and notes down its calls.
#[derive(Handler)]
#[handler(id = 9, sends(Order, Note<'_>), lifecycle)]
struct Clock {
    period: Duration,
    calls: Vec<&'static str>,
    began: Option<SystemTime>,
    tick: Option<Timer>,
    ticks: u32,
    fails: bool,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            period: SECOND,
            calls: Vec::new(),
            began: None,
            tick: None,
            ticks: 0,
            fails: false,
        }
    }
}

impl Lifecycle for Clock {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.calls.push("start");
        self.began = Some(out.now());
        self.tick = Some(out.timer(SECOND));
        out.send(&Order(0))
    }

    fn on_loop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.calls.push("loop");
        if self.fails {
            return Err(TooMany(0).into());
        }
        out.timer(SECOND);
        let number = out.random() as u32;
        out.send(&Order(number))
    }

    fn on_timer(&mut self, timer: Timer, out: &mut Outbox<'_, Self>) -> Result {
        self.ticks += 1;
        if self.tick == Some(timer) {
            self.tick = Some(out.timer(self.period));
        }
        if self.fails {
            return Err(TooMany(self.ticks).into());
        }
        out.send(&Order(self.ticks))
    }

    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.calls.push("stop");
        if self.fails {
            return Err(TooMany(1).into());
        }
        out.send(&Note("bye"))
    }
}

impl Handle<Order> for Clock {
    fn handle(&mut self, order: &Order, out: &mut Outbox<'_, Self>) -> Result {
        match order.0 {
            0 => {
                let tick = self.tick.take();
                assert!(tick.is_some_and(|tick| out.cancel(tick) && !out.cancel(tick)));
            }
            1 => out.stop(),
            2 => {
                let since = out.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                out.send(&Order(since.as_secs() as u32))?;
            }
            3 => out.send(&Note(if out.is_again() { "again" } else { "first" }))?,
            // No time at all, and none that a clock can tell.
            4 => self.tick = Some(out.timer(Duration::ZERO)),
            6 => self.tick = Some(out.timer(SECOND)),
            _ => drop(out.timer(Duration::MAX)),
        }
        Ok(())
    }
}

#[test]
fn hooks_are_called_when_the_test_says_so() -> Result {
    let mut clock = Harness::new(Clock::default());
    assert!(clock.handler().calls.is_empty());
    clock.start()?;
    clock.turn()?;
    assert!(!clock.has_asked_to_stop());
    clock.handle(&Order(1))?;
    assert!(clock.has_asked_to_stop());
    clock.handle(&Order(3))?;
    clock.stop()?;
    assert_eq!(clock.handler().calls, ["start", "loop", "stop"]);
    let names: Vec<_> = clock.sent().iter().map(Sent::name).collect();
    assert_eq!(names, ["Order", "Order", "Note", "Note"]);

    clock.handler_mut().fails = true;
    assert_eq!(clock.turn().unwrap_err().downcast_ref(), Some(&TooMany(0)));
    assert_eq!(clock.stop().unwrap_err().downcast_ref(), Some(&TooMany(1)));
    Ok(())
}

/// Does not start.
#[derive(Handler)]
#[handler(id = 10, lifecycle)]
struct Closed;

impl Lifecycle for Closed {
    fn on_start(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        Err(TooMany(5).into())
    }
}

#[test]
fn an_error_of_the_start_is_given_back() {
    let error = Harness::new(Closed).start().unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&TooMany(5)));
}

#[test]
fn time_passes_when_the_test_says_so() -> Result {
    let mut clock = Harness::new(Clock::default());
    assert_eq!(clock.next_timer(), None);
    clock.start()?;
    clock.sent();
    assert_eq!(clock.next_timer(), Some(SECOND));
    // However long this takes.
    assert_eq!(clock.advance(SECOND - Duration::from_nanos(1))?, 0);
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(clock.advance(Duration::ZERO)?, 0);
    assert_eq!(clock.next_timer(), Some(Duration::from_nanos(1)));
    assert_eq!(clock.advance(Duration::from_nanos(1))?, 1);
    assert_eq!(clock.expect_sent::<Order>()?.0, 1);

    // Set anew when the worker wakes: late, and once.
    assert_eq!(clock.advance(10 * SECOND)?, 1);
    assert_eq!(clock.advance(Duration::ZERO)?, 0);
    for ticks in 3..10 {
        assert_eq!(clock.advance(SECOND)?, 1);
        assert_eq!(clock.handler().ticks, ticks);
    }

    clock.handle(&Order(0))?;
    assert_eq!((clock.next_timer(), clock.advance(9 * SECOND)?), (None, 0));
    Ok(())
}

#[test]
fn a_timer_of_no_time_fires_once_a_call() -> Result {
    let mut clock = Harness::new(Clock::default());
    clock.handle(&Order(4))?;
    clock.handle(&Order(5))?;
    clock.handle(&Order(4))?;
    // The second sets another one, of a second.
    assert_eq!(clock.advance(Duration::ZERO)?, 2);
    assert_eq!(clock.advance(Duration::ZERO)?, 0);
    assert_eq!(clock.next_timer(), Some(SECOND));
    Ok(())
}

#[test]
fn all_that_are_due_fire_whatever_is_set_meanwhile() -> Result {
    let mut clock = Harness::new(Clock::default());
    clock.handler_mut().period = Duration::ZERO;
    clock.handle(&Order(6))?;
    clock.turn()?;
    assert_eq!(clock.advance(SECOND)?, 2);
    assert_eq!(clock.next_timer(), Some(Duration::ZERO));
    assert_eq!(clock.advance(Duration::ZERO)?, 1);
    Ok(())
}

#[test]
fn timers_behind_an_error_wait_for_the_next_call() {
    let mut clock = Harness::new(Clock::default());
    clock.handler_mut().fails = true;
    for _ in 0..3 {
        clock.handle(&Order(4)).unwrap();
    }
    let error = clock.advance(SECOND).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&TooMany(1)));
    clock.handler_mut().fails = false;
    assert_eq!(clock.advance(Duration::ZERO).unwrap(), 2);
    assert_eq!(clock.handler().ticks, 3);
}

#[test]
fn the_clock_and_chance_are_the_tests() -> Result {
    let mut clock = Harness::new(Clock::default());
    clock.start()?;
    assert_eq!(clock.handler().began, Some(SystemTime::UNIX_EPOCH));
    clock.advance(60 * SECOND)?;
    clock.handle(&Order(2))?;
    clock.set_now(SystemTime::UNIX_EPOCH + 1000 * SECOND);
    clock.advance(SECOND)?;
    clock.handle(&Order(2))?;
    let orders: Vec<_> = clock.sent();
    let orders = orders.iter().filter_map(|sent| sent.get::<Order>());
    let orders: Vec<_> = orders.map(|order| order.unwrap().0).collect();
    assert_eq!(orders, [0, 1, 60, 2, 1001]);

    clock.set_random([5, 6]);
    clock.turn()?;
    clock.turn()?;
    clock.turn()?;
    assert_eq!(clock.expect_sent::<Order>()?.0, 5);
    assert_eq!(clock.expect_sent::<Order>()?.0, 6);
    clock.expect_sent::<Order>()?;

    clock.handle(&Order(3))?;
    clock.set_again(true);
    clock.handle(&Order(3))?;
    assert_eq!(clock.expect_sent::<Note<'_>>()?.0, "first");
    assert_eq!(clock.expect_sent::<Note<'_>>()?.0, "again");
    Ok(())
}

#[test]
fn what_the_ring_does_not_hold_comes_all_the_same() -> Result {
    let many = if cfg!(miri) { 40 } else { 5000 };
    let mut shop = Harness::on(BusConfig::bytes(1024), Shop::selling(many))?;
    // Nobody looks until the end.
    for _ in 0..3 {
        shop.handle(&Order(many))?;
    }
    assert_eq!(numbers(&shop.sent()), Vec::from_iter(0..3 * many));
    shop.handle(&Order(1))?;
    assert_eq!(numbers(&shop.sent()), [3 * many]);
    Ok(())
}

#[cfg_attr(miri, ignore = "a mebibyte of messages")]
#[test]
fn more_than_a_worker_keeps_is_an_error() -> Result {
    let mut shop = Harness::on(BusConfig::bytes(1024), Shop::selling(u32::MAX))?;
    let error = shop.handle(&Order(20_000)).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(
            "handler `Shop` of worker `Harness` could not send `Item`: the ring is full and 1048"
        ),
        "{text}"
    );
    assert!(text.contains("of the 1048576 bytes"), "{text}");
    assert!(text.ends_with(LONGER), "{text}");
    // What was sent before is there, and there is room again.
    let sold = shop.handler().sold;
    assert!(sold > 10_000);
    assert_eq!(numbers(&shop.sent()), Vec::from_iter(0..sold));
    shop.handle(&Order(1))?;
    assert_eq!(numbers(&shop.sent()), [sold]);
    Ok(())
}

/// How an error ends that a longer ring would mend.
const LONGER: &str = ". (The ring of a `Harness` is chosen by `Harness::on`.)";

#[test]
fn messages_too_long_for_the_ring_are_told() -> Result {
    let mut shop = Harness::on(BusConfig::bytes(1024), Shop::default())?;
    let text = "x".repeat(500);
    let error = shop.handle(&Note(&text)).unwrap_err();
    let sent = error.downcast_ref::<SendError>().unwrap();
    assert_eq!((sent.handler, sent.message), ("test", "Note"));
    assert!(matches!(
        sent.fault,
        SendFault::Claim(ClaimError::TooLarge { len: 508, .. })
    ));
    assert!(error.to_string().ends_with(LONGER), "{error}");
    assert!(shop.sent().is_empty());
    assert!(Harness::on(BusConfig::bytes(0), Shop::default()).is_err());
    Ok(())
}

/// Written by hand, and wrongly: by what it holds it reads other bytes than it writes, or announces other than it writes.
#[derive(Debug)]
struct Wrong(u8);

impl Message for Wrong {
    const ID: MessageId = MessageId::new(6);
    const NAME: &'static str = "Wrong";
    type Mode = Serialized;
}

impl ExtendedMessage for Wrong {
    fn encoded_len(&self) -> Result<usize, EncodeError> {
        Ok(2)
    }

    fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        Ok(to.put(&[self.0, 0, 0][..usize::from(self.0)])?)
    }
}

impl DeserializeFrom<'_> for Wrong {
    fn deserialize_from(bytes: &[u8]) -> Result<Self, DecodeError> {
        match bytes {
            [only] => Ok(Self(*only)),
            _ => Err(DecodeError::LeftOver {
                len: bytes.len(),
                left: bytes.len() - 1,
            }),
        }
    }
}

/// Sends it.
#[derive(Handler)]
#[handler(id = 11, sends(Wrong))]
struct Writer;

impl Handle<Wrong> for Writer {
    fn handle(&mut self, _: &Wrong, _: &mut Outbox<'_, Self>) -> Result {
        unreachable!("it does not decode")
    }
}

impl Handle<Order> for Writer {
    fn handle(&mut self, order: &Order, out: &mut Outbox<'_, Self>) -> Result {
        if order.0 > 9 {
            // Fills the ring with what it does not send.
            for _ in 0..order.0 {
                assert!(out.send(&Wrong(3)).is_err());
            }
            return out.send(&Wrong(2));
        }
        out.send(&Wrong(order.0 as u8))
    }
}

#[test]
fn mistakes_of_a_codec_are_found() -> Result {
    let mut writer = Harness::new(Writer);
    let error = writer.handle(&Wrong(2)).unwrap_err();
    let failure = error.downcast_ref::<Failure>().unwrap();
    assert!(matches!(failure.kind, FailureKind::Undecodable(_)));
    assert!(
        error.to_string().starts_with(
            "worker `Harness`, message `Wrong` from `test` at position 0: does not decode: 1 of the payload's 2 bytes"
        ),
        "{error}"
    );
    let error = writer.handle(&Wrong(3)).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "handler `test` of worker `Harness` could not send `Wrong`: Wrong counted 2 bytes"
        ),
        "{error}"
    );

    writer.handle(&Order(2))?;
    let error = writer.expect_sent::<Wrong>().unwrap_err();
    assert!(matches!(error, Unexpected::Undecodable { .. }));
    assert!(
        error.to_string().starts_with(
            "`Writer` has sent `Wrong`, and its bytes don't decode: 1 of the payload's 2 bytes"
        ),
        "{error}"
    );
    let error = writer.handle(&Order(1)).unwrap_err().to_string();
    assert!(
        error.starts_with("handler `Writer` of worker `Harness` could not send `Wrong`"),
        "{error}"
    );
    Ok(())
}

#[test]
fn what_was_aborted_makes_room_as_well() -> Result {
    let mut writer = Harness::on(BusConfig::bytes(1024), Writer)?;
    for _ in 0..3 {
        writer.handle(&Order(100))?;
    }
    assert_eq!(writer.sent().len(), 3);
    Ok(())
}
