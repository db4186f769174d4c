//! What becomes of a handler that panicked: the worker's policy.

use core::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::deliver::Caught;
use super::failure::{AfterPanic, Failure, FailureKind};
use super::link::Call;
use super::options::OnPanic;
use super::runner::Runner;
use super::trace;
use super::worker::{Worker, text_of};

impl<W: Worker> Runner<W> {
    /// Does what the policy says about a panic. `false`: the worker stops.
    #[cold]
    pub(super) fn panicked(&mut self, panic: Box<dyn Any + Send>) -> bool {
        let mut panics = core::mem::take(&mut self.link.caught);
        if !panic.is::<Caught>() {
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
        self.link.dead[usize::from(index)] = dead;
        self.link.any_dead |= dead;
        let mut failure = self.failure(
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
        let (worker, config) = (&mut self.worker, &*self.config);
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
                self.link.control.fail(self.failure(index, kind));
            }
        }
    }

    pub(super) fn failure(&self, index: usize, kind: FailureKind) -> Failure {
        Failure {
            worker: W::INFO.name,
            handler: Some(W::INFO.handlers[index].name),
            record: None,
            kind,
        }
    }
}
