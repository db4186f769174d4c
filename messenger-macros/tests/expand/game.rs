/// The game.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
pub enum Game {}
const _: () = {
    use messenger::__macro as lib;
    impl Game {
        /// Where it is played.
        pub const COURT: lib::WorkerId<Self> = lib::WorkerId::new(0);
        /// The worker `Stand`.
        pub const STAND: lib::WorkerId<Self> = lib::WorkerId::new(1);
        /// Prepares a run of this table on `ground`: a bus, or a journal.
        #[must_use]
        pub fn builder(
            ground: impl ::core::convert::Into<lib::Ground>,
            config: Config,
        ) -> lib::Builder<Self> {
            lib::Builder::new(ground, config)
        }
        /// The table as a graph.
        #[must_use]
        pub const fn graph() -> lib::Graph {
            lib::Graph::of::<Self>()
        }
    }
    struct CourtWorker {
        ping: Ping,
        pong: Pong,
    }
    impl CourtWorker {
        const PING: lib::Seat = <Self as lib::Worker>::INFO.seat(0);
        const PONG: lib::Seat = <Self as lib::Worker>::INFO.seat(1);
        const ROUTES: &'static [lib::Route] = &[
            lib::Route::of::<Ping, Ball>(&[1]),
            lib::Route::of::<Pong, Back>(&[0]),
            lib::Route::of::<Http, Ball>(&[1]),
        ];
        const TABLE: &'static lib::RouteTable<
            { lib::route_slots(3) },
            { lib::route_buckets(3) },
        > = &lib::RouteTable::new(Self::ROUTES);
        fn ping(config: &Config) -> lib::Result<Ping> {
            let _ = config;
            lib::made::<Ping>(Ping { last: config.last })
        }
        fn pong(config: &Config) -> lib::Result<Pong> {
            let _ = config;
            lib::made::<Pong>(Pong)
        }
    }
    impl lib::Worker for CourtWorker {
        type App = Game;
        const INFO: lib::WorkerInfo = lib::WorkerInfo {
            name: "Court",
            options: lib::WorkerOptions::new()
                .wait(lib::WaitStrategy::Block)
                .on_panic(lib::OnPanic::Stop),
            handlers: &[
                <Ping as lib::Hosted>::INFO.named("ping"),
                <Pong as lib::Hosted>::INFO.named("pong"),
            ],
            routes: Self::ROUTES,
        };
        fn make(
            config: &Config,
            making: &mut lib::Making<'_>,
        ) -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self {
                ping: making.handler(Self::PING, || Self::ping(config))?,
                pong: making.handler(Self::PONG, || Self::pong(config))?,
            })
        }
        fn remake(
            &mut self,
            handler: ::core::primitive::usize,
            config: &Config,
        ) -> lib::Result {
            match handler {
                0 => self.ping = Self::ping(config)?,
                _ => self.pong = Self::pong(config)?,
            }
            ::core::result::Result::Ok(())
        }
        #[inline]
        fn find(tag: lib::Tag) -> ::core::option::Option<::core::primitive::usize> {
            Self::TABLE.find(tag)
        }
        #[inline]
        fn dispatch(
            &mut self,
            route: ::core::primitive::usize,
            payload: &[::core::primitive::u8],
            to: lib::Delivery<'_>,
        ) {
            match route {
                0 | 2 => to.deliver::<Ball, _>(Self::PONG, &mut self.pong, payload),
                1 => to.deliver::<Back, _>(Self::PING, &mut self.ping, payload),
                _ => {}
            }
        }
        fn visit<V: lib::Visitor>(
            &mut self,
            handler: ::core::primitive::usize,
            visitor: &mut V,
        ) {
            match handler {
                0 => <Ping as lib::Hosted>::visited(&mut self.ping, Self::PING, visitor),
                _ => <Pong as lib::Hosted>::visited(&mut self.pong, Self::PONG, visitor),
            }
        }
        #[inline]
        fn each<V: lib::Visitor>(&mut self, visitor: &mut V) {
            <Ping as lib::Hosted>::visited(&mut self.ping, Self::PING, visitor);
            <Pong as lib::Hosted>::visited(&mut self.pong, Self::PONG, visitor);
        }
    }
    struct StandWorker {
        tap: Tap,
        log: Log,
    }
    impl StandWorker {
        const TAP: lib::Seat = <Self as lib::Worker>::INFO.seat(0);
        const LOG: lib::Seat = <Self as lib::Worker>::INFO.seat(1);
        const ROUTES: &'static [lib::Route] = &[
            lib::Route::of::<Pong, Back>(&[0, 1]),
            lib::Route::of::<Ping, Quote>(&[0]),
            lib::Route::of::<Ping, Note>(&[1]),
        ];
        const TABLE: &'static lib::RouteTable<
            { lib::route_slots(3) },
            { lib::route_buckets(3) },
        > = &lib::RouteTable::new(Self::ROUTES);
        fn tap(config: &Config) -> lib::Result<Tap> {
            let _ = config;
            lib::made::<Tap>(Tap(0))
        }
        fn log(config: &Config) -> lib::Result<Log> {
            let _ = config;
            lib::made::<Log>(Log::open()?)
        }
    }
    impl lib::Worker for StandWorker {
        type App = Game;
        const INFO: lib::WorkerInfo = lib::WorkerInfo {
            name: "Stand",
            options: lib::WorkerOptions::new()
                .on_panic(lib::OnPanic::Restart {
                    times: 3,
                    per: Duration::from_secs(1),
                }),
            handlers: &[
                <Tap as lib::Hosted>::INFO.named("tap"),
                <Log as lib::Hosted>::INFO.named("log"),
            ],
            routes: Self::ROUTES,
        };
        fn make(
            config: &Config,
            making: &mut lib::Making<'_>,
        ) -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self {
                tap: making.handler(Self::TAP, || Self::tap(config))?,
                log: making.handler(Self::LOG, || Self::log(config))?,
            })
        }
        fn remake(
            &mut self,
            handler: ::core::primitive::usize,
            config: &Config,
        ) -> lib::Result {
            match handler {
                0 => self.tap = Self::tap(config)?,
                _ => self.log = Self::log(config)?,
            }
            ::core::result::Result::Ok(())
        }
        #[inline]
        fn find(tag: lib::Tag) -> ::core::option::Option<::core::primitive::usize> {
            Self::TABLE.find(tag)
        }
        #[inline]
        fn dispatch(
            &mut self,
            route: ::core::primitive::usize,
            payload: &[::core::primitive::u8],
            to: lib::Delivery<'_>,
        ) {
            match route {
                0 => {
                    to.receive::<
                            Back,
                        >(
                        payload,
                        |to, m| {
                            to.handle::<Back, _>(Self::TAP, &mut self.tap, m);
                            to.handle::<Back, _>(Self::LOG, &mut self.log, m);
                        },
                    )
                }
                1 => to.deliver::<Quote, _>(Self::TAP, &mut self.tap, payload),
                2 => to.deliver::<Note, _>(Self::LOG, &mut self.log, payload),
                _ => {}
            }
        }
        fn visit<V: lib::Visitor>(
            &mut self,
            handler: ::core::primitive::usize,
            visitor: &mut V,
        ) {
            match handler {
                0 => <Tap as lib::Hosted>::visited(&mut self.tap, Self::TAP, visitor),
                _ => <Log as lib::Hosted>::visited(&mut self.log, Self::LOG, visitor),
            }
        }
        #[inline]
        fn each<V: lib::Visitor>(&mut self, visitor: &mut V) {
            <Tap as lib::Hosted>::visited(&mut self.tap, Self::TAP, visitor);
            <Log as lib::Hosted>::visited(&mut self.log, Self::LOG, visitor);
        }
    }
    impl lib::App for Game {
        type Config = Config;
        const INFO: &'static lib::AppInfo = &lib::AppInfo {
            name: "Game",
            workers: &[
                &<CourtWorker as lib::Worker>::INFO,
                &<StandWorker as lib::Worker>::INFO,
            ],
            outside: &[lib::SourceInfo::of::<Http>()],
            dropped: &[lib::Dropped::of::<Pong, Raw>()],
        };
        fn spawn(
            worker: ::core::primitive::usize,
            spawner: &mut lib::Spawner<'_, Self>,
        ) {
            match worker {
                0 => spawner.spawn::<CourtWorker>(),
                _ => spawner.spawn::<StandWorker>(),
            }
        }
    }
    impl lib::Outside<Game> for Http {}
    const _: () = lib::restart_needs_unwinding(::core::cfg!(panic = "unwind"));
    const _: fn() = || {
        lib::sends::<Ping, Ball>();
        lib::sends::<Pong, Back>();
        lib::sends::<Http, Ball>();
        lib::sends::<Pong, Back>();
        lib::sends::<Ping, Quote>();
        lib::sends::<Ping, Note>();
        lib::sends::<Pong, Raw>();
    };
    const FAULTS: &lib::Faults = &lib::Faults::find::<
        { <Game as lib::App>::INFO.entries() },
    >(<Game as lib::App>::INFO);
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
};
