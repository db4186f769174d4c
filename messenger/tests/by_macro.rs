//! The table of `by_hand.rs`, by the macros.
#![cfg(feature = "bincode")]

use std::time::Duration;

use messenger::bus::{Bus, BusConfig};
use messenger::{Handle, Handler, Message, Outbox, Result, messenger, messenger_id_enum};
use serde::{Deserialize, Serialize};

// ---------------------------------------------------------------- the messages

messenger_id_enum! {
    /// The messages.
    #[expect(missing_docs, reason = "the names say it")]
    pub enum Mid { Ball = 1, Back = 2, Quote = 3, Note = 4, Raw = 5 }
    /// The sources.
    #[expect(missing_docs, reason = "the names say it")]
    pub enum Hid { Ping = 1, Pong = 2, Tap = 3, Log = 4, Http = 5 }
}

macro_rules! counted {
    ($($name:ident)*) => {$(
        /// A message of one number.
        #[derive(Message, Serialize, Deserialize, Debug)]
        #[message(id = Mid::$name, codec = bincode)]
        pub struct $name {
            n: u8,
        }
    )*};
}

counted!(Ball Back Quote Raw);

/// A message that borrows from the payload.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = Mid::Note, codec = bincode)]
pub struct Note<'a> {
    text: &'a str,
}

// ---------------------------------------------------------------- what the author writes

/// What the constructors are given.
#[derive(Debug)]
pub struct Config {
    last: u8,
}

/// Starts with a ball from outside, and plays until its last.
#[derive(Debug, Handler)]
#[handler(id = Hid::Ping, sends(Ball, Quote, Note<'_>))]
pub struct Ping {
    last: u8,
}

/// Hits back.
#[derive(Debug, Handler)]
#[handler(id = Hid::Pong, sends(Back, Raw))]
pub struct Pong;

/// Counts.
#[derive(Debug, Handler)]
#[handler(id = Hid::Tap)]
pub struct Tap(u64);

/// Keeps the texts.
#[derive(Debug, Handler)]
#[handler(id = Hid::Log)]
pub struct Log {
    texts: Vec<String>,
}

/// The test itself.
#[derive(Debug, Handler)]
#[handler(id = Hid::Http, sends(Ball))]
pub struct Http;

impl Handle<Back> for Ping {
    fn handle(&mut self, m: &Back, out: &mut Outbox<'_, Self>) -> Result {
        if m.n < self.last {
            out.send(&Ball { n: m.n + 1 })?;
        } else {
            out.send(&Note { text: "the last" })?;
        }
        out.send(&Quote { n: 100 })
    }
}

impl Handle<Ball> for Pong {
    fn handle(&mut self, m: &Ball, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Raw { n: 0 })?;
        out.send(&Back { n: m.n + 1 })
    }
}

impl Handle<Back> for Tap {
    fn handle(&mut self, _: &Back, _: &mut Outbox<'_, Self>) -> Result {
        self.0 += 1;
        Ok(())
    }
}

impl Handle<Quote> for Tap {
    fn handle(&mut self, m: &Quote, _: &mut Outbox<'_, Self>) -> Result {
        self.0 += u64::from(m.n);
        Ok(())
    }
}

impl Handle<Back> for Log {
    fn handle(&mut self, m: &Back, _: &mut Outbox<'_, Self>) -> Result {
        self.texts.push(m.n.to_string());
        Ok(())
    }
}

impl Handle<Note<'_>> for Log {
    fn handle(&mut self, m: &Note<'_>, out: &mut Outbox<'_, Self>) -> Result {
        self.texts.push(m.text.to_owned());
        out.stop();
        Ok(())
    }
}

impl Log {
    fn open() -> std::io::Result<Self> {
        Ok(Self { texts: Vec::new() })
    }
}

messenger! {
    /// The game.
    pub Game(config: Config);
    outside: [ Http ]
    Court (wait = block, on_panic = stop):
        handlers: [ ping: Ping = Ping { last: config.last }, pong: Pong = Pong ]
        routes: [
            Ping, Ball: [pong],
            Pong, Back: [ping],
            Http, Ball: [pong],
        ]
    Stand (on_panic = restart(3, per = Duration::from_secs(1))):
        handlers: [ tap: Tap = Tap(0), log: Log = Log::open()? ]
        routes: [
            Pong, Back: [tap, log],
            Ping, Quote: [tap],
            Ping, Note: [log],
        ]
    drop: [ Pong, Raw ]
}

// ---------------------------------------------------------------- and that it plays

#[test]
fn plays_to_the_last_ball() {
    let bus = Bus::new(BusConfig::bytes(1 << 16)).unwrap();
    let app = Game::builder(bus, Config { last: 7 }).run().unwrap();
    let mut seen = app.subscribe::<(Quote, Note<'_>)>().unwrap();
    app.publisher::<Http>()
        .unwrap()
        .send(&Ball { n: 0 })
        .unwrap();

    let mut quotes = 0;
    let text = loop {
        let received = seen
            .next()
            .unwrap()
            .expect("the log stops it after the note");
        if let Some(note) = received.get::<Note<'_>>() {
            break note.unwrap().text.to_owned();
        }
        quotes += u32::from(received.get::<Quote>().unwrap().unwrap().n);
    };
    assert_eq!((text.as_str(), quotes), ("the last", 300));

    let report = app.join().unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
    let [court, stand] = &report.workers[..] else {
        panic!("two workers: {report:?}")
    };
    // Balls 0, 2, 4, 6 and backs 1, 3, 5, 7.
    assert_eq!((court.worker, court.messages), ("Court", 8));
    assert_eq!((stand.routes[0].messages, stand.routes[2].messages), (4, 1));
}

#[test]
fn is_drawn() {
    assert_eq!(
        Game::graph().mermaid(),
        r#"flowchart LR
    subgraph w0["Court"]
        n0["ping<br/>Ping"]
        n1["pong<br/>Pong"]
    end
    subgraph w1["Stand"]
        n2["tap<br/>Tap"]
        n3["log<br/>Log"]
    end
    n4(["Http"])
    dropped(("dropped"))
    n0 -->|Ball| n1
    n1 -->|Back| n0
    n4 -->|Ball| n1
    n1 -->|Back| n2
    n1 -->|Back| n3
    n0 -->|Quote| n2
    n0 -->|Note| n3
    n1 -.->|Raw| dropped
"#
    );
}
