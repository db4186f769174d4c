//! The start of a run on a journal: anew, from where the last process had got, or with the handlers brought to where they were.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::mark::Mark;
use super::past::{self, Life, Past, name_of};
use super::rehearsal::Findings;
use super::rehearse::{Course, Track};
use crate::bus::{ClaimError, Start, Subscriber};
use crate::journal::{Journal, Reader, Schema};
use crate::runtime::app::App;
use crate::runtime::describe::WorkerInfo;
use crate::runtime::gate::Gate;
use crate::runtime::runner::{HOLD, Runner};
use crate::runtime::start_error::StartError;
use crate::runtime::worker::Worker;

/// With what a run begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Beginning {
    /// With handlers just made.
    Anew,
    /// With handlers just made, where the last process had got.
    Resumed,
    /// With handlers that are where they were.
    Restored,
}

/// How a worker begins.
pub(crate) enum Way {
    /// On a bus in memory; with a mark where processes share it.
    Ring(Option<Mark>),
    /// On a journal, also on one that processes share.
    Journal {
        mark: Option<Mark>,
        restores: Option<Box<Restores>>,
    },
}

/// What a worker has when the table is restored.
pub(crate) struct Restores {
    path: PathBuf,
    /// What is to be rehearsed, if the worker has run before.
    life: Option<Life>,
    findings: Arc<Findings>,
    patience: Duration,
}

/// How a worker's handlers are, after all that comes before it is live.
pub(crate) enum Ready {
    /// They are made, and have still to be started.
    Made,
    /// They are where they were.
    Restored {
        /// By its policy, the worker has stopped.
        stopped: bool,
        /// One of them had asked for a stop.
        stop_asked: bool,
    },
}

/// What is settled for the workers of a run on a journal.
pub(crate) struct Plan {
    journal: Journal,
    beginning: Beginning,
    start: Start,
    patience: Duration,
    /// Keeps everything from being given up while workers rehearse.
    holder: Option<Subscriber>,
    findings: Arc<Findings>,
    /// The workers that may have run before, as notes call them.
    ran: Vec<String>,
}

impl Plan {
    pub(crate) fn new(
        journal: &Journal,
        beginning: Beginning,
        start: Start,
        patience: Duration,
        known: Schema,
    ) -> Result<Self, StartError> {
        let holder = match beginning {
            Beginning::Restored => Some(journal.bus().subscribe(Start::Oldest)?),
            _ => None,
        };
        let tables = known.tables().iter();
        let ran = tables.flat_map(|table| {
            let workers = table.workers.iter();
            workers.map(|worker| name_of(&table.name, &worker.name))
        });
        Ok(Self {
            journal: journal.clone(),
            beginning,
            start,
            patience,
            holder,
            findings: Arc::new(Findings::new(1)),
            ran: ran.collect(),
        })
    }

    /// What is settled for workers that are restored among others, on a bus whose records lie in `journal`. Nothing is held for them: on a bounded journal
    /// that would hold up all who publish.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    pub(crate) fn of_shared(journal: &Journal, patience: Duration) -> Result<Self, StartError> {
        Ok(Self {
            journal: journal.clone(),
            beginning: Beginning::Restored,
            start: Start::Newest,
            patience,
            holder: None,
            findings: Arc::new(Findings::new(1)),
            ran: journal.cursor_names().map_err(StartError::Cursor)?,
        })
    }

    /// Attaches a worker to the journal.
    pub(crate) fn join(
        &self,
        app: &str,
        worker: &WorkerInfo,
    ) -> Result<(Subscriber, Way), StartError> {
        let (bus, restores) = (self.journal.bus(), None);
        if self.beginning != Beginning::Resumed {
            let start = match self.beginning {
                Beginning::Restored => Start::Newest,
                _ => self.start,
            };
            let (subscriber, mark) = (bus.subscribe(start)?, None);
            return Ok((subscriber, Way::Journal { mark, restores }));
        }
        let name = name_of(app, worker.name);
        let known = self.journal.cursor_position(&name);
        let known = known.map_err(StartError::Cursor)?;
        // After a loss of power the journal may end before what had been handled.
        let start = known.map(|position| Start::At(position.min(bus.tail())));
        // What is handled stays until the cursor says so: the process may be killed in between.
        let subscriber = bus.subscribe_holding(start.unwrap_or(self.start))?;
        // One that is made says from the first where the worker begins: the next one to start goes by it.
        let cursor = self.journal.cursor_from(&name, subscriber.start());
        let cursor = Box::new((cursor.map_err(StartError::Cursor)?, self.journal.clone()));
        let mark = Some(Mark::Cursor(cursor));
        Ok((subscriber, Way::Journal { mark, restores }))
    }

    /// Where the past of a worker ends that has joined by this subscriber.
    fn end_of_past(&self, subscriber: &Subscriber) -> u64 {
        // Among others it has joined where the one before had got, so that it holds what it has not answered yet, and others have gone on since.
        if self.journal.is_shared() {
            return self.journal.bus().tail();
        }
        subscriber.start()
    }

    /// Finds out what each worker has to rehearse, now that all of them have joined.
    pub(crate) fn restore<T>(
        &self,
        app: &str,
        seats: &mut [(&'static WorkerInfo, Subscriber, Way, T)],
    ) -> Result<(), StartError> {
        if self.beginning != Beginning::Restored {
            return Ok(());
        }
        let Some(path) = self.journal.path() else {
            return Err(StartError::NotKept { what: "restored" });
        };
        let mut reader = Reader::open(path).map_err(StartError::Open)?;
        if let Some(holder) = &self.holder {
            reader.seek(holder.start())?;
        }
        let oldest = reader.position();
        let ends: Vec<_> = { seats.iter() }
            .map(|seat| self.end_of_past(&seat.1))
            .collect();
        let end = ends.iter().copied().max().unwrap_or(0);
        let pasts = seats.iter().map(|seat| Past::of(app, seat.0)).collect();
        let pasts = past::read(reader, end, self.patience, pasts)?;
        let ends_of = pasts.into_iter().zip(ends);
        for ((worker, subscriber, way, _), (mut past, end)) in seats.iter_mut().zip(ends_of) {
            let mut life = past.lives.pop();
            // Nothing at all may be left of one that only listened, and it is no new one for that.
            past.cut |= oldest > 0 && self.ran.contains(&name_of(app, worker.name));
            if past.cut && life.is_none() || life.as_ref().is_some_and(|it| it.start < oldest) {
                return Err(past.error(worker.name, oldest, &self.journal.schema()));
            }
            if life.is_none() {
                let ran_as = past.ran_as(&self.journal.schema());
                if !ran_as.is_empty() {
                    return Err(StartError::Renamed {
                        worker: worker.name,
                        ran_as,
                    });
                }
            }
            match &mut life {
                Some(life) => life.end = end,
                // It begins as in a run that is not restored.
                None if self.start != Start::Newest => {
                    *subscriber = self.journal.bus().subscribe(self.start)?;
                }
                None => {}
            }
            if let Way::Journal { restores, .. } = way {
                *restores = Some(Box::new(Restores {
                    path: path.to_owned(),
                    life,
                    findings: Arc::clone(&self.findings),
                    patience: self.patience,
                }));
            }
        }
        Ok(())
    }
}

impl<W: Worker> Runner<W> {
    /// Does what comes before the worker is live. `None`: another worker has said why there will be no start.
    pub(crate) fn get_ready(&mut self, way: Way, gate: &Gate) -> Result<Option<Ready>, StartError> {
        let (mark, restores) = match way {
            Way::Ring(mark) => {
                self.mark = mark;
                return Ok(Some(Ready::Made));
            }
            Way::Journal { mark, restores } => (mark, restores),
        };
        self.mark = mark;
        let mut lived = None;
        if let Some(mut restores) = restores {
            lived = self.live_again(&mut restores)?;
            if !gate.rehearsed() {
                return Ok(None);
            }
            if let Some(first) = restores.findings.found().first() {
                return Err(StartError::Diverged(Box::new(first.clone())));
            }
            let rehearsal = self.link.kept.rehearsal.as_ref();
            let len = rehearsal.map_or(0, |rehearsal| rehearsal.longest_left());
            let max = self.link.publisher.max_payload();
            if len > max {
                // By a longer bound it was sent, and would have been published.
                let (worker, error) = (W::INFO.name, ClaimError::TooLarge { len, max });
                return Err(StartError::Unnoted { worker, error });
            }
        }
        if lived.is_none() {
            self.note_begin(self.subscriber.start());
            // Who keeps its position begins there the next time, whatever is noted down.
            if self.mark.is_none() {
                self.send_beginning(gate.least)?;
            }
        }
        // Before anything is sent: if this process died, a worker of which nothing is noted down would be taken for a new one, and
        // not be told what others have sent since.
        if !gate.noted() {
            return Ok(None);
        }
        Ok(Some(match lived {
            None => Ready::Made,
            Some((stopped, end)) => {
                #[cfg(all(feature = "shared", target_os = "linux"))]
                if !stopped {
                    self.subscriber.pass_to(end);
                }
                let stop_asked = self.go_on(end);
                Ready::Restored {
                    stopped,
                    stop_asked,
                }
            }
        }))
    }

    /// Waits for room for what is noted down of the beginning, but not for room that the run's own workers have to make, which read from `least` on.
    fn send_beginning(&mut self, least: u64) -> Result<(), StartError> {
        let control = Arc::clone(&self.link.control);
        let (begun, own) = (Instant::now(), self.subscriber.slot());
        while let Some(error) = self.link.refused() {
            let lacks_room = self.link.lacks_room();
            if lacks_room && !control.bus.has_reader_before(least, own) {
                return Ok(());
            }
            if !lacks_room || begun.elapsed() >= control.patience {
                let worker = W::INFO.name;
                return Err(StartError::Unnoted { worker, error });
            }
            self.link
                .wait_for_room((least, own), Instant::now() + HOLD, |_| false);
            self.link.flush();
        }
        Ok(())
    }

    /// Rehearses the life of before, if there was one. Gives whether the worker stopped in it, and where it ended.
    fn live_again(&mut self, restores: &mut Restores) -> Result<Option<(bool, u64)>, StartError> {
        if let Some(handler) = self.async_handler() {
            return Err(StartError::Async {
                worker: W::INFO.name,
                handler,
            });
        }
        let Some(life) = restores.life.take() else {
            return Ok(None);
        };
        let mut course = Course {
            reader: Reader::open(&restores.path).map_err(StartError::Open)?,
            from: 0,
            to: life.end,
            life,
            findings: Arc::clone(&restores.findings),
            patience: restores.patience,
            pace: None,
            stopped: false,
            compared: 0,
            track: Track::of::<W>(),
        };
        let goes_on = self.rehearse(&mut course)?;
        match self.link.control.take_fatal() {
            Some(failure) => Err(StartError::Failed(Box::new(failure))),
            None => Ok(Some((!goes_on, course.life.end))),
        }
    }
}

/// Lets go of what is held for workers that rehearse, once they have: what they note down then wants room.
pub(crate) fn let_go(plan: Option<Plan>, gate: &Gate) {
    if plan.as_ref().is_some_and(|plan| plan.holder.is_some()) {
        gate.until_rehearsed();
    }
}

/// Admits the table to the journal: what it says of ids must be what the journal says.
pub(crate) fn admit<A: App>(journal: &Journal) -> Result<(), StartError> {
    Ok(journal.admit(&crate::journal::Schema::from(A::INFO))?)
}
