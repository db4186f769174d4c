//! Records read by one call: the slot says once, at its end, what has been read.

use core::marker::PhantomData;

use super::super::ReadError;
use super::super::record::Record;
use super::super::shared::Core;
use super::SubscriberKind;
use super::cursor::{At, Cursor, record};

/// The loop over the records of a batch; it wants the registers for itself, so it is not inlined.
#[inline(never)]
pub(super) fn read_batch<K: SubscriberKind>(
    core: &Core,
    cursor: &mut Cursor,
    max: usize,
    mut each: impl FnMut(Record<'_>) -> bool,
) -> Result<usize, ReadError> {
    let mut batch = Batch::<K> {
        core,
        at: cursor.at,
        cursor,
        kind: PhantomData,
    };
    let format = core.format;
    let mut count = 0;
    'all: while count < max {
        let sight = batch.cursor.window.sight();
        while batch.at.position < batch.at.near {
            let Ok(taken) = batch.at.take(&format, sight)? else {
                break;
            };
            count += 1;
            if !each(record(sight, taken)) || count == max {
                break 'all;
            }
        }
        if !batch.reach()? {
            break;
        }
    }
    batch.cursor.at = batch.at;
    Ok(count)
}

/// A cursor's `at` while a batch is read. Its position is put back and stored at the end of the batch, also when a reader
/// panics. The rest, if it is not put back, is what it was at the last `reach`: `near`, and the stride for which it was found.
pub(super) struct Batch<'a, K: SubscriberKind> {
    pub(super) core: &'a Core,
    pub(super) at: At,
    pub(super) cursor: &'a mut Cursor,
    pub(super) kind: PhantomData<K>,
}

impl<K: SubscriberKind> Batch<'_, K> {
    /// See [`Cursor::reach`].
    #[inline(always)]
    pub(super) fn reach(&mut self) -> Result<bool, ReadError> {
        self.cursor.at = self.at;
        let there = self.cursor.reach(self.core);
        self.at = self.cursor.at;
        there
    }
}

impl<K: SubscriberKind> Drop for Batch<'_, K> {
    #[inline(always)]
    fn drop(&mut self) {
        self.cursor.let_go::<K>(self.core, self.at.position);
    }
}
