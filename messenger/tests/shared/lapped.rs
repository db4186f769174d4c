//! A reader that is lapped again and again: what it gives is whole and in order, and what it does not give it says that it missed.

use std::collections::HashMap;
use std::io::Write;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use messenger::bus::{
    MessageId, ObserveError, Observed, SourceId, Start, Tag, WaitStrategy, record_len,
};
use messenger::shared::SharedBus;

use crate::kit::{Other, TAG, forever, fresh, say, until, wait_for_a_byte};
use crate::reader::number_of;

/// The ring's length where it is to be lapped.
const RING: u64 = 1 << 15;
/// How many records are sent there, at the least.
const SENT: u64 = 200_000;

/// What a child does for these tests, if `role` is one of theirs.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    match role.trim_end_matches(char::is_numeric) {
        "floods" => {
            let bus = SharedBus::open(name).unwrap();
            let mut publisher = bus.bus().publisher().unwrap();
            say("ready");
            wait_for_a_byte();
            let told = std::thread::spawn(wait_for_a_byte);
            for number in (0..).take_while(|&number| number < SENT || !told.is_finished()) {
                publisher.send(TAG, &payload(0, number)).unwrap();
                rest(number);
            }
            say(bus.bus().tail());
            forever();
        }
        // Two at a time, some of whose claims are aborted; which of the processes it is stands at the end.
        "floods-by-two-" => {
            let process: u16 = role["floods-by-two-".len()..].parse().unwrap();
            let bus = SharedBus::open(name).unwrap();
            say("ready");
            std::thread::scope(|scope| {
                for source in 1..=2 {
                    let mut publisher = bus.bus().publisher().unwrap();
                    scope.spawn(move || {
                        let source = source << 8 | process;
                        let tag = Tag::new(SourceId::new(source), MessageId::new(1));
                        for number in 0.. {
                            publisher.send(tag, &payload(source, number)).unwrap();
                            if number % 7 == 0 {
                                drop(publisher.claim(tag, 50).unwrap());
                            }
                            rest(number);
                        }
                    });
                }
            });
        }
        _ => return false,
    }
    true
}

fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    n ^ n >> 29
}

/// The length of a payload, and where in the noise it begins.
fn shape(source: u16, number: u64) -> (usize, usize) {
    let mixed = mix(number << 16 | u64::from(source));
    // Most are short; some are as long as they can be.
    let len = match mixed % 64 {
        0 => RING / 4,
        n if n < 8 => 8 + mixed / 64 % 2000,
        _ => 8 + mixed / 64 % 200,
    };
    (len as usize, (mixed >> 32) as usize)
}

/// Payloads that differ in length and in what stands where: the number, then some of the same noise.
fn payload(source: u16, number: u64) -> Vec<u8> {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| (0..RING).flat_map(|n| mix(n).to_ne_bytes()).collect());
    let (len, from) = shape(source, number);
    let mut payload = number.to_le_bytes().to_vec();
    payload.extend_from_slice(&noise[from % (noise.len() / 2)..][..len - 8]);
    payload
}

/// Lets a reader catch up now and then.
fn rest(number: u64) {
    if number % 64 == 63 {
        std::thread::sleep(Duration::from_micros(100));
    }
}

/// Where the records of a single publisher stand: what it should find.
#[derive(Default)]
struct Place {
    number: u64,
    position: u64,
}

impl Place {
    fn len(&self) -> u64 {
        record_len(shape(0, self.number).0) as u64
    }

    /// Where the record really begins: past the padding, if it does not fit before the ring's end.
    fn begin(&self) -> u64 {
        if self.position % RING + self.len() > RING {
            return self.position.next_multiple_of(RING);
        }
        self.position
    }

    fn next(&mut self) {
        self.position = self.begin() + self.len();
        self.number += 1;
    }
}

#[test]
fn what_a_writer_laps_is_whole_and_in_order_or_said_to_be_missed() {
    let name = fresh();
    let bus = SharedBus::options().bytes(RING as usize).create(&name);
    let bus = bus.unwrap();
    let mut other = Other::start("floods", &name);
    assert_eq!(other.line(), "ready");
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    other.child.stdin.as_mut().unwrap().write_all(b"!").unwrap();

    let mut place = Place::default();
    let (mut payload, mut received, mut bytes, mut missed) = (Vec::new(), 0, 0, 0);
    let (mut laps, mut end) = (0, None);
    while end != Some(reader.position()) {
        // The other one writes until this one has seen enough, however seldom it comes to read.
        if end.is_none() && place.number >= SENT && received > SENT / 1000 && laps > 10 {
            other.child.stdin.as_mut().unwrap().write_all(b"!").unwrap();
            end = Some(other.line().parse().unwrap());
            continue;
        }
        let before = reader.position();
        let wait = Some(Instant::now() + Duration::from_secs(60));
        match reader.next_until(&mut payload, WaitStrategy::Block, wait, || false) {
            Ok(Some(Observed { position, tag })) => {
                assert_eq!((tag, position), (TAG, place.begin()));
                assert_eq!(number_of(&payload), place.number);
                assert_eq!(payload, self::payload(0, place.number), "not whole");
                // With the padding before it, if there was any.
                bytes += place.begin() + place.len() - place.position;
                place.next();
                received += 1;
                // Now and then it is too slow.
                if received % 500 == 0 && end.is_none() {
                    let lap = reader.position() + RING;
                    until("it is lapped", || reader.tail() > lap);
                }
            }
            Ok(None) => panic!("nothing came at {before}"),
            Err(ObserveError::Lagged { skipped }) => {
                laps += 1;
                missed += skipped;
                // It may have stepped over padding before.
                let from = reader.position() - skipped;
                assert!([place.position, place.begin()].contains(&from));
                bytes += from - before;
                while place.position < reader.position() && place.begin() < reader.position() {
                    place.next();
                }
                // The floor may stand where padding ends.
                assert!([place.position, place.begin()].contains(&reader.position()));
                place.position = reader.position();
            }
            Err(error) => panic!("{error}"),
        }
    }
    let sent = place.number;
    println!("{received} of {sent} received, {laps} times lapped, {missed} bytes missed");
    assert_eq!(reader.tail(), reader.position());
    assert_eq!(bytes + missed, reader.tail(), "received and missed are all");
    // What it does stands nowhere.
    assert_eq!((bus.bus().stats().lagged, bus.processes().len()), (0, 2));
}

#[test]
fn what_many_write_at_a_time_is_whole_and_in_order() {
    let name = fresh();
    let bus = SharedBus::options().bytes(RING as usize).create(&name);
    let _bus = bus.unwrap();
    let mut others = [1, 2].map(|n| Other::start(&format!("floods-by-two-{n}"), &name));
    for other in &mut others {
        assert_eq!(other.line(), "ready");
    }
    let mut reader = SharedBus::read(&name, Start::Newest).unwrap();
    let mut last = HashMap::new();
    let (mut payload, mut received, mut laps, mut end) = (Vec::new(), 0, 0, reader.position());
    let begun = Instant::now();
    let is_enough = |received, publishers| received > 1000 && publishers == 4;
    while received < 100_000 && begun.elapsed() < Duration::from_secs(20)
        || !is_enough(received, last.len())
    {
        assert!(begun.elapsed() < Duration::from_secs(60), "{received}");
        let before = reader.position();
        match reader.try_next(&mut payload) {
            Ok(Some(Observed { position, tag })) => {
                assert!(position >= end, "they come in order");
                end = reader.position();
                assert_eq!(end, position + record_len(payload.len()) as u64);
                let number = number_of(&payload);
                assert_eq!(payload, self::payload(tag.source.get(), number));
                let before = last.insert(tag.source, number);
                assert!(before.is_none_or(|before| before < number));
                received += 1;
            }
            Ok(None) => std::thread::yield_now(),
            Err(ObserveError::Lagged { skipped }) => {
                laps += 1;
                end = reader.position();
                // It may have stepped over what was aborted before.
                assert!(end >= before + skipped);
            }
            Err(error) => panic!("{error}"),
        }
    }
    println!(
        "{received} received of {} publishers, {laps} times lapped",
        last.len()
    );
}
