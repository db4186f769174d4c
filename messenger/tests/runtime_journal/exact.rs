//! What handlers could not do again from the records alone: time, random numbers, timers, what has no cause.

use messenger::journal::Reader;
use messenger::{ActKind, Replay};

use super::kit::{Dir, small};
use super::table::*;
use super::until::until;

fn config() -> Config {
    Config {
        ticks: 100,
        idles: true,
        ..Config::default()
    }
}

#[test]
fn values_and_timers_come_again_in_their_places() {
    let dir = Dir::new("exact");
    let journal = dir.open(small());
    let config = Config {
        ticks: u64::MAX,
        ..config()
    };
    let app = sums(&journal, &config).run().unwrap();
    let mut n = 0;
    until("idle turns, and ticks between the squares", || {
        n += 1;
        publish(&app, [n], n);
        std::thread::sleep(std::time::Duration::from_micros(200));
        // Not before or after all of them.
        let is_between = |tick: &Tick| (2..n).contains(&tick.squares);
        n >= 60
            && all::<Tick>(&dir, 4).iter().any(|it| is_between(&it.1))
            && !all::<Idle>(&dir, 5).is_empty()
    });
    app.stop().unwrap();
    for _ in 0..3 {
        let reader = Reader::open(&dir).unwrap();
        let replayed = Sums::builder(&reader, config.clone()).replay(Replay::all());
        let replayed = replayed.unwrap();
        assert!(replayed.is_exact(), "{replayed}");
        assert!(replayed.unrecorded.is_empty(), "{replayed}");
    }
}

#[test]
fn asking_once_more_for_the_time_is_a_divergence() {
    let dir = Dir::new("asks");
    let journal = dir.open(small());
    let app = sums(&journal, &Config::default()).run().unwrap();
    publish(&app, 1..=20, 20);
    app.stop().unwrap();
    let asks = Config {
        asks: Some(9),
        ..Config::default()
    };
    let reader = Reader::open(&dir).unwrap();
    let replayed = Sums::builder(&reader, asks).replay(Replay::all()).unwrap();
    let divergence = &replayed.divergences[0];
    assert_eq!(divergence.worker, "Adding");
    assert_eq!(divergence.recorded.as_ref().unwrap().kind, ActKind::Random);
    assert_eq!(divergence.sent.as_ref().unwrap().kind, ActKind::Clock);
    let text = divergence.to_string();
    assert!(
        text.contains("a question of `Adder` for a random number, answer "),
        "{text}"
    );
    assert!(
        text.contains("now it has a question of `Adder` for the time, answer "),
        "{text}"
    );
    // Asked before the ninth sum: what stands there comes after the eighth.
    let sums = all::<Sum>(&dir, 3);
    assert!((sums[7].0..sums[8].0).contains(&divergence.position));
}

#[test]
fn a_timer_that_is_not_set_again_is_a_divergence() {
    let dir = Dir::new("unset");
    let journal = dir.open(small());
    let app = sums(&journal, &config()).run().unwrap();
    publish(&app, 1..=5, 5);
    while all::<Tick>(&dir, 4).len() < 5 {
        std::thread::yield_now();
    }
    app.stop().unwrap();
    let fewer = Config {
        ticks: 3,
        ..config()
    };
    let reader = Reader::open(&dir).unwrap();
    let replayed = Sums::builder(&reader, fewer).replay(Replay::all()).unwrap();
    let divergence = &replayed.divergences[0];
    assert_eq!(divergence.recorded.as_ref().unwrap().kind, ActKind::Timer);
    let text = divergence.to_string();
    assert!(
        text.contains("a timer of `Ticker`, number 4, before position "),
        "{text}"
    );
}
