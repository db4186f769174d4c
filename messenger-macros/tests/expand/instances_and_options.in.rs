Feeds;

Readers (wait = block_now, pin = 1, on_error = stop, spill = 1 << 16, batch = 32):
    handlers: [
        first: Reader = Reader::new(1),
        second: Reader as Hid::Second = Reader::new(2),
        client: async Client (mailbox = 8) = Client::default(),
        /// With a mailbox of the usual size.
        server: async Server = Server::default(),
    ]
    routes: [
        Reader, Line: [client],
        second, Line: [client, server],
        second, words::Word: [server],
    ]

drop: [ Reader, words::Word; second, End ]
