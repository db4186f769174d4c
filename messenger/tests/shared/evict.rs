//! Subscribers that may be evicted, in processes that are stopped.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use messenger::bus::{ClaimError, Publisher, ReadError, Start, SubscriberState, WaitStrategy};
use messenger::shared::{MemberKind, SharedBus};

use crate::kit::{Other, TAG, forever, fresh, say, until};

/// Records of 64 bytes, with their own positions.
const BYTES: usize = 1 << 12;
const LEN: u64 = 64;

/// What a child does, if it is one of these. The role says after how many milliseconds it may be evicted.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    let Some((role, millis)) = role.split_once(':') else {
        return false;
    };
    if !["rests", "reads"].contains(&role) {
        return false;
    }
    let bus = SharedBus::open(name).unwrap();
    let evict_after = Duration::from_millis(millis.parse().unwrap());
    let mut subscriber = bus
        .bus()
        .subscribe_evictable(Start::Oldest, evict_after)
        .unwrap();
    say("subscribed");
    if role == "reads" {
        let read = subscriber.poll(1, |record| {
            say("reads");
            std::io::stdin().read_exact(&mut [0]).unwrap();
            assert_eq!(record.payload(), bytes(record.position()));
        });
        assert_eq!(read, Ok(1));
    }
    let mut next = subscriber.position();
    let mut ended = false;
    while !ended {
        let read = subscriber.wait_until(WaitStrategy::Block, None, || false);
        let read = read.and_then(|_| {
            subscriber.poll(100, |record| {
                assert_eq!(record.position(), next, "a gap that is not told");
                assert_eq!(record.payload()[..8], next.to_le_bytes());
                next += LEN;
                ended |= record.payload()[8] == 0xED;
            })
        });
        match read {
            Ok(_) => {}
            Err(ReadError::Evicted { position, skipped }) => {
                assert_eq!(position, next);
                say(format!("missed {skipped}"));
                next += skipped;
            }
            Err(error) => panic!("{error}"),
        }
    }
    say(format!("read up to {next}"));
    forever();
}

fn bytes(position: u64) -> [u8; 48] {
    let mut bytes = [7; 48];
    bytes[..8].copy_from_slice(&position.to_le_bytes());
    bytes
}

/// The record that is sent next.
fn due(bus: &SharedBus) -> [u8; 48] {
    bytes(bus.bus().tail())
}

fn fill(publisher: &mut Publisher, bus: &SharedBus) {
    loop {
        let bytes = due(bus);
        if publisher.try_send(TAG, &bytes).is_err() {
            return;
        }
    }
}

fn send_end(publisher: &mut Publisher, bus: &SharedBus) {
    let mut bytes = due(bus);
    bytes[8] = 0xED;
    publisher.send(TAG, &bytes).unwrap();
}

fn state(bus: &SharedBus) -> SubscriberState {
    bus.bus().stats().subscribers[0].state
}

#[test]
fn one_that_is_stopped_while_it_rests_is_evicted_after_its_time_and_told() {
    let name = fresh();
    let bus = SharedBus::create(&name, BYTES).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let mut other = Other::start("rests:300", &name);
    assert_eq!(other.line(), "subscribed");
    for _ in 0..3 {
        let bytes = due(&bus);
        publisher.send(TAG, &bytes).unwrap();
    }
    let read = 3 * LEN;
    until("it has read them, and sleeps", || {
        let its = bus.bus().stats().subscribers[0];
        (its.position, its.state) == (read, SubscriberState::Resting)
    });
    std::thread::sleep(Duration::from_millis(50));
    other.halt();

    // The first look is the one by which the bus is found to be full.
    let begun = Instant::now();
    fill(&mut publisher, &bus);
    let record = due(&bus);
    publisher.send(TAG, &record).unwrap();
    let waited = begun.elapsed();
    println!("the publisher waited {waited:?}");
    assert!(waited >= Duration::from_millis(300), "{waited:?}");
    assert_eq!(state(&bus), SubscriberState::Evicted);
    let look = SharedBus::look(Path::new("/dev/shm"), &name).unwrap();
    let look = look.look.unwrap();
    let is_told = |kind| matches!(kind, MemberKind::Evicted { position, .. } if position == read);
    assert!(look.members.iter().any(|member| is_told(member.kind)));
    assert_eq!(look.stats.evicted, 1);
    // Now it holds up nobody.
    for _ in 0..500 {
        let record = due(&bus);
        publisher.try_send(TAG, &record).unwrap();
    }
    let oldest = bus.bus().stats().head;

    other.signal("-CONT");
    // A stopped sleeper was woken long ago.
    assert_eq!(other.line(), format!("missed {}", oldest - read));
    send_end(&mut publisher, &bus);
    assert_eq!(other.line(), format!("read up to {}", bus.bus().tail()));
    assert_eq!(bus.bus().stats().evicted, 1);
}

#[test]
fn one_that_is_stopped_while_it_reads_is_not_evicted_and_misses_nothing() {
    let name = fresh();
    let bus = SharedBus::create(&name, BYTES).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let record = due(&bus);
    publisher.send(TAG, &record).unwrap();
    let mut other = Other::start("reads:20", &name);
    assert_eq!(other.line(), "subscribed");
    assert_eq!(other.line(), "reads");
    other.halt();
    fill(&mut publisher, &bus);
    let record = due(&bus);
    let refused = publisher.send_timeout(TAG, &record, Duration::from_secs(1));
    assert_eq!(refused, Err(ClaimError::Timeout { needed: 64 }));
    assert_eq!(state(&bus), SubscriberState::Holding);
    other.signal("-CONT");
    let go_on = other.child.stdin.as_mut().unwrap().write_all(b"!");
    go_on.unwrap();
    send_end(&mut publisher, &bus);
    assert_eq!(other.line(), format!("read up to {}", bus.bus().tail()));
    assert_eq!(bus.bus().stats().evicted, 0);
}

#[test]
fn one_that_goes_on_in_time_is_not_evicted() {
    let name = fresh();
    let bus = SharedBus::create(&name, BYTES).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let mut other = Other::start("rests:60000", &name);
    assert_eq!(other.line(), "subscribed");
    other.halt();
    fill(&mut publisher, &bus);
    let mut end = due(&bus);
    end[8] = 0xED;
    let waiting = std::thread::spawn(move || publisher.send(TAG, &end).unwrap());
    std::thread::sleep(Duration::from_millis(300));
    assert!(!waiting.is_finished(), "a minute has not passed");
    other.signal("-CONT");
    let position = waiting.join().unwrap();
    assert_eq!(other.line(), format!("read up to {}", position + LEN));
    assert_eq!(bus.bus().stats().evicted, 0);
}

#[test]
fn one_that_dies_resting_or_evicted_leaves_nothing() {
    for is_evicted in [false, true] {
        let name = fresh();
        let bus = SharedBus::create(&name, BYTES).unwrap();
        let mut publisher = bus.bus().publisher().unwrap();
        let millis = if is_evicted { 10 } else { 60_000 };
        let mut other = Other::start(&format!("rests:{millis}"), &name);
        assert_eq!(other.line(), "subscribed");
        // It sleeps by then.
        std::thread::sleep(Duration::from_millis(50));
        other.halt();
        fill(&mut publisher, &bus);
        let record = due(&bus);
        if is_evicted {
            publisher.send(TAG, &record).unwrap();
            assert_eq!(state(&bus), SubscriberState::Evicted);
        }
        other.kill();
        publisher.send(TAG, &record).unwrap();
        // Those of this process.
        until("it is settled", || bus.bus().stats().members == 2);
        assert!(bus.bus().stats().subscribers.is_empty());
        assert_eq!(bus.bus().stats().evicted, u64::from(is_evicted));
    }
}
