//! Kills: a process that dies in the middle, again and again, does all the same what one does that never dies.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use messenger::bus::Start;
use messenger::journal::{Journal, Reader};
use messenger::{Replay, StartError};

use super::kit::{Dir, small};
use super::table::*;

const COUNT: u64 = 150;
/// Names the directory for the child.
const DIR: &str = "MESSENGER_TEST_RESTORED";
const POINTS: [&str; 7] = [
    "intent",
    "claimed",
    "owned",
    "filled",
    "finished",
    "settled",
    "segment_named",
];

fn config() -> Config {
    Config {
        ticks: 40,
        idles: true,
        ..Config::default()
    }
}

/// The life of a child: publishes the numbers that are not on the journal yet, and waits for the last sum.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    let journal = Journal::open(dir, small()).unwrap();
    let app = sums(&journal, &config()).restore().run().unwrap();
    let there = all::<Number>(dir, 1).len() as u64;
    publish(&app, there + 1..=COUNT, COUNT);
    app.stop().unwrap();
    journal.close().unwrap();
}

fn spawn(dir: &Path, fault: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::child", "--nocapture"]);
    command.env(DIR, dir).env("MESSENGER_FAULT", fault);
    command.stdout(Stdio::null()).spawn().unwrap()
}

/// Numbers that look random.
struct Seed(u64);

impl Seed {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

fn wait(child: &mut Child) -> ExitStatus {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if begun.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            panic!("a child waits for something that does not come");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Lets children run and die until one comes to the end. Gives how many died.
fn until_done(dir: &Path, mut next: impl FnMut(u64) -> (String, Option<Duration>)) -> u64 {
    for killed in 0.. {
        let (fault, killing) = next(killed);
        let mut child = spawn(dir, &fault);
        if let Some(after) = killing {
            std::thread::sleep(after);
            let _ = child.kill();
        }
        let status = wait(&mut child);
        if status.success() {
            return killed;
        }
        assert_eq!(
            status.signal(),
            Some(9),
            "{status} after {killed} kills, {fault}"
        );
    }
    unreachable!()
}

/// What a process leaves that never dies, and no more.
fn check(dir: &Path) {
    check_sums(dir, COUNT);
    let ticks: Vec<u64> = all::<Tick>(dir, 4).iter().map(|it| it.1.number).collect();
    assert!(ticks.iter().zip(1..).all(|(&n, expected)| n == expected));
    let reader = Reader::open(dir).unwrap();
    let replayed = Sums::builder(&reader, config()).replay(Replay::all());
    let replayed = replayed.unwrap();
    assert!(replayed.is_exact(), "{replayed}");
    assert!(replayed.unrecorded.is_empty(), "{replayed}");
}

/// How many journals, unless `MESSENGER_KILLS` says another number.
fn rounds(usual: u64) -> u64 {
    let told = std::env::var("MESSENGER_KILLS").ok();
    told.and_then(|told| told.parse().ok()).unwrap_or(usual)
}

#[test]
fn killed_at_fault_points_and_restored_nothing_is_lost_or_doubled() {
    let mut killed = 0;
    for round in 0..rounds(8) {
        let dir = Dir::new("killed");
        let mut seed = Seed(round);
        killed += until_done(&dir, |_| {
            let point = POINTS[seed.below(POINTS.len() as u64) as usize];
            let most = if point == "segment_named" { 6 } else { 300 };
            (format!("{point}:{}", 1 + seed.below(most)), None)
        });
        check(&dir);
    }
    println!("{killed} kills");
    assert!(killed >= rounds(8), "{killed} kills");
}

#[test]
fn killed_at_any_time_and_restored_nothing_is_lost_or_doubled() {
    let mut killed = 0;
    for round in 0..rounds(4) {
        let dir = Dir::new("killed-any-time");
        let mut seed = Seed(1000 + round);
        killed += until_done(&dir, |killed| {
            // More and more time, so that it comes to an end on a slow machine too.
            let after = Duration::from_micros(2000 + seed.below(15_000) + killed * 500);
            (String::new(), Some(after).filter(|_| killed < 200))
        });
        check(&dir);
    }
    println!("{killed} kills");
    assert!(killed > 0);
}

#[test]
fn what_was_on_its_way_is_published_when_it_is_restored() {
    let dir = Dir::new("on-its-way");
    // One worker dies before it has answered anything, the other ones have not heard of it.
    let journal = Journal::open(&dir, small()).unwrap();
    let app = sums(&journal, &config()).run().unwrap();
    publish(&app, 1..=10, 10);
    app.stop().unwrap();
    // Inputs that nobody hears.
    send(&journal, 11..=20);
    assert_eq!(all::<Square>(&dir, 2).len(), 11);
    let app = sums(&journal, &config()).restore().run().unwrap();
    let mut sums_there = app.subscribe_from::<(Sum,)>(Start::Oldest).unwrap();
    while sums_there.receive().unwrap().unwrap().count < 20 {}
    drop(sums_there);
    app.stop().unwrap();
    check_sums(&dir, 20);
    // And those of a build that does something else are not: none of it.
    let shifted = Config {
        shift: Some(1),
        ..config()
    };
    let refused = sums(&journal, &shifted).restore().run();
    assert!(matches!(refused, Err(StartError::Diverged(_))));
}

/// Names the directory for the child that is resumed.
const RESUMED: &str = "MESSENGER_TEST_RESUMED";

/// Squares the numbers that are there, from where it had got.
#[test]
fn resumed_child() {
    let Some(dir) = std::env::var_os(RESUMED) else {
        return;
    };
    let journal = Journal::open(dir, small()).unwrap();
    let app = sums(&journal, &Config::default())
        .only([Sums::SQUARING])
        .start(Start::Oldest)
        .resume()
        .run()
        .unwrap();
    let mut squares = app.subscribe_from::<(Square,)>(Start::Oldest).unwrap();
    while squares.receive().unwrap().unwrap().0 < COUNT * COUNT {}
    drop(squares);
    app.stop().unwrap();
}

#[test]
fn killed_and_resumed_each_record_is_handled_at_least_once() {
    let (mut killed, mut again) = (0, 0);
    for round in 0..rounds(4) {
        let dir = Dir::new("killed-resumed");
        let journal = Journal::open(&dir, small()).unwrap();
        send(&journal, 1..=COUNT);
        drop(journal);
        let mut seed = Seed(7 + round);
        loop {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "kill::resumed_child"]);
            let fault = format!("finished:{}", 2 + seed.below(120));
            command.env(RESUMED, &*dir).env("MESSENGER_FAULT", fault);
            let mut child = command.stdout(Stdio::null()).spawn().unwrap();
            let status = wait(&mut child);
            if status.success() {
                break;
            }
            assert_eq!(status.signal(), Some(9), "{status}");
            killed += 1;
        }
        let squares: Vec<u64> = all::<Square>(&dir, 2).iter().map(|it| it.1.0).collect();
        let mut distinct = squares.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let expected: Vec<u64> = (0..=COUNT).map(|n| n * n).collect();
        assert_eq!(distinct, expected);
        again += squares.len() - distinct.len();
    }
    println!("{killed} kills, {again} squares more than once");
    assert!(killed > 0);
}
