/// The table `Feeds`.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
enum Feeds {}
const _: () = {
    use messenger::__macro as lib;
    impl Feeds {
        /// The worker `Reader`.
        pub const READER: lib::WorkerId<Self> = lib::WorkerId::new(0);
        /// Prepares a run of this table on `ground`: a bus, or a journal.
        #[must_use]
        pub fn builder(
            ground: impl ::core::convert::Into<lib::Ground>,
        ) -> lib::Builder<Self> {
            lib::Builder::new(ground, ())
        }
        /// The table as a graph.
        #[must_use]
        pub const fn graph() -> lib::Graph {
            lib::Graph::of::<Self>()
        }
    }
    struct ReaderWorker {
        reader: Reader,
    }
    impl ReaderWorker {
        const READER: lib::Seat = <Self as lib::Worker>::INFO.seat(0);
        const ROUTES: &'static [lib::Route] = &[];
        const TABLE: &'static lib::RouteTable<
            { lib::route_slots(0) },
            { lib::route_buckets(0) },
        > = &lib::RouteTable::new(Self::ROUTES);
        fn reader(config: &()) -> lib::Result<Reader> {
            let _ = config;
            lib::made::<Reader>(Reader)
        }
    }
    impl lib::Worker for ReaderWorker {
        type App = Feeds;
        const INFO: lib::WorkerInfo = lib::WorkerInfo {
            name: "Reader",
            options: lib::WorkerOptions::new(),
            handlers: &[<Reader as lib::Hosted>::INFO.named("reader")],
            routes: Self::ROUTES,
        };
        fn make(
            config: &(),
            making: &mut lib::Making<'_>,
        ) -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self {
                reader: making.handler(Self::READER, || Self::reader(config))?,
            })
        }
        fn remake(
            &mut self,
            handler: ::core::primitive::usize,
            config: &(),
        ) -> lib::Result {
            let _ = handler;
            self.reader = Self::reader(config)?;
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
            let _ = (route, payload, to);
        }
        fn visit<V: lib::Visitor>(
            &mut self,
            handler: ::core::primitive::usize,
            visitor: &mut V,
        ) {
            let _ = handler;
            <Reader as lib::Hosted>::visited(&mut self.reader, Self::READER, visitor);
        }
        #[inline]
        fn each<V: lib::Visitor>(&mut self, visitor: &mut V) {
            <Reader as lib::Hosted>::visited(&mut self.reader, Self::READER, visitor);
        }
    }
    impl lib::App for Feeds {
        type Config = ();
        const INFO: &'static lib::AppInfo = &lib::AppInfo {
            name: "Feeds",
            workers: &[&<ReaderWorker as lib::Worker>::INFO],
            outside: &[],
            dropped: &[],
        };
        fn spawn(
            worker: ::core::primitive::usize,
            spawner: &mut lib::Spawner<'_, Self>,
        ) {
            let _ = worker;
            spawner.spawn::<ReaderWorker>();
        }
    }
    const FAULTS: &lib::Faults = &lib::Faults::find::<
        { <Feeds as lib::App>::INFO.entries() },
    >(<Feeds as lib::App>::INFO);
    const _: () = FAULTS.handler(0, 0);
};
