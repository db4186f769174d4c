//! Async reading: a task in place of a thread.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures_core::Stream;
use messenger::bus::{OwnedRecord, RecordStream, Start, Subscriber};

use crate::kit::{Kind, Setup, block_on, rounds, spawn, tag, take};

async fn next(subscriber: &mut Subscriber) -> OwnedRecord {
    poll_fn(|task| subscriber.poll_next(task).unwrap().map(|r| r.to_owned())).await
}

async fn item(stream: &mut RecordStream) -> OwnedRecord {
    let item = poll_fn(|task| Pin::new(&mut *stream).poll_next(task)).await;
    item.expect("a bus never ends").unwrap()
}

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (Arc::clone(&count), Waker::from(count))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(crate) fn a_task_is_woken_by_a_commit<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let count = rounds(300) as u32;
    let work = spawn(move || {
        block_on(async {
            for n in 0..count {
                assert_eq!(next(&mut subscriber).await.payload, n.to_le_bytes());
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

pub(crate) fn a_stream_yields_copies<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(256);
    let mut stream = bus.subscribe(Start::Oldest).unwrap().into_stream();
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

pub(crate) fn a_stream_gives_the_subscriber_back<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, subscriber) = setup.trio::<K>(1024);
    publisher.send(tag(1), b"as a task").unwrap();
    publisher.send(tag(1), b"as a thread").unwrap();
    let mut stream = subscriber.into_stream();
    assert_eq!(block_on(item(&mut stream)).payload, b"as a task");
    let (count, waker) = Count::new();
    let mut subscriber = stream.into_inner();
    assert_eq!(
        subscriber.next(setup.wait).unwrap().payload(),
        b"as a thread"
    );
    assert!(
        subscriber
            .poll_next(&mut Context::from_waker(&waker))
            .unwrap()
            .is_pending()
    );
    publisher.send(tag(1), b"both").unwrap();
    setup.woken(|| count.get() == 1);
    assert_eq!(subscriber.next(setup.wait).unwrap().payload(), b"both");
}

pub(crate) fn a_task_that_moved_is_woken_where_it_is<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let (here, here_waker) = Count::new();
    let (there, there_waker) = Count::new();
    for waker in [&here_waker, &here_waker, &there_waker] {
        assert!(
            subscriber
                .poll_next(&mut Context::from_waker(waker))
                .unwrap()
                .is_pending()
        );
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
        let Poll::Ready(record) = subscriber.poll_next(&mut task).unwrap() else {
            panic!("a record is there");
        };
        assert_eq!(record.payload(), expected);
    }
    assert!(subscriber.poll_next(&mut task).unwrap().is_pending());
    publisher.send(tag(1), b"three").unwrap();
    setup.woken(|| (here.get(), there.get()) == (1, 1));
}

pub(crate) fn a_dropped_task_is_not_woken<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let (count, waker) = Count::new();
    assert!(
        subscriber
            .poll_next(&mut Context::from_waker(&waker))
            .unwrap()
            .is_pending()
    );
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 2, "kept by the bus");
    drop(subscriber);
    assert_eq!(Arc::strong_count(&count), 1, "and let go of");
    publisher.send(tag(1), b"to nobody").unwrap();
    assert_eq!(count.get(), 0);
    assert_eq!(bus.stats().members, setup.own_members() + 1);
}

pub(crate) fn tasks_and_sleepers_share_a_bus<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut asleep) = setup.trio::<K>(256);
    let count = setup.rounds(400) as u32;
    let mut stream = bus.subscribe(Start::Oldest).unwrap().into_stream();
    let tasks = spawn(move || {
        block_on(async {
            for n in 0..count {
                assert_eq!(item(&mut stream).await.payload, n.to_le_bytes());
            }
        });
    });
    let threads = spawn(move || {
        for n in 0..count {
            assert_eq!(asleep.next(setup.wait).unwrap().payload(), n.to_le_bytes());
        }
    });
    for n in 0..count {
        publisher.send(tag(1), &n.to_le_bytes()).unwrap();
    }
    tasks.finish();
    threads.finish();
}

/// A record that is out stays out, whatever those do who are told of it.
pub(crate) fn a_waker_that_panics_takes_no_record_back<K: Kind>(setup: Setup) {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("an executor's bug"));
        }
    }
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(
        subscriber
            .poll_next(&mut Context::from_waker(&bomb))
            .unwrap()
            .is_pending()
    );
    let sent = catch_unwind(AssertUnwindSafe(|| publisher.send(tag(1), b"committed")));
    // (Of a bus that others publish on, too, it is that of the thread which wakes for them.)
    assert_eq!(
        sent.is_err(),
        !setup.wakes_late(),
        "the panic is the publisher's"
    );
    publisher.send(tag(1), b"and the next").unwrap();
    assert_eq!(take(&mut subscriber).unwrap().payload, b"committed");
    assert_eq!(take(&mut subscriber).unwrap().payload, b"and the next");
    assert_eq!(bus.stats().aborted, 0);

    // The same for a claim that is aborted: once is enough.
    assert!(
        subscriber
            .poll_next(&mut Context::from_waker(&bomb))
            .unwrap()
            .is_pending()
    );
    let aborted = catch_unwind(AssertUnwindSafe(|| {
        drop(publisher.claim(tag(1), 4).unwrap())
    }));
    assert_eq!(aborted.is_err(), !setup.wakes_late());
    drop(publisher);
    assert_eq!(bus.stats().aborted, 1);
    assert_eq!(
        (take(&mut subscriber), subscriber.position()),
        (None, bus.tail())
    );
}

/// What a task holds may go when its waker goes.
pub(crate) fn a_waker_may_drop_a_subscriber<K: Kind>(setup: Setup) {
    struct Holds(Mutex<Option<Subscriber>>);
    impl Wake for Holds {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let work = spawn(move || {
        let holder = || {
            let held = bus.subscribe(Start::Newest).unwrap();
            Waker::from(Arc::new(Holds(Mutex::new(Some(held)))))
        };
        // Dropped as it is replaced; as its subscriber goes; and as it is woken.
        let look = |subscriber: &mut Subscriber, waker: Waker| {
            let looked = subscriber
                .poll_next(&mut Context::from_waker(&waker))
                .unwrap();
            assert!(looked.is_pending());
        };
        look(&mut subscriber, holder());
        look(&mut subscriber, holder());
        assert_eq!(bus.stats().members, setup.own_members() + 3);
        drop(subscriber);
        assert_eq!(bus.stats().members, setup.own_members() + 1);
        let mut subscriber = bus.subscribe(Start::Newest).unwrap();
        look(&mut subscriber, holder());
        publisher.send(tag(1), b"go").unwrap();
        setup.woken(|| bus.stats().members == setup.own_members() + 2);
        assert_eq!(take(&mut subscriber).unwrap().payload, b"go");
    });
    work.finish();
}
