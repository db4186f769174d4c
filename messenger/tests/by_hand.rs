//! The table of a game, written by hand: what the derives and `messenger!` expand to.
//!
//! # Expansion contract
//!
//! Whoever generates this writes all paths out as `$crate::__macro::..` (no `use`, which would hide a type of the
//! author's that has the same name); all that stands below is re-exported there.
//!
//! * `#[derive(Handler)]`: `impl Handler`, one `impl SentBy<H> for M` per entry of `sends(..)`, and an empty
//!   `impl Lifecycle` unless `#[handler(lifecycle)]` says that the author writes it. In `sends(..)` a borrowed message
//!   is written `Note<'_>`, because an impl header elides no lifetime; in the table it stands as `Note`.
//! * `messenger!`: the app as an empty enum with its inherent items; everything else in one `const _: () = { .. }`:
//!   per worker a struct `<Name>Worker` with a field per handler, its inherent items (a `Seat` and a constructor per
//!   handler, the routes, the table) and `impl Worker`; then `impl App`, one `impl Outside` per outside source, and
//!   the const checks.
//! * That each source declares what it sends is checked in a function of its own, so that the table is still data where
//!   one doesn't, and shows its other mistakes.
//! * Routes of the same message to the same receivers share an arm of `dispatch`, whoever their sources.
//! * Checks that no trait bound can make: `Faults::find` looks over the whole table once, then each place asks for its own
//!   fault, spanned at its token, so that the caret stands there.
//! * A second instance `ping2: Ping as Hid::Ping2 = ..` takes `<Ping as Hosted>::INFO.named("ping2").with_id(ID)`; a route from it is
//!   `Route::of::<Ping, Ball>(..).sent_by(ID, "ping2")`.
//! * An async handler `client: async Client (mailbox = 64) = ..` is a field `Mailbox<Client>` made by
//!   `Mailbox::made(64, ..)` in place of `made(..)`.
//! * `on_panic = restart(..)` adds `const _: () = restart_needs_unwinding(cfg!(panic = "unwind"));`.
//! * Without `(config: T)` the config is `()`, and `builder` takes the bus alone.

use std::time::Duration;

use messenger::bus::{Bus, BusConfig, MessageId, PayloadWriter, SourceId, Start, Tag};
use messenger::message::{
    DecodeError, DeserializeFrom, EncodeError, ExtendedMessage, Message, MessageInfo, Serialized,
};
use messenger::{Handle, Handler, Lifecycle, Outbox, Outside, Result, SentBy, SubscribeError};

// ---------------------------------------------------------------- the messages, by hand too

messenger::messenger_id_enum! {
    /// The messages.
    #[expect(missing_docs, reason = "the names say it")]
    pub enum Mid { Ball = 1, Back = 2, Quote = 3, Note = 4, Raw = 5 }
    /// The sources.
    #[expect(missing_docs, reason = "the names say it")]
    pub enum Hid { Ping = 1, Pong = 2, Tap = 3, Log = 4, Http = 5 }
}

macro_rules! counted {
    ($name:ident) => {
        /// A message of one byte.
        #[derive(Debug)]
        pub struct $name {
            n: u8,
        }

        impl Message for $name {
            const ID: MessageId = MessageId::new(Mid::$name as u16);
            const NAME: &'static str = stringify!($name);
            type Mode = Serialized;
        }

        impl ExtendedMessage for $name {
            fn encoded_len(&self) -> Result<usize, EncodeError> {
                Ok(1)
            }
            fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
                Ok(to.put(&[self.n])?)
            }
        }

        impl DeserializeFrom<'_> for $name {
            fn deserialize_from(bytes: &[u8]) -> Result<Self, DecodeError> {
                match bytes {
                    &[n] => Ok(Self { n }),
                    _ => Err(DecodeError::WrongSize {
                        len: bytes.len(),
                        expected: 1,
                    }),
                }
            }
        }
    };
}

counted!(Ball);
counted!(Back);
counted!(Quote);
counted!(Raw);

/// A message that borrows from the payload.
#[derive(Debug)]
pub struct Note<'a> {
    text: &'a str,
}

impl Message for Note<'_> {
    const ID: MessageId = MessageId::new(Mid::Note as u16);
    const NAME: &'static str = "Note";
    type Mode = Serialized;
}

impl ExtendedMessage for Note<'_> {
    fn encoded_len(&self) -> Result<usize, EncodeError> {
        Ok(self.text.len())
    }
    fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        Ok(to.put(self.text.as_bytes())?)
    }
}

impl<'a> DeserializeFrom<'a> for Note<'a> {
    fn deserialize_from(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { text }),
            Err(error) => Err(DecodeError::Codec {
                codec: "utf-8",
                reason: error.to_string(),
            }),
        }
    }
}

// ---------------------------------------------------------------- what the author writes

/// What the constructors are given.
#[derive(Debug)]
pub struct Config {
    last: u8,
}

/// Starts with a ball from outside, and plays until its last.
#[derive(Debug)]
pub struct Ping {
    last: u8,
}

/// Hits back.
#[derive(Debug)]
pub struct Pong;

/// Counts.
#[derive(Debug)]
pub struct Tap(u64);

/// Keeps the texts.
#[derive(Debug)]
pub struct Log {
    texts: Vec<String>,
}

/// The test itself.
#[derive(Debug)]
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

// messenger! {
//     /// The game.
//     pub Game(config: Config);
//     outside: [ Http ]
//     Court (wait = block, on_panic = stop):
//         handlers: [ ping: Ping = Ping { last: config.last }, pong: Pong = Pong ]
//         routes: [
//             Ping, Ball: [pong],
//             Pong, Back: [ping],
//             Http, Ball: [pong],
//         ]
//     Stand (on_panic = restart(3, per = Duration::from_secs(1))):
//         handlers: [ tap: Tap = Tap(0), log: Log = Log::open()? ]
//         routes: [
//             Pong, Back: [tap, log],
//             Ping, Quote: [tap],
//             Ping, Note: [log],
//         ]
//     drop: [ Pong, Raw ]
// }

// ---------------------------------------------------------------- derive(Handler)

impl Handler for Ping {
    const ID: SourceId = SourceId::new(Hid::Ping as u16);
    const NAME: &'static str = "Ping";
    const SENDS: &'static [MessageInfo] = &[
        MessageInfo::of::<Ball>(),
        MessageInfo::of::<Quote>(),
        MessageInfo::of::<Note<'_>>(),
    ];
}
impl SentBy<Ping> for Ball {}
impl SentBy<Ping> for Quote {}
impl SentBy<Ping> for Note<'_> {}
impl Lifecycle for Ping {}

impl Handler for Pong {
    const ID: SourceId = SourceId::new(Hid::Pong as u16);
    const NAME: &'static str = "Pong";
    const SENDS: &'static [MessageInfo] = &[MessageInfo::of::<Back>(), MessageInfo::of::<Raw>()];
}
impl SentBy<Pong> for Back {}
impl SentBy<Pong> for Raw {}
impl Lifecycle for Pong {}

impl Handler for Tap {
    const ID: SourceId = SourceId::new(Hid::Tap as u16);
    const NAME: &'static str = "Tap";
    const SENDS: &'static [MessageInfo] = &[];
}
impl Lifecycle for Tap {}

impl Handler for Log {
    const ID: SourceId = SourceId::new(Hid::Log as u16);
    const NAME: &'static str = "Log";
    const SENDS: &'static [MessageInfo] = &[];
}
impl Lifecycle for Log {}

impl Handler for Http {
    const ID: SourceId = SourceId::new(Hid::Http as u16);
    const NAME: &'static str = "Http";
    const SENDS: &'static [MessageInfo] = &[MessageInfo::of::<Ball>()];
}
impl SentBy<Http> for Ball {}
impl Lifecycle for Http {}

// ---------------------------------------------------------------- messenger!

/// The game.
#[derive(Clone, Copy, Debug)]
pub enum Game {}

impl Game {
    /// The worker `Court`.
    pub const COURT: messenger::__macro::WorkerId<Self> = messenger::__macro::WorkerId::new(0);
    /// The worker `Stand`.
    pub const STAND: messenger::__macro::WorkerId<Self> = messenger::__macro::WorkerId::new(1);

    /// Prepares a run of this table on `bus`.
    #[must_use]
    pub fn builder(
        ground: impl Into<messenger::__macro::Ground>,
        config: Config,
    ) -> messenger::__macro::Builder<Self> {
        messenger::__macro::Builder::new(ground, config)
    }

    /// The table as a graph.
    #[must_use]
    pub const fn graph() -> messenger::__macro::Graph {
        messenger::__macro::Graph::of::<Self>()
    }
}

const _: () = {
    use messenger::__macro::{
        App, AppInfo, Delivery, Dropped, Faults, Hosted, Making, OnPanic, Route, RouteTable, Seat,
        SourceInfo, Spawner, Tag, Visitor, WaitStrategy, Worker, WorkerInfo, WorkerOptions, made,
        restart_needs_unwinding, route_buckets, route_slots, sends,
    };

    struct CourtWorker {
        ping: Ping,
        pong: Pong,
    }

    impl CourtWorker {
        const PING: Seat = <Self as Worker>::INFO.seat(0);
        const PONG: Seat = <Self as Worker>::INFO.seat(1);

        const ROUTES: &'static [Route] = &[
            Route::of::<Ping, Ball>(&[1]),
            Route::of::<Pong, Back>(&[0]),
            Route::of::<Http, Ball>(&[1]),
        ];
        const TABLE: &'static RouteTable<{ route_slots(3) }, { route_buckets(3) }> =
            &RouteTable::new(Self::ROUTES);

        fn ping(config: &Config) -> Result<Ping> {
            let _ = config;
            made(Ping { last: config.last })
        }

        fn pong(config: &Config) -> Result<Pong> {
            let _ = config;
            made(Pong)
        }
    }

    impl Worker for CourtWorker {
        type App = Game;

        const INFO: WorkerInfo = WorkerInfo {
            name: "Court",
            options: WorkerOptions::new()
                .wait(WaitStrategy::Block)
                .on_panic(OnPanic::Stop),
            handlers: &[
                <Ping as Hosted>::INFO.named("ping"),
                <Pong as Hosted>::INFO.named("pong"),
            ],
            routes: Self::ROUTES,
        };

        fn make(config: &Config, making: &mut Making<'_>) -> Option<Self> {
            Some(Self {
                ping: making.handler(Self::PING, || Self::ping(config))?,
                pong: making.handler(Self::PONG, || Self::pong(config))?,
            })
        }

        fn remake(&mut self, handler: usize, config: &Config) -> Result {
            match handler {
                0 => self.ping = Self::ping(config)?,
                _ => self.pong = Self::pong(config)?,
            }
            Ok(())
        }

        #[inline]
        fn find(tag: Tag) -> Option<usize> {
            Self::TABLE.find(tag)
        }

        #[inline]
        fn dispatch(&mut self, route: usize, payload: &[u8], to: Delivery<'_>) {
            match route {
                0 | 2 => to.deliver::<Ball, _>(Self::PONG, &mut self.pong, payload),
                1 => to.deliver::<Back, _>(Self::PING, &mut self.ping, payload),
                _ => {}
            }
        }

        fn visit<V: Visitor>(&mut self, handler: usize, visitor: &mut V) {
            match handler {
                0 => <Ping as Hosted>::visited(&mut self.ping, Self::PING, visitor),
                _ => <Pong as Hosted>::visited(&mut self.pong, Self::PONG, visitor),
            }
        }

        #[inline]
        fn each<V: Visitor>(&mut self, visitor: &mut V) {
            <Ping as Hosted>::visited(&mut self.ping, Self::PING, visitor);
            <Pong as Hosted>::visited(&mut self.pong, Self::PONG, visitor);
        }
    }

    struct StandWorker {
        tap: Tap,
        log: Log,
    }

    impl StandWorker {
        const TAP: Seat = <Self as Worker>::INFO.seat(0);
        const LOG: Seat = <Self as Worker>::INFO.seat(1);

        const ROUTES: &'static [Route] = &[
            Route::of::<Pong, Back>(&[0, 1]),
            Route::of::<Ping, Quote>(&[0]),
            Route::of::<Ping, Note>(&[1]),
        ];
        const TABLE: &'static RouteTable<{ route_slots(3) }, { route_buckets(3) }> =
            &RouteTable::new(Self::ROUTES);

        fn tap(config: &Config) -> Result<Tap> {
            let _ = config;
            made(Tap(0))
        }

        fn log(config: &Config) -> Result<Log> {
            let _ = config;
            made(Log::open()?)
        }
    }

    impl Worker for StandWorker {
        type App = Game;

        const INFO: WorkerInfo = WorkerInfo {
            name: "Stand",
            options: WorkerOptions::new().on_panic(OnPanic::Restart {
                times: 3,
                per: Duration::from_secs(1),
            }),
            handlers: &[
                <Tap as Hosted>::INFO.named("tap"),
                <Log as Hosted>::INFO.named("log"),
            ],
            routes: Self::ROUTES,
        };

        fn make(config: &Config, making: &mut Making<'_>) -> Option<Self> {
            Some(Self {
                tap: making.handler(Self::TAP, || Self::tap(config))?,
                log: making.handler(Self::LOG, || Self::log(config))?,
            })
        }

        fn remake(&mut self, handler: usize, config: &Config) -> Result {
            match handler {
                0 => self.tap = Self::tap(config)?,
                _ => self.log = Self::log(config)?,
            }
            Ok(())
        }

        #[inline]
        fn find(tag: Tag) -> Option<usize> {
            Self::TABLE.find(tag)
        }

        #[inline]
        fn dispatch(&mut self, route: usize, payload: &[u8], to: Delivery<'_>) {
            match route {
                0 => to.receive::<Back>(payload, |to, m| {
                    to.handle::<Back, _>(Self::TAP, &mut self.tap, m);
                    to.handle::<Back, _>(Self::LOG, &mut self.log, m);
                }),
                1 => to.deliver::<Quote, _>(Self::TAP, &mut self.tap, payload),
                2 => to.deliver::<Note, _>(Self::LOG, &mut self.log, payload),
                _ => {}
            }
        }

        fn visit<V: Visitor>(&mut self, handler: usize, visitor: &mut V) {
            match handler {
                0 => <Tap as Hosted>::visited(&mut self.tap, Self::TAP, visitor),
                _ => <Log as Hosted>::visited(&mut self.log, Self::LOG, visitor),
            }
        }

        #[inline]
        fn each<V: Visitor>(&mut self, visitor: &mut V) {
            <Tap as Hosted>::visited(&mut self.tap, Self::TAP, visitor);
            <Log as Hosted>::visited(&mut self.log, Self::LOG, visitor);
        }
    }

    impl App for Game {
        type Config = Config;

        const INFO: &'static AppInfo = &AppInfo {
            name: "Game",
            workers: &[&CourtWorker::INFO, &StandWorker::INFO],
            outside: &[SourceInfo::of::<Http>()],
            dropped: &[Dropped::of::<Pong, Raw>()],
        };

        fn spawn(worker: usize, spawner: &mut Spawner<'_, Self>) {
            match worker {
                0 => spawner.spawn::<CourtWorker>(),
                _ => spawner.spawn::<StandWorker>(),
            }
        }
    }

    impl Outside<Game> for Http {}

    const _: fn() = || {
        sends::<Ping, Ball>();
        sends::<Pong, Back>();
        sends::<Http, Ball>();
        sends::<Pong, Back>();
        sends::<Ping, Quote>();
        sends::<Ping, Note>();
        sends::<Pong, Raw>();
    };

    const FAULTS: &Faults = &Faults::find::<{ <Game as App>::INFO.entries() }>(<Game as App>::INFO);
    const _: () = FAULTS.handler(0, 0);
    const _: () = FAULTS.handler(0, 1);
    const _: () = {
        FAULTS.route(0, 0);
        FAULTS.route_message(0, 0);
    };
    const _: () = {
        FAULTS.route(0, 1);
        FAULTS.route_message(0, 1);
    };
    const _: () = {
        FAULTS.route(0, 2);
        FAULTS.route_message(0, 2);
    };
    const _: () = FAULTS.handler(1, 0);
    const _: () = FAULTS.handler(1, 1);
    const _: () = {
        FAULTS.route(1, 0);
        FAULTS.route_message(1, 0);
    };
    const _: () = {
        FAULTS.route(1, 1);
        FAULTS.route_message(1, 1);
    };
    const _: () = {
        FAULTS.route(1, 2);
        FAULTS.route_message(1, 2);
    };
    const _: () = FAULTS.outside(0);
    const _: () = {
        FAULTS.dropped(0);
        FAULTS.dropped_message(0);
    };
    const _: () = restart_needs_unwinding(cfg!(panic = "unwind"));
};

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

#[cfg(feature = "svg")]
#[test]
fn is_drawn_as_a_picture() {
    let picture = Game::graph().svg();
    assert!(picture.starts_with("<svg width=") && picture.ends_with("</svg>"));
    for text in ["ping", "Pong", "on Stand", "Http", "Quote", "dropped"] {
        assert!(picture.contains(&format!(">{text}<")), "{text}: {picture}");
    }
}

#[test]
fn a_subscription_for_one_type_gives_values() {
    let bus = Bus::new(BusConfig::bytes(1 << 16)).unwrap();
    let app = Game::builder(bus.clone(), Config { last: 7 })
        .run()
        .unwrap();
    let mut backs = app.subscribe_gating::<(Back,)>(Start::Newest).unwrap();

    // From a source of no route, and the second is no `Back`.
    let tag = Tag::new(SourceId::new(99), Back::ID);
    let mut publisher = bus.publisher().unwrap();
    publisher.send(tag, &[7]).unwrap();
    publisher.send(tag, &[7, 8]).unwrap();
    assert_eq!(backs.receive().unwrap().unwrap().n, 7);
    let error = backs.receive().unwrap_err();
    assert!(
        matches!(
            error,
            SubscribeError::Undecodable(DecodeError::WrongSize {
                len: 2,
                expected: 1
            })
        ),
        "{error}"
    );
    app.stop().unwrap();
    assert!(backs.receive().unwrap().is_none());
}
