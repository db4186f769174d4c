//! What the tests of the contract share.

#[path = "../support/block_on.rs"]
mod block_on;
#[cfg(all(feature = "journal", not(miri)))]
#[path = "../support/dir.rs"]
mod dir;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use messenger::bus::{
    Bus, BusConfig, JoinError, MessageId, Multi, Observer, OwnedRecord, PublisherKind, Single,
    SourceId, Start, Subscriber, Tag, WaitStrategy,
};
#[cfg(feature = "journal")]
use messenger::journal::{Journal, JournalConfig};
use messenger::memory::MemoryKind;
#[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
use messenger::shared::{SharedBus, SharedOptions};

#[cfg(all(feature = "journal", not(miri)))]
use dir::Dir;

pub(crate) use crate::publisher::{Process, Publisher, Writer};
pub(crate) use block_on::block_on;

/// Where a bus has its bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Ring(MemoryKind),
    /// In the segments of a journal, of so many bytes as the bus; and the journal is bounded like a ring.
    #[cfg(feature = "journal")]
    Segments,
    /// The same in files, which are of 4 KiB at least, so that there are many laps of the bound in each.
    #[cfg(all(feature = "journal", not(miri)))]
    Files,
    /// In a file that processes share, or, `kept`, the files of a journal, as `Files`.
    #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
    Shared {
        kept: bool,
        end: End,
    },
}

/// Where the first publisher of a bus is that processes share.
#[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// In this process, and looks at the file through a mapping of its own.
    Here,
    /// In another one, which has opened what this one made.
    Opens,
    /// In another one, which has made what this one opens: so the readers have come later.
    Makes,
}

#[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
impl Place {
    pub(crate) const SHARED: Self = Self::shared(false, End::Here);
    pub(crate) const SHARED_FILES: Self = Self::shared(true, End::Here);
    pub(crate) const SPLIT: Self = Self::shared(false, End::Opens);
    pub(crate) const SPLIT_FILES: Self = Self::shared(true, End::Opens);
    pub(crate) const JOINED: Self = Self::shared(false, End::Makes);
    pub(crate) const JOINED_FILES: Self = Self::shared(true, End::Makes);

    const fn shared(kept: bool, end: End) -> Self {
        Self::Shared { kept, end }
    }
}

/// What a test runs on.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) place: Place,
    pub(crate) wait: WaitStrategy,
}

impl Setup {
    /// A bus and its first publisher, which waits as the setup says.
    pub(crate) fn bus<K: Kind>(self, bytes: usize) -> (Bus<K>, Publisher<K>) {
        self.bus_for::<K>(bytes, 16)
    }

    /// The same, with another number of members than 16.
    pub(crate) fn bus_for<K: Kind>(self, bytes: usize, members: usize) -> (Bus<K>, Publisher<K>) {
        let (bus, mut publisher) = K::make(self, bytes, members);
        publisher.set_wait(self.wait);
        (bus, publisher)
    }

    /// How many members a bus has that nobody has attached: the keeper of a journal is one.
    pub(crate) fn own_members(self) -> usize {
        // So is each process on a bus that it shares.
        match self.place {
            Place::Ring(_) => 0,
            #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
            Place::Shared { kept, end } => {
                (1 + usize::from(kept)) * (1 + usize::from(end != End::Here))
            }
            #[cfg(feature = "journal")]
            _ => 1,
        }
    }

    /// How many bytes of a bus of `capacity` bytes are in a row, so that no record crosses their end.
    pub(crate) fn lap(self, capacity: usize) -> usize {
        match self.place {
            #[cfg(all(feature = "journal", not(miri)))]
            Place::Files => capacity.max(4096),
            #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
            Place::Shared { kept: true, .. } => capacity.max(4096),
            _ => capacity,
        }
    }

    fn any_number(self, bytes: usize, members: usize) -> (Bus, Publisher) {
        let bus = match self.place {
            Place::Ring(memory) => {
                let config = BusConfig::bytes(bytes).memory(memory).members(members);
                Bus::new(config).unwrap()
            }
            #[cfg(feature = "journal")]
            Place::Segments => {
                let journal = Journal::in_memory(self.journal(bytes, members));
                journal.unwrap().bus().clone()
            }
            #[cfg(all(feature = "journal", not(miri)))]
            Place::Files => {
                let journal = Journal::create(dir(), self.journal(bytes, members));
                journal.unwrap().bus().clone()
            }
            #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
            Place::Shared { kept, end } => return self.shared(bytes, members, kept, end),
        };
        let publisher = bus.publisher().unwrap();
        (bus, Publisher::Here(publisher))
    }

    /// A journal that is a ring in segments. It notes no times, which would take places of their own.
    #[cfg(feature = "journal")]
    fn journal(self, bytes: usize, members: usize) -> JournalConfig {
        JournalConfig::new()
            .segment_bytes(self.lap(bytes.next_power_of_two()) as u64)
            .bound(bytes as u64)
            .members(members)
            .time_resolution(Duration::ZERO)
    }

    /// A bus, its publisher and a subscriber of all of it.
    pub(crate) fn trio<K: Kind>(self, bytes: usize) -> (Bus<K>, Publisher<K>, Subscriber) {
        let (bus, publisher) = self.bus::<K>(bytes);
        let subscriber = bus.subscribe(Start::Oldest).unwrap();
        (bus, publisher, subscriber)
    }

    /// How many rounds of a test in which threads wait for each other: fewer where they keep a
    /// core from each other while they do.
    pub(crate) fn rounds(self, full: usize) -> usize {
        let spins = self.wait == WaitStrategy::Spin;
        rounds(if spins { full / 10 } else { full })
    }

    /// Whether tasks are woken by a thread of their own process, a little after the publisher's call: the publisher is another process.
    pub(crate) fn wakes_late(self) -> bool {
        #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
        return matches!(self.place, Place::Shared { .. });
        #[cfg(not(all(feature = "shared", target_os = "linux", not(miri))))]
        false
    }

    /// What a waker does has come about: at once, or soon.
    pub(crate) fn woken(self, there: impl Fn() -> bool) {
        let begun = Instant::now();
        while self.wakes_late() && !there() && begun.elapsed() < LONG {
            thread::yield_now();
        }
        assert!(there(), "whoever waited was not woken, or too often");
    }

    /// A bus that processes share, and a publisher that has another mapping of it, or is in another process.
    #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
    fn shared(self, bytes: usize, members: usize, kept: bool, end: End) -> (Bus, Publisher) {
        let name = dir::fresh::fresh("contract");
        let dir = kept.then(dir);
        let options = self.options(bytes, members, dir.as_deref());
        let (here, publisher) = match end {
            End::Here => {
                let here = options.create(&name).unwrap();
                let there = options.open(&name).unwrap();
                (here, Publisher::Here(there.bus().publisher().unwrap()))
            }
            End::Opens => {
                let here = options.create(&name).unwrap();
                (here, Publisher::elsewhere(&name, None))
            }
            End::Makes => {
                let dir = dir.unwrap_or_default();
                let of = format!("{bytes} {members} {}", dir.display());
                let publisher = Publisher::elsewhere(&name, Some(&of));
                (options.open(&name).unwrap(), publisher)
            }
        };
        (here.bus().clone(), publisher)
    }

    /// Those of such a bus, with a journal in `dir`, if there is one.
    #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
    fn options(self, bytes: usize, members: usize, dir: Option<&Path>) -> SharedOptions {
        let options = SharedBus::options()
            .bytes(bytes)
            .members(members + self.own_members());
        match dir {
            Some(dir) => options.journal(dir, self.journal(bytes, members)),
            None => options,
        }
    }

    /// Whether who waits in this way sleeps in the kernel.
    pub(crate) fn sleeps(self) -> bool {
        matches!(self.wait, WaitStrategy::Block | WaitStrategy::BlockNow)
    }
}

/// Makes what another process asks for by these words.
#[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
pub(crate) fn make(name: &str, of: &str) -> SharedBus {
    let mut words = of.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (bytes, members) = (word().parse().unwrap(), word().parse().unwrap());
    let dir = Some(Path::new(word())).filter(|dir| !dir.as_os_str().is_empty());
    let setup = Setup {
        place: Place::shared(dir.is_some(), End::Makes),
        wait: WaitStrategy::Yield,
    };
    let options = setup.options(bytes, members, dir);
    options.create(name).unwrap()
}

/// A bus of many publishers, or of one.
pub(crate) trait Kind: PublisherKind + Send + Sync {
    fn make(setup: Setup, bytes: usize, members: usize) -> (Bus<Self>, Publisher<Self>)
    where
        Self: Sized;

    /// Another publisher, in this process, on a bus that can have one.
    fn another(bus: &Bus<Self>) -> Option<Result<Publisher<Self>, JoinError>>
    where
        Self: Sized;
}

impl Kind for Multi {
    fn make(setup: Setup, bytes: usize, members: usize) -> (Bus<Self>, Publisher<Self>) {
        setup.any_number(bytes, members)
    }

    fn another(bus: &Bus<Self>) -> Option<Result<Publisher<Self>, JoinError>> {
        Some(bus.publisher().map(Publisher::Here))
    }
}

impl Kind for Single {
    fn make(setup: Setup, bytes: usize, members: usize) -> (Bus<Self>, Publisher<Self>) {
        match setup.place {
            Place::Ring(memory) => {
                let config = BusConfig::bytes(bytes).memory(memory).members(members);
                let (bus, publisher) = Bus::single(config).unwrap();
                (bus, Publisher::Here(publisher))
            }
            #[cfg(feature = "journal")]
            _ => panic!("a journal has any number of publishers: its keeper is one"),
        }
    }

    fn another(_: &Bus<Self>) -> Option<Result<Publisher<Self>, JoinError>> {
        None
    }
}

/// A directory for a journal of this thread's test.
#[cfg(all(feature = "journal", not(miri)))]
fn dir() -> PathBuf {
    let dir = Dir::under(&std::env::temp_dir(), "contract");
    let path = dir.to_path_buf();
    LEFT.with_borrow_mut(|left| left.dirs.push(dir));
    path
}

/// Names the thread, so that the message of a test that hangs or panics says in which setup.
pub(crate) fn named(setup: &str) {
    SETUP.set(Some(setup.to_owned()));
    // Of the test before on this thread, if there was one.
    LEFT.take();
}

/// What stays when a test has dropped its buses; it goes in this order.
#[derive(Default)]
struct Left {
    processes: Vec<Arc<Mutex<Process>>>,
    #[cfg(all(feature = "journal", not(miri)))]
    dirs: Vec<Dir>,
}

/// Keeps a process for as long as this thread's test lasts.
pub(crate) fn stays(process: &Arc<Mutex<Process>>) {
    LEFT.with_borrow_mut(|left| left.processes.push(Arc::clone(process)));
}

thread_local! {
    static SETUP: std::cell::Cell<Option<String>> = const { std::cell::Cell::new(None) };
    static LEFT: RefCell<Left> = RefCell::default();
    /// Where the kernel tells of the thread that does this one's work, if it does: this one, or that of another process which it has asked last.
    static TASK: Arc<Mutex<Option<PathBuf>>> = Arc::default();
}

/// From now on another task does this thread's work.
pub(crate) fn waits_for(task: &Path) {
    TASK.with(|own| *own.lock().unwrap() = Some(Path::new("/proc").join(task)));
}

pub(crate) fn tag(n: u16) -> Tag {
    Tag::new(SourceId::new(n), MessageId::new(n.wrapping_mul(7)))
}

/// `len` bytes that tell `seed` and every place in them apart.
pub(crate) fn payload(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ len as u64;
    (0..len)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect()
}

/// Fewer rounds under Miri, which is some hundred times slower.
pub(crate) fn rounds(full: usize) -> usize {
    if cfg!(miri) { full.div_ceil(20) } else { full }
}

/// The next record if one is there, copied.
pub(crate) fn take(subscriber: &mut Subscriber) -> Option<OwnedRecord> {
    subscriber.try_next().unwrap().map(|r| r.to_owned())
}

/// The payloads of all records that are there.
pub(crate) fn drain(subscriber: &mut Subscriber) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| take(subscriber).map(|r| r.payload)).collect()
}

/// The next record's payload, if one is there, copied by an observer that is not lapped.
pub(crate) fn observed(observer: &mut Observer) -> Option<Vec<u8>> {
    let mut bytes = vec![0xEE; 3];
    observer.try_next(&mut bytes).unwrap().map(|_| bytes)
}

/// Sends until the bus is full; gives how many records it took.
pub(crate) fn fill<K: PublisherKind>(publisher: &mut Publisher<K>, bytes: &[u8]) -> usize {
    let mut sent = 0;
    while publisher.try_send(tag(1), bytes).is_ok() {
        sent += 1;
        assert!(sent < 100_000, "the bus never gets full");
    }
    sent
}

/// Longer than any step of a test takes, on however busy a machine.
pub(crate) const LONG: Duration = Duration::from_secs(if cfg!(miri) { 3600 } else { 120 });

/// As short as a timeout is that is to pass.
pub(crate) const SHORT: Duration = Duration::from_millis(8);

pub(crate) fn soon() -> Option<Instant> {
    Some(Instant::now() + LONG)
}

/// Work on a thread of its own, whose end is awaited for a bounded time.
pub(crate) struct Work<T> {
    result: Receiver<T>,
    handle: thread::JoinHandle<()>,
    setup: String,
    /// Its `TASK`.
    task: Arc<Mutex<Option<PathBuf>>>,
}

pub(crate) fn spawn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Work<T> {
    let (send, result) = channel();
    let (tell, task) = channel();
    let setup = SETUP.take().unwrap_or_default();
    SETUP.set(Some(setup.clone()));
    let handle = thread::spawn(move || {
        if cfg!(all(target_os = "linux", not(miri))) {
            let _ = std::fs::read_link("/proc/thread-self").map(|task| waits_for(&task));
        }
        let _ = tell.send(TASK.with(Arc::clone));
        let _ = send.send(work());
    });
    let task = task.recv().unwrap_or_default();
    Work {
        result,
        handle,
        setup,
        task,
    }
}

impl<T> Work<T> {
    /// The result. Panics if it does not come.
    #[track_caller]
    pub(crate) fn finish(self) -> T {
        let Ok(result) = self.result.recv_timeout(LONG) else {
            let what = if self.handle.is_finished() {
                "panicked"
            } else {
                "hangs"
            };
            panic!("the other thread {what} ({})", self.setup);
        };
        self.handle.join().unwrap();
        result
    }

    /// Whether it runs still, after some time in which it should not have ended.
    pub(crate) fn runs_still(&self) -> bool {
        thread::sleep(SHORT);
        !self.handle.is_finished()
    }

    /// Waits until the thread sleeps in the kernel, and asserts that it then uses no processor.
    /// Says nothing where the kernel does not tell.
    #[track_caller]
    pub(crate) fn assert_sleeps(&self) {
        if self.task.lock().unwrap().is_none() {
            return;
        }
        let stat = |name| {
            let task = self.task.lock().unwrap().clone().unwrap();
            std::fs::read_to_string(task.join(name))
        };
        // What stands behind the name, which may hold spaces, in parentheses.
        let asleep = || {
            stat("stat")
                .unwrap()
                .rsplit(") ")
                .next()
                .is_some_and(|s| s.starts_with('S'))
        };
        let start = Instant::now();
        while !asleep() {
            assert!(start.elapsed() < LONG, "never sleeps ({})", self.setup);
            thread::sleep(Duration::from_millis(1));
        }
        // Nor does each kernel count what a thread uses.
        let used = || {
            let said = stat("schedstat").unwrap_or_default();
            said.split(' ').next().map(str::to_owned)
        };
        // A sleep between two looks, as opposed to the sleep at their end, would show here each time. (Once somebody may have
        // woken it with reason: a journal's keeper that has made a segment.)
        for _ in 0..5 {
            let before = used();
            thread::sleep(SHORT);
            if before == used() {
                return;
            }
        }
        panic!("runs while it should sleep ({})", self.setup);
    }
}

/// Runs a `wait` on a thread of its own, which goes on until it is told to stop, woken or not; gives what comes of it.
#[track_caller]
pub(crate) fn stopped<K: Kind, T: Send + 'static>(
    bus: &Bus<K>,
    wait: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
) -> T {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let work = spawn(move || wait(&|| told.load(Ordering::SeqCst)));
    assert!(work.runs_still());
    bus.wake_all();
    assert!(
        work.runs_still(),
        "woken, but neither told to stop nor given what it waits for"
    );
    stop.store(true, Ordering::SeqCst);
    bus.wake_all();
    work.finish()
}
