//! Bringing a worker's handlers to where they were: they get what they got then, and what they do is compared with what they did.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::divergence::{Act, Divergence};
use super::pace::Pace;
use super::past::{self, Life, name_of, own_of};
use super::rehearsal::{Findings, Rehearsal};
use crate::bus::{SourceId, Tag};
use crate::journal::note::{self, NoteKind};
use crate::journal::{Entry, Item, Reader};
use crate::runtime::app::App;
use crate::runtime::control::Sending;
use crate::runtime::deliver::Fire;
use crate::runtime::failure::Call;
use crate::runtime::link::Link;
use crate::runtime::runner::{Clock, Runner, take};
use crate::runtime::start_error::StartError;
use crate::runtime::timers::{OUTSIDE, Timer};
use crate::runtime::worker::Worker;

/// What a worker is to go through.
pub(crate) struct Course {
    pub(crate) reader: Reader,
    pub(crate) life: Life,
    /// What is looked at: differences before it are passed over, and records from its end on are not delivered.
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) findings: Arc<Findings>,
    pub(crate) patience: Duration,
    pub(crate) pace: Option<Pace>,
    /// By its policy, the worker has stopped.
    pub(crate) stopped: bool,
    /// How many acts were the same.
    pub(crate) compared: u64,
    pub(crate) track: Track,
}

/// What tells the acts of a worker's handlers from those of others, and from those that are not compared.
pub(crate) struct Track {
    name: String,
    own: Vec<SourceId>,
    /// The handlers have been told to stop, and have not gone on yet.
    ended: bool,
    /// What comes next has no cause in the journal.
    outside: bool,
}

impl Track {
    pub(crate) fn of<W: Worker>() -> Self {
        Self {
            name: name_of(W::App::INFO.name, W::INFO.name),
            own: own_of(const { &W::INFO }),
            ended: false,
            outside: false,
        }
    }

    /// Whether a record or a note of a value is one that is done again.
    #[inline]
    fn is_compared(&mut self, source: SourceId) -> bool {
        self.own.contains(&source) && !(core::mem::take(&mut self.outside) || self.ended)
    }
}

impl<W: Worker> Runner<W> {
    /// Has the handlers rehearse a life. What they did last, and what is not found in the journal, is left in the link's
    /// rehearsal. `false`: by its policy the worker stops.
    pub(crate) fn rehearse(&mut self, course: &mut Course) -> Result<bool, StartError> {
        let longest = course.reader.segment_bytes() / 4;
        let rehearsal = Rehearsal::new(&mut course.life, longest);
        self.link.kept.rehearsal = Some(Box::new(rehearsal));
        self.link.kept.on = true;
        if let Some(failure) = self.begin() {
            return Err(StartError::Failed(Box::new(failure)));
        }
        let first = course.life.start.min(course.life.begun);
        course.reader.seek(first)?;
        loop {
            let gone = catch_unwind(AssertUnwindSafe(|| self.rehearse_on(course)));
            match gone {
                Ok(done) => return done.map(|()| !course.stopped),
                // What it did before is still to be found.
                Err(panic) => course.stopped |= !self.crew().panicked(panic),
            }
        }
    }

    /// Goes on until the life is over, or nobody wants to know more.
    fn rehearse_on(&mut self, course: &mut Course) -> Result<(), StartError> {
        loop {
            let at = course.reader.position();
            let to = course.to.min(course.findings.until().saturating_add(1));
            let delivers = at < to && !course.stopped;
            if delivers || at == course.life.end && at <= to && !course.stopped {
                self.fire_again(&mut course.life, at);
            }
            if at >= course.life.end
                || self.link.control.is_stopping()
                // Else what follows may show that something of it was not done then.
                || at >= to && self.has_done_nothing()
            {
                return Ok(());
            }
            let Course {
                reader,
                life,
                pace,
                track,
                findings,
                compared,
                from,
                patience,
                ..
            } = course;
            let Some(item) = reader.next_item()? else {
                past::wait(reader, life.end, *patience)?;
                continue;
            };
            let Self {
                worker,
                link,
                clock,
                ..
            } = self;
            match item {
                Item::Record(record) => {
                    let own = record.position > life.begun && track.is_compared(record.source());
                    if own {
                        compare::<W>(link, &record, false, (findings, *from, compared));
                    }
                    if !delivers || at < life.start {
                        continue;
                    }
                    match W::find(record.tag) {
                        None => link.tally.passed.add(1),
                        Some(route) => {
                            link.turn_to(Call::OnMessage);
                            if let Some(rehearsal) = &mut link.kept.rehearsal {
                                rehearsal.position = at;
                            }
                            take(worker, link, clock, route, at, record.payload);
                            if let Some(rehearsal) = &mut link.kept.rehearsal {
                                rehearsal.handled(at, record.payload);
                            }
                            turn(clock);
                        }
                    }
                }
                Item::Note(note) => match NoteKind::of(note.tag) {
                    Some(NoteKind::Time) => {
                        if let (Some(pace), Some(time)) = (pace, note::number_of(note.payload)) {
                            pace.wait_for(at, time, &|| at > findings.until());
                        }
                    }
                    Some(NoteKind::Handled) if at > life.begun => {
                        if let Some(last) = track.handled(note.payload) {
                            unsent::<W>(link, last.saturating_add(1), (findings, *from));
                        }
                    }
                    Some(kind)
                        if at > life.begun && track.hear(kind, note.tag, note.payload, link) =>
                    {
                        compare::<W>(link, &note, true, (findings, *from, compared));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// Whether all that was done has been found.
    fn has_done_nothing(&self) -> bool {
        let rehearsal = self.link.kept.rehearsal.as_ref();
        rehearsal.is_none_or(|rehearsal| rehearsal.is_found())
    }

    /// Fires the timers that fired before the record at `at`, or one after it, was taken.
    fn fire_again(&mut self, life: &mut Life, at: u64) {
        while let Some(&fired) = life.timers.front() {
            if fired.next > at {
                return;
            }
            life.timers.pop_front();
            let handlers = W::INFO.handlers.iter();
            let index = { handlers }.position(|handler| handler.source.id == fired.source);
            let Some(index) = index else { continue };
            let timer = Timer::numbered(fired.number);
            let outside = fired.number & OUTSIDE != 0;
            if !outside && !self.link.timers.cancel(index as u16, timer) {
                // It was not set this time, as will be found where the journal says that it fired.
                continue;
            }
            self.link.turn_to(Call::OnTimer);
            let tag = NoteKind::Timer.about(fired.source);
            if let Some(rehearsal) = &mut self.link.kept.rehearsal {
                rehearsal.note(tag, &note::timer(fired.next, fired.number));
            }
            let fire = &mut Fire(&mut self.link, timer);
            self.worker.visit(index, fire);
        }
    }

    /// The name of an async handler of this worker.
    pub(crate) fn async_handler(&self) -> Option<&'static str> {
        let is_async = W::INFO.handlers.iter().find(|handler| handler.is_async);
        is_async.map(|handler| handler.name)
    }

    /// Ends what is only rehearsed: tells what was done and not found, and the handlers to stop.
    pub(crate) fn finish(mut self, tell: impl FnOnce(&Rehearsal)) {
        if let Some(rehearsal) = &self.link.kept.rehearsal {
            tell(rehearsal);
        }
        self.crew().stop_handlers();
    }

    /// Ends a worker that is not to be live, since the start has failed. Handlers that have not been started are not stopped.
    pub(crate) fn leave(mut self, sending: Sending) {
        if self.link.kept.rehearsal.is_none() {
            self.link.any_dead = true;
            self.link.dead.fill(true);
        }
        self.end(sending);
    }

    /// Ends the rehearsal, and goes on live, from `end` on: first comes what had been done and was never published, if it was not.
    pub(crate) fn go_on(&mut self, end: u64) -> bool {
        let link = &mut self.link;
        let Some(rehearsal) = link.kept.rehearsal.take() else {
            return false;
        };
        link.turn_to(None);
        let name = name_of(W::App::INFO.name, W::INFO.name);
        link.note(NoteKind::Restored.of_nobody(), name.as_bytes());
        link.note_longest((end, rehearsal.longest_at(end)), &name);
        let left: Vec<_> = rehearsal.left().into_iter().map(|(_, act)| act).collect();
        link.spill.take_over(&left);
        link.flush();
        rehearsal.stop_asked
    }

    /// Notes down that the handlers have been made, and from where on they hear the journal; what they do is kept from now on. What a member of a pool of
    /// several processes does is not: it hears what the others leave.
    pub(crate) fn note_begin(&mut self, start: u64) {
        let name = name_of(W::App::INFO.name, W::INFO.name);
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if self.pool_seat().is_some() {
            return self
                .link
                .note(NoteKind::Member.of_nobody(), name.as_bytes());
        }
        self.link.kept.on = true;
        let payload = note::place(start, &name);
        self.link.note(NoteKind::Begin.of_nobody(), &payload);
        let longest = (self.link.control.bus.lap() / 4) as usize;
        self.link.note_longest((start, longest), &name);
    }
}

impl Track {
    /// Up to which record the worker's handlers had answered all, if a note says so of this worker.
    fn handled(&self, payload: &[u8]) -> Option<u64> {
        let (last, name) = note::place_of(payload)?;
        (name == self.name.as_bytes()).then_some(last)
    }

    /// Takes a note in. `true`: it is one of an act that is done again.
    fn hear(&mut self, kind: NoteKind, tag: Tag, payload: &[u8], link: &mut Link) -> bool {
        let mine = || payload == self.name.as_bytes();
        let own = self.own.contains(&tag.source);
        match kind {
            NoteKind::Timer | NoteKind::Clock | NoteKind::Random => own && !self.ended,
            NoteKind::GivenUp if own => {
                if let (Some(rehearsal), Some((at, _))) =
                    (&mut link.kept.rehearsal, note::timer_of(payload))
                {
                    rehearsal.silence(tag.source, at);
                }
                false
            }
            NoteKind::Outside => {
                self.outside |= own;
                false
            }
            NoteKind::Withdrawn => {
                self.outside &= !own;
                false
            }
            NoteKind::End if mine() => {
                self.ended = true;
                self.outside = false;
                if let Some(rehearsal) = &mut link.kept.rehearsal {
                    rehearsal.stop_asked = false;
                }
                false
            }
            NoteKind::Restored if mine() => {
                (self.ended, self.outside) = (false, false);
                false
            }
            _ => false,
        }
    }
}

/// Compares what stands in the journal with what has been done. If it is the same, all that was done about earlier records stands before it, for a worker
/// sends in the order in which its handlers act.
#[inline]
fn compare<W: Worker>(
    link: &mut Link,
    entry: &Entry<'_>,
    is_note: bool,
    (findings, from, compared): (&Findings, u64, &mut u64),
) {
    let Some(rehearsal) = &mut link.kept.rehearsal else {
        return;
    };
    let app = W::App::INFO;
    let &Entry {
        position,
        tag,
        payload,
    } = entry;
    let (input, sent) = match rehearsal.meet(app, tag, is_note, payload) {
        Ok(input) => {
            *compared += u64::from(position >= from);
            return unsent::<W>(link, input, (findings, from));
        }
        Err(differs) => differs,
    };
    if position >= from {
        findings.add(Divergence {
            worker: W::INFO.name,
            position,
            input,
            recorded: Some(Act::of(app, tag, is_note, payload)),
            sent,
            undecodable: rehearsal.undecodable_by(input),
        });
    }
}

/// What has been done about records before that at `end`, and has not been found by now, was not done then.
#[inline]
fn unsent<W: Worker>(link: &mut Link, end: u64, (findings, from): (&Findings, u64)) {
    let Some(rehearsal) = &mut link.kept.rehearsal else {
        return;
    };
    for (input, sent) in rehearsal.unsent(W::App::INFO, end) {
        if input >= from {
            findings.add(Divergence {
                worker: W::INFO.name,
                position: input,
                input,
                recorded: None,
                sent: Some(sent),
                undecodable: rehearsal.undecodable_by(input),
            });
        }
    }
}

#[inline]
fn turn(clock: &mut Clock) {
    clock.turn(false);
}
