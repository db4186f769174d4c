Feeds;

Readers (wait = block_now, pin = 1, on_error = stop, spill = 1 << 16, batch = 32, pool = true):
    handlers: [
        first: Reader = Reader::new(1),
        /// With an id of its own.
        second: Reader as Hid::Second = Reader::new(2),
        printer: Printer = Printer,
    ]
    routes: [
        Reader, Line: [printer],
        second, Line: [printer],
        second, words::Word: [printer],
    ]

drop: [ Reader, words::Word; second, End ]
