//! The journal of most tests: a small market, with fixed times.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use messenger::bus::{MessageId, Publisher, SourceId, Tag};
use messenger::journal::{Journal, JournalConfig, Schema};
use messenger::{App, Handle, Handler, Message, Outbox, Result, messenger, messenger_id_enum};
use prost::Message as _;
use serde::{Deserialize, Serialize};

use crate::kit::Dir;

messenger_id_enum! {
    pub(crate) enum Mid { Quote = 1, Order = 2, Note = 3 }
    pub(crate) enum Hid { Feed = 1, Trader = 2 }
}

#[derive(Message, Clone, PartialEq, prost::Message)]
#[message(id = Mid::Quote, codec = prost)]
pub(crate) struct Quote {
    #[prost(string, tag = "1")]
    pub(crate) symbol: String,
    #[prost(uint32, tag = "2")]
    pub(crate) price: u32,
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Order, codec = bincode)]
pub(crate) struct Order {
    pub(crate) price: u32,
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Note, codec = bincode)]
pub(crate) struct Note;

#[derive(Handler)]
#[handler(id = Hid::Feed, sends(Quote, Note))]
pub(crate) struct Feed;

#[derive(Handler)]
#[handler(id = Hid::Trader, sends(Order))]
pub(crate) struct Trader;

impl Handle<Quote> for Trader {
    fn handle(&mut self, quote: &Quote, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Order { price: quote.price })
    }
}

messenger! {
    pub(crate) Market;
    outside: [ Feed ]
    Desk:
        handlers: [ trader: Trader = Trader ]
        routes: [ Feed, Quote: [trader] ]
    drop: [ Trader, Order; Feed, Note ]
}

pub(crate) const QUOTE: Tag = Tag::new(SourceId::new(1), MessageId::new(1));
pub(crate) const ORDER: Tag = Tag::new(SourceId::new(2), MessageId::new(2));
pub(crate) const NOTE: Tag = Tag::new(SourceId::new(1), MessageId::new(3));
/// Of these the schema has no names.
pub(crate) const NAMELESS: Tag = Tag::new(SourceId::new(70), MessageId::new(71));

/// Small segments, and no times but those that the test notes.
pub(crate) fn config() -> JournalConfig {
    JournalConfig::new()
        .segment_bytes(4096)
        .ahead(1)
        .time_resolution(Duration::ZERO)
}

/// 2026-11-27T04:00:00Z, and so many milliseconds.
pub(crate) fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_795_752_000_000 + millis)
}

/// A journal that knows the market, and who publishes in it.
pub(crate) fn open(dir: &Dir) -> (Journal, Publisher) {
    let journal = Journal::open(dir, config()).unwrap();
    journal.admit(&Schema::from(Market::INFO)).unwrap();
    let publisher = journal.bus().publisher().unwrap();
    (journal, publisher)
}

pub(crate) fn quote(price: u32) -> Vec<u8> {
    let symbol = "ACME".to_owned();
    Quote { symbol, price }.encode_to_vec()
}

/// Five records: at 04:00:00 a quote and an order, at 04:00:02 text, nothing, and one that no name is known of; the last one
/// has no time.
pub(crate) fn five(dir: &Dir) -> Vec<u64> {
    let (journal, mut publisher) = open(dir);
    let mut positions = Vec::new();
    let mut send = |publisher: &mut Publisher, tag, payload: &[u8]| {
        positions.push(publisher.send(tag, payload).unwrap());
    };
    send(&mut publisher, QUOTE, &quote(100));
    send(&mut publisher, ORDER, &100_u32.to_le_bytes());
    journal.note_time(&mut publisher, at(0)).unwrap();
    send(&mut publisher, ORDER, b"a text that can be read");
    send(&mut publisher, NOTE, b"");
    journal.note_time(&mut publisher, at(2000)).unwrap();
    send(&mut publisher, NAMELESS, &[0xFF; 100]);
    drop(publisher);
    journal.close().unwrap();
    positions
}

/// So many quotes with the prices 0, 1, 2..., over several segments, each hundred a second later than those before.
pub(crate) fn quotes(dir: &Dir, number: u32) -> Vec<u64> {
    let (journal, mut publisher) = open(dir);
    let mut positions = Vec::new();
    for price in 0..number {
        positions.push(publisher.send(QUOTE, &quote(price)).unwrap());
        if price % 100 == 99 {
            let time = at(u64::from(price / 100) * 1000);
            journal.note_time(&mut publisher, time).unwrap();
        }
    }
    drop(publisher);
    journal.close().unwrap();
    positions
}
