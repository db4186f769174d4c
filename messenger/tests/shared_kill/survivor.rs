//! Those who go on: each publishes, reads, and checks all that it reads. Two are threads of the test, one is a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use messenger::bus::{
    ClaimError, Observer, Publisher, Start, Subscriber, WaitStrategy, record_len,
};
use messenger::shared::SharedBus;

use crate::kit::{Rng, SURVIVORS, Seen, again, payload, tag};
use crate::stall::Watch;
use crate::victim::{NAME, glance, options};

/// What a survivor is told: to go on, to publish no more, or to read up to a position and end.
pub(crate) struct Orders(AtomicU64);

const GO_ON: u64 = u64::MAX;
const ONLY_READ: u64 = u64::MAX - 1;

impl Orders {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(GO_ON))
    }

    /// Publish no more.
    pub(crate) fn only_read(&self) {
        self.0.store(ONLY_READ, SeqCst);
    }

    /// Read up to `position`, and end.
    pub(crate) fn read_to(&self, position: u64) {
        self.0.store(position, SeqCst);
    }

    fn publish(&self) -> bool {
        self.0.load(SeqCst) == GO_ON
    }

    fn end(&self) -> Option<u64> {
        Some(self.0.load(SeqCst)).filter(|&end| end < ONLY_READ)
    }
}

/// What one has come to.
pub(crate) struct Report {
    pub(crate) seen: Seen,
    /// How many it has published.
    pub(crate) sent: u64,
    pub(crate) stalls: Vec<(u64, u64)>,
}

/// Longer than any stall may be.
const PATIENCE: u64 = 5_000_000_000;

pub(crate) struct Survivor {
    number: u64,
    next: u64,
    publisher: Publisher,
    subscriber: Subscriber,
    observer: Observer,
    glanced: Seen,
    payload: Vec<u8>,
    seen: Seen,
    sent: Watch,
    read: Watch,
    rng: Rng,
}

impl Survivor {
    /// The survivor `number`, on a bus on which nothing has been published yet.
    pub(crate) fn new(bus: &SharedBus, number: u64, seed: u64) -> Self {
        let subscriber = bus.bus().subscribe(Start::At(0)).unwrap();
        Self {
            number: SURVIVORS + number,
            next: 0,
            publisher: bus.bus().publisher().unwrap(),
            subscriber,
            observer: bus.bus().observe(Start::Newest).unwrap(),
            glanced: Seen::default(),
            payload: Vec::new(),
            seen: Seen::default(),
            sent: Watch::new(),
            read: Watch::new(),
            rng: Rng(seed ^ number << 32),
        }
    }

    /// Goes on until it is told to end, and tells `quiet` when it has published its last.
    pub(crate) fn run(mut self, orders: &Orders, quiet: impl FnOnce()) -> Report {
        let mut quiet = Some(quiet);
        loop {
            let mut idle = true;
            if orders.publish() {
                idle &= !self.publish();
            } else if let Some(quiet) = quiet.take() {
                quiet();
            } else if orders
                .end()
                .is_some_and(|end| self.subscriber.position() >= end)
            {
                break;
            }
            idle &= !self.read();
            if self.rng.one_in(4) {
                glance(&mut self.observer, &mut self.payload, &mut self.glanced, 3);
            }
            if quiet.is_some() {
                // Who has been told to be quiet has nothing to do.
                let since = self.read.since().max(self.sent.since());
                assert!(since < PATIENCE, "nothing has gone through for {since} ns");
            }
            self.rest(idle);
        }
        let mut stalls = self.sent.stalls;
        stalls.append(&mut self.read.stalls);
        Report {
            seen: self.seen,
            sent: self.next,
            stalls,
        }
    }

    /// Others need the processors too.
    fn rest(&mut self, idle: bool) {
        match self.rng.below(8) {
            0 => std::thread::sleep(Duration::from_micros(20)),
            1..=4 if idle => {
                let deadline = Instant::now() + Duration::from_micros(200);
                let wait = self
                    .rng
                    .pick(&[WaitStrategy::Block, WaitStrategy::BlockNow]);
                let waited = self.subscriber.wait_until(wait, Some(deadline), || false);
                waited.unwrap();
            }
            _ if idle => std::thread::yield_now(),
            _ => {}
        }
    }

    /// Publishes a record or some. Says whether there was room.
    fn publish(&mut self) -> bool {
        let longest = self.publisher.max_payload();
        let bytes = payload(self.number, self.next, longest);
        let sent = if self.rng.one_in(6) {
            self.batch(longest)
        } else {
            let sent = self.publisher.try_send(tag(self.number, self.next), &bytes);
            sent.map(|_| 1)
        };
        match sent {
            Ok(count) => {
                self.next += count;
                self.sent.done();
                true
            }
            Err(ClaimError::Full { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    fn batch(&mut self, longest: usize) -> Result<u64, ClaimError> {
        let wanted = 160 + self.rng.below(longest as u64 - 160) as usize;
        let mut run = self.publisher.try_reserve(wanted)?;
        let mut count = 0;
        loop {
            let sequence = self.next + count;
            let bytes = payload(self.number, sequence, longest);
            if record_len(bytes.len()) > run.remaining() {
                return Ok(count);
            }
            run.send(tag(self.number, sequence), &bytes)?;
            count += 1;
        }
    }

    fn read(&mut self) -> bool {
        let longest = self.publisher.max_payload();
        let seen = &mut self.seen;
        let took = self.subscriber.poll(64, |record| {
            seen.take(
                record.position(),
                record.tag(),
                record.payload(),
                longest,
                false,
            );
        });
        let read = took.unwrap() > 0;
        if read {
            self.read.done();
        }
        read
    }
}

const VARIABLE: &str = "MESSENGER_SHARED_SURVIVOR";

/// A survivor in another process.
pub(crate) struct Other {
    child: Child,
    tell: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Other {
    /// Starts it, and waits until it has joined.
    pub(crate) fn start(dir: &Path, number: u64, seed: u64) -> Self {
        let text = format!("{number} {seed} {}", dir.display());
        let mut child = again("survivor::goes_on_until_it_is_told", VARIABLE, text)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let tell = child.stdin.take().unwrap();
        let mut other = Self { child, tell, lines };
        assert_eq!(other.line(), "joined");
        other
    }

    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "the survivor has ended: {:?}", self.child.wait());
            // What the test harness says stands before it.
            if let Some((_, said)) = line.split_once("> ") {
                return said.trim_end().to_owned();
            }
        }
    }

    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Has it publish no more; back when it does not.
    pub(crate) fn only_read(&mut self) {
        self.tell.write_all(b"quiet\n").unwrap();
        assert_eq!(self.line(), "quiet");
    }

    /// Has it read up to `end`, and gives what it has come to: without the publishers that it has seen, of which `seen` are said
    /// to it.
    pub(crate) fn read_to(mut self, end: u64) -> Report {
        writeln!(self.tell, "{end}").unwrap();
        let mut report = Report {
            seen: Seen::default(),
            sent: 0,
            stalls: Vec::new(),
        };
        loop {
            let line = self.line();
            let numbers: Vec<u64> = line.split(' ').filter_map(|w| w.parse().ok()).collect();
            match numbers[..] {
                [from, to] => report.stalls.push((from, to)),
                [records, hash, sent] => {
                    report.seen.records = records;
                    report.seen.hash = hash;
                    report.sent = sent;
                }
                _ => break assert_eq!(line, "left"),
            }
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        report
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does nothing but in a child.
#[test]
fn goes_on_until_it_is_told() {
    let Ok(text) = std::env::var(VARIABLE) else {
        return;
    };
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (number, seed) = (word().parse().unwrap(), word().parse().unwrap());
    let bus = options(Path::new(word())).open(NAME).unwrap();
    let survivor = Survivor::new(&bus, number, seed);
    println!("\n> joined");
    static ORDERS: Orders = Orders::new();
    std::thread::spawn(|| {
        for line in std::io::stdin().lines() {
            match line.unwrap().parse() {
                Ok(end) => ORDERS.read_to(end),
                Err(_) => ORDERS.only_read(),
            }
        }
    });
    let report = survivor.run(&ORDERS, || println!("\n> quiet"));
    let mut out = std::io::stdout().lock();
    for (from, to) in report.stalls {
        writeln!(out, "\n> {from} {to}").unwrap();
    }
    let Seen { records, hash, .. } = report.seen;
    writeln!(out, "\n> {records} {hash} {}", report.sent).unwrap();
    drop(bus);
    writeln!(out, "\n> left").unwrap();
}
