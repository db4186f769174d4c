//! A worker's handlers from start to stop; what becomes of one that panicked: the worker's policy.

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::app::App;
use super::deliver::{Begin, Caught, Stop};
use super::failure::{AfterPanic, Call, Failure, FailureKind};
use super::link::{Link, NOBODY};
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
    pub(super) fn begin_one(&mut self, index: usize, call: Call) -> Option<Failure> {
        self.link.turn_to(call);
        let mut begin = Begin(self.link, None);
        let worker = &mut *self.worker;
        let kind = match catch_unwind(AssertUnwindSafe(|| worker.visit(index, &mut begin))) {
            Ok(()) => FailureKind::Returned(begin.1?),
            Err(panic) => FailureKind::fatal(&*panic),
        };
        Some(failure::<W>(index, Some(Call::OnStart), kind))
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
        self.link.turn_to(Call::OnStop);
        let (worker, link) = (&mut *self.worker, &mut *self.link);
        let stopped = catch_unwind(AssertUnwindSafe(|| worker.visit(index, &mut Stop(link))));
        let Err(panic) = stopped else {
            return false;
        };
        if self.link.call == Some(Call::OnMessage) {
            self.panicked(panic);
            return true;
        }
        self.link.tally.panics.add(1);
        let control = &self.link.control;
        let stops_alone = W::INFO.options.on_panic == OnPanic::StopWorker && !control.is_stopping();
        let then = match stops_alone {
            true => AfterPanic::WorkerStopped,
            false => AfterPanic::Stopped,
        };
        let text = text_of(&*panic);
        let kind = FailureKind::Panicked { text, then };
        let failure = failure::<W>(index, Some(Call::OnStop), kind);
        match stops_alone {
            true => control.report(failure),
            false => control.fail(failure),
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
        let handling = self.link.call == Some(Call::OnMessage);
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
            self.link.unkept |= dead && self.link.call == Some(Call::OnLoop);
        }
        self.link.dead[usize::from(index)] = dead;
        self.link.any_dead |= dead;
        let text = text.to_owned();
        let kind = FailureKind::Panicked { text, then };
        let mut failure = failure::<W>(usize::from(index), self.link.called(index), kind);
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
                    Some(Call::OnLoop) => None,
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
            Some(Call::OnLoop) => Call::OnLoop,
            _ => Call::OnStart,
        };
        let not_made = |kind| Some(failure::<W>(index, Some(Call::Constructor), kind));
        let failure = match catch_unwind(AssertUnwindSafe(|| worker.remake(index, config))) {
            Ok(Ok(())) => self.begin_one(index, call),
            Ok(Err(error)) => not_made(FailureKind::Returned(error)),
            Err(panic) => not_made(FailureKind::fatal(&*panic)),
        };
        match failure {
            None => {
                self.link.tally.restarts.add(1);
                trace::remade(W::INFO.name, W::INFO.handlers[index].name);
            }
            Some(failure) => {
                #[cfg(feature = "journal")]
                self.link.note_given_up(index as u16, 0);
                self.link.dead[index] = true;
                self.link.any_dead = true;
                // `on_start` may have set some before it failed.
                self.link.timers.cancel_all(index as u16);
                self.link.control.fail(failure);
            }
        }
    }
}

/// A failure of the handler at `index`, about no record.
fn failure<W: Worker>(index: usize, call: Option<Call>, kind: FailureKind) -> Failure {
    Failure::of_handler(const { &W::INFO }, index, call, kind)
}
