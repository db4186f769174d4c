/// The table `Feeds`.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
enum Feeds {}
const _: () = {
    use messenger::__macro as __lib;
    impl Feeds {
        /// The worker `Readers`.
        pub const READERS: __lib::WorkerId<Self> = __lib::WorkerId::new(0);
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
    const SECOND_ID: __lib::SourceId = __lib::source_id(
        (FIRST + 1) as ::core::primitive::i128,
    );
    struct ReadersWorker {
        first: Reader,
        /// With an id of its own.
        second: Reader,
        printer: Printer,
        r#loop: Mapper<fn(u8) -> u8>,
    }
    impl ReadersWorker {
        const FIRST: __lib::Seat = <Self as __lib::Worker>::INFO.seat(0);
        const SECOND: __lib::Seat = <Self as __lib::Worker>::INFO.seat(1);
        const PRINTER: __lib::Seat = <Self as __lib::Worker>::INFO.seat(2);
        const LOOP: __lib::Seat = <Self as __lib::Worker>::INFO.seat(3);
        const ROUTES: &'static [__lib::Route] = &[
            __lib::Route::of::<Reader, Line>(&[2]),
            __lib::Route::of::<Reader, Line>(&[2]).sent_by(SECOND_ID, "second"),
            __lib::Route::of::<Reader, words::Word>(&[2, 3]).sent_by(SECOND_ID, "second"),
        ];
        const TABLE: &'static __lib::RouteTable<
            { __lib::route_slots(3) },
            { __lib::route_buckets(3) },
        > = &__lib::RouteTable::new(Self::ROUTES);
        fn first(config: &()) -> __lib::Result<Reader> {
            let _ = config;
            __lib::made::<Reader>(Reader::new(1))
        }
        fn second(config: &()) -> __lib::Result<Reader> {
            let _ = config;
            __lib::made::<Reader>(Reader::new(2))
        }
        fn printer(config: &()) -> __lib::Result<Printer> {
            let _ = config;
            __lib::made::<Printer>(Printer)
        }
        fn r#loop(config: &()) -> __lib::Result<Mapper<fn(u8) -> u8>> {
            let _ = config;
            __lib::made::<Mapper<fn(u8) -> u8>>(Mapper(next))
        }
    }
    impl __lib::Worker for ReadersWorker {
        type App = Feeds;
        const INFO: __lib::WorkerInfo = __lib::WorkerInfo {
            name: "Readers",
            options: __lib::WorkerOptions::new()
                .wait(__lib::WaitStrategy::BlockNow)
                .pin(1)
                .on_error(__lib::OnError::Stop)
                .spill(1 << 16)
                .batch(32)
                .pool(true),
            handlers: &[
                <Reader as __lib::Hosted>::INFO.named("first"),
                <Reader as __lib::Hosted>::INFO.named("second").with_id(SECOND_ID),
                <Printer as __lib::Hosted>::INFO.named("printer"),
                <Mapper<fn(u8) -> u8> as __lib::Hosted>::INFO.named("loop"),
            ],
            routes: Self::ROUTES,
        };
        fn make(
            config: &(),
            making: &mut __lib::Making<'_>,
        ) -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self {
                first: making.handler(Self::FIRST, || Self::first(config))?,
                second: making.handler(Self::SECOND, || Self::second(config))?,
                printer: making.handler(Self::PRINTER, || Self::printer(config))?,
                r#loop: making.handler(Self::LOOP, || Self::r#loop(config))?,
            })
        }
        fn remake(
            &mut self,
            handler: ::core::primitive::usize,
            config: &(),
        ) -> __lib::Result {
            match handler {
                0 => self.first = Self::first(config)?,
                1 => self.second = Self::second(config)?,
                2 => self.printer = Self::printer(config)?,
                _ => self.r#loop = Self::r#loop(config)?,
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
                0 | 1 => to.deliver::<Line, _>(Self::PRINTER, &mut self.printer, payload),
                2 => {
                    to.receive::<
                            words::Word,
                        >(
                        payload,
                        |to, m| {
                            to.handle::<
                                    words::Word,
                                    _,
                                >(Self::PRINTER, &mut self.printer, m);
                            to.handle::<words::Word, _>(Self::LOOP, &mut self.r#loop, m);
                        },
                    )
                }
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
                    <Reader as __lib::Hosted>::visited(
                        &mut self.first,
                        Self::FIRST,
                        visitor,
                    )
                }
                1 => {
                    <Reader as __lib::Hosted>::visited(
                        &mut self.second,
                        Self::SECOND,
                        visitor,
                    )
                }
                2 => {
                    <Printer as __lib::Hosted>::visited(
                        &mut self.printer,
                        Self::PRINTER,
                        visitor,
                    )
                }
                _ => {
                    <Mapper<
                        fn(u8) -> u8,
                    > as __lib::Hosted>::visited(&mut self.r#loop, Self::LOOP, visitor)
                }
            }
        }
        #[inline]
        fn each<V: __lib::Visitor>(&mut self, visitor: &mut V) {
            <Reader as __lib::Hosted>::visited(&mut self.first, Self::FIRST, visitor);
            <Reader as __lib::Hosted>::visited(&mut self.second, Self::SECOND, visitor);
            <Printer as __lib::Hosted>::visited(
                &mut self.printer,
                Self::PRINTER,
                visitor,
            );
            <Mapper<
                fn(u8) -> u8,
            > as __lib::Hosted>::visited(&mut self.r#loop, Self::LOOP, visitor);
        }
    }
    impl __lib::App for Feeds {
        type Config = ();
        const INFO: &'static __lib::AppInfo = &__lib::AppInfo {
            name: "Feeds",
            workers: &[&<ReadersWorker as __lib::Worker>::INFO],
            outside: &[],
            dropped: &[
                __lib::Dropped::of::<Reader, words::Word>(),
                __lib::Dropped::of::<Reader, End>().sent_by(SECOND_ID, "second"),
            ],
        };
        fn spawn(
            worker: ::core::primitive::usize,
            spawner: &mut __lib::Spawner<'_, Self>,
        ) {
            let _ = worker;
            spawner.spawn::<ReadersWorker>();
        }
    }
    const _: fn() = || {
        __lib::sends::<Reader, Line>();
        __lib::sends::<Reader, Line>();
        __lib::sends::<Reader, words::Word>();
        __lib::sends::<Reader, words::Word>();
        __lib::sends::<Reader, End>();
    };
    const FAULTS: &__lib::Faults = &__lib::Faults::find::<
        { <Feeds as __lib::App>::INFO.entries() },
    >(<Feeds as __lib::App>::INFO);
    const _: () = FAULTS.handler(0, 0);
    const _: () = FAULTS.handler(0, 1);
    const _: () = FAULTS.handler(0, 2);
    const _: () = FAULTS.handler(0, 3);
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
    const _: () = {
        FAULTS.dropped(0);
        FAULTS.dropped_message(0);
    };
    const _: () = {
        FAULTS.dropped(1);
        FAULTS.dropped_message(1);
    };
};
