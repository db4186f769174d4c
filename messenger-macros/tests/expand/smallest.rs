/// The table `Feeds`.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
enum Feeds {}
const _: () = {
    use messenger::__macro as __lib;
    impl Feeds {
        /// The worker `Reader`.
        pub const READER: __lib::WorkerId<Self> = __lib::WorkerId::new(0);
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
    struct ReaderWorker {
        reader: Reader,
    }
    impl ReaderWorker {
        const READER: __lib::Seat = <Self as __lib::Worker>::INFO.seat(0);
        const ROUTES: &'static [__lib::Route] = &[];
        const TABLE: &'static __lib::RouteTable<
            { __lib::route_slots(0) },
            { __lib::route_buckets(0) },
        > = &__lib::RouteTable::new(Self::ROUTES);
        fn reader(config: &()) -> __lib::Result<Reader> {
            let _ = config;
            __lib::made::<Reader>(Reader)
        }
    }
    impl __lib::Worker for ReaderWorker {
        type App = Feeds;
        const INFO: __lib::WorkerInfo = __lib::WorkerInfo {
            name: "Reader",
            options: __lib::WorkerOptions::new(),
            handlers: &[<Reader as __lib::Hosted>::INFO.named("reader")],
            routes: Self::ROUTES,
        };
        fn make(
            config: &(),
            making: &mut __lib::Making<'_>,
        ) -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self {
                reader: making.handler(Self::READER, || Self::reader(config))?,
            })
        }
        fn remake(
            &mut self,
            handler: ::core::primitive::usize,
            config: &(),
        ) -> __lib::Result {
            let _ = handler;
            self.reader = Self::reader(config)?;
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
            let _ = (route, payload, to);
        }
        fn visit<V: __lib::Visitor>(
            &mut self,
            handler: ::core::primitive::usize,
            visitor: &mut V,
        ) {
            let _ = handler;
            <Reader as __lib::Hosted>::visited(&mut self.reader, Self::READER, visitor);
        }
        #[inline]
        fn each<V: __lib::Visitor>(&mut self, visitor: &mut V) {
            <Reader as __lib::Hosted>::visited(&mut self.reader, Self::READER, visitor);
        }
    }
    impl __lib::App for Feeds {
        type Config = ();
        const INFO: &'static __lib::AppInfo = &__lib::AppInfo {
            name: "Feeds",
            workers: &[&<ReaderWorker as __lib::Worker>::INFO],
            outside: &[],
            dropped: &[],
        };
        fn spawn(
            worker: ::core::primitive::usize,
            spawner: &mut __lib::Spawner<'_, Self>,
        ) {
            let _ = worker;
            spawner.spawn::<ReaderWorker>();
        }
    }
    const FAULTS: &__lib::Faults = &__lib::Faults::find::<
        { <Feeds as __lib::App>::INFO.entries() },
    >(<Feeds as __lib::App>::INFO);
    const _: () = FAULTS.handler(0, 0);
};
