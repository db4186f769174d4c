/// The game.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
pub enum Game {}
const _: () = {
    use messenger::__macro as __lib;
    impl Game {
        /// Where it is played.
        pub const COURT: __lib::WorkerId<Self> = __lib::WorkerId::new(0);
        /// The worker `Stand`.
        pub const STAND: __lib::WorkerId<Self> = __lib::WorkerId::new(1);
        /// Prepares a run of this table on `ground`: a bus, or a journal.
        #[must_use]
        pub fn builder(
            ground: impl ::core::convert::Into<__lib::Ground>,
            config: Config,
        ) -> __lib::Builder<Self> {
            __lib::Builder::new(ground, config)
        }
        /// The table as a graph.
        #[must_use]
        pub const fn graph() -> __lib::Graph {
            __lib::Graph::of::<Self>()
        }
    }
    struct CourtWorker {
        ping: Ping,
        pong: Pong,
    }
    impl CourtWorker {
        const PING: __lib::Seat = <Self as __lib::Worker>::INFO.seat(0);
        const PONG: __lib::Seat = <Self as __lib::Worker>::INFO.seat(1);
        const ROUTES: &'static [__lib::Route] = &[
            __lib::Route::of::<Ping, Ball>(&[1]),
            __lib::Route::of::<Pong, Back>(&[0]),
            __lib::Route::of::<Http, Ball>(&[1]),
        ];
        const TABLE: &'static __lib::RouteTable<
            { __lib::route_slots(3) },
            { __lib::route_buckets(3) },
        > = &__lib::RouteTable::new(Self::ROUTES);
        fn ping(config: &Config) -> __lib::Result<Ping> {
            let _ = config;
            __lib::made::<Ping>(Ping { last: config.last })
        }
        fn pong(config: &Config) -> __lib::Result<Pong> {
            let _ = config;
            __lib::made::<Pong>(Pong)
        }
    }
    impl __lib::Worker for CourtWorker {
        type App = Game;
        const INFO: __lib::WorkerInfo = __lib::WorkerInfo {
            name: "Court",
            options: __lib::WorkerOptions::new()
                .wait(__lib::WaitStrategy::Block)
                .on_panic(__lib::OnPanic::Stop),
            handlers: &[
                <Ping as __lib::Hosted>::INFO.named("ping"),
                <Pong as __lib::Hosted>::INFO.named("pong"),
            ],
            routes: Self::ROUTES,
        };
        fn make(
            config: &Config,
            making: &mut __lib::Making<'_>,
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
        ) -> __lib::Result {
            match handler {
                0 => self.ping = Self::ping(config)?,
                _ => self.pong = Self::pong(config)?,
            }
            ::core::result::Result::Ok(())
        }
        #[inline]
        fn find(tag: __lib::Tag) -> ::core::option::Option<::core::primitive::usize> {
            Self::TABLE.find(tag)
        }
        #[inline]
        fn dispatch(
            &mut self,
            route: ::core::primitive::usize,
            payload: &[::core::primitive::u8],
            to: __lib::Delivery<'_>,
        ) {
            match route {
                0 | 2 => to.deliver::<Ball, _>(Self::PONG, &mut self.pong, payload),
                1 => to.deliver::<Back, _>(Self::PING, &mut self.ping, payload),
                _ => {}
            }
        }
        fn visit<V: __lib::Visitor>(
            &mut self,
            handler: ::core::primitive::usize,
            visitor: &mut V,
        ) {
            match handler {
                0 => {
                    <Ping as __lib::Hosted>::visited(&mut self.ping, Self::PING, visitor)
                }
                _ => {
                    <Pong as __lib::Hosted>::visited(&mut self.pong, Self::PONG, visitor)
                }
            }
        }
        #[inline]
        fn each<V: __lib::Visitor>(&mut self, visitor: &mut V) {
            <Ping as __lib::Hosted>::visited(&mut self.ping, Self::PING, visitor);
            <Pong as __lib::Hosted>::visited(&mut self.pong, Self::PONG, visitor);
        }
    }
    struct StandWorker {
        tap: Tap,
        log: Log,
    }
    impl StandWorker {
        const TAP: __lib::Seat = <Self as __lib::Worker>::INFO.seat(0);
        const LOG: __lib::Seat = <Self as __lib::Worker>::INFO.seat(1);
        const ROUTES: &'static [__lib::Route] = &[
            __lib::Route::of::<Pong, Back>(&[0, 1]),
            __lib::Route::of::<Ping, Quote>(&[0]),
            __lib::Route::of::<Ping, Note>(&[1]),
        ];
        const TABLE: &'static __lib::RouteTable<
            { __lib::route_slots(3) },
            { __lib::route_buckets(3) },
        > = &__lib::RouteTable::new(Self::ROUTES);
        fn tap(config: &Config) -> __lib::Result<Tap> {
            let _ = config;
            __lib::made::<Tap>(Tap(0))
        }
        fn log(config: &Config) -> __lib::Result<Log> {
            let _ = config;
            __lib::made::<Log>(Log::open()?)
        }
    }
    impl __lib::Worker for StandWorker {
        type App = Game;
        const INFO: __lib::WorkerInfo = __lib::WorkerInfo {
            name: "Stand",
            options: __lib::WorkerOptions::new()
                .on_panic(__lib::OnPanic::Restart {
                    times: 3,
                    per: Duration::from_secs(1),
                }),
            handlers: &[
                <Tap as __lib::Hosted>::INFO.named("tap"),
                <Log as __lib::Hosted>::INFO.named("log"),
            ],
            routes: Self::ROUTES,
        };
        fn make(
            config: &Config,
            making: &mut __lib::Making<'_>,
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
        ) -> __lib::Result {
            match handler {
                0 => self.tap = Self::tap(config)?,
                _ => self.log = Self::log(config)?,
            }
            ::core::result::Result::Ok(())
        }
        #[inline]
        fn find(tag: __lib::Tag) -> ::core::option::Option<::core::primitive::usize> {
            Self::TABLE.find(tag)
        }
        #[inline]
        fn dispatch(
            &mut self,
            route: ::core::primitive::usize,
            payload: &[::core::primitive::u8],
            to: __lib::Delivery<'_>,
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
        fn visit<V: __lib::Visitor>(
            &mut self,
            handler: ::core::primitive::usize,
            visitor: &mut V,
        ) {
            match handler {
                0 => <Tap as __lib::Hosted>::visited(&mut self.tap, Self::TAP, visitor),
                _ => <Log as __lib::Hosted>::visited(&mut self.log, Self::LOG, visitor),
            }
        }
        #[inline]
        fn each<V: __lib::Visitor>(&mut self, visitor: &mut V) {
            <Tap as __lib::Hosted>::visited(&mut self.tap, Self::TAP, visitor);
            <Log as __lib::Hosted>::visited(&mut self.log, Self::LOG, visitor);
        }
    }
    impl __lib::App for Game {
        type Config = Config;
        const INFO: &'static __lib::AppInfo = &__lib::AppInfo {
            name: "Game",
            workers: &[
                &<CourtWorker as __lib::Worker>::INFO,
                &<StandWorker as __lib::Worker>::INFO,
            ],
            outside: &[__lib::SourceInfo::of::<Http>()],
            dropped: &[__lib::Dropped::of::<Pong, Raw>()],
        };
        fn spawn(
            worker: ::core::primitive::usize,
            spawner: &mut __lib::Spawner<'_, Self>,
        ) {
            match worker {
                0 => spawner.spawn::<CourtWorker>(),
                _ => spawner.spawn::<StandWorker>(),
            }
        }
    }
    impl __lib::Outside<Game> for Http {}
    const _: () = __lib::restart_needs_unwinding(::core::cfg!(panic = "unwind"));
    const _: fn() = || {
        __lib::sends::<Ping, Ball>();
        __lib::sends::<Pong, Back>();
        __lib::sends::<Http, Ball>();
        __lib::sends::<Pong, Back>();
        __lib::sends::<Ping, Quote>();
        __lib::sends::<Ping, Note>();
        __lib::sends::<Pong, Raw>();
    };
    const FAULTS: &__lib::Faults = &__lib::Faults::find::<
        { <Game as __lib::App>::INFO.entries() },
    >(<Game as __lib::App>::INFO);
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
