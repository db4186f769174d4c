::core::compile_error! {
    "there is no option `color`; the options are `wait`, `pin`, `on_panic`, `on_error`, `spill`, `batch`, `pool`"
}
::core::compile_error! {
    "`ping` has no constructor: add `= ` and an expression that gives a `Ping`"
}
::core::compile_error! {
    "a `,` and the message follow `Pong`: a route stands as `Source, Message: [receivers]`"
}
::core::compile_error! {
    "worker `Court` has no handler `pnog` (did you mean `pong`?); its handlers are `ping`, `pong`"
}
/// The table `Game`.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
enum Game {}
const _: () = {
    use messenger::__macro as __lib;
    impl Game {
        /// The worker `Court`.
        pub const COURT: __lib::WorkerId<Self> = __lib::WorkerId::new(0);
        /// Prepares a run of this table on `ground`: a bus, or a journal.
        #[must_use]
        pub fn builder(
            ground: impl ::core::convert::Into<__lib::Ground>,
        ) -> __lib::Builder<Self> {
            __lib::Builder::new(ground, ())
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
        const ROUTES: &'static [__lib::Route] = &[__lib::Route::of::<Ping, Ball>(&[1])];
        const TABLE: &'static __lib::RouteTable<
            { __lib::route_slots(1) },
            { __lib::route_buckets(1) },
        > = &__lib::RouteTable::new(Self::ROUTES);
        fn ping(config: &()) -> __lib::Result<Ping> {
            let _ = config;
            ::core::unreachable!()
        }
        fn pong(config: &()) -> __lib::Result<Pong> {
            let _ = config;
            __lib::made::<Pong>(Pong)
        }
    }
    impl __lib::Worker for CourtWorker {
        type App = Game;
        const INFO: __lib::WorkerInfo = __lib::WorkerInfo {
            name: "Court",
            options: __lib::WorkerOptions::new(),
            handlers: &[
                <Ping as __lib::Hosted>::INFO.named("ping"),
                <Pong as __lib::Hosted>::INFO.named("pong"),
            ],
            routes: Self::ROUTES,
        };
        fn make(
            config: &(),
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
            config: &(),
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
                0 => to.deliver::<Ball, _>(Self::PONG, &mut self.pong, payload),
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
    impl __lib::App for Game {
        type Config = ();
        const INFO: &'static __lib::AppInfo = &__lib::AppInfo {
            name: "Game",
            workers: &[&<CourtWorker as __lib::Worker>::INFO],
            outside: &[],
            dropped: &[],
        };
        fn spawn(
            worker: ::core::primitive::usize,
            spawner: &mut __lib::Spawner<'_, Self>,
        ) {
            let _ = worker;
            spawner.spawn::<CourtWorker>();
        }
    }
    const _: fn() = || {
        __lib::sends::<Ping, Ball>();
    };
};
