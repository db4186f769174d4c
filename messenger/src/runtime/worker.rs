//! A worker of a table: what is declared of it.

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::app::App;
use super::deliver::{Delivery, Visitor};
use super::describe::WorkerInfo;
use super::error::Result;
use super::failure::{Call, Failure, FailureKind};
use super::outbox::Seat;
use crate::bus::Tag;

/// A worker of a table: its handlers by name and type. `messenger!` declares it.
pub trait Worker: Sized + 'static {
    /// The table it belongs to.
    type App: App;

    /// The worker as data.
    const INFO: WorkerInfo;

    /// Makes all handlers, in the order of the table; `None` if one could not be made.
    fn make(config: &<Self::App as App>::Config, making: &mut Making<'_>) -> Option<Self>;

    /// Makes one handler again.
    ///
    /// # Errors
    ///
    /// The constructor's error; then the old handler is still there.
    fn remake(&mut self, handler: usize, config: &<Self::App as App>::Config) -> Result;

    /// Which route a record with this header takes.
    fn find(tag: Tag) -> Option<usize>;

    /// Gives a record to the receivers of its route.
    fn dispatch(&mut self, route: usize, payload: &[u8], to: Delivery<'_>);

    /// Visits one handler.
    fn visit<V: Visitor>(&mut self, handler: usize, visitor: &mut V);

    /// Visits all handlers, in the order of the table.
    fn each<V: Visitor>(&mut self, visitor: &mut V);
}

/// Makes a worker's handlers, and keeps what went wrong.
#[derive(Debug)]
pub struct Making<'a> {
    info: &'a WorkerInfo,
    pub(crate) failure: Option<Failure>,
}

impl<'a> Making<'a> {
    pub(crate) fn new(info: &'a WorkerInfo) -> Self {
        Self {
            info,
            failure: None,
        }
    }

    /// Makes one handler; `None` if its constructor fails or panics.
    pub fn handler<H>(&mut self, seat: Seat, constructor: impl FnOnce() -> Result<H>) -> Option<H> {
        let kind = match catch_unwind(AssertUnwindSafe(constructor)) {
            Ok(Ok(handler)) => return Some(handler),
            Ok(Err(error)) => FailureKind::Returned(error),
            Err(panic) => FailureKind::fatal(&*panic),
        };
        let index = usize::from(seat.index);
        let failure = Failure::of_handler(self.info, index, Some(Call::Constructor), kind);
        self.failure = Some(failure);
        None
    }
}

/// What a panic says.
pub(crate) fn text_of(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without a text".to_owned(),
    }
}
