Web;

Net:
    handlers: [
        client: async Client (mailbox = 8) = Client::default(),
        /// With a mailbox of the usual size.
        server: async Server as Hid::Second = Server::bind()?,
    ]
    routes: [
        Client, Question: [server],
        server, Answer: [client],
    ]
