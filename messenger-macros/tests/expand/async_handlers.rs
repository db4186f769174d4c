/// The table `Web`.
#[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
enum Web {}
const _: () = {
    use messenger::__macro as lib;
    impl Web {
        /// The worker `Net`.
        pub const NET: lib::WorkerId<Self> = lib::WorkerId::new(0);
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
    const SERVER_ID: lib::SourceId = lib::source_id(
        Hid::Second as ::core::primitive::i128,
    );
    struct NetWorker {
        client: lib::Mailbox<Client>,
        /// With a mailbox of the usual size.
        server: lib::Mailbox<Server>,
    }
    impl NetWorker {
        const CLIENT: lib::Seat = <Self as lib::Worker>::INFO.seat(0);
        const SERVER: lib::Seat = <Self as lib::Worker>::INFO.seat(1);
        const ROUTES: &'static [lib::Route] = &[
            lib::Route::of::<Client, Question>(&[1]),
            lib::Route::of::<Server, Answer>(&[0]).sent_by(SERVER_ID, "server"),
        ];
        const TABLE: &'static lib::RouteTable<
            { lib::route_slots(2) },
            { lib::route_buckets(2) },
        > = &lib::RouteTable::new(Self::ROUTES);
        fn client(config: &()) -> lib::Result<lib::Mailbox<Client>> {
            let _ = config;
            lib::Mailbox::<Client>::made(8, Client::default())
        }
        fn server(config: &()) -> lib::Result<lib::Mailbox<Server>> {
            let _ = config;
            lib::Mailbox::<Server>::made(lib::MAILBOX, Server::bind()?)
        }
    }
    impl lib::Worker for NetWorker {
        type App = Web;
        const INFO: lib::WorkerInfo = lib::WorkerInfo {
            name: "Net",
            options: lib::WorkerOptions::new(),
            handlers: &[
                <lib::Mailbox<Client> as lib::Hosted>::INFO.named("client"),
                <lib::Mailbox<Server> as lib::Hosted>::INFO
                    .named("server")
                    .with_id(SERVER_ID),
            ],
            routes: Self::ROUTES,
        };
        fn make(
            config: &(),
            making: &mut lib::Making<'_>,
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
        ) -> lib::Result {
            match handler {
                0 => self.client = Self::client(config)?,
                _ => self.server = Self::server(config)?,
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
                0 => to.deliver::<Question, _>(Self::SERVER, &mut self.server, payload),
                1 => to.deliver::<Answer, _>(Self::CLIENT, &mut self.client, payload),
                _ => {}
            }
        }
        fn visit<V: lib::Visitor>(
            &mut self,
            handler: ::core::primitive::usize,
            visitor: &mut V,
        ) {
            match handler {
                0 => {
                    <lib::Mailbox<
                        Client,
                    > as lib::Hosted>::visited(&mut self.client, Self::CLIENT, visitor)
                }
                _ => {
                    <lib::Mailbox<
                        Server,
                    > as lib::Hosted>::visited(&mut self.server, Self::SERVER, visitor)
                }
            }
        }
        #[inline]
        fn each<V: lib::Visitor>(&mut self, visitor: &mut V) {
            <lib::Mailbox<
                Client,
            > as lib::Hosted>::visited(&mut self.client, Self::CLIENT, visitor);
            <lib::Mailbox<
                Server,
            > as lib::Hosted>::visited(&mut self.server, Self::SERVER, visitor);
        }
    }
    impl lib::App for Web {
        type Config = ();
        const INFO: &'static lib::AppInfo = &lib::AppInfo {
            name: "Web",
            workers: &[&<NetWorker as lib::Worker>::INFO],
            outside: &[],
            dropped: &[],
        };
        fn spawn(
            worker: ::core::primitive::usize,
            spawner: &mut lib::Spawner<'_, Self>,
        ) {
            let _ = worker;
            spawner.spawn::<NetWorker>();
        }
    }
    const _: fn() = || {
        lib::sends::<Client, Question>();
        lib::sends::<Server, Answer>();
    };
    const FAULTS: &lib::Faults = &lib::Faults::find::<
        { <Web as lib::App>::INFO.entries() },
    >(<Web as lib::App>::INFO);
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
