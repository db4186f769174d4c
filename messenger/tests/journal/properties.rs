//! Chance sequences of operations on a journal in small segments, closed, left and opened again between them, each compared with
//! a model that is only a list of what was committed.

use std::fs;
use std::mem::forget;
use std::path::Path;
use std::time::Duration;

use messenger::bus::{JoinError, Observer, Publisher, Start, Subscriber, Tag, record_len};
use messenger::journal::{Journal, JournalConfig, LeftBy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::kit::{Dir, payload, tag};

#[derive(Clone, Debug)]
enum Op {
    /// Commits so many records, of lengths by chance.
    Commit(Index, u64),
    Abort(Index),
    /// A claim that is left open until its publisher's next use, or its end.
    Forget(Index),
    Join(Where),
    Leave(Index),
    Read(Index, usize),
    Observe(Where),
    Look(Index, usize),
    Trim(Index),
    Sync,
    /// Closes the journal and opens it again.
    Reopen,
    /// Opens a copy of the files as they are now: what the process's death would leave.
    Die,
}

#[derive(Clone, Copy, Debug)]
enum Where {
    Oldest,
    Newest,
    At(Index),
}

fn ops() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let place = || {
        prop_oneof![
            Just(Where::Oldest),
            Just(Where::Newest),
            index().prop_map(Where::At)
        ]
    };
    prop_oneof![
        12 => (index(), 1..40_u64).prop_map(|(by, count)| Op::Commit(by, count)),
        2 => index().prop_map(Op::Abort),
        1 => index().prop_map(Op::Forget),
        4 => place().prop_map(Op::Join),
        2 => index().prop_map(Op::Leave),
        8 => (index(), 0..60_usize).prop_map(|(of, max)| Op::Read(of, max)),
        2 => place().prop_map(Op::Observe),
        4 => (index(), 0..60_usize).prop_map(|(of, max)| Op::Look(of, max)),
        2 => index().prop_map(Op::Trim),
        1 => Just(Op::Sync),
        1 => Just(Op::Reopen),
        1 => Just(Op::Die),
    ]
}

type Record = (u64, Tag, Vec<u8>);

/// Two publishers, some readers, and for each where in the model it is.
struct World {
    config: JournalConfig,
    journal: Journal,
    publishers: Vec<(Publisher, Option<u64>)>,
    readers: Vec<(Subscriber, usize)>,
    observers: Vec<(Observer, u64)>,
    committed: Vec<Record>,
    // After the journal, which may be making a segment in it.
    dir: Option<Dir>,
}

impl World {
    fn new(config: JournalConfig, files: bool) -> Self {
        let dir = files.then(|| Dir::new("properties"));
        let journal = match &dir {
            Some(dir) => dir.open(config),
            None => Journal::in_memory(config).unwrap(),
        };
        let mut world = Self {
            dir,
            config,
            journal,
            publishers: Vec::new(),
            readers: Vec::new(),
            observers: Vec::new(),
            committed: Vec::new(),
        };
        world.attach();
        world
    }

    fn attach(&mut self) {
        for _ in 0..2 {
            let publisher = self.journal.bus().publisher().unwrap();
            self.publishers.push((publisher, None));
        }
    }

    /// Readers come no further than the first claim that is open.
    fn halt(&self) -> u64 {
        let open = self.publishers.iter().filter_map(|(_, open)| *open);
        open.min().unwrap_or(u64::MAX)
    }

    /// The first record at or after a position, by its place in the model.
    fn from(&self, position: u64) -> usize {
        self.committed.partition_point(|record| record.0 < position)
    }

    fn start(&self, place: Where) -> (Start, u64) {
        let (oldest, tail) = (self.journal.oldest(), self.journal.bus().tail());
        match place {
            Where::Oldest => (Start::Oldest, oldest),
            Where::Newest => (Start::Newest, tail),
            // Also some that are not there, or not yet.
            Where::At(index) => {
                let position = index.index(tail as usize + 100) as u64;
                (Start::At(position), position)
            }
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Commit(by, count) => {
                for _ in 0..count {
                    let number = self.committed.len() as u64;
                    let mut bytes = payload(number);
                    let by = by.index(self.publishers.len());
                    let (publisher, open) = &mut self.publishers[by];
                    bytes.truncate(publisher.max_payload());
                    let tag = tag(number as u16);
                    let position = publisher.send(tag, &bytes).unwrap();
                    *open = None;
                    self.committed.push((position, tag, bytes));
                }
            }
            Op::Abort(by) => {
                let by = by.index(self.publishers.len());
                let (publisher, open) = &mut self.publishers[by];
                drop(publisher.claim(tag(7), 20).unwrap());
                *open = None;
            }
            Op::Forget(by) => {
                let by = by.index(self.publishers.len());
                let (publisher, open) = &mut self.publishers[by];
                let claim = publisher.claim(tag(8), 20).unwrap();
                *open = Some(claim.position());
                forget(claim);
            }
            Op::Join(place) if self.readers.len() < 4 => self.join(place),
            Op::Leave(of) if !self.readers.is_empty() => {
                self.readers.swap_remove(of.index(self.readers.len()));
            }
            Op::Read(of, max) if !self.readers.is_empty() => {
                let of = of.index(self.readers.len());
                self.read(of, max);
            }
            Op::Observe(place) if self.observers.len() < 4 => self.observe(place),
            Op::Look(of, max) if !self.observers.is_empty() => {
                self.look(of.index(self.observers.len()), max);
            }
            Op::Trim(before) => self.trim(before),
            Op::Sync => {
                let synced = self.journal.sync().unwrap();
                assert_eq!(synced, self.journal.synced());
                assert_eq!(synced, self.halt().min(self.journal.bus().tail()));
            }
            Op::Reopen => self.reopen(),
            Op::Die => self.die(),
            _ => {}
        }
    }

    fn join(&mut self, place: Where) {
        let (start, position) = self.start(place);
        let (oldest, tail) = (self.journal.oldest(), self.journal.bus().tail());
        match self.journal.bus().subscribe(start) {
            Ok(subscriber) => {
                assert!((oldest..=tail).contains(&position));
                assert_eq!(subscriber.start(), position);
                self.readers.push((subscriber, self.from(position)));
            }
            Err(JoinError::Gone { .. }) => assert!(position < oldest),
            Err(JoinError::Ahead { .. }) => assert!(position > tail),
            Err(error) => panic!("{error}"),
        }
    }

    fn read(&mut self, of: usize, max: usize) {
        let halt = self.halt();
        let (subscriber, next) = &mut self.readers[of];
        let expected = self.committed[*next..].iter();
        let mut expected = expected.take_while(|record| record.0 < halt);
        let read = subscriber.poll(max, |record| {
            let (position, tag, bytes) = expected.next().expect("nobody committed it");
            let got = (record.position(), record.tag(), record.payload());
            assert_eq!(got, (*position, *tag, &bytes[..]));
        });
        let read = read.unwrap();
        assert!(
            read == max || expected.next().is_none(),
            "it left something"
        );
        *next += read;
    }

    fn observe(&mut self, place: Where) {
        let (start, position) = self.start(place);
        let (oldest, tail) = (self.journal.oldest(), self.journal.bus().tail());
        match self.journal.bus().observe(start) {
            Ok(observer) => {
                assert!((oldest..=tail).contains(&position));
                self.observers.push((observer, position));
            }
            Err(JoinError::Gone { .. }) => assert!(position < oldest),
            Err(JoinError::Ahead { .. }) => assert!(position > tail),
            Err(error) => panic!("{error}"),
        }
    }

    fn look(&mut self, of: usize, max: usize) {
        let mut bytes = Vec::new();
        for _ in 0..max {
            let oldest = self.journal.oldest();
            let (observer, from) = &mut self.observers[of];
            let before = observer.position();
            match observer.try_next(&mut bytes) {
                Ok(Some(seen)) => {
                    let next = self.committed.partition_point(|record| record.0 < *from);
                    let (position, tag, expected) = &self.committed[next];
                    assert_eq!((seen.position, seen.tag), (*position, *tag));
                    assert_eq!(&bytes, expected);
                    *from = position + 1;
                }
                Ok(None) => return,
                Err(messenger::bus::ObserveError::Lagged { .. }) => {
                    assert!(before < oldest, "told so without need");
                    *from = oldest.max(*from);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn trim(&mut self, before: Index) {
        let (oldest, tail) = (self.journal.oldest(), self.journal.bus().tail());
        let before = before.index(tail as usize + 1) as u64;
        // It keeps what the walk has not come to: a sync has it walk.
        self.journal.sync().unwrap();
        let now = self.journal.trim(before).unwrap();
        let stats = self.journal.bus().stats();
        let held = stats.subscribers.iter().map(|s| s.position).min();
        let may_go = before.min(held.unwrap_or(u64::MAX)).min(self.halt());
        let segment = self.journal.segment_bytes();
        let whole = may_go - may_go % segment;
        assert!(now >= oldest);
        assert!(now <= whole.max(oldest), "{now} of {may_go}");
        // All of it, but for the last segment that there is.
        assert!(now + segment >= whole, "{now} of {may_go}");
        assert_eq!(self.journal.oldest(), now.max(self.journal.oldest()));
    }

    fn reopen(&mut self) {
        let Some(dir) = &self.dir else { return };
        let tail = self.journal.bus().tail();
        let oldest = self.journal.oldest();
        self.publishers.clear();
        self.readers.clear();
        self.observers.clear();
        // `close` takes the journal; another stands in for it meanwhile.
        let other = Journal::in_memory(self.config).unwrap();
        let journal = std::mem::replace(&mut self.journal, other);
        journal.close().unwrap();
        self.journal = dir.open(self.config);
        let recovery = self.journal.recovery();
        assert_eq!(recovery.left, LeftBy::Closing);
        assert_eq!((recovery.tail, &recovery.dropped), (tail, &None));
        assert!(self.journal.oldest() <= oldest);
        assert_eq!(self.journal.bus().tail(), tail);
        self.attach();
    }

    fn die(&self) {
        let Some(dir) = &self.dir else { return };
        let other = Dir::new("died");
        // Nobody publishes meanwhile, but the keeper may be making a segment.
        while copy(dir, &other).is_err() {}
        let journal = other.open(self.config);
        let recovery = journal.recovery();
        assert_eq!(recovery.left, LeftBy::Dying);
        assert_eq!(recovery.dropped, None);
        assert_eq!(recovery.tail, self.journal.bus().tail());
        let open = self.publishers.iter().filter(|(_, open)| open.is_some());
        assert_eq!(recovery.aborted, open.count() as u64);
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        for (position, tag, bytes) in &self.committed[self.from(journal.oldest())..] {
            let record = subscriber.try_next().unwrap().expect("it was committed");
            let got = (record.position(), record.tag(), record.payload());
            assert_eq!(got, (*position, *tag, &bytes[..]));
        }
        assert!(subscriber.try_next().unwrap().is_none());
        drop(subscriber);
        journal.close().unwrap();
    }

    /// All that is left is read by all who are left, and by one who comes.
    fn end(mut self) {
        self.publishers.clear();
        self.join(Where::Oldest);
        for of in 0..self.readers.len() {
            self.read(of, usize::MAX);
        }
        let tail = self.journal.bus().tail();
        if let Some((position, _, bytes)) = self.committed.last() {
            assert!(position + record_len(bytes.len()) as u64 <= tail);
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn config(share: u32) -> ProptestConfig {
    // PROPTEST_CASES asks for more.
    let mut config = ProptestConfig::default();
    config.cases = config.cases.div_ceil(share);
    if cfg!(miri) {
        config.cases = 4;
        config.max_shrink_iters = 0;
    }
    config.failure_persistence = None;
    config
}

fn small() -> JournalConfig {
    JournalConfig::new().time_resolution(Duration::ZERO)
}

proptest! {
    #![proptest_config(config(2))]

    #[test]
    fn in_memory_it_does_what_the_list_does(
        segment in prop_oneof![Just(256_u64), Just(1024), Just(4096)],
        ahead in 1..4_u64,
        ops in vec(ops(), 1..if cfg!(miri) { 20 } else { 120 }),
    ) {
        let mut world = World::new(small().segment_bytes(segment).ahead(ahead), false);
        for op in ops {
            world.apply(op);
        }
        world.end();
    }
}

#[cfg(not(miri))]
proptest! {
    #![proptest_config(config(4))]

    #[test]
    fn in_files_it_does_what_the_list_does(ahead in 1..4_u64, ops in vec(ops(), 1..120)) {
        let mut world = World::new(small().segment_bytes(4096).ahead(ahead), true);
        for op in ops {
            world.apply(op);
        }
        world.end();
    }
}
