//! One table, messages of every mode: what is hot stands in the bus as it is, what is varied is serialized.
//!
//! * `Tick` is zero-copy: built in the bus, received as a reference into it.
//! * `Order` is serde by bincode, with a text and an option in it.
//! * `Close` is serde by postcard, the smallest of all on the bus.
//! * `Statement` is prost, as if it went on to another program.
//!
//! Handlers don't see the difference: each takes `&M` and sends `&M`. The mode stands at the message, and there alone.

use std::error::Error;

use messenger::bus::{Bus, BusConfig, Start};
use messenger::{Handle, Handler, Message, Outbox, Result, messenger, messenger_id_enum};
use serde::{Deserialize, Serialize};

/// How many ticks there are.
const TICKS: u32 = if cfg!(miri) { 30 } else { 30_000 };

messenger_id_enum! {
    enum Mid { Begin = 1, Tick = 2, Order = 3, Close = 4, Statement = 5 }
    enum Hid { Main = 1, Feed = 2, Trader = 3, Ledger = 4 }
}

/// A price at a time.
#[derive(Clone, Copy, Message)]
#[message(id = Mid::Tick, codec = zero_copy)]
#[repr(C)]
struct Tick {
    number: u32,
    price: i32,
}

/// What the trader wants.
#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Order, codec = bincode)]
struct Order {
    quantity: i32,
    price: i32,
    /// Why, where it is worth a word.
    remark: Option<String>,
}

/// There are no more ticks.
#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Close, codec = postcard)]
struct Close {
    ticks: u32,
}

/// What it came to.
#[derive(Clone, PartialEq, prost::Message, Message)]
#[message(id = Mid::Statement, codec = prost)]
struct Statement {
    #[prost(uint32, tag = "1")]
    orders: u32,
    #[prost(int64, tag = "2")]
    cash: i64,
    #[prost(string, repeated, tag = "3")]
    remarks: Vec<String>,
}

/// Begin!
#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Begin, codec = bincode)]
struct Begin;

/// The price swings about 1000 in 20 steps.
fn price(number: u32) -> i32 {
    let step = (number % 20) as i32;
    1000 + if step < 10 { step } else { 20 - step }
}

/// Sends a tick when it has heard the one before, so that it never sends more than the bus can take.
#[derive(Handler)]
#[handler(id = Hid::Feed, sends(Tick, Close))]
struct Feed {
    next: u32,
}

impl Feed {
    fn tick(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let number = self.next;
        self.next += 1;
        if number == TICKS {
            return out.send(&Close { ticks: TICKS });
        }
        out.build(|tick: &mut Tick| {
            tick.number = number;
            tick.price = price(number);
        })
    }
}

impl Handle<Begin> for Feed {
    fn handle(&mut self, _: &Begin, out: &mut Outbox<'_, Self>) -> Result {
        self.tick(out)
    }
}

impl Handle<Tick> for Feed {
    /// Its own tick has come round: time for the next.
    fn handle(&mut self, _: &Tick, out: &mut Outbox<'_, Self>) -> Result {
        self.tick(out)
    }
}

/// Buys low and sells high.
#[derive(Handler)]
#[handler(id = Hid::Trader, sends(Order, Close))]
struct Trader {
    orders: u32,
}

impl Handle<Tick> for Trader {
    fn handle(&mut self, tick: &Tick, out: &mut Outbox<'_, Self>) -> Result {
        let quantity = match tick.price {
            1000 => 1,
            1010 => -1,
            _ => return Ok(()),
        };
        let remark = (self.orders == 0).then(|| format!("the first, at tick {}", tick.number));
        self.orders += 1;
        out.send(&Order {
            quantity,
            price: tick.price,
            remark,
        })
    }
}

impl Handle<Close> for Trader {
    fn handle(&mut self, close: &Close, out: &mut Outbox<'_, Self>) -> Result {
        // Behind the last of its orders.
        out.send(close)
    }
}

/// Books the orders.
#[derive(Handler)]
#[handler(id = Hid::Ledger, sends(Statement))]
struct Ledger {
    statement: Statement,
}

impl Handle<Order> for Ledger {
    fn handle(&mut self, order: &Order, _: &mut Outbox<'_, Self>) -> Result {
        let statement = &mut self.statement;
        statement.orders += 1;
        statement.cash -= i64::from(order.quantity) * i64::from(order.price);
        statement.remarks.extend(order.remark.clone());
        Ok(())
    }
}

impl Handle<Close> for Ledger {
    fn handle(&mut self, _: &Close, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&self.statement)
    }
}

#[derive(Handler)]
#[handler(id = Hid::Main, sends(Begin))]
struct Main;

messenger! {
    Market;

    outside: [ Main ]

    Exchange:
        handlers: [ feed: Feed = Feed { next: 0 } ]
        routes: [
            Main, Begin: [feed],
            Feed, Tick: [feed],
        ]

    Desk:
        handlers: [
            trader: Trader = Trader { orders: 0 },
            ledger: Ledger = Ledger { statement: Statement::default() },
        ]
        routes: [
            Feed, Tick: [trader],
            Feed, Close: [trader],
            Trader, Order: [ledger],
            Trader, Close: [ledger],
        ]

    // `main` subscribes to it.
    drop: [ Ledger, Statement ]
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let bus = Bus::new(BusConfig::bytes(256 << 10))?;
    let market = Market::builder(bus).run()?;
    let mut statements = market.subscribe_gating::<(Statement,)>(Start::Newest)?;
    market.publisher::<Main>()?.send(&Begin)?;

    let statement = statements.receive()?;
    let report = market.stop()?;
    assert!(report.failures.is_empty(), "{report}");

    let statement = statement.ok_or("the market stopped before its end")?;
    println!("{TICKS} ticks, and then {statement:?}");
    for worker in &report.workers {
        for route in &worker.routes {
            println!(
                "{:8} took {:5} {} from {}",
                worker.worker, route.messages, route.message, route.source
            );
        }
    }

    // The same by plain arithmetic: of 20 ticks one is low and one is high.
    let low = (0..TICKS).filter(|&number| price(number) == 1000).count();
    let high = (0..TICKS).filter(|&number| price(number) == 1010).count();
    assert_eq!(statement.orders as usize, low + high);
    assert_eq!(statement.cash, 1010 * high as i64 - 1000 * low as i64);
    assert_eq!(statement.remarks, ["the first, at tick 0"]);
    Ok(())
}
