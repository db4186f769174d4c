//! The process that writes until it is killed. It is this test binary, run again.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use messenger::bus::{Publisher, Start, record_len};
use messenger::journal::{Journal, JournalConfig, Retention, SyncPolicy};

use crate::kit::{Rng, payload, sequence_of, tag};

/// What a child does, all of it in one line of text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) segment_bytes: u64,
    pub(crate) publishers: u16,
    /// 0: on demand; 1: every so many bytes, or some milliseconds; 2: each record.
    pub(crate) sync: u64,
    /// Bytes that are retained; 0: all.
    pub(crate) retain: u64,
    /// Closes and reopens the journal after so many records of each publisher; 0: never.
    pub(crate) close_after: u64,
    pub(crate) seed: u64,
}

const VARIABLE: &str = "MESSENGER_CRASH_CHILD";

impl Plan {
    pub(crate) fn config(&self) -> JournalConfig {
        let config = JournalConfig::new()
            .segment_bytes(self.segment_bytes)
            .members(16)
            .time_resolution(Duration::from_millis(1));
        let config = match self.retain {
            0 => config,
            bytes => config.retain(Retention::all().at_most(bytes)),
        };
        match self.sync {
            0 => config,
            1 => config.sync(SyncPolicy::Every {
                bytes: 2000,
                interval: Duration::from_millis(3),
            }),
            _ => config.sync(SyncPolicy::EachRecord),
        }
    }

    /// The longest payload that is written.
    pub(crate) fn longest(&self) -> usize {
        self.segment_bytes as usize / 4
    }

    /// Starts a child on the journal in `dir`, to be killed at `fault`, if that is given.
    pub(crate) fn start(&self, dir: &Path, acks: &Path, fault: Option<(&str, u64)>) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let Self {
            segment_bytes,
            publishers,
            sync,
            retain,
            close_after,
            seed,
        } = self;
        let numbers = format!("{segment_bytes} {publishers} {sync} {retain} {close_after} {seed}");
        command
            .args(["--exact", "child::writes_until_it_is_killed", "--nocapture"])
            .env(
                VARIABLE,
                format!("{numbers} {}\n{}", dir.display(), acks.display()),
            )
            .env_remove("MESSENGER_FAULT")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Some((name, time)) = fault {
            command.env("MESSENGER_FAULT", format!("{name}:{time}"));
        }
        command.spawn().unwrap()
    }

    fn told() -> Option<(Self, PathBuf, PathBuf)> {
        let text = std::env::var(VARIABLE).ok()?;
        let (first, acks) = text.split_once('\n')?;
        let mut words = first.splitn(7, ' ');
        let mut number = || words.next().and_then(|word| word.parse().ok());
        let plan = Self {
            segment_bytes: number()?,
            publishers: number()? as u16,
            sync: number()?,
            retain: number()?,
            close_after: number()?,
            seed: number()?,
        };
        Some((plan, words.next()?.into(), acks.into()))
    }
}

/// What has been acknowledged, in a file that outlives who writes to it: of each publisher the next sequence number, where
/// its last record stands, and the sequence number with which it begins.
pub(crate) struct Acks(File);

impl Acks {
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        Self(file.unwrap())
    }

    /// The next sequence number, and where the last record stands.
    pub(crate) fn get(&self, publisher: u16) -> (u64, u64) {
        let mut bytes = [0; 16];
        // Not there: nothing yet.
        let _ = self.0.read_exact_at(&mut bytes, u64::from(publisher) * 16);
        let word = |at: usize| u64::from_le_bytes(*bytes[at..].first_chunk().unwrap());
        (word(0), word(8))
    }

    pub(crate) fn set(&self, publisher: u16, next: u64, position: u64) {
        let mut bytes = next.to_le_bytes().to_vec();
        bytes.extend(position.to_le_bytes());
        let at = u64::from(publisher) * 16;
        self.0.write_all_at(&bytes, at).unwrap();
    }
}

/// Does nothing but in a child.
#[test]
fn writes_until_it_is_killed() {
    let Some((plan, dir, acks)) = Plan::told() else {
        return;
    };
    let acks = Acks::open(&acks);
    let mut rng = Rng(plan.seed);
    loop {
        let journal = Journal::open(&dir, plan.config()).unwrap();
        go_on_after_what_is_there(&journal, plan, &acks);
        std::thread::scope(|scope| {
            for publisher in 0..plan.publishers {
                let (journal, acks, rng) = (&journal, &acks, Rng(rng.next()));
                scope.spawn(move || {
                    Writer {
                        plan,
                        publisher,
                        acks,
                        rng,
                    }
                    .run(journal);
                });
            }
        });
        journal.close().unwrap();
    }
}

/// The last record of a publisher may have been committed and not acknowledged.
fn go_on_after_what_is_there(journal: &Journal, plan: Plan, acks: &Acks) {
    let mut last = vec![None; plan.publishers.into()];
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    while let Some(record) = subscriber.try_next().unwrap() {
        let publisher = usize::from(record.tag().source.get() - 1);
        last[publisher] = Some((sequence_of(record.payload()), record.position()));
    }
    for (publisher, last) in (0..).zip(last) {
        if let Some((sequence, position)) = last {
            assert!(acks.get(publisher).0 <= sequence + 1);
            acks.set(publisher, sequence + 1, position);
        }
    }
}

struct Writer<'a> {
    plan: Plan,
    publisher: u16,
    acks: &'a Acks,
    rng: Rng,
}

impl Writer<'_> {
    fn run(&mut self, journal: &Journal) {
        let mut publisher = journal.bus().publisher().unwrap();
        let (begin, _) = self.acks.get(self.publisher);
        let mut next = begin;
        while self.plan.close_after == 0 || next < begin + self.plan.close_after {
            match self.rng.below(20) {
                0 => next = self.batch(&mut publisher, next),
                1 => {
                    // Dropped, half filled.
                    let len = 8 + self.rng.below(200) as usize;
                    let mut claim = publisher.claim(tag(self.publisher, next), len).unwrap();
                    claim.writer().put(&[0xEE; 8]).unwrap();
                    drop(claim);
                }
                2 => {
                    // Forgotten: aborted by what the publisher does next.
                    let len = self.rng.below(200) as usize;
                    let claim = publisher.claim(tag(self.publisher, next), len).unwrap();
                    std::mem::forget(claim);
                }
                3 => publisher = journal.bus().publisher().unwrap(),
                _ => {
                    let bytes = self.bytes(next);
                    let position = publisher.send(tag(self.publisher, next), &bytes).unwrap();
                    next += 1;
                    self.acks.set(self.publisher, next, position);
                }
            }
            if self.rng.one_in(50) {
                std::thread::sleep(Duration::from_micros(self.rng.below(1500)));
            }
        }
    }

    fn bytes(&self, sequence: u64) -> Vec<u8> {
        payload(self.publisher, sequence, self.plan.longest())
    }

    /// Several records in one run, of which some room is left.
    fn batch(&mut self, publisher: &mut Publisher, mut next: u64) -> u64 {
        let wanted = (self.plan.longest() as u64 / 16).min(30 + self.rng.below(60)) * 16;
        let mut run = publisher.reserve(wanted as usize).unwrap();
        loop {
            let bytes = self.bytes(next);
            if record_len(bytes.len()) > run.remaining() || self.rng.one_in(6) {
                return next;
            }
            let position = run.send(tag(self.publisher, next), &bytes).unwrap();
            next += 1;
            self.acks.set(self.publisher, next, position);
        }
    }
}
