/// The game.
pub Game(config: Config);

outside: [ Http ]

/// Where it is played.
Court (wait = block, on_panic = stop):
    handlers: [ ping: Ping = Ping { last: config.last }, pong: Pong = Pong ]
    routes: [
        Ping, Ball: [pong],
        Pong, Back: [ping],
        Http, Ball: [pong],
    ]

Stand (on_panic = restart(3, per = Duration::from_secs(1))):
    handlers: [ tap: Tap = Tap(0), log: Log = Log::open()? ]
    routes: [
        Pong, Back: [tap, log],
        Ping, Quote: [tap],
        Ping, Note: [log],
    ]

drop: [ Pong, Raw ]
