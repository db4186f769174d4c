//! The journal of a table that ran, stopped, was restored and ran on: what it tells of time, chance, timers, panics and
//! zero-copy messages brings each later version's handlers to where these were.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, UNIX_EPOCH};

use messenger::bus::Start;
use messenger::journal::{Journal, Reader, Schema};
use messenger::{
    App, Handle, Handler, Lifecycle, Message, Outbox, Plain, Replay, Result, Running, Timer,
    messenger,
};
use serde::{Deserialize, Serialize, Serializer};

use super::{
    anew, begun, config, copy_dir, crc, decoded_all, golden, items, keep, schema_of, scratch,
};

const NAME: &str = "journal-v1-ran";

#[derive(Clone, Copy, Plain, PartialEq, Debug)]
#[repr(u8)]
enum Side {
    Buy = 1,
    Sell = 2,
}

#[derive(Clone, Copy, Plain, PartialEq, Debug)]
#[repr(C)]
struct Level {
    price: u32,
    count: u16,
    sides: [Side; 2],
}

/// The input.
#[derive(Clone, Copy, Message, PartialEq, Debug)]
#[message(id = 1, codec = zero_copy)]
#[repr(C)]
struct Price {
    number: u64,
    best: Level,
    side: Side,
    firm: bool,
    pad: [u8; 6],
}

/// An answer with a tail.
#[derive(Message, PartialEq, Debug)]
#[message(id = 2, codec = zero_copy)]
struct Book<'a> {
    head: &'a Price,
    levels: &'a [Level],
}

/// An answer that no record could give again.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[message(id = 3, codec = bincode)]
struct Sum {
    number: u64,
    sum: u64,
    nanos: u64,
    token: u64,
}

#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Debug)]
#[message(id = 4, codec = bincode)]
struct Tick(u64);

/// If it is false it is counted, and then not written.
#[derive(Message, Deserialize, Debug)]
#[message(id = 5, codec = bincode)]
struct Rumour {
    told: bool,
    #[serde(skip)]
    counted: AtomicBool,
}

impl Serialize for Rumour {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.counted.swap(true, Relaxed) && !self.told {
            return Err(serde::ser::Error::custom("it is false"));
        }
        to.serialize_bool(self.told)
    }
}

#[derive(Debug, Handler)]
#[handler(id = 1, sends(Price))]
struct Market;

#[derive(Debug, Handler)]
#[handler(id = 2, sends(Book<'_>))]
struct Books(Vec<Level>);

impl Handle<Price> for Books {
    fn handle(&mut self, price: &Price, out: &mut Outbox<'_, Self>) -> Result {
        self.0.push(price.best);
        out.send(&Book {
            head: price,
            levels: &self.0,
        })
    }
}

#[derive(Debug, Handler)]
#[handler(id = 3, sends(Sum, Tick), lifecycle)]
struct Adder {
    sum: u64,
    ticks: u64,
}

impl Lifecycle for Adder {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        out.timer(Duration::from_millis(1));
        Ok(())
    }

    fn on_timer(&mut self, _: Timer, out: &mut Outbox<'_, Self>) -> Result {
        self.ticks += 1;
        if self.ticks < 3 {
            out.timer(Duration::from_millis(1));
        }
        out.send(&Tick(self.ticks))
    }
}

impl<'a> Handle<Book<'a>> for Adder {
    fn handle(&mut self, book: &Book<'a>, out: &mut Outbox<'_, Self>) -> Result {
        self.sum += book.levels.iter().map(|l| u64::from(l.price)).sum::<u64>();
        let nanos = out.now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
        let token = out.random();
        out.send(&Sum {
            number: book.head.number,
            sum: self.sum,
            nanos,
            token,
        })
    }
}

/// Is made again after its first panic; its second one ends the run, until it is mended.
#[derive(Debug, Handler)]
#[handler(id = 4, sends(Tick))]
struct Fragile {
    seen: u64,
    mended: bool,
}

impl Handle<Price> for Fragile {
    fn handle(&mut self, price: &Price, out: &mut Outbox<'_, Self>) -> Result {
        self.seen += 1;
        out.send(&Tick(self.seen))?;
        assert_ne!(price.number, 2, "the first");
        assert!(price.number != 4 || self.mended, "the second");
        Ok(())
    }
}

#[derive(Debug, Handler)]
#[handler(id = 5, sends(Rumour), lifecycle)]
struct Gossip(u64);

impl Lifecycle for Gossip {
    fn on_loop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.0 += 1;
        match self.0 {
            1 | 2 => out.send(&Rumour {
                told: self.0 == 1,
                counted: AtomicBool::new(false),
            }),
            _ => Ok(()),
        }
    }
}

impl Handle<Tick> for Gossip {
    fn handle(&mut self, _: &Tick, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

messenger! {
    Ran(mended: bool);
    outside: [ Market ]
    Booking:
        handlers: [ books: Books = Books(Vec::new()) ]
        routes: [ Market, Price: [books] ]
    Adding:
        handlers: [ adder: Adder = Adder { sum: 0, ticks: 0 } ]
        routes: [ Books, Book: [adder] ]
    Failing (on_panic = restart(1, per = Duration::from_secs(3600))):
        handlers: [ fragile: Fragile = Fragile { seen: 0, mended: *mended } ]
        routes: [ Market, Price: [fragile] ]
    Gossiping:
        handlers: [ gossip: Gossip = Gossip(0) ]
        routes: [ Adder, Tick: [gossip] ]
    drop: [ Adder, Sum; Fragile, Tick; Gossip, Rumour ]
}

fn price(number: u64) -> Price {
    let side = [Side::Buy, Side::Sell][number as usize % 2];
    Price {
        number,
        best: Level {
            price: 100 + number as u32,
            count: 3,
            sides: [side, Side::Buy],
        },
        side,
        firm: number % 3 == 0,
        pad: [0; 6],
    }
}

fn sum_after(last: u64) -> u64 {
    (1..=last).flat_map(|n| 1..=n).map(|n| 100 + n).sum()
}

/// Publishes these, and waits for the last one's sum.
fn publish(app: &Running<Ran>, numbers: std::ops::RangeInclusive<u64>) -> Sum {
    let last = *numbers.end();
    let mut sums = app.subscribe_gating::<(Sum,)>(Start::Newest).unwrap();
    let mut market = app.publisher::<Market>().unwrap();
    for n in numbers {
        market.send(&price(n)).unwrap();
    }
    loop {
        let sum = sums.receive().unwrap().unwrap();
        if sum.number == last {
            return sum.clone();
        }
    }
}

fn restored(journal: &Journal, mended: bool) -> Running<Ran> {
    Ran::builder(journal, mended).restore().run().unwrap()
}

fn replays(dir: &Path) {
    let reader = Reader::open(dir).unwrap();
    let replay = |mended| Ran::builder(&reader, mended).replay(Replay::all()).unwrap();
    let failures = replay(false).failures;
    let last = failures.last().unwrap().to_string();
    assert!(last.contains("`restart(1, ..)` allows"), "{last}");
    let replayed = replay(true);
    assert!(replayed.is_exact(), "{replayed}");
    assert!(replayed.unrecorded.is_empty(), "{replayed}");
    assert_eq!(replayed.workers[2].restarts, 1, "{replayed}");
}

/// Decodes what `items` says of bytes.
fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |it: &[u8]| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// Each note says what docs/journal.md has it say. Gives their kinds, but for 1, which comes by the clock.
fn notes(items: &str) -> BTreeSet<u64> {
    let mut kinds = BTreeSet::new();
    for line in items.lines() {
        let fields: Vec<_> = line.split(' ').collect();
        let [position, "note", about, kind, payload] = fields[..] else {
            continue;
        };
        let number = |text: &str| text.parse::<u64>().unwrap();
        let (position, about, kind) = (number(position), number(about), number(kind));
        let payload = bytes(payload);
        let word = |at: usize| u64::from_le_bytes(*payload[at..].first_chunk().unwrap());
        let worker = |name: &[u8]| {
            let name = std::str::from_utf8(name).unwrap();
            let workers = ["Booking", "Adding", "Failing", "Gossiping"];
            workers.iter().any(|worker| name == format!("Ran.{worker}"))
        };
        let told = match kind {
            1 => about == 0 && payload.len() == 8,
            2 | 12 => about == 0 && word(0) <= position && worker(&payload[8..]),
            3 | 4 => about == 0 && worker(&payload),
            5 => about == 3 && payload.len() == 16 && (1..=3).contains(&word(8)),
            6 | 7 => about == 3 && payload.len() == 8,
            8 | 9 => about == 5 && payload.is_empty(),
            10 => about == 4 && payload.len() == 16 && word(0) < position && word(8) == 2,
            _ => false,
        };
        assert!(told, "{line}");
        kinds.insert(kind);
    }
    kinds.remove(&1);
    kinds
}

/// All but 1, and 11, which only a bus has that processes share.
fn all_kinds() -> BTreeSet<u64> {
    (2..=10).chain([12]).collect()
}

/// FNV-1a of `parts`, a byte after the other: not the library's.
fn fingerprint(parts: &[&dyn Part]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// What a fingerprint is made of: numbers of eight bytes, and texts behind their lengths.
trait Part {
    fn bytes(&self) -> Vec<u8>;
}

impl Part for u64 {
    fn bytes(&self) -> Vec<u8> {
        self.to_le_bytes().to_vec()
    }
}

impl Part for &str {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = (self.len() as u64).bytes();
        bytes.extend(self.as_bytes());
        bytes
    }
}

/// The fingerprints of `Side`, `Level`, `Price` and `Book`, as docs/journal.md defines them.
#[rustfmt::skip]
fn fingerprints() -> [u64; 4] {
    let n = |number: u64| number;
    let side = fingerprint(&[&"little", &n(1), &n(1), &"Buy", &n(1), &"Sell", &n(2)]);
    let sides = fingerprint(&[&"array", &side, &n(2)]);
    let level = fingerprint(&[
        &"little", &n(8), &n(4),
        &"price", &n(0), &n(4), &"u32",
        &"count", &n(4), &n(2), &"u16",
        &"sides", &n(6), &n(2), &sides,
    ]);
    let price = fingerprint(&[
        &"little", &n(24), &n(8),
        &"number", &n(0), &n(8), &"u64",
        &"best", &n(8), &n(8), &level,
        &"side", &n(16), &n(1), &side,
        &"firm", &n(17), &n(1), &"bool",
        &"pad", &n(18), &n(6), &"[u8;6]",
    ]);
    let book = fingerprint(&[&"little", &n(24), &n(8), &n(8), &"tail", &price, &"", &level, &""]);
    [side, level, price, book]
}

/// What the file `shapes` has to say, as docs/journal.md defines it.
fn shapes() -> String {
    let [side, level, price, book] = fingerprints();
    let text = format!(
        "messenger shapes\t1\n\
         enum\t{side:016x}\t1\t1\n\
         variant\tBuy\t1\n\
         variant\tSell\t2\n\
         struct\t{level:016x}\t8\t4\n\
         field\tprice\t0\t4\tu32\n\
         field\tcount\t4\t2\tu16\n\
         field\tsides\t6\t2\t[#{side:016x};2]\n\
         struct\t{price:016x}\t24\t8\n\
         field\tnumber\t0\t8\tu64\n\
         field\tbest\t8\t8\t#{level:016x}\n\
         field\tside\t16\t1\t#{side:016x}\n\
         field\tfirm\t17\t1\tbool\n\
         field\tpad\t18\t6\t[u8;6]\n\
         tail\t{book:016x}\t24\t8\t#{price:016x}\t8\t#{level:016x}\n"
    );
    let crc = crc(text.as_bytes());
    format!("{text}crc\t{crc:08x}\n")
}

#[test]
fn a_table_that_ran_is_restored_and_replayed() {
    let golden = golden(NAME);
    let expected = fs::read_to_string(golden.join("expected.txt")).unwrap();
    assert_eq!(items(&golden), expected);
    assert_eq!(decoded_all(&golden).0, expected);
    assert_eq!(notes(&expected), all_kinds());
    let schema = schema_of(&golden);
    let [.., price, book] = fingerprints();
    for fact in [
        format!("message\t1\tPrice\tzero_copy\tjournal_golden::ran::Price\t24\t8\t{price:016x}\n"),
        format!("message\t2\tBook\tzero_copy\tjournal_golden::ran::Book\t0\t8\t{book:016x}\n"),
    ] {
        assert!(schema.contains(&fact), "{fact}{schema}");
    }
    // It was written before there were shapes.
    let reader = Reader::open(&golden).unwrap();
    let (kept, program) = (reader.schema(), Schema::from(Ran::INFO));
    assert_eq!(kept.messages(), program.messages());
    assert_eq!(kept.sources(), program.sources());
    assert_eq!(kept.tables(), program.tables());
    assert!(kept.shapes().is_empty());
    replays(&golden);

    let copy = scratch("ran");
    copy_dir(&golden, &copy);
    let journal = Journal::open_existing(&copy, config()).unwrap();
    let app = restored(&journal, true);
    // Its state is what it was.
    assert_eq!(publish(&app, 9..=9).sum, sum_after(9));
    app.stop().unwrap();
    journal.close().unwrap();
    let now = items(&copy);
    assert!(now.starts_with(&expected) && now.len() > expected.len());
    replays(&copy);
    assert_eq!(fs::read_to_string(copy.join("schema")).unwrap(), schema);
    assert_eq!(fs::read_to_string(copy.join("shapes")).unwrap(), shapes());
    let reader = Reader::open(&copy).unwrap();
    assert_eq!(reader.schema(), &Schema::from(Ran::INFO));
    // One that can't be read is as none.
    fs::write(copy.join("shapes"), shapes().replace("u16", "u32")).unwrap();
    let reader = Reader::open(&copy).unwrap();
    assert!(reader.schema().shapes().is_empty());
}

#[test]
fn what_a_table_writes_now_is_of_version_1() {
    let (dir, goes) = anew(NAME);
    let journal = begun(&dir);
    let app = restored(&journal, false);
    let mut ticks = app.subscribe_from::<(Tick,)>(Start::Oldest).unwrap();
    publish(&app, 1..=3);
    while ticks.receive().unwrap().unwrap().0 < 3 {}
    drop(ticks);
    let mut market = app.publisher::<Market>().unwrap();
    market.send(&price(4)).unwrap();
    drop(market);
    app.join().unwrap_err();
    let app = restored(&journal, true);
    publish(&app, 5..=8);
    app.stop().unwrap();
    journal.close().unwrap();

    let written = items(&dir);
    assert_eq!(decoded_all(&dir).0, written);
    let kinds = notes(&written);
    replays(&dir);
    if goes.is_none() {
        assert_eq!(kinds, all_kinds());
        return keep(&dir, &written);
    }
    let golden = golden(NAME);
    let expected = fs::read_to_string(golden.join("expected.txt")).unwrap();
    // Of each handler the same, but for what came by time and chance.
    for source in [1, 2, 4] {
        let of = |text: &str| {
            let lines = text.lines().map(|line| line.split_once(' ').unwrap().1);
            let theirs = lines.filter(|line| line.starts_with(&format!("record {source} ")));
            theirs.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(of(&written), of(&expected));
    }
    assert_eq!(schema_of(&dir), schema_of(&golden));
}
