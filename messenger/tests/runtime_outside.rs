//! Publishing and subscribing from outside of the table, the counters, and the table as data.
#![cfg(feature = "bincode")]

#[path = "support/block_on.rs"]
mod block_on;
mod support;
#[path = "support/woken.rs"]
mod woken;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use block_on::block_on;
use futures_core::Stream;
use messenger::bus::{ClaimError, Start, SubscriberStats, WaitStrategy};
use messenger::{
    Graph, Handle, Handler, Message, Outbox, PublishError, Result, Running, SourcePublisher,
    SubscribeError, Subscription, messenger,
};
use serde::{Deserialize, Serialize};
use support::{bus, until};
use woken::Woken;

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Ask(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Answer(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 3, codec = bincode)]
pub(crate) struct Aside(u64);

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Ask))]
pub(crate) struct Client;
/// Answers, with an aside.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Answer, Aside))]
pub(crate) struct Oracle;

impl Handle<Ask> for Oracle {
    fn handle(&mut self, m: &Ask, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Aside(m.0))?;
        out.send(&Answer(m.0 * 2))
    }
}

messenger! {
    pub(crate) Temple;
    outside: [ Client ]
    Inside:
        handlers: [ oracle: Oracle = Oracle ]
        routes: [ Client, Ask: [oracle] ]
    Idle:
        handlers: [ idle: Pillar = Pillar ]
        routes: []
    drop: [ Oracle, Answer; Oracle, Aside ]
}

/// Takes nothing, sends nothing.
#[derive(Debug, Handler)]
#[handler(id = 3)]
pub(crate) struct Pillar;

#[test]
fn a_question_from_outside_is_answered_outside() {
    let app = Temple::builder(bus(4096)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    let mut answers = app.subscribe::<(Answer,)>().unwrap();
    let mut all = app.subscribe::<(Ask, Answer, Aside)>().unwrap();
    for wait in [
        WaitStrategy::Spin,
        WaitStrategy::Yield,
        WaitStrategy::Block,
        WaitStrategy::BlockNow,
    ] {
        answers.set_wait(wait);
        client.send(&Ask(21)).unwrap();
        let received = answers.next().unwrap().unwrap();
        assert_eq!((received.source().get(), received.message().get()), (2, 2));
        assert_eq!(received.payload(), 42_u64.to_le_bytes());
        assert_eq!(received.get::<Answer>().unwrap().unwrap().0, 42);
    }
    // The others see all three in order.
    let first = all.try_next().unwrap().unwrap();
    assert_eq!(
        (first.position(), first.get::<Ask>().unwrap().unwrap().0),
        (0, 21)
    );
    assert!(first.get::<Answer>().is_none());
    assert!(all.try_next().unwrap().unwrap().get::<Aside>().is_some());
    assert!(all.try_next().unwrap().unwrap().get::<Answer>().is_some());

    assert!(answers.try_next().unwrap().is_none());
    let begun = Instant::now();
    assert!(
        answers
            .next_timeout(Duration::from_millis(20))
            .unwrap()
            .is_none()
    );
    assert!(begun.elapsed() >= Duration::from_millis(20));
    app.stop().unwrap();
    assert!(
        answers.next().unwrap().is_none(),
        "stopped, and all is read"
    );
}

#[test]
fn a_subscriber_that_waits_is_told_of_the_stop() {
    let bus = bus(4096);
    let app = Temple::builder(&bus).run().unwrap();
    let mut answers = app.subscribe::<(Answer,)>().unwrap();
    let mut gating = app.subscribe_gating::<(Answer,)>(Start::Newest).unwrap();
    let observer = std::thread::spawn(move || answers.next().unwrap().is_none());
    let subscriber = std::thread::spawn(move || gating.next().unwrap().is_none());
    std::thread::sleep(Duration::from_millis(20));
    app.stop().unwrap();
    assert!(observer.join().unwrap() && subscriber.join().unwrap());
}

#[test]
fn a_task_of_any_runtime_awaits_the_end() {
    let bus = bus(4096);
    let run = || Temple::builder(&bus).run().unwrap();
    let is_pending = |ended: Pin<&mut dyn Future<Output = _>>| {
        let mut task = Context::from_waker(Waker::noop());
        ended.poll(&mut task).is_pending()
    };
    let app = run();
    app.publisher::<Client>().unwrap().send(&Ask(1)).unwrap();
    let stopper = app.stopper();
    let mut ended = pin!(app.join_async());
    assert!(is_pending(ended.as_mut()));
    stopper.stop();
    assert_eq!(block_on(ended).unwrap().messages(), 1);

    let app = run();
    app.publisher::<Client>().unwrap().send(&Ask(1)).unwrap();
    assert_eq!(block_on(app.stop_async()).unwrap().messages(), 1);

    // Who waits no more has dropped the run, and it has ended.
    let mut ended = Box::pin(run().join_async());
    assert!(is_pending(ended.as_mut()));
    drop(ended);
    run().stop().unwrap();
}

#[test]
fn what_is_sent_while_a_stop_is_drained_is_read_outside() {
    let app = Temple::builder(bus(1 << 16)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    let mut answers = app.subscribe::<(Answer,)>().unwrap();
    for n in 0..200 {
        client.send(&Ask(n)).unwrap();
    }
    app.stopper().stop();
    let mut read = 0;
    while let Some(answer) = answers.receive().unwrap() {
        assert_eq!(answer.0, 2 * read);
        read += 1;
    }
    assert_eq!((read, app.join().unwrap().messages()), (200, 200));
}

#[test]
fn one_is_received_now_or_in_time_or_not() {
    let app = Temple::builder(bus(4096)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    for answers in ANSWERS {
        let mut answers = answers(&app);
        let begun = Instant::now();
        let timeout = Duration::from_millis(20);
        assert!(answers.try_receive().unwrap().is_none());
        assert!(answers.receive_timeout(timeout).unwrap().is_none());
        assert!(begun.elapsed() >= timeout);
        client.send(&Ask(1)).unwrap();
        let in_time = answers.receive_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(in_time.unwrap().0, 2);
        client.send(&Ask(2)).unwrap();
        let mut now = None;
        until(|| {
            now = answers.try_receive().unwrap();
            now.is_some()
        });
        assert_eq!(now.unwrap().0, 4);
    }
    // An answer that is none.
    let mut answers = app.subscribe::<(Answer,)>().unwrap();
    let tag = messenger::bus::Tag::new(
        messenger::bus::SourceId::new(2),
        messenger::bus::MessageId::new(2),
    );
    app.bus().publisher().unwrap().send(tag, b"no").unwrap();
    let refused = answers.try_receive();
    assert!(
        matches!(refused, Err(SubscribeError::Undecodable(_))),
        "{refused:?}"
    );
    assert!(answers.try_receive().unwrap().is_none());
}

type Subscribe = fn(&Running<Temple>) -> Subscription<(Answer,)>;

/// A subscription that holds nobody back, and one that does.
const ANSWERS: [Subscribe; 2] = [
    |app| app.subscribe().unwrap(),
    |app| app.subscribe_gating(Start::Newest).unwrap(),
];

/// A task that goes from thread to thread.
fn spawn<F: Future<Output: Send> + Send + 'static>(task: F) -> thread::JoinHandle<F::Output> {
    thread::spawn(move || block_on(task))
}

#[test]
fn a_task_outside_awaits_what_is_sent_and_the_end() {
    let app = Temple::builder(bus(4096)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    let tasks = ANSWERS.map(|answers| {
        let mut answers = answers(&app);
        spawn(async move {
            let received = answers.next_async().await.unwrap().unwrap();
            assert_eq!((received.source().get(), received.message().get()), (2, 2));
            let first = received.get::<Answer>().unwrap().unwrap().0;
            let second = answers.receive_async().await.unwrap().unwrap().0;
            let end = answers.next_async().await.unwrap().is_none();
            // And each time it is asked again.
            let still = answers.receive_async().await.unwrap().is_none();
            (first, second, end, still)
        })
    });
    for n in [21, 22] {
        thread::sleep(Duration::from_millis(20));
        client.send(&Ask(n)).unwrap();
    }
    thread::sleep(Duration::from_millis(20));
    app.stop().unwrap();
    for task in tasks {
        assert_eq!(task.join().unwrap(), (42, 44, true, true));
    }
}

/// It comes while they look for the last time, announce themselves, or sleep.
#[test]
fn the_end_is_not_missed_by_who_goes_to_sleep() {
    for round in 0..if cfg!(miri) { 8 } else { 400 } {
        let app = Temple::builder(bus(4096)).run().unwrap();
        let mut answers = ANSWERS[round % 2](&app);
        app.stopper().stop();
        // The workers take some time to end.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_micros(round as u64 / 2) {}
        assert!(block_on(answers.next_async()).unwrap().is_none());
    }
}

#[test]
fn a_stream_of_messages_ends_behind_the_last() {
    let app = Temple::builder(bus(1 << 16)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    let tasks = ANSWERS.map(|answers| {
        let mut stream = answers(&app).into_stream();
        spawn(async move {
            let mut all = Vec::new();
            while let Some(answer) = poll_fn(|task| Pin::new(&mut stream).poll_next(task)).await {
                all.push(answer.unwrap().0);
            }
            assert!(stream.into_inner().try_next().unwrap().is_none());
            all
        })
    });
    for n in 0..200 {
        client.send(&Ask(n)).unwrap();
    }
    app.stopper().stop();
    for task in tasks {
        assert!(task.join().unwrap().into_iter().eq((0..200).map(|n| 2 * n)));
    }
    app.join().unwrap();
}

#[test]
fn a_stream_says_what_is_wrong_and_goes_on() {
    let app = Temple::builder(bus(4096)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    let answers = app.subscribe_from::<(Answer,)>(Start::Oldest).unwrap();
    let mut stream = answers.into_stream();
    for n in 0..200 {
        client.send(&Ask(n)).unwrap();
    }
    until(|| app.counters()[1].passed == 600);
    app.stop().unwrap();
    let mut task = Context::from_waker(Waker::noop());
    let mut item = || Pin::new(&mut stream).poll_next(&mut task);
    let lagged = item();
    assert!(
        matches!(
            lagged,
            Poll::Ready(Some(Err(SubscribeError::Lagged { skipped: 1.. })))
        ),
        "{lagged:?}"
    );
    let mut last = 0;
    while let Poll::Ready(Some(answer)) = item() {
        last = answer.unwrap().0;
    }
    assert_eq!(last, 398);
    assert!(matches!(item(), Poll::Ready(None)));
}

#[test]
fn a_task_that_passes_others_messages_lets_other_tasks_run() {
    let app = Temple::builder(bus(1 << 20)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    let subscriptions = ANSWERS.map(|answers| answers(&app));
    let tag = messenger::bus::Tag::new(
        messenger::bus::SourceId::new(900),
        messenger::bus::MessageId::new(900),
    );
    let mut raw = app.bus().publisher().unwrap();
    for _ in 0..1000 {
        raw.send(tag, &[]).unwrap();
    }
    client.send(&Ask(1)).unwrap();
    until(|| app.counters()[0].messages == 1);
    for mut answers in subscriptions {
        let (count, waker) = Woken::new();
        let mut task = Context::from_waker(&waker);
        let mut turns = 0;
        while answers.poll_next(&mut task).unwrap().is_pending() {
            turns += 1;
            assert_eq!(count.get(), turns, "it asks for its turn");
        }
        assert!(turns >= 3, "{turns}");
    }
}

#[test]
fn a_task_that_is_dropped_leaves_nothing_and_loses_nothing() {
    let app = Temple::builder(bus(4096)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    for answers in ANSWERS {
        let mut answers = answers(&app);
        let (count, waker) = Woken::new();
        let mut task = Context::from_waker(&waker);
        assert!(pin!(answers.next_async()).poll(&mut task).is_pending());
        client.send(&Ask(7)).unwrap();
        until(|| count.get() > 0);
        assert_eq!(block_on(answers.receive_async()).unwrap().unwrap().0, 14);
        assert!(answers.poll_next(&mut task).unwrap().is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 2, "kept by the bus");
        drop(answers);
        assert_eq!(Arc::strong_count(&count), 1, "and let go of");
    }
}

/// A short bus between a client and a reader of what it asks, whose worker has nothing to do with that.
fn between_two() -> (
    Running<Temple>,
    SourcePublisher<Client>,
    Subscription<(Ask,)>,
) {
    let app = Temple::builder(bus(4096));
    let app = app.only([Temple::IDLE]).run().unwrap();
    let client = app.publisher().unwrap();
    let asks = app.subscribe_gating(Start::Newest).unwrap();
    (app, client, asks)
}

/// A full bus has room for one when a task has read one.
#[test]
fn a_gating_task_may_send_when_it_has_read() {
    let (app, mut client, mut asks) = between_two();
    let mut sent = 0;
    while client.try_send(&Ask(sent)).is_ok() {
        sent += 1;
    }
    // The worker has nothing to do with it.
    until(|| app.counters()[0].passed == sent);
    let received = block_on(asks.next_async()).unwrap().unwrap();
    assert_eq!(received.position(), 0);
    until(|| client.try_send(&Ask(sent)).is_ok());
}

/// Messages that are built where they lie.
#[cfg(feature = "zero_copy")]
mod in_place {
    use std::time::{Duration, Instant};

    use messenger::bus::{ClaimError, Start, WaitStrategy};
    use messenger::{Handler, Message, PublishError, messenger};

    use super::{Pillar, block_on, bus};

    /// A point.
    #[derive(Message, Debug)]
    #[message(id = 4, codec = zero_copy)]
    #[repr(C)]
    pub(crate) struct Point {
        x: u32,
        y: u32,
    }

    /// From where, and each step from there.
    #[derive(Message, Debug)]
    #[message(id = 5, codec = zero_copy)]
    pub(crate) struct Line<'a> {
        start: &'a u32,
        steps: &'a [u16],
    }

    /// Draws.
    #[derive(Debug, Handler)]
    #[handler(id = 4, sends(Point, Line<'_>))]
    pub(crate) struct Pen;

    messenger! {
        pub(crate) Paper;
        outside: [ Pen ]
        Idle:
            handlers: [ idle: Pillar = Pillar ]
            routes: []
        drop: [ Pen, Point; Pen, Line ]
    }

    #[test]
    fn tails_are_built_now_or_in_time_or_not() {
        let app = Paper::builder(bus(4096)).run().unwrap();
        let mut pen = app.publisher::<Pen>().unwrap();
        let mut lines = app.subscribe_gating::<(Line<'_>,)>(Start::Newest).unwrap();
        let mut built = 0;
        let full = loop {
            let now = pen.try_build_tailed::<Line>(300, |start, steps| {
                *start = built;
                steps[299] = 7;
                built += 1;
            });
            if let Err(error) = now {
                break error;
            }
        };
        assert!(matches!(full, PublishError::Claim(ClaimError::Full { .. })));
        assert_eq!(built, 6, "none was begun in vain");
        let timeout = Duration::from_millis(5);
        let late = pen.build_tailed_timeout::<Line>(300, timeout, |_, _| unreachable!());
        assert!(matches!(
            late,
            Err(PublishError::Claim(ClaimError::Timeout { .. }))
        ));
        for n in 0..6 {
            let received = lines.next().unwrap().unwrap();
            let line = received.get::<Line<'_>>().unwrap().unwrap();
            assert_eq!((*line.start, line.steps.len()), (n, 300));
            assert_eq!((line.steps[298], line.steps[299]), (0, 7));
        }
        assert!(lines.try_next().unwrap().is_none());
        pen.build_tailed::<Line>(0, |start, _| *start = 9).unwrap();
        let received = lines.next().unwrap().unwrap();
        let line = received.get::<Line<'_>>().unwrap().unwrap();
        assert_eq!((*line.start, line.steps.len()), (9, 0));
        let too_long = pen.build_tailed::<Line>(2000, |_, _| unreachable!());
        assert!(matches!(
            too_long,
            Err(PublishError::Claim(ClaimError::TooLarge { len: 4004, .. }))
        ));
    }

    #[test]
    fn they_are_built_now_or_in_time_or_not() {
        let app = Paper::builder(bus(4096)).run().unwrap();
        let mut pen = app.publisher::<Pen>().unwrap();
        let mut points = app.subscribe_gating::<(Point,)>(Start::Newest).unwrap();
        let mut built = 0;
        let draw = |x: &mut u32| {
            *x += 1;
            *x - 1
        };
        let full = loop {
            let now = pen.try_build(|point: &mut Point| point.x = draw(&mut built));
            if let Err(error) = now {
                break error;
            }
        };
        assert!(
            matches!(full, PublishError::Claim(ClaimError::Full { .. })),
            "{full}"
        );
        assert_eq!(built, 128, "none was begun in vain");
        for wait in [
            WaitStrategy::Spin,
            WaitStrategy::Yield,
            WaitStrategy::Block,
            WaitStrategy::BlockNow,
        ] {
            pen.set_wait(wait);
            let (begun, timeout) = (Instant::now(), Duration::from_millis(5));
            let late = pen.build_timeout(timeout, |point: &mut Point| point.x = draw(&mut built));
            let late = late.unwrap_err();
            assert!(
                matches!(late, PublishError::Claim(ClaimError::Timeout { .. })),
                "{late}"
            );
            assert!(begun.elapsed() >= timeout);
        }
        assert_eq!(built, 128, "none was begun in vain");
        for x in 0..128 {
            // In place, also for a task.
            let point = if x % 2 == 0 {
                points.receive().unwrap().unwrap()
            } else {
                block_on(points.receive_async()).unwrap().unwrap()
            };
            assert_eq!((point.x, point.y), (x, 0));
        }
        assert!(points.try_receive().unwrap().is_none());
        let in_time = Duration::from_secs(60);
        pen.build_timeout(in_time, |point: &mut Point| point.y = 9)
            .unwrap();
        assert_eq!(points.receive().unwrap().unwrap().y, 9);
    }
}

#[test]
fn a_slow_observer_is_told_what_it_missed_and_holds_nobody_back() {
    let app = Temple::builder(bus(4096)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    let mut answers = app.subscribe_from::<(Answer,)>(Start::Oldest).unwrap();
    for n in 0..200 {
        client.send(&Ask(n)).unwrap();
    }
    until(|| app.counters()[0].messages == 200);
    let Err(SubscribeError::Lagged { skipped }) = answers.try_next() else {
        panic!("600 records of 32 bytes went through a ring of 4096")
    };
    assert!(skipped > 0 && skipped % 32 == 0);
    // It goes on behind the gap, and may fall behind again while the last asides are sent.
    let mut last = 0;
    until(|| {
        if let Ok(Some(received)) = answers.try_next() {
            last = received.get::<Answer>().unwrap().unwrap().0;
        }
        last == 398
    });
}

#[test]
fn a_gating_subscription_misses_nothing_and_a_full_bus_is_told() {
    let (_app, mut client, mut asks) = between_two();
    let mut sent = 0;
    let full = loop {
        match client.try_send(&Ask(sent)) {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(full, PublishError::Claim(ClaimError::Full { .. })),
        "{full}"
    );
    assert!(sent >= 100);
    let late = client
        .send_timeout(&Ask(sent), Duration::from_millis(5))
        .unwrap_err();
    assert!(
        matches!(late, PublishError::Claim(ClaimError::Timeout { .. })),
        "{late}"
    );
    for n in 0..sent {
        assert_eq!(
            asks.next()
                .unwrap()
                .unwrap()
                .get::<Ask>()
                .unwrap()
                .unwrap()
                .0,
            n
        );
    }
    assert!(asks.try_next().unwrap().is_none());
    client.send(&Ask(sent)).unwrap();
}

#[test]
fn who_reads_for_so_long_does_not_read_on_past_others_messages() {
    let app = Temple::builder(bus(1 << 20)).run().unwrap();
    let mut client = app.publisher::<Client>().unwrap();
    let mut answers = app.subscribe_gating::<(Answer,)>(Start::Newest).unwrap();
    let tag = messenger::bus::Tag::new(
        messenger::bus::SourceId::new(900),
        messenger::bus::MessageId::new(900),
    );
    let mut raw = app.bus().publisher().unwrap();
    for _ in 0..1000 {
        raw.send(tag, &[]).unwrap();
    }
    client.send(&Ask(1)).unwrap();
    until(|| app.counters()[0].messages == 1);
    assert!(answers.next_timeout(Duration::ZERO).unwrap().is_none());
    // Each call comes further.
    until(|| answers.next_timeout(Duration::ZERO).unwrap().is_some());
}

/// A full ring is read, and filled again meanwhile: who takes what is there takes one ring at the most.
#[test]
fn who_takes_what_is_there_does_not_wait_for_others_to_end() {
    const RING: u64 = 1 << 12;
    let bus = bus(RING as usize);
    let app = Temple::builder(&bus).only([Temple::IDLE]).run().unwrap();
    let slots = || bus.stats().subscribers;
    let before = slots();
    let mut answers = app.subscribe_gating::<(Answer,)>(Start::Newest).unwrap();
    let is_new = |it: &SubscriberStats| before.iter().all(|other| other.slot != it.slot);
    let position = || slots().into_iter().find(is_new).unwrap().position;
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = app.publisher::<Client>().unwrap();
            while !ended.load(Ordering::Relaxed) {
                let _ = client.try_send(&Ask(0));
            }
        });
        let mut most = 0;
        for _ in 0..20_000 {
            let before = position();
            assert!(answers.try_next().unwrap().is_none());
            most = most.max(position() - before);
        }
        ended.store(true, Ordering::Relaxed);
        println!("it read {most} bytes at once");
        assert!(most <= RING, "it read {most} bytes at once");
    });
}

#[test]
fn a_publisher_that_waits_for_room_is_told_of_the_stop() {
    let (app, mut client, reader) = between_two();
    let waiter = std::thread::spawn(move || {
        loop {
            if let Err(error) = client.send(&Ask(0)) {
                break error;
            }
        }
    });
    std::thread::sleep(Duration::from_millis(20));
    app.stop().unwrap();
    let error = waiter.join().unwrap();
    assert!(matches!(error, PublishError::Stopped));
    assert_eq!(
        error.to_string(),
        "the messenger has been stopped, or all its workers have ended: nobody would get the message"
    );
    drop(reader);
}

#[test]
fn a_task_outside_awaits_room_and_is_told_of_the_stop() {
    let (app, mut client, mut asks) = between_two();
    let mut next = 0;
    while client.try_send(&Ask(next)).is_ok() {
        next += 1;
    }
    let task = spawn(async move {
        let mut sent = next;
        loop {
            match client.send_async(&Ask(sent)).await {
                Ok(_) => sent += 1,
                Err(error) => break (sent, error),
            }
        }
    });
    thread::sleep(Duration::from_millis(20));
    assert!(!task.is_finished());
    for n in 0..1000 {
        let ask = asks.receive_timeout(Duration::from_secs(60)).unwrap();
        assert_eq!(ask.expect("it goes on").0, n);
    }
    thread::sleep(Duration::from_millis(20));
    app.stop().unwrap();
    let (sent, error) = task.join().unwrap();
    assert!(matches!(error, PublishError::Stopped), "{error}");
    assert!(sent >= 1000, "{sent}");
    drop(asks);
}

/// It comes while they look for the last time, announce themselves, or sleep.
#[test]
fn the_end_is_not_missed_by_a_task_that_awaits_room() {
    for round in 0..if cfg!(miri) { 8 } else { 200 } {
        let (app, mut client, asks) = between_two();
        while client.try_send(&Ask(0)).is_ok() {}
        let begun = Instant::now();
        let stopper = app.stopper();
        let stops = thread::spawn(move || {
            while begun.elapsed() < Duration::from_micros(round) {}
            stopper.stop();
        });
        let told = block_on(client.send_async(&Ask(1)));
        assert!(matches!(told, Err(PublishError::Stopped)));
        let late = block_on(client.send_async(&Ask(1)));
        assert!(matches!(late, Err(PublishError::Stopped)));
        stops.join().unwrap();
        drop(asks);
    }
}

#[test]
fn counters_are_read_while_it_runs() {
    let begun = Instant::now();
    let app = Temple::builder(bus(4096)).run().unwrap();
    let before = &app.counters()[0];
    assert_eq!((before.messages, before.last), (0, None));
    let mut client = app.publisher::<Client>().unwrap();
    for n in 0..10 {
        client.send(&Ask(n)).unwrap();
    }
    until(|| app.counters()[0].messages == 10);
    until(|| app.counters()[1].passed == 30);
    let counters = app.counters();
    let route = &counters[0].routes[0];
    assert_eq!(
        (route.source, route.message, route.errors),
        ("Client", "Ask", 0)
    );
    until(|| {
        app.counters()[0]
            .last
            .is_some_and(|last| last >= begun && last <= Instant::now())
    });
    let report = app.stop().unwrap();
    assert_eq!(
        report.to_string(),
        "Inside: 10 messages, 20 passed by\n  Client, Ask: 10\nIdle: 0 messages, 30 passed by\n"
    );
}

#[test]
fn the_table_is_data() {
    let graph = Graph::of::<Temple>();
    let nodes = graph.nodes();
    assert_eq!(
        nodes
            .iter()
            .map(|n| (n.name, n.type_name, n.id.get(), n.worker))
            .collect::<Vec<_>>(),
        [
            ("oracle", "Oracle", 2, Some(0)),
            ("idle", "Pillar", 3, Some(1)),
            ("Client", "Client", 1, None)
        ]
    );
    let edges = graph.edges();
    assert_eq!(
        edges
            .iter()
            .map(|e| (e.from, e.to, e.message))
            .collect::<Vec<_>>(),
        [(2, Some(0), "Ask"), (0, None, "Answer"), (0, None, "Aside")]
    );
    assert_eq!(
        graph.dot(),
        r#"digraph Temple {
    rankdir=LR;
    subgraph cluster_0 {
        label="Inside";
        n0 [shape=box, label="oracle\nOracle"];
    }
    subgraph cluster_1 {
        label="Idle";
        n1 [shape=box, label="idle\nPillar"];
    }
    n2 [shape=ellipse, label="Client"];
    dropped [shape=circle, label="dropped"];
    n2 -> n0 [label="Ask"];
    n0 -> dropped [label="Answer\nAside", style=dashed];
}
"#
    );
    assert_eq!(
        graph.mermaid(),
        r#"flowchart LR
    subgraph w0["Inside"]
        n0["oracle<br/>Oracle"]
    end
    subgraph w1["Idle"]
        n1["idle<br/>Pillar"]
    end
    n2(["Client"])
    dropped(("dropped"))
    n2 -->|Ask| n0
    n0 -.->|Answer<br/>Aside| dropped
"#
    );
}

#[cfg(feature = "journal")]
#[test]
fn a_journal_draws_the_table_without_the_program() {
    use messenger::journal::Schema;
    use messenger::runtime::Drawing;

    let graph = Graph::of::<Temple>();
    let schema = Schema::from(graph.info());
    let kept = Drawing::of_kept(schema.table("Temple").unwrap(), &schema);
    assert_eq!(kept.dot(), graph.dot());
    assert_eq!(kept.mermaid(), graph.mermaid());
}

#[cfg(feature = "svg")]
#[test]
fn the_picture_names_all() {
    let picture = Graph::of::<Temple>().svg();
    assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    for name in [
        "oracle",
        "Oracle",
        "on Inside",
        "Client",
        "Ask",
        "Answer",
        "dropped",
    ] {
        assert!(picture.contains(name), "{name} in {picture}");
    }
}
