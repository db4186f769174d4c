//! Processes that are killed, and what the others see of it.

use std::io::Read;
use std::task::{Context, Poll};
use std::time::Duration;

use messenger::bus::{Start, WaitStrategy};
use messenger::shared::{Cause, Change, Doorbell, SharedBus};

use crate::kit::{Other, TAG, forever, fresh, role, say, until};

/// What a child does; a test that does nothing in the parent.
#[test]
fn child_process() {
    let Some((role, name)) = role() else { return };
    #[cfg(feature = "zero_copy")]
    if let Some(workers) = role.strip_prefix("table:") {
        return crate::table::child(workers, &name);
    }
    #[cfg(feature = "zero_copy")]
    if role == "pool" {
        return crate::pool::child(&name);
    }
    #[cfg(feature = "zero_copy")]
    if crate::again::child_process(&role, &name) {
        return;
    }
    let others = [
        crate::errors::child_process,
        crate::evict::child_process,
        crate::journal::child_process,
        crate::lapped::child_process,
        crate::look::child_process,
        crate::meanwhile::child_process,
        crate::names::child_process,
        crate::reader::child_process,
        crate::same_pid::child_process,
    ];
    if others.iter().any(|does| does(&role, &name)) {
        return;
    }
    let bus = SharedBus::open(&name).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    match role.as_str() {
        // Dies with a claim that is half filled.
        "claims" => {
            let mut claim = publisher.claim(TAG, 100).unwrap();
            claim.writer().put(&[1; 50]).unwrap();
            say("claimed");
            forever();
        }
        // The same, and goes on when it is told to.
        "pauses" => {
            let mut claim = publisher.claim(TAG, 5).unwrap();
            say("claimed");
            std::io::stdin().read_exact(&mut [0]).unwrap();
            claim.writer().put(b"late!").unwrap();
            claim.commit().unwrap();
            say("committed");
            forever();
        }
        "subscribes" => {
            let _subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
            say("subscribed");
            forever();
        }
        "sleeps" => {
            let mut subscriber = bus.bus().subscribe(Start::Newest).unwrap();
            say("sleeps");
            let record = subscriber.next(WaitStrategy::BlockNow).unwrap();
            say(record.payload().len());
            forever();
        }
        "sends" => {
            std::io::stdin().read_exact(&mut [0]).unwrap();
            publisher.send(TAG, b"ding").unwrap();
        }
        // Says who has died, of this bus and of another one.
        "watches" => {
            let other = SharedBus::open(&format!("{name}-b")).unwrap();
            let told = [bus.membership(), other.membership()];
            say("watches");
            std::io::stdin().read_exact(&mut [0]).unwrap();
            std::thread::sleep(Duration::from_millis(300));
            let told = told.iter().flat_map(|told| told.try_iter());
            say(told
                .filter(|m| matches!(m.change, Change::Died { .. }))
                .count());
        }
        // Has a child of its own that never becomes another program, and is left with a claim when this one is killed.
        "forks" => {
            let mut claim = publisher.claim(TAG, 100).unwrap();
            claim.writer().put(&[1; 50]).unwrap();
            let mut command = std::process::Command::new("true");
            let stays = || -> std::io::Result<()> {
                say(std::process::id());
                forever()
            };
            // SAFETY: no other thread of this process writes to its output, or allocates, so no lock is held for good in the child; it uses nothing
            // of the bus.
            unsafe { std::os::unix::process::CommandExt::pre_exec(&mut command, stays) };
            let _ = command.status();
        }
        // Forgets the only worker.
        "forgets" => drop(bus.forget_worker(&bus.workers()[0].name)),
        "leaves" => std::io::stdin().read_exact(&mut [0]).unwrap(),
        // Takes all slots that are free when it is told to.
        "fills" => {
            std::io::stdin().read_exact(&mut [0]).unwrap();
            let subscribe = || bus.bus().subscribe(Start::Oldest).ok();
            let all: Vec<_> = std::iter::from_fn(subscribe).collect();
            say(all.len());
            forever();
        }
        other => panic!("no role {other}"),
    }
}

/// A forked child has all descriptors of its parent, and none of its places.
#[test]
fn a_child_that_was_forked_does_not_keep_its_dead_parent_alive() {
    let name = fresh();
    for beside in [true, false] {
        let bus = SharedBus::create(&name, 1 << 12).unwrap();
        let membership = bus.membership();
        let mut other = Other::start("forks", &name);
        let child = other.line();
        // With one who sees the death, or nobody.
        let here = beside.then_some(bus);
        other.kill();
        let bus = match here {
            Some(bus) => {
                until("the death", || {
                    let mut told = membership.try_iter();
                    told.any(|told| matches!(told.change, Change::Died { .. }))
                });
                bus
            }
            None => SharedBus::open(&name).unwrap(),
        };
        assert_eq!(bus.processes().len(), 1);
        bus.bus().publisher().unwrap().send(TAG, b"behind").unwrap();
        let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
        let record = subscriber.try_next().unwrap().unwrap();
        assert_eq!(record.payload(), b"behind");
        let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap();
        assert!(!state.contains(") Z "), "the child lives: {state}");
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-KILL", &child]).status().unwrap().success());
    }
}

#[test]
fn a_half_filled_claim_of_a_dead_process_is_aborted() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let membership = bus.membership();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut other = Other::start("claims", &name);
    assert_eq!(other.line(), "claimed");
    let mut publisher = bus.bus().publisher().unwrap();
    publisher.send(TAG, b"behind it").unwrap();
    assert!(
        subscriber.try_next().unwrap().is_none(),
        "the claim is open"
    );
    assert_eq!(bus.processes().len(), 2);
    let next = || membership.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(next().change, Change::Joined);
    other.child.kill().unwrap();
    let waited = until("the record behind the hole", || {
        subscriber.try_next().unwrap().is_some()
    });
    println!("the reader waited {waited:?}");
    let told = next();
    let cause = Some(Cause::Signal(9));
    assert_eq!(told.change, Change::Died { cause });
    assert_eq!(told.process.pid, other.child.id());
    assert_eq!(bus.bus().stats().aborted, 1);
    assert_eq!(bus.processes().len(), 1);
    // The subscriber, the publisher, and this process itself.
    assert_eq!(bus.bus().stats().members, 3);
}

#[test]
fn a_stopped_writer_is_not_robbed() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut other = Other::start("pauses", &name);
    assert_eq!(other.line(), "claimed");
    other.halt();
    bus.bus().publisher().unwrap().send(TAG, b"next").unwrap();
    let wait = Duration::from_secs(10);
    let seen = subscriber.next_timeout(WaitStrategy::Block, wait).unwrap();
    assert!(seen.is_none(), "nobody knows what it will write");
    other.signal("-CONT");
    std::io::Write::write_all(&mut other.child.stdin.take().unwrap(), b"!").unwrap();
    let record = subscriber.next(WaitStrategy::Block).unwrap();
    assert_eq!(record.payload(), b"late!");
    assert_eq!(
        subscriber.next(WaitStrategy::Block).unwrap().payload(),
        b"next"
    );
}

#[test]
fn a_dead_subscriber_holds_nobody_back() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let mut other = Other::start("subscribes", &name);
    assert_eq!(other.line(), "subscribed");
    while publisher.try_send(TAG, &[0; 100]).is_ok() {}
    let waiting = std::thread::spawn(move || {
        let begun = std::time::Instant::now();
        publisher.send(TAG, &[0; 100]).unwrap();
        begun.elapsed()
    });
    std::thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    other.kill();
    let waited = waiting.join().unwrap();
    println!("the publisher waited {waited:?}");
}

/// Who settles for it dies as it is about to free its slot.
#[cfg(all(feature = "fault", feature = "zero_copy"))]
#[test]
fn a_dead_subscriber_holds_nobody_back_when_who_settles_for_it_dies_too() {
    for point in ["slot_handed_over", "slot_taken_over"] {
        let options = SharedBus::options().bytes(1 << 12).keep(true);
        let bus = options.create(&fresh()).unwrap();
        let name = bus.name().to_owned();
        let mut dead = Other::start("subscribes", &name);
        assert_eq!(dead.line(), "subscribed");
        let mut publisher = bus.bus().publisher().unwrap();
        while publisher.try_send(TAG, &[0; 100]).is_ok() {}
        let still = Other::start("leaves", &name);
        let fault = format!("{point}:1");
        let fault = Some(("MESSENGER_FAULT", &*fault));
        let mut settles = Other::start_with("leaves", &name, fault);
        until("all are here", || bus.processes().len() == 4);
        // So that none of them does it.
        still.halt();
        drop((publisher, bus));
        dead.kill();
        settles.is_killed(point);
        let bus = SharedBus::open(&name).unwrap();
        let mut publisher = bus.bus().publisher().unwrap();
        let sent = publisher.send_timeout(TAG, &[0; 100], Duration::from_secs(20));
        sent.unwrap();
        assert!(bus.bus().stats().subscribers.is_empty());
        drop((publisher, still, bus));
        SharedBus::remove(&name).unwrap();
    }
}

#[test]
fn a_sleeper_in_another_process_is_woken() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let mut other = Other::start("sleeps", &name);
    assert_eq!(other.line(), "sleeps");
    std::thread::sleep(Duration::from_millis(100));
    publisher.send(TAG, &[1; 7]).unwrap();
    assert_eq!(other.line(), "7");
}

/// What an event loop does: it waits for a descriptor, and for nothing else.
#[test]
fn a_doorbell_rings_for_what_another_process_sends() {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let doorbell = Doorbell::new().unwrap();
    let waker = doorbell.waker();
    let mut task = Context::from_waker(&waker);
    let rings = |wait: Duration| {
        let mut fds = [PollFd::new(&doorbell, PollFlags::IN)];
        let wait = Timespec::try_from(wait).unwrap();
        poll(&mut fds, Some(&wait)).unwrap() == 1
    };
    let mut other = Other::start("sends", &name);
    for _ in 0..2 {
        assert!(subscriber.poll_next(&mut task).unwrap().is_pending());
        assert!(!rings(Duration::from_millis(50)));
    }
    std::io::Write::write_all(&mut other.child.stdin.take().unwrap(), b"!").unwrap();
    assert!(rings(Duration::from_secs(120)));
    doorbell.clear().unwrap();
    let Poll::Ready(record) = subscriber.poll_next(&mut task).unwrap() else {
        panic!("it rang for nothing");
    };
    assert_eq!(record.payload(), b"ding");
    assert!(!rings(Duration::ZERO), "it was cleared");
}

#[test]
fn who_leaves_is_told_of() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let membership = bus.membership();
    let mut other = Other::start("leaves", &name);
    let next = || {
        membership
            .recv_timeout(Duration::from_secs(60))
            .unwrap()
            .change
    };
    assert_eq!(next(), Change::Joined);
    // Not before, or nobody might see that it was there.
    std::io::Write::write_all(&mut other.child.stdin.take().unwrap(), b"!").unwrap();
    other.child.wait().unwrap();
    assert_eq!(next(), Change::Left);
}

#[test]
fn what_all_left_behind_is_settled_by_who_comes() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    bus.bus().publisher().unwrap().send(TAG, b"before").unwrap();
    let mut other = Other::start("claims", &name);
    assert_eq!(other.line(), "claimed");
    drop(bus);
    other.kill();
    let bus = SharedBus::open(&name).unwrap();
    assert_eq!(bus.bus().stats().members, 1);
    assert_eq!(bus.bus().stats().aborted, 1);
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    bus.bus().publisher().unwrap().send(TAG, b"after").unwrap();
    assert_eq!(subscriber.try_next().unwrap().unwrap().payload(), b"before");
    assert_eq!(subscriber.try_next().unwrap().unwrap().payload(), b"after");
}

/// All of a process's locks on a file go when it closes any descriptor of it.
#[test]
fn who_opens_and_leaves_in_many_threads_is_never_taken_for_dead() {
    let name = fresh();
    let other = format!("{name}-b");
    let buses = [&name, &other].map(|name| SharedBus::create(name, 1 << 12).unwrap());
    let mut child = Other::start("watches", &name);
    assert_eq!(child.line(), "watches");
    drop(buses);
    std::thread::scope(|scope| {
        for name in [&name, &other, &name, &other] {
            scope.spawn(move || {
                for _ in 0..400 {
                    drop(SharedBus::open(name).unwrap());
                }
            });
        }
    });
    std::io::Write::write_all(&mut child.child.stdin.take().unwrap(), b"!").unwrap();
    assert_eq!(child.line(), "0", "deaths of a process that lives");
    // It leaves, and the buses go with it.
    assert!(child.child.wait().unwrap().success());
}
