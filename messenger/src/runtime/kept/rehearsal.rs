//! What a worker's handlers do while they are brought to where they were: nothing of it is published, all of it is compared.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::divergence::{Act, Divergence, Undecodable};
use super::past::Life;
use crate::bus::{ClaimError, SourceId, Tag};
use crate::journal::note::{self, NoteKind};
use crate::message::DecodeError;
use crate::runtime::describe::AppInfo;
use crate::runtime::failure::FailedRecord;
use crate::runtime::link::SendFault;
use crate::runtime::spill::{Spill, Waiting};

/// What the handlers of a worker have done that has not been found in the journal yet, and what they are to be told.
#[derive(Debug)]
pub(crate) struct Rehearsal {
    /// By handler: one that is mended, and does now what it could not do before it panicked, does not shift what others did.
    done: Vec<Done>,
    /// How many acts there have been.
    count: u64,
    /// The position of the record in hand, or of the last one.
    pub(crate) position: u64,
    /// What comes of records from here on is done again in the next life.
    again: Option<u64>,
    values: Vec<(Tag, VecDeque<u64>)>,
    /// Which handlers panicked too often, at what position, and how often.
    given_up: Vec<(SourceId, u64, u64)>,
    /// Which handlers have stopped something, over what record, until something that they did later stands in the journal: what they did then is not
    /// what they do when they are mended.
    silenced: Vec<(SourceId, u64)>,
    /// From which record on a payload can have so many bytes; the last counts.
    longest: Vec<(u64, u64)>,
    /// Whether a handler has asked for a stop that has not come yet.
    pub(crate) stop_asked: bool,
    /// The first record that does not decode.
    undecodable: Option<Box<Undecodable>>,
}

/// What a handler has done that has not been found in the journal yet.
#[derive(Debug)]
struct Done {
    source: SourceId,
    /// Without a limit: what one input has caused is found in the journal soon after it, but for what was on its way when the
    /// process died.
    acts: Spill,
    /// For each of them the position of the record that came before it, and its number among those of all handlers.
    inputs: VecDeque<(u64, u64)>,
}

impl Done {
    fn pop(&mut self) {
        self.acts.pop();
        self.inputs.pop_front();
    }

    /// After a difference: goes on where both sides are the same again, as far as that can be told.
    #[cold]
    fn resume(&mut self, app: &AppInfo, tag: Tag, is_note: bool, payload: &[u8]) -> Act {
        let mut waiting = self.acts.iter();
        let same =
            waiting.position(|it| (it.tag, it.is_note) == (tag, is_note) && it.payload == payload);
        drop(waiting);
        let mut waiting = self.acts.iter();
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

impl Rehearsal {
    /// For a life on a journal on which a payload can have `longest` bytes, if no note says that it can't.
    pub(crate) fn new(life: &mut Life, longest: u64) -> Self {
        life.longest.insert(0, (0, longest));
        Self {
            done: Vec::new(),
            count: 0,
            position: life.start,
            again: life.again,
            values: core::mem::take(&mut life.values),
            given_up: core::mem::take(&mut life.given_up),
            silenced: Vec::new(),
            longest: core::mem::take(&mut life.longest),
            stop_asked: false,
            undecodable: None,
        }
    }

    pub(crate) fn send(
        &mut self,
        tag: Tag,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), SendFault>,
    ) -> Result<(), SendFault> {
        let max = self.longest_at(self.position);
        if len > max {
            return Err(SendFault::Claim(ClaimError::TooLarge { len, max }));
        }
        let at = (self.position, self.count);
        let done = self.done_by(tag.source);
        // It has no limit to reach.
        done.acts.push(tag, len, fill).unwrap_or(Ok(()))?;
        done.inputs.push_back(at);
        self.count += 1;
        Ok(())
    }

    /// The record in hand does not decode.
    pub(crate) fn failed(&mut self, record: FailedRecord, error: &DecodeError) {
        self.undecodable.get_or_insert_with(|| {
            Box::new(Undecodable {
                record,
                bytes: Vec::new(),
                error: error.clone(),
            })
        });
    }

    /// The record at `position`, with this payload, was in hand.
    pub(crate) fn handled(&mut self, position: u64, payload: &[u8]) {
        let first = self.undecodable.as_deref_mut();
        if let Some(first) = first.filter(|it| it.record.position == position) {
            first.bytes = payload.to_vec();
        }
    }

    /// The first record that does not decode, of those up to the one at `input`.
    pub(crate) fn undecodable_by(&self, input: u64) -> Option<Box<Undecodable>> {
        let first = self.undecodable.as_ref();
        first.filter(|it| it.record.position <= input).cloned()
    }

    /// The length of the longest payload of what has been done and not found.
    pub(crate) fn longest_left(&self) -> usize {
        let left = self.left();
        let lens = left.iter().map(|(_, act)| act.payload.len());
        lens.max().unwrap_or(0)
    }

    /// How many bytes a payload can have that is sent in answer to the record at `position`.
    pub(crate) fn longest_at(&self, position: u64) -> usize {
        let said = self.longest.iter().rev().find(|it| it.0 <= position);
        said.map_or(usize::MAX, |&(_, longest)| longest as usize)
    }

    fn done_by(&mut self, source: SourceId) -> &mut Done {
        let known = self.done.iter().position(|done| done.source == source);
        let index = known.unwrap_or_else(|| {
            self.done.push(Done {
                source,
                acts: Spill::new(usize::MAX),
                inputs: VecDeque::new(),
            });
            self.done.len() - 1
        });
        &mut self.done[index]
    }

    /// Whether all that was done has been found.
    pub(crate) fn is_found(&self) -> bool {
        self.done.iter().all(|done| done.acts.is_empty())
    }

    /// What has been done and not found, in the order in which it was done, each with the position of the record that came before it; without
    /// what is done again in the next life.
    pub(crate) fn left(&self) -> Vec<(u64, Waiting<'_>)> {
        let by_handler = self.done.iter();
        let mut left: Vec<_> = by_handler
            .flat_map(|done| done.inputs.iter().zip(done.acts.iter()))
            .filter(|((at, _), _)| self.again.is_none_or(|again| *at < again))
            .collect();
        left.sort_unstable_by_key(|&((_, number), _)| number);
        left.into_iter()
            .map(|((input, _), act)| (*input, act))
            .collect()
    }

    pub(crate) fn note(&mut self, tag: Tag, payload: &[u8]) {
        let at = (self.position, self.count);
        let done = self.done_by(tag.source);
        done.acts.push_note(tag, payload);
        done.inputs.push_back(at);
        self.count += 1;
    }

    /// Whether a handler was given up over the panic that it has now.
    pub(crate) fn gives_up(&self, source: SourceId, at: u64, times: u64) -> bool {
        self.given_up.contains(&(source, at, times))
    }

    /// What the handler was told when it asked before. If it asks for more than it did then, it is told something new: either all
    /// that it did then is behind it, or what it does next is found to differ.
    pub(crate) fn value(&mut self, source: SourceId, kind: NoteKind, take: fn() -> u64) -> u64 {
        let tag = kind.about(source);
        let told = self.values.iter_mut().find(|values| values.0 == tag);
        let value = told.and_then(|(_, values)| values.pop_front());
        let value = value.unwrap_or_else(take);
        self.note(tag, &note::number(value));
        value
    }

    /// A handler stopped something over the record at `position`: what it does about that and later ones when it is mended is new.
    pub(crate) fn silence(&mut self, source: SourceId, position: u64) {
        self.silenced.push((source, position));
    }

    /// Forgets what has been done about records before that at `input` and not been found, and gives it, with the positions of those records. To be
    /// asked where the journal shows that all that was done about them stands there already.
    pub(crate) fn unsent(&mut self, app: &AppInfo, input: u64) -> Vec<(u64, Act)> {
        let mut unsent = Vec::new();
        for done in &mut self.done {
            let silenced = self.silenced.iter().find(|it| it.0 == done.source);
            let end = silenced.map_or(input, |&(_, since)| input.min(since));
            while let Some(&(input, _)) = done.inputs.front().filter(|it| it.0 < end) {
                let act = { done.acts.iter().next() }
                    .map(|act| Act::of(app, act.tag, act.is_note, act.payload));
                unsent.extend(act.map(|act| (input, act)));
                done.pop();
            }
        }
        unsent
    }

    /// Finds what stands in the journal among what its handler has done, and gives the position of the record that came before that. If it is not the
    /// next thing, gives what has been done in its place, and the position of the record that came before this.
    #[inline]
    pub(crate) fn meet(
        &mut self,
        app: &AppInfo,
        tag: Tag,
        is_note: bool,
        payload: &[u8],
    ) -> Result<u64, (u64, Option<Act>)> {
        self.silenced.retain(|it| it.0 != tag.source);
        let position = self.position;
        let done = self.done_by(tag.source);
        let Some(next) = done.acts.iter().next() else {
            return Err((position, None));
        };
        let is_same = (next.tag, next.is_note) == (tag, is_note) && next.payload == payload;
        let input = done.inputs.front().map_or(position, |input| input.0);
        if is_same {
            done.pop();
            return Ok(input);
        }
        let act = done.resume(app, tag, is_note, payload);
        Err((input, Some(act)))
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
