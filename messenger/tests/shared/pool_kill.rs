//! Members of a pool are killed, at every store that they do for it and at any time, or stopped there for a moment: no job is lost, and only
//! those are done twice that a dead one had in hand.
//!
//! `MESSENGER_POOL_KILLS` says how many kills are tried of each kind (`ci/nightly.sh`).

use std::collections::BTreeMap;
#[cfg(feature = "fault")]
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use messenger::shared::{Change, SharedBus};
#[cfg(feature = "fault")]
use messenger::{bus::Start, shared::MemberKind};

use crate::kit::{Other, TAG, until};
use crate::pool::{BATCH, HOLD, Place, Sender, begin_stop, stop};
#[cfg(feature = "fault")]
use crate::{
    kit::fresh,
    pool::{Config, send_at_once},
};

/// Those from here on are never killed.
const SURVIVOR: u64 = 1 << 32;

fn kills(usual: u64) -> u64 {
    let asked = std::env::var("MESSENGER_POOL_KILLS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(usual)
}

/// That each of the jobs up to `last` was done, by survivors once at the most, and again only what the dead had in hand.
fn complete(by: &BTreeMap<u64, Vec<u64>>, last: u64) {
    let missing: Vec<_> = (1..=last).filter(|n| !by.contains_key(n)).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert_eq!(by.len() as u64, last);
    let mut again = BTreeMap::<u64, usize>::new();
    for (n, who) in by {
        // Whoever was last did it; all before were killed over it.
        let (_, before) = who.split_last().unwrap();
        assert!(before.iter().all(|who| *who < SURVIVOR), "{n}: {who:?}");
        for &victim in before {
            *again.entry(victim).or_default() += 1;
        }
    }
    let most = again.values().max().copied().unwrap_or(0);
    let sum: usize = again.values().sum();
    println!("{last} jobs, {sum} of them again; of one victim {most} at the most");
    assert!(
        most <= BATCH,
        "a dead one had more in hand than a batch: {again:?}"
    );
}

/// Kills one; back when what it has left is settled.
fn settled(bus: &SharedBus, dead: &mut Other) {
    let told = bus.membership();
    dead.kill();
    until("it is settled", || {
        let mut told = told.try_iter();
        told.any(|it| matches!(it.change, Change::Died { .. }))
    });
}

/// Waits until a member has died at its point, or has stood still there for a moment; kills it if it does not come there, or goes on.
#[cfg(feature = "fault")]
fn dies(mut victim: Other, patience: Duration) -> bool {
    let begun = Instant::now();
    loop {
        if victim.child.try_wait().unwrap().is_some() {
            return true;
        }
        if victim.is_still() {
            thread::sleep(MOMENT);
            victim.signal("-CONT");
            thread::sleep(MOMENT);
            victim.kill();
            return true;
        }
        if begun.elapsed() > patience {
            victim.kill();
            return false;
        }
        thread::sleep(Duration::from_micros(200));
    }
}

/// For how long one stands still, so that others go on meanwhile.
#[cfg(feature = "fault")]
const MOMENT: Duration = Duration::from_millis(3);

/// The stores of one who comes, takes and finishes, and the highest hit that is tried.
#[cfg(feature = "fault")]
const POINTS: [(&str, u64); 10] = [
    ("seat_taken", 1),
    ("seat_unheld", 1),
    ("pool_begun", 1),
    ("turn_named", 40),
    ("turn_begun", 40),
    ("turn_written", 40),
    ("turn_confirmed", 40),
    ("turn_taken", 40),
    ("advanced", 60),
    ("seat_said", 40),
];

/// The stores of one who settles for dead members, and moves to what they have left.
#[cfg(feature = "fault")]
const LEFT: [&str; 17] = [
    "settling:1",
    "hold_timed:1",
    "slot_handed_over:1",
    "seat_held:1",
    "seat_held:2",
    "seat_freed:1",
    "seat_freed:2",
    "death_called:1",
    "settled_all:1",
    "seat_adopted:1",
    "slot_taken_over:1",
    "seat_moved:1",
    "seat_forgotten:1",
    "move_called:1",
    "seat_risen:1",
    "seat_left:1",
    "seat_empty:1",
];

/// One after the other is killed, or stopped, at a point, and another beside it at a random time, so that there is somebody to adopt from.
#[cfg(feature = "fault")]
fn at_every_point(survivors: u64, hold: Duration, bytes: usize) {
    let rounds = kills(60).div_ceil(10);
    let mut place = Place::new(bytes, hold);
    place.config.pause = Duration::from_micros(50);
    let others: Vec<_> = (0..survivors)
        .map(|number| place.start(SURVIVOR + number))
        .collect();
    if survivors == 0 {
        // From now on everything is kept for the pool.
        place.start(0).kill();
    }
    let sender = Sender::new(&place);
    let mut hit = BTreeMap::<&str, u64>::new();
    let mut number = 1;
    for round in 0_u64.. {
        // Beyond the usual rounds there are more for those to which nobody came in time, as on a busy machine.
        let more = round.saturating_sub(rounds - 1);
        let wanted = POINTS
            .iter()
            .filter(|(point, _)| more == 0 || !hit.contains_key(point));
        let wanted: Vec<_> = wanted.copied().collect();
        if wanted.is_empty() {
            break;
        }
        assert!(more < 10, "nobody was killed at {wanted:?}");
        for (point, most) in wanted {
            let time = match more {
                0 => 1 + (round * 7 + number) % most,
                _ => 1,
            };
            let beside = place.start_at(number, None);
            let stops = more == 0 && round % 2 == 1;
            let stop = if stops { ":stop" } else { "" };
            let victim = place.start_at(number + 1, Some(&format!("{point}:{time}{stop}")));
            thread::sleep(Duration::from_micros(3000 + number * 617 % 5000));
            dies(beside, Duration::ZERO);
            let patience = Duration::from_millis(60 << more);
            if dies(victim, patience) && !stops {
                *hit.entry(point).or_default() += 1;
            }
            number += 2;
        }
    }
    println!("killed at points: {hit:?}");
    let last = sender_ends(&place, sender, survivors);
    complete(&place.wait(last), last);
    until("nothing is owed", || place.crew().lag == Some(0));
    ends(place, others);
}

/// Those that live leave, and then nothing is left of the bus.
fn ends(place: Place, others: Vec<Other>) {
    others.into_iter().for_each(stop);
    let file = place.bus.path().to_owned();
    drop(place);
    assert!(!file.exists(), "{} is left", file.display());
}

/// Ends the sending; with nobody left, somebody comes to do what there is to do.
fn sender_ends(place: &Place, sender: Sender, survivors: u64) -> u64 {
    if survivors > 0 {
        return sender.end();
    }
    let last = place.start(SURVIVOR);
    let sent = sender.end();
    place.wait(sent);
    stop(last);
    sent
}

#[cfg(feature = "fault")]
#[test]
fn members_are_killed_at_every_point_beside_two_that_live() {
    at_every_point(2, Duration::ZERO, 1 << 14);
}

#[cfg(feature = "fault")]
#[test]
fn members_are_killed_at_every_point_and_none_lives() {
    at_every_point(0, HOLD, 1 << 12);
}

/// Two die with jobs in hand, and others take over from them, whom `starts` starts by the bus's name, at each of the points; it gives those that live. There
/// is nobody else but a process that stands still.
#[cfg(feature = "fault")]
fn after_two_deaths(starts: impl Fn(&mut Config, &str, &str) -> Vec<Other>) {
    const JOBS: u64 = 200;
    for round in 0..kills(60).div_ceil(20) {
        for point in LEFT {
            let options = SharedBus::options().keep(true).hold_for_workers(HOLD);
            let bus = options.create(&fresh()).unwrap();
            let name = bus.name().to_owned();
            let mut config = Config::new(&bus);
            let still = Other::start("leaves", &name);
            until("it is here", || bus.processes().len() == 2);
            still.halt();
            (config.pause, config.held) = (Duration::from_millis(3), true);
            // However late they are stopped, each has something in hand.
            (1..=2).for_each(|number| config.let_end(number, JOBS - 50));
            let mut dead = [1, 2].map(|number| config.start(&name, number, None));
            dead.iter_mut().for_each(|it| assert_eq!(it.line(), "runs"));
            config.held = false;
            send_at_once(&bus, &config, 1..=JOBS);
            drop(bus);
            thread::sleep(Duration::from_millis(round % 10 * 3));
            let owe = || {
                let look = SharedBus::look(Path::new("/dev/shm"), &name).unwrap().look;
                let crew = look.unwrap().workers.pop().unwrap();
                let owe = crew
                    .members
                    .unwrap()
                    .into_iter()
                    .filter(|it| it.owes.is_some());
                owe.count() == 2
            };
            // So that neither settles for the other.
            until("both have something in hand", || {
                dead.iter().for_each(Other::halt);
                owe() || {
                    dead.iter().for_each(|it| it.signal("-CONT"));
                    false
                }
            });
            dead.iter_mut().for_each(Other::kill);
            let mut last = starts(&mut config, &name, point);
            last.iter_mut().for_each(|it| assert_eq!(it.line(), "runs"));
            complete(&config.wait(JOBS), JOBS);
            last.into_iter().for_each(stop);
            drop(still);
            std::fs::remove_dir_all(&config.dir).unwrap();
            SharedBus::remove(&name).unwrap();
        }
    }
}

#[cfg(feature = "fault")]
#[test]
fn who_takes_over_from_the_dead_is_killed_too() {
    after_two_deaths(|config, name, point| {
        let died = dies(config.start(name, 3, Some(point)), Duration::from_secs(120));
        assert!(died, "it did not come to {point}");
        config.pause = Duration::ZERO;
        vec![config.start(name, SURVIVOR, None)]
    });
}

/// The stores of the first one that comes to a pool, and the hit of each at which it is killed. (Another name is said before: the process's.)
#[cfg(feature = "fault")]
const BEGINNING: [&str; 14] = [
    "name_said:2",
    "worker_cleared:1",
    "worker_cleared:2",
    "worker_cleared:3",
    "pool_cleared:1",
    "pool_named:1",
    "seat_cleared:1",
    "seat_cleared:5",
    "seat_cleared:10",
    "seat_assigned:1",
    "seat_claimed:1",
    "seat_taken:1",
    "pool_found:1",
    "pool_begun:1",
];

/// Those of one who leaves it in good order.
#[cfg(feature = "fault")]
const LEAVING: [&str; 2] = ["seat_let_go:1", "seat_vacated:1"];

#[cfg(feature = "fault")]
#[test]
fn whoever_is_killed_as_a_pool_begins_or_ends_nothing_is_missing() {
    for point in BEGINNING.into_iter().chain(LEAVING) {
        let place = Place::new(1 << 12, HOLD);
        place.send(1..=60).join().unwrap();
        let mut victim = place.start_at(1, Some(point));
        if LEAVING.contains(&point) {
            assert_eq!(victim.line(), "runs");
            place.wait(60);
            // It may be dead before it can say that it stops.
            drop(victim.child.stdin.take());
        }
        victim.is_killed(point);
        let other = place.start(SURVIVOR);
        place.send(61..=1000).join().unwrap();
        complete(&place.wait(1000), 1000);
        until("nothing is owed", || place.crew().lag == Some(0));
        until("room", || place.bus.bus().stats().subscribers.len() == 1);
        stop(other);
    }
}

#[cfg(feature = "fault")]
#[test]
fn who_is_killed_as_a_pool_begins_within_a_record_does_not_begin_it_again() {
    let mut place = Place::new(1 << 12, HOLD);
    place.config.begins = Some(place.bus.bus().tail() + 16);
    place.send(1..=60).join().unwrap();
    place
        .start_at(1, Some("pool_moved:1"))
        .is_killed("pool_moved");
    place.config.begins = None;
    let other = place.start(SURVIVOR);
    place.send(61..=1000).join().unwrap();
    let by = place.wait(999);
    assert_eq!(by.keys().next(), Some(&2));
    assert!(by.values().all(|who| *who == [SURVIVOR]), "{by:?}");
    stop(other);
}

/// One stops of a panic with jobs in hand, and is killed before it has called the others to what it owes.
#[cfg(feature = "fault")]
#[test]
fn who_is_killed_as_it_stops_with_something_in_hand_leaves_it_to_others() {
    let mut place = Place::new(1 << 12, HOLD);
    place.config.panics_at = 9;
    let mut victim = place.start_at(1, Some("pool_called:1"));
    place.send(1..=60).join().unwrap();
    victim.is_killed("pool_called");
    place.config.panics_at = u64::MAX;
    let other = place.start(SURVIVOR);
    let by = place.wait(59);
    // The job at fault is not given again.
    assert!(
        by.keys()
            .eq((1..=60).filter(|n| *n != 9).collect::<Vec<_>>().iter())
    );
    assert!(by.values().all(|who| who.len() == 1), "{by:?}");
    until("nothing is owed", || place.crew().lag == Some(0));
    stop(other);
}

/// One settles for a dead member that owes nothing, while others are there for what nobody has taken; and dies over it.
#[cfg(feature = "fault")]
#[test]
fn who_settles_for_one_that_owes_nothing_is_killed_too() {
    let options = SharedBus::options().bytes(1 << 12).keep(true);
    let bus = options.hold_for_workers(HOLD).create(&fresh()).unwrap();
    let name = bus.name().to_owned();
    let config = Config::new(&bus);
    let mut members = [1, 2].map(|number| config.start(&name, number, None));
    members
        .iter_mut()
        .for_each(|it| assert_eq!(it.line(), "runs"));
    send_at_once(&bus, &config, 1..=60);
    config.wait(60);
    until("nothing is owed", || bus.workers()[0].lag == Some(0));
    let [mut dead, still] = members;
    still.halt();
    drop(bus);
    dead.kill();
    let mut settles = config.start(&name, 3, Some("seat_cut_off:1"));
    settles.is_killed("seat_cut_off");
    let last = config.start(&name, SURVIVOR, None);
    let bus = SharedBus::open(&name).unwrap();
    let sending = config.clone();
    still.signal("-CONT");
    send_at_once(&bus, &sending, 61..=1000);
    complete(&config.wait(1000), 1000);
    // Of the two that live.
    until("room", || bus.bus().stats().subscribers.len() == 2);
    drop((still, last, bus));
    std::fs::remove_dir_all(&config.dir).unwrap();
    SharedBus::remove(&name).unwrap();
}

/// One moves to the seat of a dead member while its own answers wait for room, and is killed on the way, or when they have found it.
#[cfg(feature = "fault")]
#[test]
fn who_is_killed_while_it_owes_something_in_two_seats_loses_nothing() {
    const JOBS: u64 = 2 * BATCH as u64;
    let points = [
        "behind_moved:1",
        "behind_said:1",
        "behind_risen:1",
        "behind_empty:1",
    ];
    for point in points {
        let mut place = Place::new(1 << 12, HOLD);
        let mut reads = place.bus.bus().subscribe(Start::Oldest).unwrap();
        let mut fills = place.bus.bus().publisher().unwrap();
        // Room for all answers, which is not the jobs' own.
        fills.send(TAG, &[0; 1000]).unwrap();
        place.config.begins = Some(place.bus.bus().tail());
        (place.config.held, place.config.answers) = (true, 1);
        place.send(1..=JOBS).join().unwrap();
        let mut dead = place.start(1);
        until("it has begun", || place.log().contains(&(1, 1)));
        place.config.held = false;
        // There is no room for answers.
        while fills.try_send(TAG, &[0; 16]).is_ok() {}
        let mut moves = place.start_at(2, Some(point));
        until("the rest is done", || place.log().contains(&(JOBS, 2)));
        dead.kill();
        if point != "behind_moved:1" {
            until("it has moved", || place.log().contains(&(BATCH as u64, 2)));
            while reads.try_next().unwrap().is_some() {}
        }
        moves.is_killed(point);
        drop(reads);
        place.config.answers = 0;
        let last = place.start(SURVIVOR);
        let by = place.wait(JOBS);
        assert_eq!(by.len() as u64, JOBS);
        until("nothing is owed", || place.crew().lag == Some(0));
        let by = place.wait(JOBS);
        let again = |who: &Vec<u64>| who.iter().filter(|who| **who == SURVIVOR).count() > 1;
        assert!(!by.values().any(again), "{by:?}");
        stop(last);
    }
}

/// One is killed as it gives back a seat for which it finds no subscriber.
#[cfg(feature = "fault")]
#[test]
fn who_is_killed_as_it_gives_back_a_seat_leaves_it_to_others() {
    let points = "seat_adopted:1:stop,seat_given_back:1";
    let (place, mut dead, mut first, sent) = who_has_let_go(Some(points));
    let second = place.start(3);
    second.halt();
    dead.kill();
    first.stands_still();
    let bus = place.bus.bus();
    let none: Vec<_> = std::iter::from_fn(|| bus.observe(Start::Newest).ok()).collect();
    first.signal("-CONT");
    first.is_killed(points);
    drop(none);
    second.signal("-CONT");
    place.wait(sent);
    until("nothing is owed", || place.crew().lag == Some(0));
    assert!(place.log().contains(&(2, 3)));
}

/// One is killed as it says from where on something that was owed is retained: what is goes to another.
#[cfg(feature = "fault")]
#[test]
fn who_is_killed_over_what_is_missed_leaves_the_rest_to_others() {
    let (place, mut dead, mut first, mut sent) = who_has_let_go(Some("miss_said:1"));
    first.halt();
    settled(&place.bus, &mut dead);
    sent += 1;
    place.send(sent..=sent).join().unwrap();
    first.signal("-CONT");
    first.is_killed("miss_said");
    let last = place.start(SURVIVOR);
    let by = place.wait(sent);
    until("nothing is owed", || place.crew().lag == Some(0));
    // The second and the third job are retained.
    assert_eq!(by[&2].last(), Some(&SURVIVOR));
    assert!(by[&3].len() <= 2, "{by:?}");
    stop(last);
}

/// A pool on a bus of these options that has done so many jobs, when somebody was killed at `point` who was to forget it.
#[cfg(feature = "fault")]
fn half_forgotten(
    options: messenger::shared::SharedOptions,
    jobs: u64,
    point: &str,
) -> (SharedBus, String, Config) {
    let bus = options.keep(true).create(&fresh()).unwrap();
    let name = bus.name().to_owned();
    let config = Config::new(&bus);
    let mut member = config.start(&name, 1, None);
    assert_eq!(member.line(), "runs");
    send_at_once(&bus, &config, 1..=jobs);
    config.wait(jobs);
    stop(member);
    let fault = Some(("MESSENGER_FAULT", point));
    Other::start_with("forgets", &name, fault).is_killed(point);
    (bus, name, config)
}

/// Who forgets a pool, or begins to and is killed, leaves one that can be forgotten, and then nothing of it takes any place.
#[cfg(feature = "fault")]
#[test]
fn who_is_killed_as_it_forgets_a_pool_leaves_nothing_of_it() {
    for point in [
        "pool_unsaid:1",
        "pool_unheld:1",
        "pool_unbegun:1",
        "seat_unwanted:1",
        "seat_forgone:1",
        "pool_forgotten:1",
    ] {
        let (bus, name, config) = half_forgotten(SharedBus::options().workers(2), 20, point);
        assert!(bus.forget_worker("Works.Crew").unwrap(), "{point}");
        // There is room for this one only if the member's is free.
        let builder = crate::pool::other::Others::builder(&bus, config.clone());
        let running = builder.start(Start::Oldest).run().unwrap();
        until("all again, by it", || config.log().len() == 40);
        running.stop().unwrap();
        assert!(bus.forget_worker("Others.Lone").unwrap());
        std::fs::remove_dir_all(&config.dir).unwrap();
        drop(bus);
        SharedBus::remove(&name).unwrap();
    }
}

/// What its seats said does not count for the pool that begins in its place.
#[cfg(feature = "fault")]
#[test]
fn a_pool_that_was_half_forgotten_begins_anew() {
    for (point, then) in [
        ("pool_unbegun:1", "turn_named:3"),
        ("pool_unbegun:1", "turn_taken:2"),
        ("seat_forgone:1", "turn_taken:2"),
    ] {
        let (bus, name, config) = half_forgotten(SharedBus::options(), 200, point);
        config.start(&name, 2, Some(then)).is_killed(then);
        let mut last = config.start(&name, 3, None);
        assert_eq!(last.line(), "runs");
        until("all again", || {
            let again = config.log().into_iter().filter(|(_, who)| *who > 1);
            let again: std::collections::BTreeSet<_> = again.map(|(n, _)| n).collect();
            again.len() == 200
        });
        stop(last);
        std::fs::remove_dir_all(&config.dir).unwrap();
        drop(bus);
        SharedBus::remove(&name).unwrap();
    }
}

/// Another comes, and takes over what it can, before it goes on.
#[cfg(feature = "fault")]
#[test]
fn who_takes_over_from_the_dead_is_stopped_for_a_moment() {
    after_two_deaths(|config, name, point| {
        config.pause = Duration::from_micros(200);
        let first = config.start(name, SURVIVOR, Some(&format!("{point}:stop")));
        first.stands_still();
        let other = config.start(name, SURVIVOR + 1, None);
        thread::sleep(10 * MOMENT);
        first.signal("-CONT");
        vec![first, other]
    });
}

/// At any time, on a small ring, where what isn't held is overwritten at once.
fn at_any_time(survivors: u64, hold: Duration) {
    let mut place = Place::new(1 << 12, hold);
    place.config.pause = Duration::from_micros(30);
    let others: Vec<_> = (0..survivors)
        .map(|number| place.start(SURVIVOR + number))
        .collect();
    if survivors == 0 {
        place.start(0).kill();
    }
    let sender = Sender::new(&place);
    let mut running: Vec<Other> = Vec::new();
    for number in 1..=kills(60) {
        running.push(place.start_at(number, None));
        thread::sleep(Duration::from_micros(number * 617 % 9000));
        if running.len() > 2 {
            running.remove(0).kill();
        }
    }
    for mut victim in running {
        victim.kill();
    }
    let last = sender_ends(&place, sender, survivors);
    complete(&place.wait(last), last);
    ends(place, others);
}

#[test]
fn members_are_killed_at_any_time_beside_one_that_lives() {
    at_any_time(1, Duration::ZERO);
}

#[test]
fn members_are_killed_at_any_time_and_none_lives() {
    at_any_time(0, HOLD);
}

/// Who is stopping handles what a dead one owes as far as before the stop. What it owed beyond stays held, and owed.
#[test]
fn who_stops_does_not_lose_what_a_dead_one_owed_beyond_the_stop() {
    const JOBS: u64 = 300;
    let mut place = Place::new(1 << 12, HOLD);
    place.config.held = true;
    place.send(1..=6).join().unwrap();
    let mut stopping = place.start(1);
    until("it has begun", || !place.log().is_empty());
    begin_stop(&mut stopping);
    place.send(7..=10).join().unwrap();
    // It takes two from before the stop, and two from beyond.
    let mut dead = place.start(2);
    until("it has begun, too", || place.log().contains(&(5, 2)));
    settled(&place.bus, &mut dead);
    place.config.let_end(1, 6);
    assert_eq!(stopping.line(), "stopped");
    let log = place.log();
    assert_eq!(
        log.iter().filter(|(_, who)| *who == 1).count(),
        6,
        "{log:?}"
    );
    // What is not held is overwritten.
    let sending = place.send(11..=JOBS);
    thread::sleep(Duration::from_millis(100));
    place.config.held = false;
    let last = place.start(SURVIVOR);
    sending.join().unwrap();
    complete(&place.wait(JOBS), JOBS);
    stop(last);
}

/// Starts one that is to die: it has handled the first job, whose answer waits for room, and has let go of it, for all waited for that; now it has the second
/// in hand. Another, perhaps stopped at a point, has handled all the rest. Says how many there are.
fn who_has_let_go(fault: Option<&str>) -> (Place, Other, Other, u64) {
    let mut place = Place::new(1 << 12, HOLD);
    (place.config.held, place.config.answers) = (true, 1);
    place.send(1..=4).join().unwrap();
    let dead = place.start(1);
    until("it has begun", || !place.log().is_empty());
    (place.config.held, place.config.answers) = (false, 0);
    let mut other = place.start_at(2, fault);
    assert_eq!(other.line(), "runs");
    let (mut publisher, mut sent) = (place.publisher(), 4);
    // Up to where the first job is held.
    while publisher.try_send(&crate::pool::job(sent + 1)).is_ok() {
        sent += 1;
    }
    // All but the three that the first one has in hand, and not begun.
    place.wait(sent - 3);
    place.config.let_end(1, 1);
    until("it has let go of the first", || {
        place.log().contains(&(2, 1))
    });
    (place, dead, other, sent)
}

#[test]
fn what_a_dead_one_let_go_of_is_given_again_or_said_to_be_missed() {
    for overwritten in [false, true] {
        let (place, mut dead, mut other, mut sent) = who_has_let_go(None);
        other.halt();
        settled(&place.bus, &mut dead);
        let mut publisher = place.publisher();
        // Up to where the other holds.
        while overwritten && publisher.try_send(&crate::pool::job(sent + 1)).is_ok() {
            sent += 1;
        }
        drop(publisher);
        other.signal("-CONT");
        let by = place.wait(sent);
        until("nothing is owed", || place.crew().lag == Some(0));
        begin_stop(&mut other);
        let said = other.line();
        println!("{said}");
        assert_eq!(by[&2], [1, 2]);
        assert_eq!(by[&3], [2]);
        if overwritten {
            assert!(said.contains("retains only what begins"), "{said}");
        } else {
            assert_eq!(said, "stopped");
            assert!(place.log().contains(&(1, 2)));
        }
    }
}

/// One finds no room for a subscriber to take over with, after others have looked in vain, and stands still: they look again.
#[cfg(feature = "fault")]
#[test]
fn what_one_gives_back_is_taken_over_by_another() {
    let (place, mut dead, first, sent) = who_has_let_go(Some("seat_adopted:1:stop"));
    let second = place.start(3);
    second.halt();
    dead.kill();
    first.stands_still();
    let bus = place.bus.bus();
    let none: Vec<_> = std::iter::from_fn(|| bus.observe(Start::Newest).ok()).collect();
    second.signal("-CONT");
    thread::sleep(Duration::from_millis(100));
    until("it has given back the seat, and stands still", || {
        first.signal("-CONT");
        thread::sleep(Duration::from_millis(20));
        first.halt();
        let members = place.crew().members.unwrap();
        members
            .iter()
            .any(|it| it.owes.is_some() && it.process.is_none())
    });
    drop(none);
    place.wait(sent);
    until("nothing is owed", || place.crew().lag == Some(0));
    assert!(place.log().contains(&(2, 3)));
}

/// What was held for a dead one is freed by a member that moves to its seat, and by whoever finds it held for nobody. Only one of them does it, or it
/// might be another's by then.
#[cfg(feature = "fault")]
#[test]
fn what_was_held_is_freed_once() {
    assert!((0..50).any(|_| is_freed_by_another()), "always by itself");
}

/// `false`: who moved was stopped as its watcher looked, too, which has freed it, or has the door.
#[cfg(feature = "fault")]
fn is_freed_by_another() -> bool {
    let bus = SharedBus::options().keep(true).create(&fresh()).unwrap();
    let name = bus.name().to_owned();
    let mut config = Config::new(&bus);
    let most = BATCH as u64;
    send_at_once(&bus, &config, 1..=2 * most);
    let mut fills = Other::start("fills", &name);
    let fault = ("MESSENGER_FAULT", "seat_forgotten:1:stop");
    let mut frees = Other::start_with("leaves", &name, Some(fault));
    until("both are here", || bus.processes().len() == 3);
    fills.halt();
    // It is at work while the other dies, so its own slot holds what that one owes.
    config.held = true;
    let mut moves = config.start(&name, 2, Some("seat_moved:1:stop"));
    assert_eq!(moves.line(), "runs");
    until("it has begun", || config.log().contains(&(1, 2)));
    let mut dead = config.start(&name, 1, None);
    until("the other, too", || config.log().contains(&(most + 1, 1)));
    settled(&bus, &mut dead);
    drop(bus);
    config.let_end(2, most);
    moves.stands_still();
    let by_another = (0..5000).any(|_| {
        thread::sleep(Duration::from_millis(1));
        frees.is_still()
    });
    if by_another {
        moves.signal("-CONT");
        until("it goes on", || config.log().contains(&(most + 1, 2)));
        fills.signal("-CONT");
        std::io::Write::write_all(&mut fills.child.stdin.take().unwrap(), b"!").unwrap();
        let filled: usize = fills.line().parse().unwrap();
        frees.signal("-CONT");
        // It has the door until it is through.
        std::io::Write::write_all(&mut frees.child.stdin.take().unwrap(), b"!").unwrap();
        assert!(frees.child.wait().unwrap().success());
        let looked = SharedBus::look(Path::new("/dev/shm"), &name).unwrap();
        let look = looked.look.unwrap();
        let pid = fills.child.id();
        let place = look.processes.iter().find(|it| it.pid == pid).unwrap();
        let its = look.members.iter().filter(|it| {
            it.place == Some(place.place) && matches!(it.kind, MemberKind::Subscriber { .. })
        });
        assert_eq!(its.count(), filled, "one has lost its place");
    }
    drop((moves, fills, frees));
    std::fs::remove_dir_all(&config.dir).unwrap();
    SharedBus::remove(&name).unwrap();
    by_another
}

/// What is held for a dead member is not any more once another has its seat, and who waits for that room is told.
#[cfg(feature = "fault")]
#[test]
fn who_takes_the_seat_of_a_dead_one_wakes_who_waits_for_room() {
    let place = Place::new(1 << 12, Duration::from_secs(600));
    let mut idle = place.start(1);
    let other = place.start(2);
    idle.halt();
    let (mut publisher, mut sent) = (place.publisher(), 0);
    // Until there is no room when all has been done.
    let mut was = None;
    while was.replace(sent) != Some(sent) {
        while publisher.try_send(&crate::pool::job(sent + 1)).is_ok() {
            sent += 1;
        }
        place.wait(sent);
        until("nothing is owed", || place.crew().lag == Some(0));
    }
    stop(other);
    let mut waits = place.bus.bus().publisher().unwrap();
    let waiting = thread::spawn(move || {
        // At its end it looks once more, told or not.
        let (begun, time) = (Instant::now(), Duration::from_secs(60));
        waits.send_timeout(TAG, &[0; 100], time).unwrap();
        assert!(begun.elapsed() < time, "nobody told it");
    });
    thread::sleep(Duration::from_millis(50));
    idle.kill();
    // Whoever has come is told of by all that it does before; so it stands still until all have looked.
    let mut next = place.start_at(3, Some("seat_unheld:1:stop"));
    next.stands_still();
    thread::sleep(Duration::from_millis(100));
    assert!(!waiting.is_finished(), "what it had still to read is held");
    next.signal("-CONT");
    assert_eq!(next.line(), "runs");
    waiting.join().unwrap();
    stop(next);
}

/// One takes the seat of a dead member, and dies before it has a subscriber, and after the time for which things are held for that seat: that begins anew when
/// this death is settled. Who comes before that frees nothing.
#[cfg(feature = "fault")]
#[test]
fn what_a_dead_one_came_for_is_held_anew() {
    in_time(is_held_anew_for_the_next);
}

/// What takes longer than things are held, here, is done again with things that are held for longer.
fn in_time(is_done: impl Fn(Duration) -> bool) {
    let done = (1..=5).any(|times| is_done(Duration::from_secs(1 << times)));
    assert!(done, "a machine that is fast enough");
}

#[cfg(feature = "fault")]
fn is_held_anew_for_the_next(hold: Duration) -> bool {
    let options = SharedBus::options().keep(true).hold_for_workers(hold);
    let bus = options.bytes(1 << 12).create(&fresh()).unwrap();
    let name = bus.name().to_owned();
    let mut config = Config::new(&bus);
    let jobs = 2 * BATCH as u64;
    send_at_once(&bus, &config, 1..=jobs);
    config.held = true;
    let mut dead = config.start(&name, 1, None);
    until("it has begun", || config.log().contains(&(1, 1)));
    let held = Instant::now();
    settled(&bus, &mut dead);
    let fault = ("MESSENGER_FAULT", "settling:1:stop");
    let settles = Other::start_with("leaves", &name, Some(fault));
    until("it is here", || bus.processes().len() == 2);
    drop(bus);
    let mut comes = config.start(&name, 2, Some("seat_taken:1:stop"));
    comes.stands_still();
    let in_time = held.elapsed() < hold;
    if in_time {
        thread::sleep(hold);
        comes.kill();
        settles.stands_still();
        let bus = SharedBus::open(&name).unwrap();
        fill(bus.bus());
        config.held = false;
        let mut last = config.start(&name, SURVIVOR, None);
        assert_eq!(last.line(), "runs");
        settles.signal("-CONT");
        complete(&config.wait(jobs), jobs);
        stop(last);
    }
    drop((settles, comes));
    std::fs::remove_dir_all(&config.dir).unwrap();
    SharedBus::remove(&name).unwrap();
    in_time
}

/// Fills a bus for a moment, as far as there is room.
fn fill(bus: &messenger::bus::Bus) {
    let mut publisher = bus.publisher().unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(500) {
        if publisher.try_send(TAG, &[0; 100]).is_err() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// One dies with jobs in hand; and the other, before it comes to take them over, and after the time for which they were held. With nobody left that
/// begins anew for all that is owed.
#[test]
fn what_a_dead_one_owed_is_held_anew_when_the_last_one_dies() {
    in_time(is_held_anew_for_all);
}

fn is_held_anew_for_all(hold: Duration) -> bool {
    let mut place = Place::new(1 << 12, hold);
    let (most, jobs) = (BATCH as u64, 2 * BATCH as u64);
    place.config.held = true;
    place.send(1..=jobs).join().unwrap();
    let mut dead = place.start(1);
    until("it has begun", || place.log().contains(&(1, 1)));
    let mut busy = place.start(2);
    until("the other, too", || place.log().contains(&(most + 1, 2)));
    settled(&place.bus, &mut dead);
    thread::sleep(hold);
    let held = Instant::now();
    settled(&place.bus, &mut busy);
    fill(place.bus.bus());
    let mut last = place.config.clone();
    last.held = false;
    let mut last = last.start(place.bus.name(), SURVIVOR, None);
    assert_eq!(last.line(), "runs");
    let in_time = held.elapsed() < hold;
    if in_time {
        complete(&place.wait(jobs), jobs);
        stop(last);
    }
    in_time
}

/// What is held for a pool is not any more when the pool is forgotten.
#[test]
fn what_a_forgotten_pool_owed_is_not_held() {
    let mut place = Place::new(1 << 12, Duration::from_secs(600));
    place.config.held = true;
    place.send(1..=BATCH as u64).join().unwrap();
    let mut dead = place.start(1);
    until("it has begun", || place.log().contains(&(1, 1)));
    dead.kill();
    until("it is forgotten", || {
        place.bus.forget_worker("Works.Crew").is_ok()
    });
    let mut publisher = place.bus.bus().publisher().unwrap();
    for _ in 0..100 {
        let sent = publisher.send_timeout(TAG, &[0; 100], Duration::from_secs(120));
        sent.unwrap();
    }
}

/// Of two who forget a pool at once the second finds a worker that has begun nothing.
#[cfg(feature = "fault")]
#[test]
fn two_may_forget_a_pool_at_once() {
    let place = Place::new(1 << 12, HOLD);
    stop(place.start(1));
    let fault = ("MESSENGER_FAULT", "pool_unsaid:1:stop");
    let first = Other::start_with("forgets", place.bus.name(), Some(fault));
    first.stands_still();
    thread::scope(|scope| {
        let second = scope.spawn(|| place.bus.forget_worker("Works.Crew"));
        thread::sleep(Duration::from_millis(100));
        first.signal("-CONT");
        assert!(second.join().unwrap().unwrap());
    });
}
