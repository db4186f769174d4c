//! What a worker's handlers do while they are brought to where they were: nothing of it is published, all of it is compared.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::describe::AppInfo;
use super::divergence::{Act, Divergence};
use super::link::SendFault;
use super::past::{Life, Value};
use super::spill::Spill;
use crate::bus::{ClaimError, SourceId, Tag};
use crate::journal::note::{self, NoteKind};

/// What the handlers of a worker have done that has not been found in the journal yet, and what they are to be told.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// Without a limit: what one input has caused is found in the journal soon after it, but for what was on its way when the
    /// process died.
    pub(crate) done: Spill,
    /// For each of them the position of the record that came before it.
    inputs: VecDeque<u64>,
    /// The position of the record in hand, or of the last one.
    pub(crate) position: u64,
    values: VecDeque<Value>,
    /// Which handlers panicked too often, at what position, and how often.
    given_up: Vec<(SourceId, u64, u64)>,
    max_payload: usize,
    /// Whether a handler has asked for a stop that has not come yet.
    pub(crate) stop_asked: bool,
}

impl Rehearsal {
    pub(crate) fn new(life: &mut Life, max_payload: usize) -> Self {
        Self {
            done: Spill::new(usize::MAX),
            inputs: VecDeque::new(),
            position: life.start,
            values: core::mem::take(&mut life.values),
            given_up: core::mem::take(&mut life.given_up),
            max_payload,
            stop_asked: false,
        }
    }

    pub(crate) fn send(
        &mut self,
        tag: Tag,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), SendFault>,
    ) -> Result<(), SendFault> {
        let max = self.max_payload;
        if len > max {
            return Err(SendFault::Claim(ClaimError::TooLarge { len, max }));
        }
        // It has no limit to reach.
        self.done.push(tag, len, fill).unwrap_or(Ok(()))?;
        self.inputs.push_back(self.position);
        Ok(())
    }

    pub(crate) fn note(&mut self, tag: Tag, payload: &[u8]) {
        self.done.push_note(tag, payload);
        self.inputs.push_back(self.position);
    }

    /// Whether a handler was given up over the panic that it has now.
    pub(crate) fn gives_up(&self, source: SourceId, at: u64, times: u64) -> bool {
        self.given_up.contains(&(source, at, times))
    }

    fn pop(&mut self) {
        self.done.pop();
        self.inputs.pop_front();
    }

    /// What the handler was told when it asked before. If it asks for more than it did then, it is told something new: either all
    /// that it did then is behind it, or what it does next is found to differ.
    pub(crate) fn value(&mut self, source: SourceId, kind: NoteKind, take: fn() -> u64) -> u64 {
        let tag = kind.about(source);
        let value = match self.values.front() {
            Some(value) if value.tag == tag => {
                let value = value.value;
                self.values.pop_front();
                value
            }
            _ => take(),
        };
        self.note(tag, &note::number(value));
        value
    }

    /// Finds what stands in the journal among what has been done. If it is not the next thing, gives what has been done in its place,
    /// and the position of the record that came before it.
    #[inline]
    pub(crate) fn meet(
        &mut self,
        app: &AppInfo,
        tag: Tag,
        is_note: bool,
        payload: &[u8],
    ) -> Result<(), (u64, Option<Act>)> {
        let Some(next) = self.done.iter().next() else {
            return Err((self.position, None));
        };
        if (next.tag, next.is_note) == (tag, is_note) && next.payload == payload {
            self.pop();
            return Ok(());
        }
        let input = self.inputs.front().copied().unwrap_or(self.position);
        let act = self.resume(app, tag, is_note, payload);
        Err((input, Some(act)))
    }

    /// After a difference: goes on where both sides are the same again, as far as that can be told.
    #[cold]
    fn resume(&mut self, app: &AppInfo, tag: Tag, is_note: bool, payload: &[u8]) -> Act {
        let mut waiting = self.done.iter();
        let same =
            waiting.position(|it| (it.tag, it.is_note) == (tag, is_note) && it.payload == payload);
        drop(waiting);
        let mut waiting = self.done.iter();
        let (act, alike) = match waiting.next() {
            Some(next) => (
                Act::of(app, next.tag, next.is_note, next.payload),
                (next.tag, next.is_note) == (tag, is_note),
            ),
            // The caller has seen one.
            None => (Act::of(app, tag, is_note, payload), false),
        };
        drop(waiting);
        // Those before it are done now, and were not then; or one of the same kind has taken its place.
        let past = same.map_or(usize::from(alike), |index| index + 1);
        (0..past).for_each(|_| self.pop());
        act
    }
}

/// The differences that have been found, by all workers of a run.
#[derive(Debug)]
pub(crate) struct Findings {
    /// Sorted by position.
    found: Mutex<Vec<Divergence>>,
    most: usize,
    /// Nobody looks further than this.
    until: AtomicU64,
}

impl Findings {
    /// At most so many are looked for, and those that stand first are kept.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            found: Mutex::default(),
            most: most.max(1),
            until: AtomicU64::new(u64::MAX),
        }
    }

    pub(crate) fn found(&self) -> MutexGuard<'_, Vec<Divergence>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cold]
    pub(crate) fn add(&self, divergence: Divergence) {
        let mut found = self.found();
        let at = found.partition_point(|other| other.position <= divergence.position);
        found.insert(at, divergence);
        found.truncate(self.most);
        if let (true, Some(last)) = (found.len() == self.most, found.last()) {
            self.until.store(last.position, Ordering::Relaxed);
        }
    }

    /// Up to where differences are of interest.
    #[inline]
    pub(crate) fn until(&self) -> u64 {
        self.until.load(Ordering::Relaxed)
    }
}
