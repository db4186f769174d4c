//! Finding places in a journal: where it ends, and where it was at a time.

use super::note;
use super::store::Store;
use super::walker::{Step, StepKind, Walker};
use crate::bus::ReadError;

/// The first record boundary at or after `position`, which is at most where what is finished ends.
pub(super) fn boundary(store: &Store, oldest: u64, position: u64) -> Result<u64, ReadError> {
    let mut walker = Walker::new(store, store.base(position).max(oldest));
    while walker.position < position {
        match walker.look(store)? {
            Some(step) => walker.position = step.next,
            None => break,
        }
    }
    Ok(walker.position)
}

/// Where what is finished ends, among the segments with these bases.
pub(super) fn newest(store: &Store, bases: &[u64]) -> Result<u64, ReadError> {
    for &base in bases.iter().rev() {
        let mut walker = Walker::new(store, base);
        let mut steps = 0_u64;
        while let Some(step) = walker.look(store)? {
            walker.position = step.next;
            steps += 1;
            if store.base(step.next) != base {
                break;
            }
        }
        if steps > 0 {
            return Ok(walker.position);
        }
    }
    Ok(bases.first().copied().unwrap_or(0))
}

/// The first position of which it is known that what stands there was published at `nanos` since 1970 or later, but for the
/// resolution of the notes of the time: right after the last note that says an earlier time.
pub(super) fn at_time(store: &Store, bases: &[u64], nanos: u64) -> Result<u64, ReadError> {
    let oldest = bases.first().copied().unwrap_or(0);
    // The last segment of which a note says an earlier time.
    for &base in bases.iter().rev() {
        let mut walker = Walker::new(store, base);
        let mut found = None;
        loop {
            let step = match walker.look(store) {
                Ok(Some(step)) => step,
                Ok(None) => break,
                // Who only reads hears of what is given up by the files alone.
                Err(error) => match store.bases().as_deref() {
                    // That segment has been, meanwhile, and all before it.
                    Ok(&[oldest, ..]) if oldest > base => return Ok(oldest),
                    _ => return Err(error),
                },
            };
            walker.position = step.next;
            if step.kind == StepKind::Note {
                match note::time_of(step.tag, walker.payload(&step)) {
                    Some(time) if time < nanos => found = Some(step.next),
                    Some(_) => break,
                    None => {}
                }
            }
            if store.base(step.next) != base {
                break;
            }
        }
        if let Some(position) = found {
            return Ok(position);
        }
    }
    Ok(oldest)
}

/// What the first note of the time at or after `position` says, where a record begins. By then what stands there had been published.
pub(super) fn time_after(store: &Store, position: u64) -> Option<u64> {
    first_after(store, position, |walker, step| time_of(walker, &step))
}

/// The first position at or after `position`, where a record begins, at which something stands that was published, and no time.
pub(super) fn published_after(store: &Store, position: u64) -> Option<u64> {
    first_after(store, position, |walker, step| {
        let is_published = matches!(step.kind, StepKind::Record | StepKind::Note)
            && time_of(walker, &step).is_none();
        is_published.then_some(step.position)
    })
}

/// What is found first in a segment's length.
fn first_after<T>(
    store: &Store,
    position: u64,
    find: impl Fn(&Walker, Step) -> Option<T>,
) -> Option<T> {
    let mut walker = Walker::new(store, position);
    while walker.position - position < store.segment_bytes() {
        // What is damaged, or has been given up meanwhile, says nothing.
        let step = walker.look(store).ok()??;
        let found = find(&walker, step);
        if found.is_some() {
            return found;
        }
        walker.position = step.next;
    }
    None
}

/// What the last note of the time says, in the segments with these bases, the newest first: in the two newest that hold anything.
pub(super) fn last_time(store: &Store, bases: impl Iterator<Item = u64>) -> Option<u64> {
    let mut held = 0;
    for base in bases {
        let mut walker = Walker::new(store, base);
        let mut last = None;
        while store.base(walker.position) == base {
            let Ok(Some(step)) = walker.look(store) else {
                break;
            };
            last = time_of(&walker, &step).or(last);
            walker.position = step.next;
        }
        held += u32::from(walker.position > base);
        if last.is_some() || held == 2 {
            return last;
        }
    }
    None
}

fn time_of(walker: &Walker, step: &Step) -> Option<u64> {
    let is_note = step.kind == StepKind::Note && walker.is_sound(step);
    is_note
        .then(|| note::time_of(step.tag, walker.payload(step)))
        .flatten()
}
