//! What a worker's subscriber does besides on a bus that processes share: its slot may be another's to give back, and in a pool it passes over what
//! others have taken.

use core::marker::PhantomData;

use super::super::prefetch::Ahead;
use super::super::record::Record;
use super::super::{ReadError, Subscriber, Tag};
use super::Gating;
use super::batch::Batch;
use super::cursor::{At, record};

impl Subscriber {
    /// From now on its slot is the caller's, who gives it back when nothing is read any more. (No task may wait for a record.)
    pub(crate) fn stay(&mut self) {
        self.stays = true;
    }

    /// Its slot is its own again, and goes with it.
    pub(crate) fn own(&mut self) {
        self.stays = false;
    }

    /// Passes over what stands before `position`, the end of a record: all of it is finished. It stays held.
    pub(crate) fn pass_to(&mut self, position: u64) {
        if self.cursor.at.position < position {
            self.go_to(position);
        }
    }

    /// Goes on at `position`, the end of a record, before which all is finished; also back, as far as to what it holds.
    pub(crate) fn go_to(&mut self, position: u64) {
        let position = position.max(self.cursor.stored);
        let at = &mut self.cursor.at;
        at.position = position;
        at.near = 0;
        at.ahead = Ahead::from(position);
    }

    /// Looks at the records that are there while `takes` says that it takes them; reads none. Gives where they end, at the earliest
    /// where this subscriber is.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub(crate) fn look_ahead(
        &mut self,
        mut takes: impl FnMut(u64, Tag) -> bool,
    ) -> Result<u64, ReadError> {
        let Self { core, cursor, .. } = self;
        let before = cursor.at;
        let end = loop {
            // Past what is no record it may look in any case.
            let there = cursor.reach(core);
            let end = cursor.at.position;
            match there {
                Ok(true) => match cursor.at.take(&core.format, cursor.window.sight()) {
                    Ok(Ok((position, tag, _))) if takes(position, tag) => {}
                    Ok(_) => break Ok(end),
                    Err(error) => break Err(error.into()),
                },
                Ok(false) => break Ok(end),
                Err(error) => break Err(error),
            }
        };
        cursor.at = At { near: 0, ..before };
        end
    }

    /// As [`poll_while`](Self::poll_while), of the records that begin before `end`.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next); the records before were handed over.
    pub(crate) fn poll_before(
        &mut self,
        end: u64,
        mut each: impl FnMut(Record<'_>) -> bool,
    ) -> Result<usize, ReadError> {
        let Self { core, cursor, .. } = self;
        let mut batch = Batch::<Gating> {
            core,
            at: cursor.at,
            cursor,
            kind: PhantomData,
        };
        let mut count = 0;
        while batch.at.position < end {
            // Where it ends by what is no record, it may come to one beyond it.
            if !batch.reach()? || batch.at.position >= end {
                break;
            }
            if let Ok(taken) = batch.at.take(&core.format, batch.cursor.window.sight())? {
                count += 1;
                if !each(record(batch.cursor.window.sight(), taken)) {
                    break;
                }
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use crate::bus::{Bus, BusConfig, MessageId, SourceId, Start, Subscriber, Tag, WaitStrategy};

    const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

    /// As a member of a pool does it.
    #[test]
    fn what_is_taken_is_looked_at_passed_over_and_handled_in_parts() {
        let bus = Bus::new(BusConfig::bytes(512)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe_holding(Start::Oldest).unwrap();
        for _ in 0..4 {
            publisher.send(TAG, &[]).unwrap();
        }
        drop(publisher.try_claim(TAG, 0).unwrap());
        // What is no record is taken with what stands before it; and nothing is read by a look.
        let mut seen = Vec::new();
        let end = subscriber.look_ahead(|position, _| {
            seen.push(position);
            position < 32
        });
        assert_eq!((end, &seen[..]), (Ok(32), &[0, 16, 32][..]));
        assert_eq!(subscriber.look_ahead(|_, _| true), Ok(80));
        assert_eq!((subscriber.held(), subscriber.position()), (0, 0));

        let mut read = Vec::new();
        let mut poll = |subscriber: &mut Subscriber, end, most: usize| {
            read.clear();
            let polled = subscriber.poll_before(end, |record| {
                read.push(record.position());
                read.len() < most
            });
            assert_eq!(polled, Ok(read.len()));
            read.clone()
        };
        assert_eq!(poll(&mut subscriber, 32, 1), [0]);
        assert_eq!(poll(&mut subscriber, 32, 9), [16]);
        assert_eq!(poll(&mut subscriber, 32, 9), [0_u64; 0]);
        // The next one is another's.
        subscriber.pass_to(48);
        subscriber.pass_to(16);
        publisher.send(TAG, &[]).unwrap();
        assert_eq!(poll(&mut subscriber, 80, 9), [48]);
        // It came to a record that it has not taken, past what it has; only that may be let go of.
        assert_eq!((subscriber.held(), subscriber.position()), (0, 80));
        drop(publisher.try_claim(TAG, 0).unwrap());
        assert_eq!(poll(&mut subscriber, 96, 9), [80]);
        let there = subscriber.wait_until(WaitStrategy::Block, None, || false);
        assert_eq!((there, subscriber.position()), (Ok(false), 112));
        subscriber.let_go(96);
        assert_eq!(subscriber.held(), 96);
        subscriber.let_go(64);
        assert_eq!(subscriber.held(), 96);
        subscriber.let_go(u64::MAX);
        assert_eq!(subscriber.held(), 112);
    }
}
