//! Async reading: a task in place of a thread. What subscribers promise, observers do, too.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;
use messenger::bus::{
    Bus, ObserveError, Observed, Observer, OwnedRecord, RecordStream, Start, Subscriber,
    WaitStrategy,
};

use crate::kit::{Kind, Publisher, Setup, block_on, rounds, spawn, tag};
use crate::woken::Woken;

/// The tests of one kind of reader: those that it shares with the other, and one of its own.
macro_rules! of {
    ($name:ident: $reader:ty, $own:ident) => {
        of! {
            $name: $reader, $own;
            a_task_is_woken_by_a_commit,
            a_stream_yields_copies,
            a_stream_gives_its_reader_back,
            a_task_that_moved_is_woken_where_it_is,
            a_dropped_task_is_not_woken,
            tasks_and_sleepers_share_a_bus,
            a_waker_that_panics_takes_no_record_back,
            a_waker_may_drop_a_reader,
        }
    };
    ($name:ident: $reader:ty, $own:ident; $($test:ident,)*) => {
        pub(crate) mod $name {
            pub(crate) use super::$own;

            $(pub(crate) fn $test<K: crate::kit::Kind>(setup: crate::kit::Setup) {
                super::$test::<K, $reader>(setup);
            })*
        }
    };
}

of! { subscribers: messenger::bus::Subscriber, a_stream_holds_nothing_that_it_has_copied }
of! { observers: messenger::bus::Observer, a_stream_holds_nobody_back }

/// A reader that a task can wait with.
trait Reader: Sized + Send + 'static {
    /// A bus on which it gets all that a test sends, with one who reads nothing meanwhile.
    const RING: usize;

    fn join<K: Kind>(bus: &Bus<K>, start: Start) -> Self;
    fn position(&self) -> u64;
    fn take(&mut self) -> Option<OwnedRecord>;
    fn next(&mut self, wait: WaitStrategy) -> OwnedRecord;
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<OwnedRecord>;
    fn stream(self) -> RecordStream<Self>;
    fn poll_item(stream: &mut RecordStream<Self>, task: &mut Context<'_>) -> Poll<OwnedRecord>;
}

impl Reader for Subscriber {
    const RING: usize = 256;

    fn join<K: Kind>(bus: &Bus<K>, start: Start) -> Self {
        bus.subscribe(start).unwrap()
    }

    fn position(&self) -> u64 {
        self.position()
    }

    fn take(&mut self) -> Option<OwnedRecord> {
        crate::kit::take(self)
    }

    fn next(&mut self, wait: WaitStrategy) -> OwnedRecord {
        self.next(wait).unwrap().to_owned()
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<OwnedRecord> {
        self.poll_next(task)
            .unwrap()
            .map(|record| record.to_owned())
    }

    fn stream(self) -> RecordStream<Self> {
        self.into_stream()
    }

    fn poll_item(stream: &mut RecordStream<Self>, task: &mut Context<'_>) -> Poll<OwnedRecord> {
        let item = Pin::new(stream).poll_next(task);
        item.map(|item| item.expect("a bus never ends").unwrap())
    }
}

impl Reader for Observer {
    /// It would be lapped in less.
    const RING: usize = 1 << 16;

    fn join<K: Kind>(bus: &Bus<K>, start: Start) -> Self {
        bus.observe(start).unwrap()
    }

    fn position(&self) -> u64 {
        self.position()
    }

    fn take(&mut self) -> Option<OwnedRecord> {
        let mut payload = vec![9; 3];
        let seen = self.try_next(&mut payload).unwrap();
        seen.map(|seen| owned(seen, payload))
    }

    fn next(&mut self, wait: WaitStrategy) -> OwnedRecord {
        let mut payload = vec![9; 3];
        let seen = self.next(&mut payload, wait).unwrap();
        owned(seen, payload)
    }

    fn poll(&mut self, task: &mut Context<'_>) -> Poll<OwnedRecord> {
        let mut payload = vec![9; 3];
        let seen = self.poll_next(&mut payload, task).unwrap();
        seen.map(|seen| owned(seen, payload))
    }

    fn stream(self) -> RecordStream<Self> {
        self.into_stream()
    }

    fn poll_item(stream: &mut RecordStream<Self>, task: &mut Context<'_>) -> Poll<OwnedRecord> {
        let item = Pin::new(stream).poll_next(task);
        item.map(|item| item.expect("a bus never ends").unwrap())
    }
}

fn owned(seen: Observed, payload: Vec<u8>) -> OwnedRecord {
    OwnedRecord {
        position: seen.position,
        tag: seen.tag,
        payload,
    }
}

/// A bus, its publisher and a reader of all of it.
fn trio<K: Kind, R: Reader>(setup: Setup, bytes: usize) -> (Bus<K>, Publisher<K>, R) {
    let (bus, publisher) = setup.bus::<K>(bytes);
    let reader = R::join(&bus, Start::Oldest);
    (bus, publisher, reader)
}

async fn next<R: Reader>(reader: &mut R) -> OwnedRecord {
    poll_fn(|task| reader.poll(task)).await
}

async fn item<R: Reader>(stream: &mut RecordStream<R>) -> OwnedRecord {
    poll_fn(|task| R::poll_item(stream, task)).await
}

fn a_task_is_woken_by_a_commit<K: Kind, R: Reader>(setup: Setup) {
    let (_bus, mut publisher, mut reader) = trio::<K, R>(setup, R::RING);
    let count = rounds(300) as u32;
    let work = spawn(move || {
        block_on(async {
            for n in 0..count {
                assert_eq!(next(&mut reader).await.payload, n.to_le_bytes());
            }
        });
    });
    for n in 0..count {
        if n % 16 == 0 {
            drop(publisher.claim(tag(1), 3).unwrap());
        }
        publisher.send(tag(1), &n.to_le_bytes()).unwrap();
    }
    work.finish();
}

fn a_stream_yields_copies<K: Kind, R: Reader>(setup: Setup) {
    let (_bus, mut publisher, reader) = trio::<K, R>(setup, R::RING);
    let mut stream = reader.stream();
    let count = rounds(300) as u32;
    let work = spawn(move || {
        block_on(async {
            let mut all = Vec::new();
            for _ in 0..count {
                all.push(item(&mut stream).await);
            }
            all
        })
    });
    let mut sent = Vec::new();
    for n in 0..count {
        let payload = n.to_le_bytes().repeat(n as usize % 7);
        let position = publisher.send(tag(n as u16), &payload).unwrap();
        sent.push(OwnedRecord {
            position,
            tag: tag(n as u16),
            payload,
        });
    }
    assert_eq!(work.finish(), sent);
}

pub(crate) fn a_stream_holds_nothing_that_it_has_copied<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(256);
    let mut stream = bus.subscribe(Start::Oldest).unwrap().into_stream();
    for _ in 0..3 {
        publisher.try_send(tag(1), &[1; 64]).unwrap();
    }
    block_on(async {
        let first = item(&mut stream).await;
        assert_eq!(bus.stats().subscribers[0].position, first.position + 80);
        // The task that has it may send before it asks for the next one.
        publisher.try_send(tag(1), &[2; 64]).unwrap();
        for _ in 0..3 {
            item(&mut stream).await;
        }
    });
    assert_eq!(bus.stats().subscribers[0].lag, 0);
}

/// Not while it waits, nor when it has copied.
pub(crate) fn a_stream_holds_nobody_back<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    let mut stream = bus.observe(Start::Oldest).unwrap().into_stream();
    let (count, waker) = Woken::new();
    let mut task = Context::from_waker(&waker);
    let mut poll = || Pin::new(&mut stream).poll_next(&mut task);
    assert!(poll().is_pending());
    for n in 0..50_u8 {
        publisher.try_send(tag(1), &[n; 48]).unwrap();
    }
    setup.woken(|| count.get() == 1);
    let skipped = bus.stats().head;
    assert_eq!(
        poll(),
        Poll::Ready(Some(Err(ObserveError::Lagged { skipped })))
    );
    // It goes on behind the gap.
    for position in (skipped..bus.tail()).step_by(64) {
        let Poll::Ready(Some(Ok(record))) = poll() else {
            panic!("a record is there");
        };
        let n = position / 64;
        assert_eq!(
            (record.position, record.payload),
            (position, vec![n as u8; 48])
        );
    }
    assert!(poll().is_pending());
}

fn a_stream_gives_its_reader_back<K: Kind, R: Reader>(setup: Setup) {
    let (_bus, mut publisher, reader) = trio::<K, R>(setup, 1024);
    publisher.send(tag(1), b"as a task").unwrap();
    publisher.send(tag(1), b"as a thread").unwrap();
    let mut stream = reader.stream();
    assert_eq!(block_on(item(&mut stream)).payload, b"as a task");
    let (count, waker) = Woken::new();
    let mut reader = stream.into_inner();
    assert_eq!(reader.next(setup.wait).payload, b"as a thread");
    assert!(reader.poll(&mut Context::from_waker(&waker)).is_pending());
    publisher.send(tag(1), b"both").unwrap();
    setup.woken(|| count.get() == 1);
    assert_eq!(reader.next(setup.wait).payload, b"both");
}

fn a_task_that_moved_is_woken_where_it_is<K: Kind, R: Reader>(setup: Setup) {
    let (_bus, mut publisher, mut reader) = trio::<K, R>(setup, 1024);
    let (here, here_waker) = Woken::new();
    let (there, there_waker) = Woken::new();
    for waker in [&here_waker, &here_waker, &there_waker] {
        assert!(reader.poll(&mut Context::from_waker(waker)).is_pending());
    }
    publisher.send(tag(1), b"one").unwrap();
    setup.woken(|| (here.get(), there.get()) == (0, 1));
    publisher.send(tag(1), b"two").unwrap();
    assert_eq!(
        (here.get(), there.get()),
        (0, 1),
        "woken once until it looks again"
    );
    let mut task = Context::from_waker(&here_waker);
    for expected in [b"one", b"two"] {
        let Poll::Ready(record) = reader.poll(&mut task) else {
            panic!("a record is there");
        };
        assert_eq!(record.payload, expected);
    }
    assert!(reader.poll(&mut task).is_pending());
    publisher.send(tag(1), b"three").unwrap();
    setup.woken(|| (here.get(), there.get()) == (1, 1));
}

fn a_dropped_task_is_not_woken<K: Kind, R: Reader>(setup: Setup) {
    let (bus, mut publisher, mut reader) = trio::<K, R>(setup, 1024);
    let (count, waker) = Woken::new();
    assert!(reader.poll(&mut Context::from_waker(&waker)).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 2, "kept by the bus");
    drop(reader);
    assert_eq!(Arc::strong_count(&count), 1, "and let go of");
    publisher.send(tag(1), b"to nobody").unwrap();
    assert_eq!(count.get(), 0);
    assert_eq!(bus.stats().members, setup.own_members() + 1);
}

fn tasks_and_sleepers_share_a_bus<K: Kind, R: Reader>(setup: Setup) {
    let (bus, mut publisher, mut asleep) = trio::<K, R>(setup, R::RING);
    let count = setup.rounds(400) as u32;
    let mut stream = R::join(&bus, Start::Oldest).stream();
    let tasks = spawn(move || {
        block_on(async {
            for n in 0..count {
                assert_eq!(item(&mut stream).await.payload, n.to_le_bytes());
            }
        });
    });
    let threads = spawn(move || {
        for n in 0..count {
            assert_eq!(asleep.next(setup.wait).payload, n.to_le_bytes());
        }
    });
    for n in 0..count {
        publisher.send(tag(1), &n.to_le_bytes()).unwrap();
    }
    tasks.finish();
    threads.finish();
}

/// What a waker does is not the publisher's affair, and takes nothing back that is out.
fn a_waker_that_panics_takes_no_record_back<K: Kind, R: Reader>(setup: Setup) {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("an executor's bug"));
        }
    }
    let (bus, mut publisher, mut reader) = trio::<K, R>(setup, 1024);
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(reader.poll(&mut Context::from_waker(&bomb)).is_pending());
    publisher.send(tag(1), b"committed").unwrap();
    publisher.send(tag(1), b"and the next").unwrap();
    assert_eq!(reader.take().unwrap().payload, b"committed");
    assert_eq!(reader.take().unwrap().payload, b"and the next");
    assert_eq!(bus.stats().aborted, 0);

    // The same for a claim that is aborted, also over a panic of who fills it: two at once would end the process.
    assert!(reader.poll(&mut Context::from_waker(&bomb)).is_pending());
    drop(publisher.claim(tag(1), 4).unwrap());
    assert!(reader.poll(&mut Context::from_waker(&bomb)).is_pending());
    let filled = catch_unwind(AssertUnwindSafe(|| {
        let _claim = publisher.claim(tag(1), 4).unwrap();
        std::panic::resume_unwind(Box::new("while filling"));
    }));
    assert!(filled.is_err());
    drop(publisher);
    assert_eq!(bus.stats().aborted, 2);
    assert_eq!((reader.take(), reader.position()), (None, bus.tail()));
}

/// What a task holds may go when its waker goes.
fn a_waker_may_drop_a_reader<K: Kind, R: Reader>(setup: Setup) {
    struct Holds<R>(Mutex<Option<R>>);
    impl<R: Reader> Wake for Holds<R> {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let (bus, mut publisher, mut reader) = trio::<K, R>(setup, 1024);
    let work = spawn(move || {
        let holder = || {
            let held = R::join(&bus, Start::Newest);
            Waker::from(Arc::new(Holds(Mutex::new(Some(held)))))
        };
        // Dropped as it is replaced; as its reader goes; and as it is woken.
        let look = |reader: &mut R, waker: Waker| {
            let looked = reader.poll(&mut Context::from_waker(&waker));
            assert!(looked.is_pending());
        };
        look(&mut reader, holder());
        look(&mut reader, holder());
        assert_eq!(bus.stats().members, setup.own_members() + 3);
        drop(reader);
        assert_eq!(bus.stats().members, setup.own_members() + 1);
        let mut reader = R::join(&bus, Start::Newest);
        look(&mut reader, holder());
        publisher.send(tag(1), b"go").unwrap();
        setup.woken(|| bus.stats().members == setup.own_members() + 2);
        assert_eq!(reader.take().unwrap().payload, b"go");
    });
    work.finish();
}
