//! What routing costs: whole deliveries through a table of `messenger!`, and the dispatch alone
//! beside a plain `match` on raw ids.

use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use messenger::__macro::{Route, RouteTable, route_buckets, route_slots};
use messenger::bus::{Bus, BusConfig, MessageId, Publisher, SourceId, Tag};
use messenger::{Handle, Handler, Message, Outbox, Result, messenger};
use serde::{Deserialize, Serialize};

use super::{Conditions, Metrics};
use crate::machine::pin;

include!(concat!(env!("OUT_DIR"), "/routes.rs"));

/// The kinds of traffic.
pub(crate) const TRAFFIC: &[&str] = &["4 fixed routes", "a miss", "uniform random"];
/// The numbers of routes.
pub(crate) const ROUTES: &[usize] = &[1, 10, 100, 1000];

/// What the handlers have added up: by each route in a way of its own, so that none are merged.
#[derive(Debug, Default)]
pub(crate) struct Sum(u64);

impl Sum {
    #[inline]
    fn take<const ROUTE: u32>(&mut self, n: u64) {
        self.0 = (self.0 ^ n)
            .rotate_left(1 + ROUTE % 61)
            .wrapping_add(ROUTE as u64);
    }

    #[inline]
    fn miss(&mut self) {
        self.0 = self.0.wrapping_add(1);
    }
}

/// What a handler and the harness tell each other.
#[derive(Debug)]
pub(crate) struct Wires {
    go: Mutex<Receiver<()>>,
    done: Sender<Duration>,
}

/// Asks the handler to wait for the go, with all records after this one behind it.
#[derive(Message, Serialize, Deserialize)]
#[message(id = 1001, codec = bincode)]
pub(crate) struct Begin;

/// Asks the handler how long it took.
#[derive(Message, Serialize, Deserialize)]
#[message(id = 1002, codec = bincode)]
pub(crate) struct End;

/// Receives everything.
#[derive(Debug, Handler)]
#[handler(id = 100, sends())]
pub(crate) struct Sink {
    sum: Sum,
    wires: Arc<Wires>,
    began: Instant,
}

impl Sink {
    fn new(wires: &Arc<Wires>) -> Self {
        Self {
            sum: Sum::default(),
            wires: Arc::clone(wires),
            began: Instant::now(),
        }
    }
}

impl Handle<Begin> for Sink {
    fn handle(&mut self, _: &Begin, _: &mut Outbox<'_, Self>) -> Result {
        let go = self.wires.go.lock().unwrap_or_else(PoisonError::into_inner);
        // An error means that the harness has gone; then nobody asks how long it took.
        let _ = go.recv();
        drop(go);
        self.began = Instant::now();
        Ok(())
    }
}

impl Handle<End> for Sink {
    fn handle(&mut self, _: &End, _: &mut Outbox<'_, Self>) -> Result {
        black_box(&self.sum);
        let _ = self.wires.done.send(self.began.elapsed());
        Ok(())
    }
}

/// The records of a stretch.
const STRETCH: usize = 4096;

/// So many tags, as the traffic has them.
fn tags(traffic: &str, routes: usize) -> std::result::Result<Vec<Tag>, String> {
    let tag = |route: usize| {
        Tag::new(
            SourceId::new(1 + (route / 64) as u16),
            MessageId::new(1 + (route % 64) as u16),
        )
    };
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    (0..STRETCH)
        .map(|i| match traffic {
            "4 fixed routes" => Ok(tag(i % 4 * (routes - 1) / 3)),
            "a miss" => Ok(Tag::new(
                SourceId::new(200),
                MessageId::new(1 + (i % 4) as u16),
            )),
            "uniform random" => {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                Ok(tag((random >> 33) as usize % routes))
            }
            other => Err(format!("{other:?} is none of {TRAFFIC:?}")),
        })
        .collect()
}

/// Whole deliveries: read, route, decode, handle; in nanoseconds.
pub(crate) fn delivery(
    traffic: &str,
    routes: usize,
    on: Conditions,
) -> std::result::Result<Metrics, String> {
    // The worker inherits it: one core for both, so that the records are in its cache.
    pin(on.cores[0]);
    let tags = tags(traffic, routes)?;
    let (go, may_go) = channel();
    let (done, took) = channel();
    let wires = Arc::new(Wires {
        go: Mutex::new(may_go),
        done,
    });
    let bus = Bus::new(BusConfig::bytes(256 << 10).prefault(true)).map_err(text)?;
    let mut publisher = bus.publisher().map_err(text)?;
    macro_rules! run {
        ($table:ident) => {{
            let running = $table::Table::builder(bus, wires).run().map_err(text)?;
            let ns = deliveries(&mut publisher, &tags, on.time, &go, &took);
            drop(go);
            running.stop().map_err(text)?;
            ns
        }};
    }
    let ns = match routes {
        1 => run!(routes_1),
        10 => run!(routes_10),
        100 => run!(routes_100),
        1000 => run!(routes_1000),
        other => Err(format!("{other} is none of {ROUTES:?}")),
    }?;
    Ok(vec![("ns", ns)])
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn deliveries(
    publisher: &mut Publisher,
    tags: &[Tag],
    time: Duration,
    go: &Sender<()>,
    took: &Receiver<Duration>,
) -> std::result::Result<f64, String> {
    let control = |message| Tag::new(SourceId::new(101), MessageId::new(message));
    let mut best = Vec::new();
    let end = Instant::now() + time;
    while Instant::now() < end || best.is_empty() {
        publisher.send(control(1001), &[]).map_err(text)?;
        for (n, &tag) in tags.iter().enumerate() {
            publisher
                .send(tag, &(n as u64).to_le_bytes())
                .map_err(text)?;
        }
        publisher.send(control(1002), &[]).map_err(text)?;
        go.send(()).map_err(text)?;
        let took = took.recv_timeout(Duration::from_secs(10)).map_err(text)?;
        best.push(took.as_nanos() as f64 / tags.len() as f64);
    }
    // The worker may be moved away in the middle of a stretch: the median one was not.
    best.sort_by(f64::total_cmp);
    Ok(best[best.len() / 2])
}

/// Dispatch alone, of uniform random traffic, in nanoseconds.
pub(crate) fn dispatch(
    who: &str,
    routes: usize,
    on: Conditions,
) -> std::result::Result<Metrics, String> {
    pin(on.cores[0]);
    let tags = tags("uniform random", routes)?;
    let by: fn(&mut Sum, &[Tag]) = match (who, routes) {
        ("messenger", 1) => |sum, tags| each(sum, tags, routes_1::by_table),
        ("messenger", 10) => |sum, tags| each(sum, tags, routes_10::by_table),
        ("messenger", 100) => |sum, tags| each(sum, tags, routes_100::by_table),
        ("messenger", 1000) => |sum, tags| each(sum, tags, routes_1000::by_table),
        (_, 1) => |sum, tags| each(sum, tags, routes_1::by_match),
        (_, 10) => |sum, tags| each(sum, tags, routes_10::by_match),
        (_, 100) => |sum, tags| each(sum, tags, routes_100::by_match),
        _ => |sum, tags| each(sum, tags, routes_1000::by_match),
    };
    let mut sum = Sum::default();
    by(&mut sum, &tags);
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < on.time {
        by(&mut sum, black_box(&tags));
        done += tags.len();
    }
    let ns = start.elapsed().as_nanos() as f64 / done as f64;
    black_box(sum);
    Ok(vec![("ns", ns)])
}

#[inline]
fn each(sum: &mut Sum, tags: &[Tag], mut one: impl FnMut(&mut Sum, Tag, u64)) {
    for (n, &tag) in tags.iter().enumerate() {
        one(sum, tag, n as u64);
    }
}
