//! Those who go on: each publishes, reads, and checks all that it reads. One is a process of its own, two are of the test.

#[path = "../support/unpark.rs"]
mod unpark;

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use messenger::bus::{ClaimError, Observer, Publisher, Start, Subscriber};
use messenger::bus::{WaitStrategy, record_len};
use messenger::shared::SharedBus;

use crate::kit::{Rng, SURVIVORS, Seen, payload, tag};
use crate::stall::Watch;
use crate::victim::{BYTES, glance};
use unpark::unparks;

/// What survivors are told: to go on, to publish no more, or to read up to a position and end.
pub(crate) struct Orders(AtomicU64);

const GO_ON: u64 = u64::MAX;
const ONLY_READ: u64 = u64::MAX - 1;

impl Orders {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(GO_ON))
    }

    /// Publish no more.
    pub(crate) fn only_read(&self, bus: &SharedBus) {
        self.tell(ONLY_READ, bus);
    }

    /// Read up to `position`, and end.
    pub(crate) fn read_to(&self, position: u64, bus: &SharedBus) {
        self.tell(position, bus);
    }

    fn tell(&self, what: u64, bus: &SharedBus) {
        self.0.store(what, SeqCst);
        bus.bus().wake_all();
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

/// Longer than any stall may be, also that of a virtual machine that is not given its processors for some seconds.
const PATIENCE: Duration = Duration::from_secs(120);

const WAITS: [WaitStrategy; 3] = [
    WaitStrategy::Block,
    WaitStrategy::BlockNow,
    WaitStrategy::Yield,
];

pub(crate) struct Survivor {
    writer: Writer,
    reader: Reader,
    /// Whether it waits for what it wants, and is woken; if not, it looks again and again.
    sleeps: bool,
}

impl Survivor {
    /// The survivor `number`, on a bus on which nothing has been published yet.
    pub(crate) fn new(bus: &SharedBus, number: u64, seed: u64) -> Self {
        let writer = Writer {
            number: SURVIVORS + number,
            next: 0,
            publisher: bus.bus().publisher().unwrap(),
            watch: Watch::new(),
            rng: Rng(seed ^ number << 32),
        };
        let reader = Reader {
            subscriber: bus.bus().subscribe(Start::At(0)).unwrap(),
            observer: bus.bus().observe(Start::Newest).unwrap(),
            glanced: Seen::default(),
            payload: Vec::new(),
            seen: Seen::default(),
            watch: Watch::new(),
            rng: Rng(seed ^ number << 40),
        };
        Self {
            writer,
            reader,
            sleeps: number > 0,
        }
    }

    /// Goes on until it is told to end, and tells `quiet` when it has published its last.
    pub(crate) fn run(mut self, orders: &Orders, bus: &SharedBus, quiet: impl FnOnce()) -> Report {
        if self.sleeps {
            let Self { writer, reader, .. } = &mut self;
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let _ending = Ending(orders, bus);
                    reader.wait_and_read(orders);
                });
                let _ending = Ending(orders, bus);
                writer.wait_and_publish(orders);
                quiet();
            });
        } else {
            let _ending = Ending(orders, bus);
            self.look_again_and_again(orders, quiet);
        }
        let mut stalls = self.writer.watch.stalls;
        stalls.append(&mut self.reader.watch.stalls);
        Report {
            seen: self.reader.seen,
            sent: self.writer.next,
            stalls,
        }
    }

    fn look_again_and_again(&mut self, orders: &Orders, quiet: impl FnOnce()) {
        let Self { writer, reader, .. } = self;
        let mut quiet = Some(quiet);
        loop {
            let mut idle = true;
            if orders.publish() {
                idle = !writer.publish();
                let since = reader.watch.since().max(writer.watch.since());
                assert!(since < PATIENCE, "nothing has gone through for {since:?}");
            } else if let Some(quiet) = quiet.take() {
                quiet();
            } else if reader.is_at_end(orders) {
                return;
            }
            idle &= !reader.read();
            writer.rest(idle);
        }
    }
}

/// Ends all if its thread panics, so that this is heard of.
struct Ending<'a>(&'a Orders, &'a SharedBus);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // It may be what it failed over. The file goes with the last who uses it; by another process, since all locks of
            // this one would go with a descriptor that it closes.
            let file = self.1.path();
            let copy = file.with_file_name("held-up");
            let copied = std::process::Command::new("cp")
                .arg("-n")
                .args([file, &copy])
                .status();
            let (stats, processes) = (self.1.bus().stats(), self.1.processes());
            eprintln!(
                "{} as it was: {}, {copied:?}",
                file.display(),
                copy.display()
            );
            eprintln!("{stats:?}, {processes:?}");
            self.0.read_to(0, self.1);
        }
    }
}

struct Writer {
    number: u64,
    next: u64,
    publisher: Publisher,
    watch: Watch,
    rng: Rng,
}

impl Writer {
    /// Publishes a record or some. Says whether there was room.
    fn publish(&mut self) -> bool {
        let longest = self.publisher.max_payload();
        let sent = if self.rng.one_in(6) {
            self.batch(longest)
        } else {
            let bytes = payload(self.number, self.next, longest);
            let sent = self.publisher.try_send(tag(self.number, self.next), &bytes);
            sent.map(|_| 1)
        };
        match sent {
            Ok(count) => {
                self.next += count;
                self.watch.done();
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

    fn wait_and_publish(&mut self, orders: &Orders) {
        while orders.publish() {
            if self.publish() {
                if self.rng.one_in(4) {
                    self.rest(false);
                }
                continue;
            }
            self.publisher.set_wait(self.rng.pick(&WAITS));
            let bytes = payload(self.number, self.next, self.publisher.max_payload());
            let tag = tag(self.number, self.next);
            let deadline = Some(Instant::now() + PATIENCE);
            let stop = || !orders.publish();
            match self.publisher.claim_until(tag, bytes.len(), deadline, stop) {
                Ok(mut claim) => {
                    claim.writer().put(&bytes).unwrap();
                    claim.commit().unwrap();
                    self.next += 1;
                    self.watch.done();
                }
                Err(ClaimError::Interrupted) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Others need the processors too.
    fn rest(&mut self, idle: bool) {
        if self.rng.one_in(if idle { 2 } else { 8 }) {
            std::thread::sleep(Duration::from_micros(20));
        } else if idle {
            std::thread::yield_now();
        }
    }
}

struct Reader {
    subscriber: Subscriber,
    observer: Observer,
    glanced: Seen,
    payload: Vec<u8>,
    seen: Seen,
    watch: Watch,
    rng: Rng,
}

impl Reader {
    fn read(&mut self) -> bool {
        let seen = &mut self.seen;
        let took = self.subscriber.poll(64, |record| {
            let (position, tag) = (record.position(), record.tag());
            seen.take(position, tag, record.payload(), BYTES / 4, false);
        });
        let read = took.unwrap() > 0;
        if read {
            self.watch.done();
        }
        if self.rng.one_in(4) {
            glance(&mut self.observer, &mut self.payload, &mut self.glanced, 3);
        }
        read
    }

    fn wait_and_read(&mut self, orders: &Orders) {
        while !self.is_at_end(orders) {
            if self.read() {
                continue;
            }
            let deadline = Some(Instant::now() + PATIENCE);
            let wait = self.rng.pick(&WAITS);
            let stop = || orders.end().is_some();
            let there = if self.rng.one_in(4) {
                self.read_as_task(orders)
            } else {
                self.subscriber.wait_until(wait, deadline, stop).unwrap()
            };
            // Who has been told to publish no more may leave one with nothing to read.
            assert!(there || !orders.publish(), "nobody has woken a reader");
        }
    }

    /// Reads a record as a task does that is woken. Says whether there was one, before the end.
    fn read_as_task(&mut self, orders: &Orders) -> bool {
        let waker = unparks();
        let mut task = Context::from_waker(&waker);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && orders.end().is_none() {
            if let Poll::Ready(record) = self.subscriber.poll_next(&mut task).unwrap() {
                let (position, tag) = (record.position(), record.tag());
                self.seen
                    .take(position, tag, record.payload(), BYTES / 4, false);
                self.watch.done();
                return true;
            }
            std::thread::park_timeout(PATIENCE);
        }
        false
    }

    fn is_at_end(&self, orders: &Orders) -> bool {
        orders
            .end()
            .is_some_and(|end| self.subscriber.position() >= end)
    }
}
