//! What a worker keeps of an async handler while its tasks come and go.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::Instant;

use tokio::task::{JoinError, JoinHandle};

use super::mailbox::{report, shut_down};
use super::queue::Waiting;
use super::task::{Outlet, TaskShared};
use crate::runtime::error::HandlerError;
use crate::runtime::link::Link;
use crate::runtime::outbox::Seat;
use crate::runtime::runner::HOLD;
use crate::runtime::worker::text_of;

/// An async handler's place on its worker: what stays of it when it is made again.
pub(crate) struct Place {
    pub(super) seat: Seat,
    pub(super) mail: Arc<dyn Waiting>,
    pub(super) outlet: Arc<Outlet>,
    pub(super) task: Option<Task>,
}

/// A task that runs, or has ended by itself.
pub(super) struct Task {
    pub(super) shared: Arc<TaskShared>,
    pub(super) handle: JoinHandle<()>,
}

/// Has a thread look again.
struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// How a task ended.
pub(super) struct Ended {
    pub(super) result: Result<(), JoinError>,
    /// The route and position of the message that it had in hand.
    pub(super) in_hand: Option<(usize, u64)>,
}

impl Place {
    /// Sends what its tasks could not send yet, as far as there is room.
    fn flush(&self, link: &Link) {
        match &self.task {
            Some(task) => task.shared.flush(link),
            None => self.outlet.flush(link),
        };
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A worker's thread that unwinds leaves no task behind that waits for ever.
        self.mail.close();
        if let Some(task) = &self.task {
            task.shared.close();
        }
    }
}

impl Link {
    /// What is kept of the handler in seat `index`.
    pub(super) fn place(&mut self, index: u16) -> Option<&mut Place> {
        self.places
            .iter_mut()
            .find(|place| place.seat.index == index)
    }

    /// Waits for the end of the task in seat `index`, which has been told to end or does so by itself. `None`: there is none.
    pub(super) fn end_task(&mut self, index: u16) -> Option<Ended> {
        let place = self.place(index)?;
        let (seat, mut task) = (place.seat, place.task.take()?);
        // Before the wait: those who wait for room, which only this thread finds, may be waited for by the task.
        task.shared.close();
        let waker = Waker::from(Arc::new(Unparks(thread::current())));
        let mut look = Context::from_waker(&waker);
        let result = loop {
            if let Poll::Ready(result) = Pin::new(&mut task.handle).poll(&mut look) {
                break result;
            }
            thread::park_timeout(HOLD);
            self.flush_all();
        };
        task.shared.judge(seat, self);
        Some(Ended {
            result,
            in_hand: task.shared.in_hand(),
        })
    }

    /// Sends what the worker's handlers and their tasks could not send yet, as far as there is room: while this thread waits for a task, which
    /// may wait for what comes of that.
    pub(super) fn flush_all(&mut self) {
        self.flush();
        for place in &self.places {
            place.flush(self);
        }
    }

    /// The handler in seat `index` has panicked. If that was on this thread its task still runs, and is ended: none runs beside the next.
    pub(crate) fn halt_task(&mut self, index: u16) {
        let Some(place) = self.place(index) else {
            return;
        };
        place.mail.halt();
        let seat = place.seat;
        let Some(ended) = self.end_task(index) else {
            return;
        };
        let error = match ended.result.map_err(JoinError::try_into_panic) {
            // A second panic, over what the task had in hand meanwhile.
            Err(Ok(panic)) => HandlerError::new(format!("panicked: {}", text_of(&*panic))),
            Err(Err(_)) if ended.in_hand.is_some() => shut_down(),
            _ => return,
        };
        report(self, seat, ended.in_hand, error);
    }

    /// The worker ends, and so have its tasks: what they sent goes the worker's way, and what is left in mailboxes is counted.
    pub(crate) fn end_tasks(&mut self) {
        for place in core::mem::take(&mut self.places) {
            place.outlet.hand_over(self);
            self.tally.orphaned.add(place.mail.count() as u64);
        }
    }

    /// Waits for a place in each mailbox that is full; looks whether one still is.
    #[cold]
    pub(crate) fn wait_for_places(&mut self, deadline: Instant) {
        let has_place = |place: &Place| place.mail.has_place_by(deadline);
        self.mailbox_full = !self.places.iter().all(has_place);
    }
}
