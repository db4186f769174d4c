//! Finding places in a journal: where it ends, and where it was at a time.

use super::note;
use super::store::Store;
use super::walker::{StepKind, Walker};
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
