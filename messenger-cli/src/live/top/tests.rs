use std::time::Instant;

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::super::view::{MemberView, ProcessView, WorkerView};
use super::*;

fn process(place: usize, pid: u32, name: &str, lag: Option<u64>) -> ProcessView {
    ProcessView {
        place,
        pid,
        own_pid: 7,
        name: name.into(),
        since: "2026-11-27T04:00:00Z".into(),
        members: 3,
        lag,
    }
}

fn bus(name: &str, tail: u64, handled: u64) -> BusView {
    let lag = tail - handled;
    let member = MemberView {
        slot: 0,
        process: Some(0),
        kind: "idle",
        position: None,
        lag: None,
    };
    let look = LookView {
        created: "2026-11-27T03:00:00Z".into(),
        removes: true,
        head: 0,
        tail,
        used: tail.min(1 << 20),
        capacity: Some(1 << 20),
        journal: None,
        aborted: 2,
        lagged: 1,
        evicted: 3,
        lag: Some(lag),
        places: 64,
        slots: 64,
        processes: vec![
            process(0, 4711, "feed", None),
            process(2, 0, "trader", Some(lag)),
        ],
        died: vec![process(1, 99, "old", None)],
        workers: vec![
            WorkerView {
                name: "Market.Desk".into(),
                position: Some(handled),
                lag: Some(lag),
                process: Some(2),
                pool: None,
            },
            WorkerView {
                name: "Market.Night".into(),
                position: None,
                lag: None,
                process: None,
                pool: None,
            },
        ],
        members: vec![member],
        mean: Some(64.0),
    };
    BusView {
        name: name.into(),
        path: format!("/dev/shm/messenger.{name}"),
        state: State::Live,
        why: None,
        owner: 0,
        file_bytes: 1 << 20,
        in_use: true,
        bus: Some(look),
    }
}

fn damaged(name: &str) -> BusView {
    BusView {
        state: State::Damaged,
        why: Some("its tail can't be 7: something wrote over it".into()),
        bus: None,
        in_use: false,
        ..bus(name, 0, 0)
    }
}

/// The screen as text, and which of its lines are chosen.
fn drawn(screen: &Screen, rates: &Rates, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen.draw(frame, rates)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| {
        (0..width)
            .map(|x| buffer[(x, y)].symbol())
            .collect::<String>()
    };
    (0..height).map(|y| line(y).trim_end().to_owned()).collect()
}

/// Two looks, a second apart: a million bytes are published, and half of them handled.
fn looked() -> (Vec<BusView>, Rates) {
    let begin = Instant::now();
    let mut rates = Rates::default();
    rates.look(begin, &[bus("prices", 4096, 4096), damaged("scribbled")]);
    let mut buses = vec![bus("prices", 1_004_096, 504_096), damaged("scribbled")];
    buses.extend((0..20).map(|n| bus(&format!("more{n:02}"), 32, 0)));
    rates.look(begin + Duration::from_secs(1), &buses);
    (buses, rates)
}

#[test]
fn it_fits_on_80_by_24() {
    let (mut buses, rates) = looked();
    buses.truncate(3);
    let mut screen = Screen::new(Path::new("/dev/shm"), Duration::from_millis(500), true);
    screen.show(buses);
    let lines = drawn(&screen, &rates, (80, 24));
    let expected = "\
3 shared buses in /dev/shm, every 0.5 s
  bus            proc records/s  bytes/s retained capacity      lag state
> prices            2    ~15.6k  977 KiB  981 KiB    1 MiB  488 KiB live, 1 died
  scribbled         -         -        -        -        -        - damaged
  more00            2         -        -     32 B    1 MiB     32 B live, 1 died

prices  live, 1 died
positions 0 to 1004096, 2 aborted, 1 lapped, 3 evicted, 1 of 64 slots
worker                             behind    bytes/s  in
Market.Desk                       488 KiB    488 KiB  (7) trader
Market.Night                            -          -  none
process                            behind    members  since
4711 feed                               -          3  2026-11-27T04:00:00Z
(7) trader                        488 KiB          3  2026-11-27T04:00:00Z
99 old                               died
";
    let mut expected: Vec<_> = expected.lines().collect();
    expected.resize(23, "");
    expected.push("q or Esc ends, up and down choose a bus");
    assert_eq!(lines, expected);
}

#[test]
fn the_arrows_choose_a_bus() {
    let (buses, rates) = looked();
    let mut screen = Screen::new(Path::new("/dev/shm"), Duration::from_secs(1), false);
    screen.show(buses.clone());
    let shown = |screen: &Screen| {
        let lines = drawn(screen, &rates, (80, 24));
        let marked = lines.iter().find(|line| line.starts_with("> "));
        marked
            .unwrap()
            .split_whitespace()
            .nth(1)
            .unwrap()
            .to_owned()
    };
    assert_eq!(shown(&screen), "prices");
    screen.choose(-1);
    assert_eq!(shown(&screen), "prices");
    screen.choose(1);
    assert_eq!(shown(&screen), "scribbled");
    let text = drawn(&screen, &rates, (80, 24)).join("\n");
    assert!(text.contains("damaged: its tail can't be 7"), "{text}");
    // Those that don't fit are scrolled to.
    (0..100).for_each(|_| screen.choose(1));
    assert_eq!(shown(&screen), "more19");
    // The one that was chosen stays so while others come and go.
    screen.show(buses[5..].to_vec());
    assert_eq!(shown(&screen), "more19");
    screen.show(buses[..1].to_vec());
    assert_eq!(shown(&screen), "prices");
    screen.show(Vec::new());
    screen.choose(1);
    let text = drawn(&screen, &rates, (80, 24)).join("\n");
    assert!(text.starts_with("0 shared buses"), "{text}");
}

#[test]
fn any_size_will_do() {
    let (buses, rates) = looked();
    let mut screen = Screen::new(Path::new("/dev/shm"), Duration::from_secs(1), true);
    screen.show(buses);
    for width in [1, 2, 20, 79, 300] {
        for height in 1..40 {
            drawn(&screen, &rates, (width, height));
        }
    }
}

#[test]
fn rates_are_those_between_two_looks_at_the_same_bus() {
    let begin = Instant::now();
    let mut rates = Rates::default();
    let first = bus("prices", 0, 0);
    rates.look(begin, std::slice::from_ref(&first));
    assert_eq!(rates.bytes(&first), None);
    let second = bus("prices", 1280, 640);
    rates.look(
        begin + Duration::from_secs(2),
        std::slice::from_ref(&second),
    );
    assert_eq!(rates.bytes(&second), Some(640.0));
    assert_eq!(rates.records(&second), Some(10.0));
    assert_eq!(rates.worker(&second, "Market.Desk"), Some(320.0));
    assert_eq!(rates.worker(&second, "Market.Night"), None);
    // Another of the same name.
    let mut other = bus("prices", 64_000, 0);
    other.bus.as_mut().unwrap().created = "2026-11-27T05:00:00Z".into();
    rates.look(begin + Duration::from_secs(3), std::slice::from_ref(&other));
    assert_eq!(rates.bytes(&other), None);
}

#[test]
fn numbers_are_short() {
    let cases = [
        (0.0, "0"),
        (999.0, "999"),
        (1000.0, "1.00k"),
        (12_345.0, "12.3k"),
        (999_999.0, "1.00M"),
        (4.5e9, "4.50G"),
    ];
    for (number, text) in cases {
        assert_eq!(short(number), text);
    }
}

#[test]
fn where_there_is_little_room_whole_columns_are_left_out() {
    let (mut buses, rates) = looked();
    buses.truncate(2);
    let mut screen = Screen::new(Path::new("/dev/shm"), Duration::from_millis(500), true);
    screen.show(buses);
    for (width, head, row) in [
        (
            60,
            "  bus            records/s  bytes/s      lag state",
            "> prices            ~15.6k  977 KiB  488 KiB live, 1 died",
        ),
        (
            40,
            "  bus                 lag state",
            "> prices          488 KiB live, 1 died",
        ),
        (20, "  bus", "> prices"),
    ] {
        let lines = drawn(&screen, &rates, (width, 8));
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            (words(&lines[1]), words(&lines[2])),
            (words(head), words(row))
        );
    }
}
