//! Builds in which a message has other fields than in the records: which record does not decode is told.

use messenger::journal::Reader;
use messenger::message::DecodeError;
use messenger::{Replay, StartError};

use super::kit::{Dir, small};

macro_rules! build {
    ($module:ident, $($fields:tt)*) => {
        mod $module {
            use messenger::{Handle, Handler, Message, Outbox, Result, messenger};
            use serde::{Deserialize, Serialize};

            /// What changes.
            #[derive(Message, Serialize, Deserialize, Debug)]
            #[message(id = 35, codec = bincode)]
            pub(crate) struct Quote { $($fields)* }

            #[derive(Message, Serialize, Deserialize, Debug)]
            #[message(id = 36, codec = bincode)]
            pub(crate) struct Level(u32);

            #[derive(Debug, Handler)]
            #[handler(id = 35, sends(Quote))]
            pub(crate) struct Feed;

            /// Says the second price, and those after it.
            #[derive(Debug, Default, Handler)]
            #[handler(id = 36, sends(Level))]
            pub(crate) struct Book(u32);

            impl Handle<Quote> for Book {
                fn handle(&mut self, m: &Quote, out: &mut Outbox<'_, Self>) -> Result {
                    self.0 += 1;
                    match self.0 {
                        1 => Ok(()),
                        _ => out.send(&Level(m.price)),
                    }
                }
            }

            messenger! {
                pub(crate) Shop;
                outside: [ Feed ]
                Booking:
                    handlers: [ book: Book = Book::default() ]
                    routes: [ Feed, Quote: [book] ]
                drop: [ Book, Level ]
            }
        }
    };
}

build!(then, pub(crate) price: u32);
build!(now, pub(crate) price: u32, pub(crate) size: u64);

#[test]
fn a_build_that_can_not_read_what_its_handlers_were_told_says_which_record() {
    let dir = Dir::new("fields");
    let journal = dir.open(small());
    let app = then::Shop::builder(&journal).run().unwrap();
    let mut feed = app.publisher::<then::Feed>().unwrap();
    let sent = [7, 8, 9].map(|price| feed.send(&then::Quote { price }).unwrap());
    drop(feed);
    app.stop().unwrap();

    let refused = now::Shop::builder(&journal).restore().run().unwrap_err();
    let text = refused.to_string();
    let StartError::Diverged(divergence) = refused else {
        panic!("{text}");
    };
    // What shows first is that the second is not answered.
    assert_eq!((divergence.input, &divergence.sent), (sent[2], &None));
    let first = divergence.undecodable.as_ref().unwrap();
    assert_eq!(first.record.position, sent[0]);
    assert_eq!(first.bytes, 7_u32.to_le_bytes());
    assert!(matches!(first.error, DecodeError::Codec { .. }));
    let told = format!(
        ". A record before it does not decode: at position {}, message `Quote` (35) from `Feed`, 4 bytes [07000000]: {}",
        sent[0], first.error
    );
    assert!(divergence.to_string().ends_with(&told), "{divergence}");
    assert!(text.contains(&told), "{text}");
    let advice = ". Nothing has been published: go back to the build that reads it (what has other fields than `Quote` had gets an id and a name of its \
                  own), or begin anew with `run()`";
    assert!(text.ends_with(advice), "{text}");

    let reader = Reader::open(&dir).unwrap();
    let replayed = now::Shop::builder(&reader).replay(Replay::all()).unwrap();
    assert_eq!(replayed.divergences[0].undecodable, divergence.undecodable);
    // The build of then goes on.
    let app = then::Shop::builder(&journal).restore().run().unwrap();
    app.stop().unwrap();
}
