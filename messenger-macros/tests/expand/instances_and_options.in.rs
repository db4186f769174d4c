Feeds;

Readers (wait = block_now, pin = 1, on_error = stop, spill = 1 << 16, batch = 32, pool = true):
    handlers: [
        first: Reader = Reader::new(1),
        /// With an id of its own.
        second: Reader as FIRST + 1 = Reader::new(2),
        printer: Printer = Printer,
        r#loop: Mapper<fn(u8) -> u8> = Mapper(next),
    ]
    routes: [
        Reader, Line: [printer],
        second, Line: [printer],
        second, words::Word: [printer, r#loop],
    ]

drop: [ Reader, words::Word; second, End ]
