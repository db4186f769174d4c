//! Replays: of what processes did that were killed, while the others went on.

use messenger::bus::Start;
use messenger::journal::Journal;
use messenger::{ReplayError, StartError};

use super::*;

const NUMBERS: u64 = 2000;

#[test]
fn what_processes_did_that_were_killed_at_any_time_is_replayed() {
    const KILLS: u64 = 15;
    let place = Place::new();
    let adding = place.run("Adding", "run");
    let sending = place.send(1..=NUMBERS);
    for kill in 0..KILLS {
        let mut counting = place.run("Counting", "run");
        thread::sleep(Duration::from_micros(kill * 617 % 5000));
        counting.kill();
        // While the others live.
        let replayed = replay(&place.dir, &USUAL);
        assert!(replayed.is_exact(), "{replayed}");
    }
    let counting = place.run("Counting", "run");
    ended(sending);
    place.wait(NUMBERS);
    stop(counting);
    place.wait(NUMBERS);
    stop(adding);
    let (compared, _) = done_again(&place.dir, &USUAL);
    let (answers, sums) = (all::<Answer>(&place.dir, 2), all::<Sum>(&place.dir, 3));
    println!("{} answers, {compared} compared", answers.len());
    assert_eq!(sums.len(), answers.len());
    // With each answer the time and a random number.
    assert!(compared > 3 * answers.len() as u64 + sums.len() as u64);
    // From the bus, too.
    let builder = Again::builder(&place.bus, USUAL).only(ALONE);
    assert!(builder.replay(Replay::all()).unwrap().is_exact());
}

/// Also between a note and what it is about; what they had claimed, others abort.
#[cfg(feature = "fault")]
#[test]
fn what_processes_did_that_were_killed_at_each_point_is_replayed() {
    let place = Place::new();
    let adding = place.run("Adding", "run");
    let mut last = 0;
    for (round, point) in POINTS.iter().cycle().take(4 * POINTS.len()).enumerate() {
        let time = match *point {
            "segment_named" => 1,
            _ => 1 + round * 7 % 53,
        };
        let counting = place.start_at("Counting", "run", &USUAL, Some(&format!("{point}:{time}")));
        last += 60;
        ended(place.send(last - 59..=last));
        if *point == "segment_named" {
            // Another process may make it.
            drop(counting);
        } else {
            dies(counting);
        }
        let replayed = replay(&place.dir, &USUAL);
        assert!(replayed.is_exact(), "{point}:{time}: {replayed}");
    }
    let counting = place.run("Counting", "run");
    place.wait(last);
    stop(counting);
    place.wait(last);
    stop(adding);
    done_again(&place.dir, &USUAL);
}

#[test]
fn what_another_build_did_is_found() {
    let place = Place::new();
    let adding = place.run("Adding", "run");
    let mut counting = place.run("Counting", "run");
    ended(place.send(1..=50));
    place.wait(50);
    counting.kill();
    let other = Config { shift: 60, ..USUAL };
    let counting = place.run_as("Counting", "run", &other);
    ended(place.send(51..=100));
    place.wait(101);
    stop(counting);
    place.wait(101);
    stop(adding);
    done_again(&place.dir, &other);
    let replayed = replay(&place.dir, &USUAL);
    let divergence = &replayed.divergences[0];
    let answers = all::<Answer>(&place.dir, 2);
    let first = answers.iter().find(|it| it.1.n == 61).unwrap();
    assert_eq!(
        (divergence.worker, divergence.position),
        ("Counting", first.0)
    );
}

/// Keeps what is in `dir` of a journal also when that gives it up.
fn link(dir: &Path, copy: &Path) {
    for file in std::fs::read_dir(dir).unwrap() {
        let name = file.unwrap().file_name();
        let text = name.to_str().unwrap();
        if text.ends_with(".segment") || text == "schema" {
            let _ = std::fs::hard_link(dir.join(&name), copy.join(&name));
        }
    }
}

#[test]
fn what_waited_in_a_spill_is_replayed() {
    let config = Config {
        answers: 100,
        ..USUAL
    };
    let place = Place::with(JournalConfig::new().bound(1 << 15));
    let running = place.running.as_ref().unwrap();
    let slow = running.subscribe_gating::<(Answer,)>(Start::Newest);
    let mut slow = slow.unwrap();
    // Before anybody answers: then there is no room until the slow one reads.
    ended(place.send(1..=10));
    let mut both = place.run_as("Counting+Adding", "run", &config);
    for _ in 0..4 {
        // The answers and notes are longer than what the slow one may be behind.
        thread::sleep(Duration::from_millis(50));
        both.kill();
        both = place.run_as("Counting+Adding", "run", &config);
    }
    let copy = place.dir.with_extension("copy");
    std::fs::create_dir(&copy).unwrap();
    let (mut answers, mut sums) = (0, 0);
    until("all sums", || {
        link(&place.dir, &copy);
        let more = slow.next_timeout(Duration::from_millis(50)).unwrap();
        let more = more.map(|next| next.get::<Answer>().unwrap().unwrap());
        answers += u64::from(more.is_some_and(|answer| answer.n == 10));
        if more.is_none() {
            sums = all::<Sum>(&copy, 3).len();
        }
        answers >= config.answers && sums >= all::<Answer>(&copy, 2).len()
    });
    stop(both);
    link(&place.dir, &copy);
    done_again(&copy, &config);
    std::fs::remove_dir_all(&copy).unwrap();
}

#[test]
fn a_pool_is_not_replayed_and_the_others_are() {
    let mut place = Place::new();
    let members = ["Crew", "Crew+Counting", "Adding"].map(|it| place.run(it, "run"));
    ended(place.send(1..=200));
    until("all numbers", || {
        all::<Sum>(&place.dir, 4).len() == 200 && all::<Sum>(&place.dir, 3).len() == 200
    });
    members.into_iter().for_each(stop);
    let reader = Reader::open(&place.dir).unwrap();
    let all_of_it = || Again::builder(&reader, USUAL).replay(Replay::all());
    let error = all_of_it().unwrap_err();
    assert_eq!(
        error.to_string(),
        "worker `Crew` is a pool that processes share: which of its members was given what is not for the journal to say, so it can be neither \
         restored nor replayed; choose the other workers with `only`"
    );
    assert!(matches!(
        error,
        ReplayError::Start(StartError::Pool { worker: "Crew" })
    ));
    let restored = Again::builder(&place.bus, USUAL).restore().run();
    assert!(matches!(restored, Err(StartError::Pool { worker: "Crew" })));
    done_again(&place.dir, &USUAL);
    // In one process it is as any worker, from where it began there.
    place.running = None;
    let other = SharedBus::create(&fresh(), 4096).unwrap();
    drop(std::mem::replace(&mut place.bus, other));
    let journal = Journal::open(&place.dir, JournalConfig::new()).unwrap();
    let restored = Again::builder(&journal, USUAL).restore().run();
    assert!(matches!(restored, Err(StartError::Pool { worker: "Crew" })));
    let run = Again::builder(&journal, USUAL).run().unwrap();
    let mut publisher = run.publisher::<Boss>().unwrap();
    let mut sums = run.subscribe::<(Sum,)>().unwrap();
    publisher.send(&Number { n: 201 }).unwrap();
    while sums.receive().unwrap().unwrap().sum != 201 {}
    drop((publisher, sums));
    run.stop().unwrap();
    assert!(all_of_it().unwrap().is_exact());
}

/// Waits for a thread, but not for ever.
fn ended(thread: thread::JoinHandle<()>) {
    until("the end of a thread", || thread.is_finished());
    thread.join().unwrap();
}
