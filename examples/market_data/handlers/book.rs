//! Keeps the order books, and says when a best price changes and when an order trades.

use super::Hid;
use crate::market_data::book::{BookError, Books};
use crate::market_data::itch::wire::{
    AddOrder, AddOrderAttributed, Header, OrderCancel, OrderDelete, OrderExecuted, OrderExecutedAt,
    OrderReplace, Printable, SystemEvent,
};
use crate::market_data::messages::{Batch, Execution, Quote};
use messenger::{Handle, Handler, Outbox, Result};

/// The book handler.
#[derive(Handler, Default)]
#[handler(id = Hid::Book, sends(Quote, Execution, SystemEvent, Batch))]
pub struct Book {
    books: Books,
    quotes: u32,
}

impl Book {
    /// Changes the books, and tells if the best prices changed with them.
    fn change<T>(
        &mut self,
        header: &Header,
        out: &mut Outbox<'_, Self>,
        change: impl FnOnce(&mut Books) -> Result<T, BookError>,
    ) -> Result<T> {
        let instrument = header.instrument.get();
        let before = self.books.top(instrument);
        let changed = change(&mut self.books)?;
        let top = self.books.top(instrument);
        if top != before {
            let (at, number) = (header.at.get(), self.quotes);
            out.send(&Quote {
                top,
                at,
                instrument: instrument.into(),
                number,
            })?;
            self.quotes = self.quotes.wrapping_add(1);
        }
        Ok(changed)
    }
}

impl Handle<AddOrder> for Book {
    fn handle(&mut self, m: &AddOrder, out: &mut Outbox<'_, Self>) -> Result {
        self.change(&m.header, out, |books| books.add(m.order.get(), m.into()))
    }
}

impl Handle<AddOrderAttributed> for Book {
    fn handle(&mut self, m: &AddOrderAttributed, out: &mut Outbox<'_, Self>) -> Result {
        self.change(&m.header, out, |books| books.add(m.order.get(), m.into()))
    }
}

impl Handle<OrderExecuted> for Book {
    fn handle(&mut self, m: &OrderExecuted, out: &mut Outbox<'_, Self>) -> Result {
        let (order, shares) = (m.order.get(), m.shares.get());
        let resting = self.change(&m.header, out, |books| books.take(order, shares))?;
        out.send(&execution(&m.header, shares, resting.price))
    }
}

impl Handle<OrderExecutedAt> for Book {
    fn handle(&mut self, m: &OrderExecutedAt, out: &mut Outbox<'_, Self>) -> Result {
        let (order, shares) = (m.order.get(), m.shares.get());
        self.change(&m.header, out, |books| books.take(order, shares))?;
        match m.printable {
            Printable::Yes => out.send(&execution(&m.header, shares, m.price.get())),
            Printable::No => Ok(()),
        }
    }
}

impl Handle<OrderCancel> for Book {
    fn handle(&mut self, m: &OrderCancel, out: &mut Outbox<'_, Self>) -> Result {
        let (order, shares) = (m.order.get(), m.shares.get());
        self.change(&m.header, out, |books| books.take(order, shares))?;
        Ok(())
    }
}

impl Handle<OrderDelete> for Book {
    fn handle(&mut self, m: &OrderDelete, out: &mut Outbox<'_, Self>) -> Result {
        self.change(&m.header, out, |books| books.delete(m.order.get()))?;
        Ok(())
    }
}

impl Handle<OrderReplace> for Book {
    fn handle(&mut self, m: &OrderReplace, out: &mut Outbox<'_, Self>) -> Result {
        let (order, new_order) = (m.order.get(), m.new_order.get());
        let (shares, price) = (m.shares.get(), m.price.get());
        self.change(&m.header, out, |books| {
            books.replace(order, new_order, shares, price)
        })?;
        Ok(())
    }
}

/// Passed on, so that who hears of prices hears of the bell between the right two.
impl Handle<SystemEvent> for Book {
    fn handle(&mut self, m: &SystemEvent, out: &mut Outbox<'_, Self>) -> Result {
        out.send(m)
    }
}

impl Handle<Batch> for Book {
    fn handle(&mut self, m: &Batch, out: &mut Outbox<'_, Self>) -> Result {
        out.send(m)
    }
}

fn execution(header: &Header, shares: u32, price: u32) -> Execution {
    let (at, instrument) = (header.at.get(), header.instrument.get().into());
    Execution {
        shares: shares.into(),
        price,
        instrument,
        at,
    }
}
