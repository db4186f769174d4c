//! A whole program: two handlers on one worker play ping-pong with bincode messages, beside the same
//! by hand on the raw bus.

use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use messenger::bus::{Bus, BusConfig, Publisher, SourceId, Start, Subscriber, Tag};
use messenger::message::{DeserializeFrom, ExtendedMessage};
use messenger::{Handle, Handler, Message, Outbox, Result, messenger};
use serde::{Deserialize, Serialize};

use super::{Conditions, Metrics};
use crate::log::text;
use crate::machine::pin;

/// Who is measured.
pub(crate) const WAYS: &[&str] = &["messenger!, one worker", "raw bus, encode and decode"];

/// There.
#[derive(Message, Serialize, Deserialize)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Ping {
    count: u64,
}

/// And back.
#[derive(Message, Serialize, Deserialize)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Pong {
    count: u64,
    remark: Option<String>,
}

/// Serves, and counts the round trips.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Ping))]
pub(crate) struct Left {
    began: Option<Instant>,
    time: Duration,
    done: Sender<f64>,
}

impl Handle<Pong> for Left {
    fn handle(&mut self, pong: &Pong, out: &mut Outbox<'_, Self>) -> Result {
        // The first thousands find the ring and the caches cold.
        if pong.count == WARM {
            self.began = Some(Instant::now());
        }
        if pong.count.is_multiple_of(1024)
            && let Some(began) = self.began
            && began.elapsed() > self.time
        {
            let trips = (pong.count - WARM) as f64;
            self.done.send(began.elapsed().as_nanos() as f64 / trips)?;
            return Ok(());
        }
        out.send(&Ping {
            count: pong.count + 1,
        })
    }
}

/// Hits back.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Pong))]
pub(crate) struct Right;

impl Handle<Ping> for Right {
    fn handle(&mut self, ping: &Ping, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Pong {
            count: ping.count,
            remark: None,
        })
    }
}

/// The harness.
#[derive(Debug, Handler)]
#[handler(id = 3, sends(Ping))]
pub(crate) struct Main;

messenger! {
    pub(crate) Game(wires: (Duration, Sender<f64>));
    outside: [ Main ]
    Court:
        handlers: [
            left: Left = Left { began: None, time: wires.0, done: wires.1.clone() },
            right: Right = Right,
        ]
        routes: [
            Main, Ping: [right],
            Left, Ping: [right],
            Right, Pong: [left],
        ]
}

const WARM: u64 = 16 << 10;
const RING: usize = 256 << 10;

/// Nanoseconds for a round trip: two messages sent, routed, decoded and handled.
pub(crate) fn program(who: &str, on: Conditions) -> std::result::Result<Metrics, String> {
    pin(on.cores[0]);
    let bus = Bus::new(BusConfig::bytes(RING).prefault(true)).map_err(text)?;
    let ns = if who == WAYS[0] {
        let (done, took) = channel();
        let running = Game::builder(bus, (on.time, done)).run().map_err(text)?;
        let mut main = running.publisher::<Main>().map_err(text)?;
        main.send(&Ping { count: 0 }).map_err(text)?;
        let ns = took
            .recv_timeout(on.time + Duration::from_secs(10))
            .map_err(text)?;
        running.stop().map_err(text)?;
        ns
    } else {
        by_hand(&bus, on.time)?
    };
    Ok(vec![("ns", ns)])
}

fn by_hand(bus: &Bus, time: Duration) -> std::result::Result<f64, String> {
    let mut publisher = bus.publisher().map_err(text)?;
    let mut subscriber = bus.subscribe(Start::Newest).map_err(text)?;
    let mut count = 0;
    let mut trips = |trips: u64| -> std::result::Result<(), String> {
        for _ in 0..trips {
            put(&mut publisher, 1, &Ping { count })?;
            let ping: Ping = get(&mut subscriber)?;
            let pong = Pong {
                count: ping.count,
                remark: None,
            };
            put(&mut publisher, 2, &pong)?;
            let pong: Pong = get(&mut subscriber)?;
            count = pong.count + 1;
        }
        Ok(())
    };
    trips(WARM)?;
    let began = Instant::now();
    let mut done = 0;
    while began.elapsed() < time {
        trips(1024)?;
        done += 1024;
    }
    Ok(began.elapsed().as_nanos() as f64 / f64::from(done))
}

#[inline]
fn put<M: ExtendedMessage>(
    publisher: &mut Publisher,
    source: u16,
    message: &M,
) -> std::result::Result<(), String> {
    let tag = Tag::new(SourceId::new(source), M::ID);
    let len = message.encoded_len().map_err(text)?;
    let mut claim = publisher.claim(tag, len).map_err(text)?;
    message.write(&mut claim.writer()).map_err(text)?;
    claim.commit().map_err(text)?;
    Ok(())
}

#[inline]
fn get<M: for<'a> DeserializeFrom<'a>>(
    subscriber: &mut Subscriber,
) -> std::result::Result<M, String> {
    let record = subscriber.try_next().map_err(text)?;
    let record = record.ok_or("the record just sent is not there")?;
    M::deserialize_from(record.payload()).map_err(text)
}
