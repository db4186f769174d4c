//! Restoring: a process goes on where the one before was killed, while the others live.

use messenger::StartError;
use messenger::journal::{Journal, LeftBy, Retention};

use super::*;

const NUMBERS: u64 = 1500;

/// That each of the numbers was answered once, in order, by one who counted them all; and each answer added once.
fn once(place: &Place, last: u64) {
    let answers = all::<Answer>(&place.dir, 2);
    let got: Vec<_> = answers.iter().map(|it| (it.1.n, it.1.count)).collect();
    let expected: Vec<_> = (1..=last).map(|n| (n, n)).collect();
    assert_eq!(got, expected);
    let sums: Vec<_> = all::<Sum>(&place.dir, 3)
        .iter()
        .map(|it| it.1.sum)
        .collect();
    let expected: Vec<_> = (1..=last).map(|n| n * (n + 1) / 2).collect();
    assert_eq!(sums, expected);
}

#[test]
fn killed_at_any_time_and_restored_nothing_is_lost_or_doubled() {
    const KILLS: u64 = 15;
    let place = Place::new();
    let sending = place.send(1..=NUMBERS);
    // Each by itself, so that one goes on while the other is brought back.
    let mut both = [("Counting", None), ("Adding", None)];
    for kill in 0..2 * KILLS {
        let (workers, process) = &mut both[kill as usize % 2];
        let mut other = match process.take() {
            Some(other) => other,
            None => place.run(workers, "restore"),
        };
        thread::sleep(Duration::from_micros(kill * 617 % 5000));
        other.kill();
        *process = Some(place.run(workers, "restore"));
    }
    sending.join().unwrap();
    place.wait(NUMBERS);
    for (_, process) in both {
        stop(process.unwrap());
        place.wait(NUMBERS);
    }
    once(&place, NUMBERS);
    done_again(&place.dir, &USUAL);
}

#[cfg(feature = "fault")]
#[test]
fn killed_at_each_point_and_restored_nothing_is_lost_or_doubled() {
    let place = Place::new();
    let mut last = 0;
    for (round, point) in POINTS.iter().cycle().take(4 * POINTS.len()).enumerate() {
        let time = match *point {
            "segment_named" => 1,
            _ => 1 + round * 7 % 53,
        };
        let (workers, others) = match round % 3 {
            0 => ("Counting", "Adding"),
            1 => ("Adding", "Counting"),
            _ => ("Counting+Adding", ""),
        };
        let beside = (!others.is_empty()).then(|| place.run(others, "restore"));
        let fault = format!("{point}:{time}");
        let other = place.start_at(workers, "restore", &USUAL, Some(&fault));
        last += 60;
        place.send(last - 59..=last).join().unwrap();
        if *point == "segment_named" {
            // Another process may make it.
            drop(other);
        } else {
            dies(other);
        }
        beside.into_iter().for_each(stop);
    }
    let (counting, adding) = (
        place.run("Counting", "restore"),
        place.run("Adding", "restore"),
    );
    place.wait(last);
    stop(counting);
    place.wait(last);
    stop(adding);
    once(&place, last);
    done_again(&place.dir, &USUAL);
}

#[test]
fn one_that_does_something_else_is_refused_and_publishes_nothing() {
    let place = Place::new();
    let adding = place.run("Adding", "run");
    let mut counting = place.run("Counting", "run");
    place.send(1..=50).join().unwrap();
    place.wait(50);
    counting.kill();
    // What nobody has answered.
    place.send(51..=60).join().unwrap();
    let other = Config { shift: 40, ..USUAL };
    let mut refused = place.start_at("Counting", "restore", &other, None);
    let said = refused.line();
    assert!(said.contains("this build diverges at position"), "{said}");
    assert!(said.contains("Nothing has been published"), "{said}");
    assert!(refused.child.wait().unwrap().success());
    assert_eq!(all::<Answer>(&place.dir, 2).len(), 50);
    let here = Again::builder(&place.bus, other).only([Again::COUNTING]);
    let error = here.restore().run().unwrap_err();
    assert!(matches!(error, StartError::Diverged(_)), "{error}");
    let counting = place.run("Counting", "restore");
    place.wait(60);
    stop(counting);
    place.wait(60);
    stop(adding);
    once(&place, 60);
}

/// Whoever does not restore goes on where the worker had got, also after one who did.
#[test]
fn one_that_was_restored_says_how_far_it_has_got() {
    let place = Place::new();
    let adding = place.run("Adding", "run");
    let mut counting = place.run("Counting", "run");
    place.send(1..=50).join().unwrap();
    place.wait(50);
    counting.kill();
    place.send(51..=60).join().unwrap();
    let counting = place.run("Counting", "restore");
    place.wait(60);
    stop(counting);
    place.send(61..=70).join().unwrap();
    let counting = place.run("Counting", "run");
    place.wait(70);
    stop(counting);
    place.wait(70);
    stop(adding);
    let answers = all::<Answer>(&place.dir, 2);
    let got: Vec<_> = answers.iter().map(|it| (it.1.n, it.1.count)).collect();
    // Made anew, the last one counts anew.
    let expected = (1..=70).map(|n| (n, if n > 60 { n - 60 } else { n }));
    assert_eq!(got, expected.collect::<Vec<_>>());
    let (_, messages) = done_again(&place.dir, &USUAL);
    assert_eq!(messages, 2 * 70);
}

#[test]
fn a_worker_is_restored_in_one_process_and_among_several() {
    let mut place = Place::new();
    let name = place.bus.name().to_owned();
    let (mut counting, mut adding) = (place.run("Counting", "run"), place.run("Adding", "restore"));
    for round in 0..4 {
        let last = 40 * round + 20;
        place.send(last - 19..=last).join().unwrap();
        if round < 2 {
            place.wait(last);
        }
        counting.kill();
        adding.kill();
        // Of the bus's file nothing is left.
        place.running = None;
        let other = SharedBus::create(&fresh(), 4096).unwrap();
        drop(std::mem::replace(&mut place.bus, other));
        let journal = Journal::open(&place.dir, JournalConfig::new()).unwrap();
        let alone = Again::builder(&journal, USUAL).only(ALONE).restore();
        let alone = alone.run().unwrap();
        let mut publisher = alone.publisher::<Boss>().unwrap();
        for n in last + 1..=last + 20 {
            publisher.send(&Number { n }).unwrap();
        }
        drop(publisher);
        if round < 3 {
            place.wait(last + 20);
        }
        alone.stop().unwrap();
        drop(journal);
        place.bus = Place::options(&place.dir, JournalConfig::new())
            .create(&name)
            .unwrap();
        place.running = Some(Again::builder(&place.bus, USUAL).outside().run().unwrap());
        counting = place.run("Counting", "restore");
        adding = place.run("Adding", "restore");
    }
    place.wait(160);
    stop(counting);
    place.wait(160);
    stop(adding);
    once(&place, 160);
    done_again(&place.dir, &USUAL);
}

/// The cursors of workers follow what is synced.
#[test]
fn what_the_workers_have_passed_goes_though_nobody_asks_for_a_sync() {
    let place = Place::with(JournalConfig::new().retain(Retention::all().until_passed()));
    let counting = place.run("Counting", "run");
    let mut last = 0;
    until("given up", || {
        place.send(last + 1..=last + 100).join().unwrap();
        last += 100;
        place.bus.journal().unwrap().oldest() > 0
    });
    stop(counting);
}

/// The bus's own members are for what is no worker: there are no seats, so the same one would run twice.
#[test]
fn a_table_runs_on_the_shared_bus_and_not_on_its_bus() {
    let place = Place::new();
    let one = Again::builder(&place.bus, USUAL).only([Again::COUNTING]);
    let one = one.start(Start::Oldest).run().unwrap();
    let on_bus = Again::builder(place.bus.bus(), USUAL).only([Again::COUNTING]);
    let on_clone = Again::builder(place.bus.bus().clone(), USUAL).outside();
    let on_journal = Again::builder(place.bus.journal().unwrap(), USUAL);
    let on_its_bus = Again::builder(place.bus.journal().unwrap().bus(), USUAL);
    for builder in [on_bus, on_clone, on_journal, on_its_bus] {
        let error = builder.start(Start::Oldest).run().unwrap_err();
        assert!(matches!(error, StartError::NotAlone), "{error}");
        assert_eq!(
            error.to_string(),
            "processes share that bus, and which of them runs a worker stands elsewhere: give `builder` the `&SharedBus`, and not its \
             `bus()` or `journal()`"
        );
    }
    let ring = SharedBus::create(&fresh(), 4096).unwrap();
    let error = Again::builder(ring.bus(), USUAL).run().unwrap_err();
    assert!(matches!(error, StartError::NotAlone), "{error}");
    drop(one);
}

/// What a worker's seat says of what was handled is not to be believed: the answer is gone.
#[test]
fn after_a_loss_of_power_seats_in_a_file_are_not_believed() {
    after_a_loss_of_power(|_, _| ());
}

/// Nor if those die who find them.
#[cfg(feature = "fault")]
#[test]
fn after_a_loss_of_power_who_forgets_seats_may_be_killed() {
    after_a_loss_of_power(|_, name| {
        // There are three: a worker's, a pool's, and one in it.
        for point in ["worker_forgotten:1", "worker_forgotten:3", "history_said:1"] {
            let fault = Some(("MESSENGER_FAULT", point));
            Other::start_with("leaves", name, fault).is_killed(point);
        }
    });
}

/// Nor where somebody has had the journal alone before that, so that it has words of this boot again.
#[test]
fn after_a_loss_of_power_the_journal_may_be_opened_alone() {
    after_a_loss_of_power(|place, _| {
        let alone = Journal::open_existing(&place.dir, JournalConfig::new()).unwrap();
        assert_eq!(alone.recovery().left, LeftBy::PowerLoss);
        alone.close().unwrap();
    });
}

/// A loss of power, simulated: of the journal the disk has all but the last answer, and the bus's file was on it, too. Gives the place of the logs, and
/// the bus's name.
fn lose_power() -> (Place, String) {
    let mut place = Place::new();
    let name = place.bus.name().to_owned();
    let file = place.bus.path().to_owned();
    let mut counting = place.run("Counting", "run");
    let mut crew = place.run("Crew", "run");
    place.send(1..=5).join().unwrap();
    until("all is handled", || {
        let tail = place.bus.bus().tail();
        let numbers = all::<Number>(&place.dir, 1);
        let last = numbers.last().map_or(tail, |it| it.0);
        let workers = place.bus.workers();
        all::<Answer>(&place.dir, 2).len() == 5
            && workers.len() == 2
            && workers
                .iter()
                .all(|worker| worker.position.is_some_and(|at| at > last))
    });
    let kept = place.dir.with_extension("kept");
    let kept_file = place.dir.with_extension("bus");
    let copy = |from: &Path, to: &Path| {
        let mut copy = std::process::Command::new("cp");
        copy.arg("-pr").args([from, to]).status().unwrap().success()
    };
    // A file that is being made has another name in the end.
    until("a copy of all files", || {
        let _ = std::fs::remove_dir_all(&kept);
        copy(&place.dir, &kept)
    });
    assert!(copy(&file, &kept_file));
    // The journal's segments are longer than what was written here.
    let cut = all::<Answer>(&kept, 2).last().unwrap().0 as usize;
    let segment = kept.join("00000000000000000000.segment");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[4096 + cut..].fill(0);
    std::fs::write(&segment, bytes).unwrap();
    // Another boot.
    let control = kept.join("control");
    let mut bytes = std::fs::read(&control).unwrap();
    bytes[32..48].fill(7);
    std::fs::write(&control, bytes).unwrap();
    counting.kill();
    crew.kill();
    place.running = None;
    let other = SharedBus::create(&fresh(), 4096).unwrap();
    drop(std::mem::replace(&mut place.bus, other));
    std::fs::remove_dir_all(&place.dir).unwrap();
    std::fs::rename(&kept, &place.dir).unwrap();
    std::fs::rename(&kept_file, &file)
        .or_else(|_| {
            copy(&kept_file, &file);
            std::fs::remove_file(&kept_file)
        })
        .unwrap();
    (place, name)
}

/// `opens` is called before the bus is opened again, with its name.
fn after_a_loss_of_power(opens: impl FnOnce(&Place, &str)) {
    let (place, name) = lose_power();
    opens(&place, &name);
    let bus = SharedBus::open(&name).unwrap();
    assert!(bus.workers().is_empty(), "{:?}", bus.workers());
    let last = || {
        let answers = all::<Answer>(&place.dir, 2);
        answers.last().map(|it| it.1.n)
    };
    assert_eq!(last(), Some(4));
    // By its cursor, and not by its start.
    let running = Again::builder(&bus, USUAL).only([Again::COUNTING]);
    let running = running.run().unwrap();
    until("the answer that was lost", || last() == Some(5));
    running.stop().unwrap();
    // Of what a pool has done nothing is known without the file: as one that has never run.
    let running = Again::builder(&bus, USUAL).only([Again::CREW]);
    let running = running.start(Start::Oldest).run().unwrap();
    let of_crew = || {
        all::<Sum>(&place.dir, 4)
            .iter()
            .map(|it| it.1.sum)
            .collect::<Vec<_>>()
    };
    until("the numbers, again", || {
        of_crew().ends_with(&[1, 2, 3, 4, 5])
    });
    running.stop().unwrap();
}
