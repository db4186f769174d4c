//! The program of `docs/guide.md`: a till, whose book adds up the sales and whose guard watches for large ones.

use messenger::{Message, messenger_id_enum};
use serde::{Deserialize, Serialize};

messenger_id_enum! {
    enum Mid { Sale = 1, Alarm = 2, Close = 3, Sum = 4 }
    enum Hid { Main = 1, Book = 2, Guard = 3 }
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Sale, codec = bincode)]
struct Sale {
    article: String,
    cents: u64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Alarm, codec = bincode)]
struct Alarm {
    cents: u64,
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Close, codec = bincode)]
struct Close;

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Sum, codec = bincode)]
struct Sum {
    sales: u64,
    cents: u64,
    alarms: u64,
}

use messenger::{Handle, Handler, Outbox, Result};

/// Adds up the sales, and counts the alarms.
#[derive(Handler, Default)]
#[handler(id = Hid::Book, sends(Sum))]
struct Book {
    sales: u64,
    cents: u64,
    alarms: u64,
}

impl Handle<Sale> for Book {
    fn handle(&mut self, sale: &Sale, _: &mut Outbox<'_, Self>) -> Result {
        self.sales += 1;
        self.cents += sale.cents;
        Ok(())
    }
}

impl Handle<Alarm> for Book {
    fn handle(&mut self, _: &Alarm, _: &mut Outbox<'_, Self>) -> Result {
        self.alarms += 1;
        Ok(())
    }
}

impl Handle<Close> for Book {
    fn handle(&mut self, _: &Close, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Sum {
            sales: self.sales,
            cents: self.cents,
            alarms: self.alarms,
        })
    }
}

/// Raises an alarm for what costs too much, and hands on the end of the day, so that its alarms come before it.
#[derive(Handler)]
#[handler(id = Hid::Guard, sends(Alarm, Close))]
struct Guard {
    most: u64,
}

impl Handle<Sale> for Guard {
    fn handle(&mut self, sale: &Sale, out: &mut Outbox<'_, Self>) -> Result {
        if sale.cents > self.most {
            println!("{} for {} cents!", sale.article, sale.cents);
            out.send(&Alarm { cents: sale.cents })?;
        }
        Ok(())
    }
}

impl Handle<Close> for Guard {
    fn handle(&mut self, close: &Close, out: &mut Outbox<'_, Self>) -> Result {
        out.send(close)
    }
}

/// `main` sends too, so it has an id and a list; it is run by no worker.
#[derive(Handler)]
#[handler(id = Hid::Main, sends(Sale, Close))]
struct Main;

use messenger::messenger;

messenger! {
    Till(most: u64);

    outside: [ Main ]

    Office:
        handlers: [ book: Book = Book::default() ]
        routes: [
            Main, Sale: [book],
            Guard, Alarm: [book],
            Guard, Close: [book],
        ]

    Door (wait = block, on_panic = stop_worker):
        handlers: [ guard: Guard = Guard { most: *most } ]
        routes: [
            Main, Sale: [guard],
            Main, Close: [guard],
        ]

    drop: [ Book, Sum ]
}

use messenger::bus::{Bus, BusConfig, Start};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::new(BusConfig::bytes(1 << 20))?;
    let till = Till::builder(bus, 10_000).run()?;

    let mut sales = till.publisher::<Main>()?;
    for (article, cents) in [("tea", 450), ("piano", 890_000), ("bread", 320)] {
        sales.send(&Sale {
            article: article.into(),
            cents,
        })?;
    }

    // From now on, and gating: it misses nothing. Before the sales it would hold back `main`, once they fill the ring.
    let mut sums = till.subscribe_gating::<(Sum,)>(Start::Newest)?;
    sales.send(&Close)?;

    let sum = sums.receive()?;
    // What each worker has done, and what has failed; an error if that has stopped the till.
    print!("{}", till.stop()?);

    let sum = sum.ok_or("the till was stopped")?;
    assert_eq!((sum.sales, sum.cents, sum.alarms), (3, 890_770, 1));
    Ok(())
}

#[cfg(test)]
mod tests {
    use messenger::testing::Harness;

    use super::*;

    #[test]
    fn the_book_adds_up() -> Result {
        let mut book = Harness::new(Book::default());
        for (article, cents) in [("tea", 450), ("bread", 320)] {
            book.handle(&Sale {
                article: article.into(),
                cents,
            })?;
        }
        assert_eq!(book.handler().sales, 2);
        assert!(book.sent().is_empty(), "it says nothing before the end");

        book.handle(&Close)?;
        assert_eq!(book.expect_sent::<Sum>()?.cents, 770);
        Ok(())
    }
}
