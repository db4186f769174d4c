/// The table `Web`.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
enum Web {}
const _: () = {
    use messenger::__macro as __lib;
    impl Web {
        /// The worker `Net`.
        pub const NET: __lib::WorkerId<Self> = __lib::WorkerId::new(0);
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
    const SERVER_ID: __lib::SourceId = __lib::source_id(
        Hid::Second as ::core::primitive::i128,
    );
    struct NetWorker {
        client: __lib::Mailbox<Client>,
        /// With a mailbox of the usual size.
        server: __lib::Mailbox<Server>,
    }
    impl NetWorker {
        const CLIENT: __lib::Seat = <Self as __lib::Worker>::INFO.seat(0);
        const SERVER: __lib::Seat = <Self as __lib::Worker>::INFO.seat(1);
        const ROUTES: &'static [__lib::Route] = &[
            __lib::Route::of::<Client, Question>(&[1]),
            __lib::Route::of::<Server, Answer>(&[0]).sent_by(SERVER_ID, "server"),
        ];
        const TABLE: &'static __lib::RouteTable<
            { __lib::route_slots(2) },
            { __lib::route_buckets(2) },
        > = &__lib::RouteTable::new(Self::ROUTES);
        fn client(config: &()) -> __lib::Result<__lib::Mailbox<Client>> {
            let _ = config;
            __lib::Mailbox::<Client>::made(8, Client::default())
        }
        fn server(config: &()) -> __lib::Result<__lib::Mailbox<Server>> {
            let _ = config;
            __lib::Mailbox::<Server>::made(__lib::MAILBOX, Server::bind()?)
        }
    }
    impl __lib::Worker for NetWorker {
        type App = Web;
        const INFO: __lib::WorkerInfo = __lib::WorkerInfo {
            name: "Net",
            options: __lib::WorkerOptions::new(),
            handlers: &[
                <__lib::Mailbox<Client> as __lib::Hosted>::INFO.named("client"),
                <__lib::Mailbox<Server> as __lib::Hosted>::INFO
                    .named("server")
                    .with_id(SERVER_ID),
            ],
            routes: Self::ROUTES,
        };
        fn make(
            config: &(),
            making: &mut __lib::Making<'_>,
        ) -> ::core::option::Option<Self> {
            ::core::option::Option::Some(Self {
                client: making.handler(Self::CLIENT, || Self::client(config))?,
                server: making.handler(Self::SERVER, || Self::server(config))?,
            })
        }
        fn remake(
            &mut self,
            handler: ::core::primitive::usize,
            config: &(),
        ) -> __lib::Result {
            match handler {
                0 => self.client = Self::client(config)?,
                _ => self.server = Self::server(config)?,
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
                0 => to.deliver::<Question, _>(Self::SERVER, &mut self.server, payload),
                1 => to.deliver::<Answer, _>(Self::CLIENT, &mut self.client, payload),
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
                    <__lib::Mailbox<
                        Client,
                    > as __lib::Hosted>::visited(&mut self.client, Self::CLIENT, visitor)
                }
                _ => {
                    <__lib::Mailbox<
                        Server,
                    > as __lib::Hosted>::visited(&mut self.server, Self::SERVER, visitor)
                }
            }
        }
        #[inline]
        fn each<V: __lib::Visitor>(&mut self, visitor: &mut V) {
            <__lib::Mailbox<
                Client,
            > as __lib::Hosted>::visited(&mut self.client, Self::CLIENT, visitor);
            <__lib::Mailbox<
                Server,
            > as __lib::Hosted>::visited(&mut self.server, Self::SERVER, visitor);
        }
    }
    impl __lib::App for Web {
        type Config = ();
        const INFO: &'static __lib::AppInfo = &__lib::AppInfo {
            name: "Web",
            workers: &[&<NetWorker as __lib::Worker>::INFO],
            outside: &[],
            dropped: &[],
        };
        fn spawn(
            worker: ::core::primitive::usize,
            spawner: &mut __lib::Spawner<'_, Self>,
        ) {
            let _ = worker;
            spawner.spawn::<NetWorker>();
        }
    }
    const _: fn() = || {
        __lib::sends::<Client, Question>();
        __lib::sends::<Server, Answer>();
    };
    const FAULTS: &__lib::Faults = &__lib::Faults::find::<
        { <Web as __lib::App>::INFO.entries() },
    >(<Web as __lib::App>::INFO);
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
};
