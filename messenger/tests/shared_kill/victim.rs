//! The process that is killed. It is this test binary, run again.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use messenger::bus::{
    Claim, ClaimError, Evictable, ObserveError, Observer, Publisher, ReadError, Start, Subscriber,
    WaitStrategy, record_len,
};
use messenger::journal::{JournalConfig, SyncPolicy};
use messenger::shared::{SharedBus, SharedOptions};

use crate::kit::{Acks, PUBLISHERS, Rng, Seen, again, now, payload, said, tag};
use crate::points::{POOR, When};
use crate::poverty;

/// The bus of all trials.
pub(crate) const NAME: &str = "bus";
/// Small, so that room has to be found all the time.
pub(crate) const BYTES: usize = 4096;
/// Few, so that each is had by many, one after the other.
const MEMBERS: usize = 48;
const PROCESSES: usize = 8;

const VARIABLE: &str = "MESSENGER_SHARED_VICTIM";
/// Set for one who is poor.
const POVERTY: &str = "MESSENGER_SHARED_POVERTY";
/// What it says when it has come to the bus for the first time.
const HERE: &str = "> here";

/// What a victim does, all of it in one line of text.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) dir: PathBuf,
    /// Which of all victims it is.
    pub(crate) number: u64,
    pub(crate) seed: u64,
    pub(crate) role: Role,
}

/// How a victim died.
pub(crate) struct Death {
    /// At what time, in nanoseconds since 1970.
    pub(crate) at: u64,
    pub(crate) how: How,
}

/// What killed a victim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum How {
    /// That it came to this point.
    At(&'static str),
    /// That it did not come to its point in time.
    InVain,
    /// Another process, at any moment.
    AtRandom,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(point) => write!(f, "`{point}`"),
            Self::InVain => f.write_str("too late for its point"),
            Self::AtRandom => f.write_str("any moment"),
        }
    }
}

/// What kind of a victim it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// It publishes and reads, comes and leaves.
    Lives,
    /// As `Lives`, and makes the bus where there is none.
    Makes,
    /// It comes, and settles what others have left.
    Settles,
}

const ROLES: [Role; 3] = [Role::Lives, Role::Makes, Role::Settles];

/// Where the records of a bus lie: so its directory is called, by which all processes know.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Storage {
    Ring,
    /// A journal that is bounded as the ring is, in segments as short as they can be.
    Bounded,
    /// A journal that retains everything.
    Whole,
}

impl Storage {
    /// The name of a directory for such a bus.
    pub(crate) fn name(self, test: &str) -> String {
        match self {
            Self::Ring => test.to_owned(),
            Self::Bounded => format!("{test}-bounded"),
            Self::Whole => format!("{test}-whole"),
        }
    }

    fn of(dir: &Path) -> Self {
        let name = dir.file_name().unwrap().to_str().unwrap();
        match name {
            name if name.contains("-bounded-") => Self::Bounded,
            name if name.contains("-whole-") => Self::Whole,
            _ => Self::Ring,
        }
    }

    pub(crate) fn is_journal(self) -> bool {
        self != Self::Ring
    }

    /// How many members a process has for itself.
    pub(crate) fn own_members(self) -> usize {
        1 + usize::from(self.is_journal())
    }
}

/// The directory of the journal of a bus in `dir`.
pub(crate) fn journal(dir: &Path) -> PathBuf {
    dir.join("journal")
}

pub(crate) fn options(dir: &Path) -> SharedOptions {
    let options = SharedBus::options()
        .directory(dir)
        .bytes(BYTES)
        .members(MEMBERS)
        .processes(PROCESSES)
        .workers(4)
        .schema_bytes(1 << 14);
    let often = SyncPolicy::Every {
        bytes: 3 * BYTES as u64,
        interval: Duration::from_millis(2),
    };
    let config = JournalConfig::new()
        .segment_bytes(BYTES as u64)
        .time_resolution(Duration::from_millis(1))
        .sync(often);
    match Storage::of(dir) {
        Storage::Ring => options,
        Storage::Bounded => options.journal(journal(dir), config.bound(BYTES as u64)),
        Storage::Whole => options.journal(journal(dir), config.sync(SyncPolicy::OnDemand)),
    }
}

impl Plan {
    fn start(&self, when: When) -> Child {
        let Self {
            number,
            seed,
            role,
            dir,
        } = self;
        let text = format!("{number} {seed} {} {}", *role as usize, dir.display());
        let mut command: Command = again("victim::lives_until_it_is_killed", VARIABLE, text);
        match when {
            When::At(point, time) => {
                command.env("MESSENGER_FAULT", format!("{point}:{time}"));
                if POOR.contains(&point) {
                    command.env(POVERTY, "1");
                }
            }
            When::AtRandom => {
                command.stdout(Stdio::piped());
            }
        }
        command.spawn().unwrap()
    }

    /// Runs a victim until it is dead. It is given `patience` to come to its point.
    pub(crate) fn run(&self, when: When, patience: Duration) -> Death {
        self.run_while(when, patience, || true)
    }

    /// As [`run`](Self::run), and not longer than `goes_on` says so.
    pub(crate) fn run_while(
        &self,
        when: When,
        patience: Duration,
        goes_on: impl Fn() -> bool,
    ) -> Death {
        let mut child = self.start(when);
        let begun = Instant::now();
        let mut killed = None;
        let mut cut_short = false;
        if let When::AtRandom = when {
            self.wait_for_the_moment(&mut child);
            killed = Some(now());
            child.kill().unwrap();
        }
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            let late = begun.elapsed() > patience;
            if killed.is_none() && (late || !goes_on()) {
                cut_short = !late;
                killed = Some(now());
                child.kill().unwrap();
            }
            std::thread::sleep(Duration::from_micros(300));
        };
        let is_killed = status.signal() == Some(9);
        assert!(is_killed, "{when:?}, {self:?}: {}", said(&mut child));
        Death {
            at: killed.unwrap_or_else(now),
            how: match when {
                When::At(point, _) if killed.is_none() => How::At(point),
                When::At(..) if !cut_short => How::InVain,
                When::At(..) | When::AtRandom => How::AtRandom,
            },
        }
    }

    /// Waits for a moment of its life, from its coming to the bus on; of one in four, from its first instruction on.
    fn wait_for_the_moment(&self, child: &mut Child) {
        let mut rng = Rng(!self.seed);
        if !rng.one_in(4) {
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap() > 0 && !line.contains(HERE) {}
        }
        let most = 1 + rng.below(10_000);
        std::thread::sleep(Duration::from_micros(rng.below(most)));
    }

    fn told() -> Option<Self> {
        let text = std::env::var(VARIABLE).ok()?;
        let mut words = text.splitn(4, ' ');
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let (number, seed, role) = (number()?, number()?, ROLES[number()? as usize]);
        let dir = words.next()?.into();
        Some(Self {
            dir,
            number,
            seed,
            role,
        })
    }
}

/// Where its half filled claims kill it, as the points of the library do.
struct HalfFilled(u64);

impl HalfFilled {
    fn chosen() -> Self {
        let chosen = std::env::var("MESSENGER_FAULT").unwrap_or_default();
        let time = chosen.strip_prefix("half_filled:");
        Self(time.and_then(|t| t.parse().ok()).unwrap_or(u64::MAX))
    }

    fn hit(&mut self) {
        self.0 -= 1;
        if self.0 == 0 {
            let _ = rustix::process::kill_process(
                rustix::process::getpid(),
                rustix::process::Signal::KILL,
            );
            std::process::abort();
        }
    }
}

/// Does nothing but in a child.
#[test]
fn lives_until_it_is_killed() {
    let Some(plan) = Plan::told() else { return };
    if std::env::var_os(POVERTY).is_some() {
        poverty::begin();
    }
    let mut victim = Victim {
        acks: Acks::open(&plan.dir.join("acks")),
        said: Acks::open(&plan.dir.join("said")),
        rng: Rng(plan.seed),
        first: plan.number * PUBLISHERS,
        next: [0; PUBLISHERS as usize],
        half_filled: HalfFilled::chosen(),
        is_new: true,
    };
    loop {
        let options = options(&plan.dir);
        match plan.role {
            Role::Lives => victim.visit(&options.open(NAME).unwrap()),
            Role::Makes => victim.visit(&options.open_or_create(NAME).unwrap()),
            Role::Settles => {
                let _bus = options.open(NAME).unwrap();
                std::thread::sleep(Duration::from_secs(60));
            }
        }
    }
}

/// What the victim of this number says of the id that is its own.
pub(crate) fn says_of(victim: u64) -> String {
    let source = victim + 1;
    format!("source\t{source}\tVictim{source}\n")
}

struct Victim {
    acks: Acks,
    /// What it has said of ids, by the number of the first publisher.
    said: Acks,
    rng: Rng,
    /// The number of its first publisher.
    first: u64,
    next: [u64; PUBLISHERS as usize],
    half_filled: HalfFilled,
    /// Whether it has not been on the bus yet.
    is_new: bool,
}

/// For how long its subscriber that may be evicted rests, which reads seldom.
const EVICT_AFTER: Duration = Duration::from_micros(1);

/// For how long it waits, for room or for records.
const WAIT: Duration = Duration::from_millis(1);

impl Victim {
    /// From an opening of the bus to leaving it.
    fn visit(&mut self, bus: &SharedBus) {
        if std::mem::take(&mut self.is_new) {
            // (Not to be heard is no failure: its moment is over.)
            let _ = writeln!(std::io::stdout(), "\n{HERE}");
        }
        let rng = &mut self.rng;
        let mut publishers: Vec<_> = (0..1 + rng.below(PUBLISHERS))
            .map(|_| publisher(bus, rng))
            .collect();
        let mut readers: Vec<Reader> = Vec::new();
        let turns = 1 + rng.below(80);
        for _ in 0..turns {
            let which = self.rng.below(publishers.len() as u64) as usize;
            match self.rng.below(26) {
                0..=9 => self.send(&mut publishers[which], which),
                10..=13 => self.batch(&mut publishers[which], which),
                14 => {
                    let len = self.rng.below(200) as usize;
                    if let Some(claim) = had(publishers[which].claim_timeout(tag(0, 0), len, WAIT))
                    {
                        if self.rng.one_in(2) {
                            drop(claim);
                        } else {
                            // Aborted by what the publisher does next.
                            std::mem::forget(claim);
                        }
                    }
                }
                15 => publishers[which] = publisher(bus, &mut self.rng),
                16 | 17 if readers.len() < 2 => {
                    let start = self.rng.pick(&[Start::Oldest, Start::Newest]);
                    let subscriber = bus.bus().subscribe(start).unwrap();
                    readers.push(Reader::new(Kind::Subscriber(subscriber)));
                }
                18 if readers.len() < 2 => {
                    let observer = bus.bus().observe(Start::Newest).unwrap();
                    readers.push(Reader::new(Kind::Observer(observer)));
                }
                23..=25 if readers.len() < 2 => {
                    let subscriber = bus.bus().subscribe_evictable(Start::Oldest, EVICT_AFTER);
                    readers.push(Reader::new(Kind::Evictable(subscriber.unwrap())));
                }
                19 => drop(readers.pop()),
                20 => {
                    let wait = self
                        .rng
                        .pick(&[WaitStrategy::Block, WaitStrategy::BlockNow]);
                    let as_task = self.rng.one_in(4);
                    match readers.last_mut() {
                        Some(reader) if as_task => reader.ask_as_task(),
                        Some(reader) => reader.wait(wait),
                        None => {}
                    }
                }
                21 => std::thread::sleep(Duration::from_micros(self.rng.below(300))),
                22 => {
                    // Each victim says of one id more what it means.
                    let says = says_of(self.first / PUBLISHERS);
                    bus.admit(&says.parse().unwrap()).unwrap();
                    self.said.set(self.first, 1);
                }
                _ => self.see_to(bus),
            }
            for reader in &mut readers {
                if !matches!(reader.kind, Kind::Evictable(_)) || self.rng.one_in(6) {
                    reader.read();
                }
            }
        }
    }

    /// What is to be done with a journal now and then.
    fn see_to(&mut self, bus: &SharedBus) {
        let Some(journal) = bus.journal() else { return };
        let tail = bus.bus().tail();
        match self.rng.below(4) {
            0 | 1 => assert!(journal.sync().unwrap() <= bus.bus().tail()),
            2 => {
                let time = SystemTime::now() - Duration::from_millis(self.rng.below(20));
                assert!(journal.position_at(time).unwrap() <= bus.bus().tail());
            }
            _ => drop(journal.wait_synced(tail, Some(WAIT)).unwrap()),
        }
    }

    fn number(&self, which: usize) -> u64 {
        self.first + which as u64
    }

    fn committed(&mut self, which: usize) {
        self.next[which] += 1;
        self.acks.set(self.number(which), self.next[which]);
    }

    fn send(&mut self, publisher: &mut Publisher, which: usize) {
        let (number, next) = (self.number(which), self.next[which]);
        let bytes = payload(number, next, publisher.max_payload());
        let claim = publisher.claim_timeout(tag(number, next), bytes.len(), WAIT);
        if let Some(claim) = had(claim) {
            self.fill(claim, &bytes);
            self.committed(which);
        }
    }

    fn fill(&mut self, mut claim: Claim<'_>, bytes: &[u8]) {
        let half = bytes.len() / 2;
        claim.writer().put(&bytes[..half]).unwrap();
        self.half_filled.hit();
        claim.writer().put(&bytes[half..]).unwrap();
        claim.commit().unwrap();
    }

    /// Several records in one run, of which some room may be left.
    fn batch(&mut self, publisher: &mut Publisher, which: usize) {
        let longest = publisher.max_payload();
        let wanted = 100 + self.rng.below(longest as u64 - 100) as usize;
        let Some(mut run) = had(publisher.try_reserve(wanted)) else {
            return;
        };
        loop {
            let (number, next) = (self.number(which), self.next[which]);
            let bytes = payload(number, next, longest);
            if record_len(bytes.len()) > run.remaining() || self.rng.one_in(8) {
                return;
            }
            let claim = run.claim(tag(number, next), bytes.len()).unwrap();
            self.fill(claim, &bytes);
            self.committed(which);
        }
    }
}

/// What was claimed, if there was room.
fn had<T>(claimed: Result<T, ClaimError>) -> Option<T> {
    match claimed {
        Ok(claim) => Some(claim),
        Err(ClaimError::Timeout { .. } | ClaimError::Full { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn publisher(bus: &SharedBus, rng: &mut Rng) -> Publisher {
    let mut publisher = bus.bus().publisher().unwrap();
    publisher.set_wait(rng.pick(&[
        WaitStrategy::Yield,
        WaitStrategy::Block,
        WaitStrategy::BlockNow,
    ]));
    publisher
}

enum Kind {
    Subscriber(Subscriber),
    Evictable(Subscriber<Evictable>),
    Observer(Observer),
}

/// One who reads, and checks what he sees from where he joined.
struct Reader {
    kind: Kind,
    seen: Seen,
    payload: Vec<u8>,
}

impl Reader {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            seen: Seen::default(),
            payload: Vec::new(),
        }
    }

    fn wait(&mut self, wait: WaitStrategy) {
        let deadline = Some(Instant::now() + WAIT);
        if let Kind::Subscriber(subscriber) = &mut self.kind {
            subscriber.wait_until(wait, deadline, || false).unwrap();
        }
    }

    /// Has a task woken for the next record, if there is none.
    fn ask_as_task(&mut self) {
        let Self { kind, seen, .. } = self;
        if let Kind::Subscriber(subscriber) = kind {
            let mut task = Context::from_waker(Waker::noop());
            if let Poll::Ready(record) = subscriber.poll_next(&mut task).unwrap() {
                let (position, tag) = (record.position(), record.tag());
                seen.take(position, tag, record.payload(), BYTES / 4, true);
            }
        }
    }

    fn read(&mut self) {
        let longest = BYTES / 4;
        let Self {
            kind,
            seen,
            payload,
        } = self;
        match kind {
            Kind::Subscriber(subscriber) => {
                let took = subscriber.poll(20, |record| {
                    seen.take(
                        record.position(),
                        record.tag(),
                        record.payload(),
                        longest,
                        true,
                    );
                });
                took.unwrap();
            }
            Kind::Evictable(subscriber) => {
                let took = subscriber.poll(20, |record| {
                    let (position, tag) = (record.position(), record.tag());
                    seen.take(position, tag, record.payload(), longest, true);
                });
                match took {
                    Ok(_) => {}
                    // From there on it sees all again.
                    Err(ReadError::Evicted { skipped, .. }) if skipped > 0 => seen.next.clear(),
                    Err(error) => panic!("{error}"),
                }
            }
            Kind::Observer(observer) => glance(observer, payload, seen, 5),
        }
    }
}

/// Has an observer look at some records.
pub(crate) fn glance(observer: &mut Observer, payload: &mut Vec<u8>, seen: &mut Seen, most: usize) {
    for _ in 0..most {
        match observer.try_next(payload) {
            Ok(Some(record)) => seen.glance(record.position, record.tag, payload, BYTES / 4),
            Ok(None) => return,
            Err(ObserveError::Lagged { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}
