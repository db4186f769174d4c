//! A worker's handlers from start to stop; what becomes of one that panicked: the worker's policy.

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::app::App;
use super::deliver::{Begin, Caught, Stop};
use super::failure::{AfterPanic, Failure, FailureKind};
use super::link::{Call, Link, NOBODY};
use super::options::OnPanic;
use super::runner::Clock;
use super::trace;
use super::worker::{Worker, text_of};
use crate::message::DecodeError;

/// A worker's handlers, and what it takes to call them and to make them again: also when the worker has left the bus.
pub(super) struct Crew<'a, W: Worker> {
    pub(super) worker: &'a mut W,
    pub(super) link: &'a mut Link,
    pub(super) config: &'a <W::App as App>::Config,
    pub(super) clock: &'a mut Clock,
    /// When which handlers were made again.
    pub(super) restarts: &'a mut Vec<(u16, Instant)>,
}

impl<W: Worker> Crew<'_, W> {
    /// Calls `on_start` on the handler at `index`, as a part of `call`.
    pub(super) fn begin_one(&mut self, index: usize, call: Call) -> Option<FailureKind> {
        self.link.turn_to(call);
        let mut begin = Begin(self.link, None);
        let worker = &mut *self.worker;
        match catch_unwind(AssertUnwindSafe(|| worker.visit(index, &mut begin))) {
            Ok(()) => begin.1.map(FailureKind::Started),
            Err(panic) => Some(FailureKind::Panicked {
                text: text_of(&*panic),
                then: AfterPanic::Stopped,
            }),
        }
    }

    /// The handlers have had their last message: stops them, and sends what is left, as far as there is room.
    pub(super) fn end(&mut self) {
        self.stop_handlers();
        #[cfg(feature = "tokio")]
        self.link.end_tasks();
        self.link.send_rest();
        self.link.flush();
    }

    /// Calls `on_stop` on each handler that has not panicked.
    pub(super) fn stop_handlers(&mut self) {
        for index in 0..W::INFO.handlers.len() {
            // An async handler works off its mailbox before. One that is made again over a message there goes on with what is left.
            while !self.link.dead[index] && self.stop_handler(index) {}
        }
    }

    /// Calls `on_stop` on the handler at `index`. `true`: there is another now, to be stopped too.
    fn stop_handler(&mut self, index: usize) -> bool {
        self.link.turn_to(Call::Stop);
        let (worker, link) = (&mut *self.worker, &mut *self.link);
        let stopped = catch_unwind(AssertUnwindSafe(|| worker.visit(index, &mut Stop(link))));
        let Err(panic) = stopped else {
            return false;
        };
        if self.link.call == Call::Handle {
            self.panicked(panic);
            return true;
        }
        self.link.tally.panics.add(1);
        let control = &self.link.control;
        let stops_alone = W::INFO.options.on_panic == OnPanic::StopWorker && !control.is_stopping();
        let text = text_of(&*panic);
        if stops_alone {
            let then = AfterPanic::WorkerStopped;
            control.report(failure::<W>(index, FailureKind::Panicked { text, then }));
        } else {
            let then = AfterPanic::Stopped;
            control.fail(failure::<W>(index, FailureKind::Panicked { text, then }));
        }
        false
    }

    /// Does what the policy says about a panic. `false`: the worker stops.
    #[cold]
    pub(super) fn panicked(&mut self, panic: Box<dyn Any + Send>) -> bool {
        let mut panics = core::mem::take(&mut self.link.caught);
        if self.link.seat == NOBODY {
            self.link.undecodable(DecodeError::Panicked {
                text: text_of(&*panic),
            });
        } else if !panic.is::<Caught>() {
            panics.push(self.link.panic(self.link.seat, panic));
        }
        let call = self.link.call;
        let mut goes_on = true;
        for panic in panics {
            (self.link.route, self.link.position) = panic.at;
            // Starting the one before has changed it.
            self.link.call = call;
            goes_on &= self.judge(panic.seat, &text_of(&*panic.payload));
        }
        goes_on
    }

    fn judge(&mut self, index: u16, text: &str) -> bool {
        let handling = self.link.call == Call::Handle;
        let record = if handling { self.link.record() } else { None };
        self.link.tally.panics.add(1);
        if handling {
            let route = &self.link.tally.routes[self.link.route];
            route.errors.add(1);
            self.clock.read();
            route.at(self.clock.now);
        }
        self.link.timers.cancel_all(index);
        let then = self.sentence(index);
        #[cfg(feature = "journal")]
        if matches!(then, AfterPanic::Stopped | AfterPanic::WorkerStopped) {
            self.link.note_given_up(index, 0);
        }
        let dead = then != AfterPanic::Restarted;
        // As where `on_loop` gives an error: what it was to keep there is not kept.
        #[cfg(feature = "journal")]
        {
            self.link.unkept |= dead && self.link.call == Call::Loop;
        }
        self.link.dead[usize::from(index)] = dead;
        self.link.any_dead |= dead;
        let mut failure = failure::<W>(
            usize::from(index),
            FailureKind::Panicked {
                text: text.to_owned(),
                then,
            },
        );
        failure.record = record;
        match then {
            AfterPanic::Restarted | AfterPanic::WorkerStopped => self.link.control.report(failure),
            AfterPanic::Stopped | AfterPanic::TooManyRestarts { .. } => {
                self.link.control.fail(failure);
            }
        }
        // After that, since it waits for what the task has in hand.
        #[cfg(feature = "tokio")]
        self.link.halt_task(index);
        if !dead {
            self.restart(index);
        }
        then != AfterPanic::WorkerStopped
    }

    fn sentence(&mut self, index: u16) -> AfterPanic {
        match W::INFO.options.on_panic {
            OnPanic::Stop => AfterPanic::Stopped,
            OnPanic::StopWorker => AfterPanic::WorkerStopped,
            OnPanic::Restart { times, per } => {
                #[cfg(feature = "journal")]
                let source = W::INFO.handlers[usize::from(index)].source.id;
                #[cfg(feature = "journal")]
                let panics = match self.link.call {
                    Call::Loop => None,
                    _ => self.link.kept.on.then(|| self.link.count_panic(index)),
                };
                #[cfg(feature = "journal")]
                if let Some(rehearsal) = &self.link.kept.rehearsal {
                    // Time passes in another way now, so whether it was within its limit is for the journal to say.
                    let at = self.link.position;
                    return match panics.is_some_and(|n| rehearsal.gives_up(source, at, n)) {
                        true => AfterPanic::TooManyRestarts { times },
                        false => AfterPanic::Restarted,
                    };
                }
                let now = Instant::now();
                self.restarts
                    .retain(|&(_, when)| now.duration_since(when) < per);
                let before = self.restarts.iter().filter(|r| r.0 == index).count();
                if before >= times as usize {
                    #[cfg(feature = "journal")]
                    self.link.note_given_up(index, panics.unwrap_or(0));
                    return AfterPanic::TooManyRestarts { times };
                }
                self.restarts.push((index, now));
                AfterPanic::Restarted
            }
        }
    }

    /// Makes the handler again and starts it; a failure in this stops the messenger.
    fn restart(&mut self, index: u16) {
        let index = usize::from(index);
        let (worker, config) = (&mut *self.worker, self.config);
        // What a panic in `on_loop` has caused has no cause on the bus either.
        let call = match self.link.call {
            Call::Loop => Call::Loop,
            _ => Call::Start,
        };
        let kind = match catch_unwind(AssertUnwindSafe(|| worker.remake(index, config))) {
            Ok(Ok(())) => self.begin_one(index, call),
            Ok(Err(error)) => Some(FailureKind::Made(error)),
            Err(panic) => Some(FailureKind::Panicked {
                text: text_of(&*panic),
                then: AfterPanic::Stopped,
            }),
        };
        match kind {
            None => {
                self.link.tally.restarts.add(1);
                trace::remade(W::INFO.name, W::INFO.handlers[index].name);
            }
            Some(kind) => {
                #[cfg(feature = "journal")]
                self.link.note_given_up(index as u16, 0);
                self.link.dead[index] = true;
                self.link.any_dead = true;
                // `on_start` may have set some before it failed.
                self.link.timers.cancel_all(index as u16);
                self.link.control.fail(failure::<W>(index, kind));
            }
        }
    }
}

/// A failure of the handler at `index`, about no record.
pub(super) fn failure<W: Worker>(index: usize, kind: FailureKind) -> Failure {
    Failure {
        worker: W::INFO.name,
        handler: Some(W::INFO.handlers[index].name),
        record: None,
        kind,
    }
}
