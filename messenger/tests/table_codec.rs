//! A table whose messages all have one codec, whichever is there: it compiles, runs and stops with that feature alone.

#![cfg(any(
    feature = "bincode",
    feature = "postcard",
    feature = "prost",
    feature = "zero_copy"
))]

use messenger::bus::{Bus, BusConfig};
use messenger::{Handle, Handler, Message, Outbox, Result, messenger, messenger_id_enum};

messenger_id_enum! {
    pub(crate) enum Mid { Serve = 1, Count = 2 }
    pub(crate) enum Hid { Player = 1, Counter = 2, Main = 3 }
}

/// Two messages of one number each.
macro_rules! messages {
    ($codec:ident, [$($derive:path),*], [$($of_type:meta)?], [$($of_field:meta)?]) => {
        /// How many are to be counted.
        #[derive(Clone, Message, $($derive),*)]
        #[message(id = Mid::Serve, codec = $codec)]
        $(#[$of_type])?
        pub(crate) struct Serve {
            $(#[$of_field])?
            n: u32,
        }

        /// One of them.
        #[derive(Clone, Message, $($derive),*)]
        #[message(id = Mid::Count, codec = $codec)]
        $(#[$of_type])?
        pub(crate) struct Count {
            $(#[$of_field])?
            n: u32,
        }
    };
}

#[cfg(feature = "bincode")]
messages!(
    bincode,
    [Debug, serde::Serialize, serde::Deserialize],
    [],
    []
);
#[cfg(all(feature = "postcard", not(feature = "bincode")))]
messages!(
    postcard,
    [Debug, serde::Serialize, serde::Deserialize],
    [],
    []
);
#[cfg(all(feature = "prost", not(any(feature = "bincode", feature = "postcard"))))]
messages!(
    prost,
    [PartialEq, prost::Message],
    [],
    [prost(uint32, tag = "1")]
);
#[cfg(not(any(feature = "bincode", feature = "postcard", feature = "prost")))]
messages!(zero_copy, [Copy, Debug], [repr(C)], []);

/// Sends as many.
#[derive(Debug, Handler)]
#[handler(id = Hid::Player, sends(Count))]
pub(crate) struct Player;

impl Handle<Serve> for Player {
    fn handle(&mut self, serve: &Serve, out: &mut Outbox<'_, Self>) -> Result {
        for n in 0..serve.n {
            out.send(&Count { n })?;
        }
        Ok(())
    }
}

/// Adds them up.
#[derive(Debug, Handler)]
#[handler(id = Hid::Counter)]
pub(crate) struct Counter {
    sum: u32,
}

impl Handle<Count> for Counter {
    fn handle(&mut self, count: &Count, out: &mut Outbox<'_, Self>) -> Result {
        self.sum += count.n;
        if count.n == 99 {
            assert_eq!(self.sum, 4950);
            out.stop();
        }
        Ok(())
    }
}

/// Stands outside.
#[derive(Debug, Handler)]
#[handler(id = Hid::Main, sends(Serve))]
pub(crate) struct Main;

messenger! {
    pub(crate) Game;
    outside: [ Main ]
    Players:
        handlers: [ player: Player = Player ]
        routes: [ Main, Serve: [player] ]
    Counters:
        handlers: [ counter: Counter = Counter { sum: 0 } ]
        routes: [ Player, Count: [counter] ]
}

#[test]
fn a_table_runs_with_one_codec() {
    let bus = Bus::new(BusConfig::bytes(1 << 12)).unwrap();
    let run = Game::builder(&bus).run().unwrap();
    let mut main = run.publisher::<Main>().unwrap();
    main.send(&Serve { n: 100 }).unwrap();
    let report = run.join().unwrap();
    assert!(report.failures.is_empty(), "{report}");
}
