//! Processes that come and go at random, publish and read, for a long time: what all have sent is what one has read who was always there.
//!
//! `MESSENGER_SOAK_SECONDS` says for how long (`ci/nightly.sh`).

use std::io::Read;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use messenger::bus::{
    ClaimError, MessageId, Publisher, Record, SourceId, Start, Subscriber, Tag, WaitStrategy,
    record_len,
};
use messenger::shared::SharedBus;

use crate::kit::{self, Other, fresh, role, say};

const PROCESSES: usize = 4;
/// How many publishers a process has at the most, at a time; each goes on where the one before it ended.
const PUBLISHERS: usize = 2;
/// Number and sequence.
const PAYLOAD: usize = 16;
const WAIT: Duration = Duration::from_millis(1);

/// What was sent, or read, of each publisher: how many, and the sum of the sequence numbers.
type Tally = [(u64, u64); PROCESSES * PUBLISHERS];

fn tag(number: usize) -> Tag {
    Tag::new(SourceId::new(number as u16 + 1), MessageId::new(1))
}

fn payload(number: usize, sequence: u64) -> [u8; PAYLOAD] {
    let word = (number as u128) << 64 | u128::from(sequence);
    word.to_le_bytes()
}

fn read(record: &Record<'_>) -> (usize, u64) {
    let word = u128::from_le_bytes(record.payload().try_into().unwrap());
    let number = (word >> 64) as usize;
    assert_eq!(record.tag(), tag(number));
    (number, word as u64)
}

/// A small random number, below `end`.
fn below(state: &mut u64, end: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state % end
}

fn wait(random: &mut u64) -> WaitStrategy {
    let waits = [
        WaitStrategy::Block,
        WaitStrategy::BlockNow,
        WaitStrategy::Yield,
    ];
    waits[below(random, 3) as usize]
}

/// What a child does; a test that does nothing in the parent.
#[test]
fn child_that_comes_and_goes() {
    let Some((which, name)) = role() else { return };
    let which: usize = which.parse().unwrap();
    static STOP: AtomicBool = AtomicBool::new(false);
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_exact(&mut [0]);
        STOP.store(true, Relaxed);
    });
    let mut random = which as u64 + 1;
    let mut sent = Tally::default();
    let mut visits = 0;
    // More than once, however soon it is told to stop.
    while visits < 2 || !STOP.load(Relaxed) {
        let bus = SharedBus::open(&name).unwrap();
        visit(&bus, which, &mut random, &mut sent);
        visits += 1;
    }
    for (count, sum) in &sent[which * PUBLISHERS..][..PUBLISHERS] {
        say(format_args!("{count} {sum}"));
    }
    say(visits);
}

/// From coming to leaving: some ten milliseconds.
fn visit(bus: &SharedBus, which: usize, random: &mut u64, sent: &mut Tally) {
    let until = Instant::now() + Duration::from_millis(below(random, 50));
    let publishers = 1 + below(random, PUBLISHERS as u64) as usize;
    let mut publishers: Vec<_> = (0..publishers)
        .map(|publisher| {
            let mut attached = bus.bus().publisher().unwrap();
            attached.set_wait(wait(random));
            (which * PUBLISHERS + publisher, attached)
        })
        .collect();
    let mut reader = (below(random, 3) == 0).then(|| {
        let start = [Start::Oldest, Start::Newest][below(random, 2) as usize];
        Reader::new(bus.bus().subscribe(start).unwrap())
    });
    while Instant::now() < until {
        for (number, publisher) in &mut publishers {
            if !send_some(publisher, *number, &mut sent[*number]) && reader.is_none() {
                send_one(publisher, *number, &mut sent[*number]);
            }
        }
        if let Some(reader) = &mut reader {
            reader.read_all();
        }
    }
}

/// Sends records in one run, if there is room.
fn send_some(publisher: &mut Publisher, number: usize, sent: &mut (u64, u64)) -> bool {
    let Ok(mut run) = publisher.try_reserve(64 * record_len(PAYLOAD)) else {
        return false;
    };
    for _ in 0..64 {
        run.send(tag(number), &payload(number, sent.0)).unwrap();
        *sent = (sent.0 + 1, sent.1 + sent.0);
    }
    true
}

/// Sends one, if there is room in a moment.
fn send_one(publisher: &mut Publisher, number: usize, sent: &mut (u64, u64)) {
    match publisher.send_timeout(tag(number), &payload(number, sent.0), WAIT) {
        Ok(_) => *sent = (sent.0 + 1, sent.1 + sent.0),
        Err(ClaimError::Timeout { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Reads, and checks that of no publisher anything is missing, from where it joined.
struct Reader {
    subscriber: Subscriber,
    read: Tally,
    next: [Option<u64>; PROCESSES * PUBLISHERS],
}

impl Reader {
    fn new(subscriber: Subscriber) -> Self {
        Self {
            subscriber,
            read: Tally::default(),
            next: Default::default(),
        }
    }

    fn read_all(&mut self) -> usize {
        let Self {
            subscriber,
            read: tally,
            next,
        } = self;
        let took = subscriber.poll(10_000, |record| {
            let (number, sequence) = read(&record);
            let due = next[number].unwrap_or(sequence);
            assert_eq!(sequence, due, "of {number}, at {}", record.position());
            next[number] = Some(sequence + 1);
            tally[number].0 += 1;
            tally[number].1 += sequence;
        });
        took.unwrap()
    }
}

#[test]
fn what_comes_and_goes_adds_up() {
    let seconds = std::env::var("MESSENGER_SOAK_SECONDS").ok();
    let seconds = seconds.and_then(|n| n.parse().ok()).unwrap_or(2);
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 18).unwrap();
    let mut reader = Reader::new(bus.bus().subscribe(Start::Oldest).unwrap());
    reader.next = [Some(0); PROCESSES * PUBLISHERS];
    let mut others: Vec<Other> = (0..PROCESSES)
        .map(|which| {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["soak::child_that_comes_and_goes", "--exact"]);
            command.args(["--nocapture", "--quiet"]);
            Other::run(command, &which.to_string(), &name)
        })
        .collect();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = 7;
    let mut read_until = |until: Instant| {
        while Instant::now() < until {
            if reader.read_all() == 0 {
                let wait = wait(&mut random);
                let at = Instant::now() + Duration::from_millis(100);
                reader
                    .subscriber
                    .wait_until(wait, Some(at), || false)
                    .unwrap();
            }
        }
    };
    read_until(until);
    let mut sent = Tally::default();
    for other in &mut others {
        drop(other.child.stdin.take());
    }
    // They may still wait for room.
    let begun = Instant::now();
    for other in &mut others {
        while other.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            read_until(Instant::now() + Duration::from_millis(20));
        }
    }
    kit::until("all is read", || {
        reader.read_all();
        reader.subscriber.position() == bus.bus().tail()
    });
    let mut visits = 0;
    for (which, other) in others.iter_mut().enumerate() {
        assert!(other.child.wait().unwrap().success());
        for sent in &mut sent[which * PUBLISHERS..][..PUBLISHERS] {
            let line = other.line();
            let (count, sum) = line.split_once(' ').unwrap();
            *sent = (count.parse().unwrap(), sum.parse().unwrap());
        }
        visits += other.line().parse::<u64>().unwrap();
    }
    let records: u64 = sent.iter().map(|(count, _)| count).sum();
    println!("{records} records in {seconds} s, in {visits} visits of {PROCESSES} processes");
    assert_eq!(reader.read, sent);
    assert_eq!(bus.processes().len(), 1);
    assert_eq!(bus.bus().stats().members, 2);
    assert_eq!(bus.bus().stats().aborted, 0);
    assert!(visits as usize > PROCESSES);
}
