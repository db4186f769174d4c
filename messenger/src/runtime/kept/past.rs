//! What a journal has noted down about the workers of a table: when their handlers were made, and what their surroundings told them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::bus::{SourceId, Tag, WaitStrategy};
use crate::journal::note::{self, NoteKind};
use crate::journal::{Entry, HandlerEntry, Item, JournalError, Reader, Schema};
use crate::runtime::describe::WorkerInfo;
use crate::runtime::start_error::StartError;

/// The time from when the handlers of a worker were made to when they were made again.
#[derive(Clone, Default, Debug)]
pub(crate) struct Life {
    /// The position of the note that says so: what the worker's handlers sent before is not of this life.
    pub(crate) begun: u64,
    /// The position of the first record that they may get.
    pub(crate) start: u64,
    /// Where it is over: it got nothing from there on that is not given to the next life, too, and nothing that it did stands there.
    /// Or where what is looked at ends.
    pub(crate) end: u64,
    /// From where on records are given to the next life, if there is one: what came of them in this one is done again there.
    pub(crate) again: Option<u64>,
    /// Its handlers have been told to stop.
    pub(crate) ended: bool,
    pub(crate) timers: VecDeque<Fired>,
    /// What handlers were told when they asked, by the tags of the notes.
    pub(crate) values: Vec<(Tag, VecDeque<u64>)>,
    /// Handlers that panicked too often: which, at what position, and how often.
    pub(crate) given_up: Vec<(SourceId, u64, u64)>,
    /// From which record on a payload could have so many bytes.
    pub(crate) longest: Vec<(u64, u64)>,
}

/// A timer that fired.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fired {
    pub(crate) source: SourceId,
    /// The position of the record that the worker took next.
    pub(crate) next: u64,
    pub(crate) number: u64,
}

/// The past of one worker.
#[derive(Debug)]
pub(crate) struct Past {
    name: String,
    own: Vec<SourceId>,
    pub(crate) lives: Vec<Life>,
    /// Whether one of its handlers has done something before the first life that is known.
    pub(crate) cut: bool,
    /// Whether what it did last it did as a pool of several processes.
    pool: bool,
    /// What other workers have begun, each name once.
    others: Vec<String>,
}

/// What the notes call a worker.
pub(crate) fn name_of(app: &str, worker: &str) -> String {
    format!("{app}.{worker}")
}

/// The ids of the worker's handlers as sources.
pub(crate) fn own_of(worker: &WorkerInfo) -> Vec<SourceId> {
    let handlers = worker.handlers.iter();
    handlers.map(|handler| handler.source.id).collect()
}

impl Past {
    pub(crate) fn of(app: &str, worker: &WorkerInfo) -> Self {
        Self {
            name: name_of(app, worker.name),
            own: own_of(worker),
            lives: Vec::new(),
            cut: false,
            pool: false,
            others: Vec::new(),
        }
    }

    /// Why the worker can't be brought to where it was.
    pub(crate) fn error(&self, worker: &'static str, oldest: u64, schema: &Schema) -> StartError {
        if self.pool {
            return StartError::Pool { worker };
        }
        StartError::Cut {
            worker,
            oldest,
            ran_as: self.ran_as(schema),
        }
    }

    /// Under which other names the worker's handlers may have run.
    pub(crate) fn ran_as(&self, schema: &Schema) -> Vec<String> {
        let is_own = |handler: &HandlerEntry| self.own.contains(&handler.source);
        // Those of other tables, or of this one, that have other handlers, are not meant.
        let strangers = schema.tables().iter().flat_map(|table| {
            let strangers = table
                .workers
                .iter()
                .filter(|it| !it.handlers.iter().any(is_own));
            strangers.map(|it| name_of(&table.name, &it.name))
        });
        let mut ran_as = self.others.clone();
        strangers.for_each(|stranger| ran_as.retain(|name| *name != stranger));
        ran_as
    }

    fn message(&mut self, entry: &Entry<'_>) {
        if self.own.contains(&entry.source()) {
            self.did(entry.position);
        }
    }

    /// One of its handlers has done something that stands at `position`.
    fn did(&mut self, position: u64) {
        match self.lives.last_mut() {
            Some(life) if !life.ended => life.end = position + 1,
            Some(_) => {}
            None => self.cut = true,
        }
    }

    fn note(&mut self, kind: NoteKind, note: &Entry<'_>) {
        let Entry {
            position,
            tag,
            payload,
        } = *note;
        match kind {
            NoteKind::Begin => match note::place_of(payload) {
                Some((start, name)) if name == self.name.as_bytes() => {
                    self.pool = false;
                    if let Some(life) = self.lives.last_mut() {
                        // Nobody knows what its handlers got after that, if nothing has come of it.
                        life.end = life.end.max(start.min(position));
                        life.again = Some(start);
                    }
                    self.lives.push(Life {
                        begun: position,
                        start,
                        end: position,
                        ..Life::default()
                    });
                }
                Some((_, name)) => {
                    let name = String::from_utf8_lossy(name);
                    if !self.others.iter().any(|other| *other == name) {
                        self.others.push(name.into_owned());
                    }
                }
                None => {}
            },
            NoteKind::Member if payload == self.name.as_bytes() => {
                self.lives.clear();
                (self.cut, self.pool) = (true, true);
            }
            NoteKind::Longest => {
                if let (Some(life), Some((from, max, name))) =
                    (self.lives.last_mut(), note::longest_of(payload))
                {
                    if name == self.name.as_bytes() {
                        life.longest.push((from, max));
                    }
                }
            }
            NoteKind::GivenUp if self.own.contains(&tag.source) => {
                self.did(position);
                if let (Some(life), Some((at, times))) =
                    (self.lives.last_mut(), note::timer_of(payload))
                {
                    life.given_up.push((tag.source, at, times));
                }
            }
            // A worker that sends nothing leaves no other trace.
            NoteKind::Restored | NoteKind::End if payload == self.name.as_bytes() => {
                self.did(position);
                if let Some(life) = self.lives.last_mut() {
                    life.ended = kind == NoteKind::End;
                }
            }
            NoteKind::Timer | NoteKind::Clock | NoteKind::Random
                if self.own.contains(&tag.source) =>
            {
                self.did(position);
                let Some(life) = self.lives.last_mut() else {
                    return;
                };
                if kind != NoteKind::Timer {
                    let Some(value) = note::number_of(payload) else {
                        return;
                    };
                    match life.values.iter_mut().find(|values| values.0 == tag) {
                        Some((_, values)) => values.push_back(value),
                        None => life.values.push((tag, [value].into())),
                    }
                } else if let Some((next, number)) = note::timer_of(payload) {
                    let source = tag.source;
                    life.timers.push_back(Fired {
                        source,
                        next,
                        number,
                    });
                }
            }
            _ => {}
        }
    }
}

/// Reads the past of the workers, from where the reader is to `end`. Bytes are not checked: who goes by a note finds it again,
/// and checks it then.
pub(crate) fn read(
    reader: Reader,
    end: u64,
    patience: Duration,
    mut pasts: Vec<Past>,
) -> Result<Vec<Past>, StartError> {
    let mut reader = reader.trusting();
    while reader.position() < end {
        let item = match reader.next_item() {
            Ok(Some(item)) => item,
            Ok(None) => {
                wait(&mut reader, end, patience)?;
                continue;
            }
            Err(error) => return Err(StartError::Journal(error)),
        };
        match item {
            Item::Record(entry) => {
                pasts.iter_mut().for_each(|past| past.message(&entry));
            }
            Item::Note(note) => {
                let kind = NoteKind::of(note.tag).filter(|&kind| kind != NoteKind::Time);
                if let Some(kind) = kind {
                    pasts.iter_mut().for_each(|past| past.note(kind, &note));
                }
            }
            _ => {}
        }
    }
    for past in &mut pasts {
        if let Some(life) = past.lives.last_mut() {
            life.end = end;
        }
    }
    Ok(pasts)
}

/// Waits for what stands at the reader's position, which has been claimed before `end` was the journal's end.
pub(crate) fn wait(reader: &mut Reader, end: u64, patience: Duration) -> Result<(), StartError> {
    let position = reader.position();
    let deadline = Instant::now().checked_add(patience);
    match reader.wait(WaitStrategy::Block, deadline, || false) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StartError::Unfinished { position, end }),
        Err(error) => Err(StartError::Journal(error)),
    }
}

impl From<JournalError> for StartError {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}
