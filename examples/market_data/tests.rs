//! The whole program over other days, small buses and files that are not as they should be.

use super::{Config, a_day};
use messenger::bus::{Bus, BusConfig};
use messenger_examples::market_data::day::Day;
use messenger_examples::market_data::fold::fold;
use messenger_examples::market_data::handlers::Limits;
use messenger_examples::market_data::report::Report;
use std::error::Error;
use std::path::PathBuf;

/// A file that goes with its owner.
struct File(PathBuf);

impl File {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("messenger-{}-{name}.itch", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).expect("room for a small file");
        Self(path)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn run(feed: PathBuf, ring: usize, limits: Limits) -> Result<Report, Box<dyn Error>> {
    let bus = Bus::new(BusConfig::bytes(ring))?;
    a_day(bus, Config { feed, limits })
}

#[test]
fn every_day_is_as_by_one_loop() {
    let tight = Limits {
        rate: 1,
        position: 600,
        ..Limits::default()
    };
    for (seed, ring, limits) in [
        (1, 1 << 20, Limits::default()),
        (2, 64 << 10, Limits::default()),
        (3, 16 << 10, tight),
        (4, 1 << 20, tight),
    ] {
        let feed = Day {
            seed,
            actions: 3000,
        }
        .write();
        let file = File::new(&format!("day-{seed}"), &feed);
        let report = run(file.0.clone(), ring, limits).unwrap();
        assert!(report.approved > 0);
        assert_eq!(
            report,
            fold(&feed, &limits),
            "seed {seed}, a ring of {ring} bytes"
        );
    }
}

#[test]
fn a_day_that_breaks_off_is_reported_as_far_as_it_goes() {
    let feed = Day {
        seed: 5,
        actions: 500,
    }
    .write();
    let file = File::new("cut", &feed[..feed.len() / 2]);
    let report = run(file.0.clone(), 1 << 20, Limits::default()).unwrap();
    assert!(report.feed.records > 100);
    assert_eq!(report.feed.malformed, 1);
    assert!(
        report
            .feed
            .first_error
            .unwrap()
            .contains("the feed ends within the record")
    );
}

#[test]
fn orders_that_do_not_exist_stop_nobody() {
    let feed = Day {
        seed: 6,
        actions: 500,
    }
    .write();
    // Without the second half of the morning, in which orders came.
    let mut rest = feed[..1500].to_vec();
    rest.truncate(whole_records(&rest));
    let behind = whole_records(&feed[..6000]);
    rest.extend(&feed[behind..]);
    let file = File::new("gap", &rest);
    let report = run(file.0.clone(), 1 << 20, Limits::default()).unwrap();
    assert_eq!(report.feed.malformed, 0);
    assert!(report.quotes > 0 && report.stocks.len() == 5);
}

/// How many of the bytes are whole records.
fn whole_records(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(length) = bytes.get(end..end + 2) {
        let next = end + 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
        if next > bytes.len() {
            break;
        }
        end = next;
    }
    end
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let error = run("nowhere.itch".into(), 1 << 20, Limits::default()).unwrap_err();
    assert!(error.to_string().contains("nowhere.itch"), "{error}");
}
