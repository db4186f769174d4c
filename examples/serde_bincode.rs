//! Two handlers on one worker play a counter back and forth, a third on a worker of its own listens.
//!
//! The messages are serde types, encoded by bincode straight into the bus.
//!
//! ```text
//! cargo run --release -p messenger-examples --example serde_bincode
//! ```

use std::error::Error;
use std::time::Instant;

use messenger::bus::{Bus, BusConfig, Start};
use messenger::{Handle, Handler, Message, Outbox, Result, messenger, messenger_id_enum};
use serde::{Deserialize, Serialize};

// Ids are what travels: 16 bits for the message, 16 for who sent it.
messenger_id_enum! {
    enum MessageIds { Ping = 1, Pong = 2, Heard = 3 }
    enum HandlerIds { Left = 1, Right = 2, Listener = 3, Main = 4 }
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = MessageIds::Ping, codec = bincode)]
struct Ping {
    count: u64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = MessageIds::Pong, codec = bincode)]
struct Pong {
    count: u64,
    /// Messages are whatever serde takes: this one tells each thousandth time.
    remark: Option<String>,
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = MessageIds::Heard, codec = bincode)]
struct Heard {
    pings: u64,
    pongs: u64,
    last: u64,
}

// A handler knows what it takes and what it sends, and nobody else.

/// Answers each pong by a ping that counts one more, until there have been enough.
#[derive(Handler)]
#[handler(id = HandlerIds::Left, sends(Ping))]
struct Left {
    until: u64,
}

impl Handle<Pong> for Left {
    fn handle(&mut self, pong: &Pong, out: &mut Outbox<'_, Self>) -> Result {
        if let Some(remark) = &pong.remark {
            println!("left hears {remark:?}");
        }
        if pong.count < self.until {
            out.send(&Ping {
                count: pong.count + 1,
            })?;
        }
        Ok(())
    }
}

/// Answers each ping by a pong that counts one more.
#[derive(Handler)]
#[handler(id = HandlerIds::Right, sends(Pong))]
struct Right {
    remark_every: u64,
}

impl Handle<Ping> for Right {
    fn handle(&mut self, ping: &Ping, out: &mut Outbox<'_, Self>) -> Result {
        let count = ping.count + 1;
        let remark = (count % self.remark_every == 0).then(|| format!("we are at {count}"));
        out.send(&Pong { count, remark })
    }
}

/// Hears both, checks that nothing is missing or out of order, and tells the sum when the game is over.
#[derive(Handler)]
#[handler(id = HandlerIds::Listener, sends(Heard))]
struct Listener {
    until: u64,
    heard: Heard,
}

impl Listener {
    fn hear(&mut self, count: u64, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(count, self.heard.last + 1, "the bus keeps the order");
        self.heard.last = count;
        if count == self.until {
            out.send(&self.heard)?;
        }
        Ok(())
    }
}

impl Handle<Ping> for Listener {
    fn handle(&mut self, ping: &Ping, out: &mut Outbox<'_, Self>) -> Result {
        self.heard.pings += 1;
        self.hear(ping.count, out)
    }
}

impl Handle<Pong> for Listener {
    fn handle(&mut self, pong: &Pong, out: &mut Outbox<'_, Self>) -> Result {
        self.heard.pongs += 1;
        self.hear(pong.count, out)
    }
}

/// `main`, who serves. It is no handler of a worker, but a source like them.
#[derive(Handler)]
#[handler(id = HandlerIds::Main, sends(Ping))]
struct Main;

// Who runs where, and who gets what from whom.
messenger! {
    Game(until: u64);

    outside: [ Main ]

    Court:
        handlers: [
            left: Left = Left { until: *until },
            right: Right = Right { remark_every: until / 4 },
        ]
        routes: [
            Main, Ping: [right],
            Left, Ping: [right],
            Right, Pong: [left],
        ]

    Stand:
        handlers: [
            listener: Listener = Listener {
                until: *until,
                heard: Heard { pings: 0, pongs: 0, last: 0 },
            },
        ]
        routes: [
            Main, Ping: [listener],
            Left, Ping: [listener],
            Right, Pong: [listener],
        ]

    // `main` subscribes to it below; no handler gets it.
    drop: [ Listener, Heard ]
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let until = if cfg!(miri) { 40 } else { 200_000 };

    let bus = Bus::new(BusConfig::bytes(1 << 20))?;
    let game = Game::builder(bus, until).run()?;

    // Gating: the bus waits for `main` to read, so that it can't miss the one message it is after.
    let mut result = game.subscribe_gating::<(Heard,)>(Start::Newest)?;
    let begun = Instant::now();
    game.publisher::<Main>()?.send(&Ping { count: 1 })?;
    println!("main serves, and they play until {until}");

    let heard = result.receive()?;
    let took = begun.elapsed();
    let report = game.stop()?;
    assert!(report.failures.is_empty(), "{report}");

    let heard = heard.ok_or("the game stopped before its end")?;
    println!(
        "the listener heard {} pings and {} pongs, all in order",
        heard.pings, heard.pongs
    );
    println!(
        "{:.0} ns from one message to the next{}",
        took.as_secs_f64() * 1e9 / until as f64,
        if cfg!(debug_assertions) {
            ", in a build that is not optimized: try --release"
        } else {
            ""
        }
    );
    for worker in &report.workers {
        println!("worker {} took {} messages", worker.worker, worker.messages);
        assert_eq!(worker.messages, until);
    }
    assert_eq!((heard.pings, heard.pongs), (until / 2, until / 2));
    assert_eq!(heard.last, until);
    Ok(())
}
