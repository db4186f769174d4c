//! What the subscriber of a worker does that says for good how far it has got: it holds what is handled until that is said.

use super::super::members::Joined;
use super::super::ring::Found;
use super::super::shared::Core;
use super::super::{ReadError, Subscriber};

impl Subscriber {
    /// One by which everything from `start` on stays held until [`let_go`](Self::let_go), also what is no record: who comes after it can
    /// tell by its slot what was let go of.
    pub(in crate::bus) fn holding(core: Core, joined: Joined, start: u64) -> Self {
        let mut new = Self::at_floor(core, joined, start);
        new.cursor.holds = true;
        // An error comes again with the first read.
        let _ = new.walk_to(start);
        // Where it is now, a record begins: `start` may be inside one.
        new.let_go(u64::MAX);
        new
    }

    /// The position from which on records are held.
    pub(crate) fn held(&self) -> u64 {
        self.cursor.stored
    }

    /// Lets go of all that has been read and stands before `end`.
    pub(crate) fn let_go(&mut self, end: u64) {
        let end = end.min(self.cursor.at.position);
        if end > self.cursor.stored {
            self.cursor.stored = end;
            self.core.advance(self.cursor.slot, end);
        }
    }

    /// Passes over what begins before `start`, as far as it is finished; `start` may be anywhere, also inside a record. It stays held.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub(crate) fn walk_to(&mut self, start: u64) -> Result<(), ReadError> {
        let Self { core, cursor, .. } = self;
        cursor.start = cursor.start.max(start);
        cursor.plain = cursor.plain.max(start);
        while cursor.at.position < start {
            let position = cursor.at.position;
            let found = core.look(&mut cursor.window, position)?;
            core.check_old(&cursor.window, position, found)?;
            match found {
                Found::Nothing => break,
                Found::Record { next, .. } | Found::Skip { next } => cursor.at.position = next,
            }
            cursor.at.near = 0;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag, WaitStrategy};

    const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

    #[test]
    fn what_is_held_back_is_held_until_it_is_let_go_of() {
        let bus = Bus::new(BusConfig::bytes(256)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe_holding(Start::Oldest).unwrap();
        publisher.send(TAG, &[]).unwrap();
        assert_eq!(subscriber.poll(9, |_| ()), Ok(1));
        assert_eq!(subscriber.poll(9, |_| ()), Ok(0));
        assert_eq!((subscriber.held(), subscriber.position()), (0, 16));
        while publisher.try_send(TAG, &[]).is_ok() {}
        assert_eq!(bus.tail(), 256);
        assert_eq!(subscriber.poll(99, |_| ()), Ok(15));
        assert!(publisher.try_send(TAG, &[]).is_err(), "it is all held");
        subscriber.let_go(u64::MAX);
        assert_eq!(subscriber.held(), 256);
        // Nobody sleeps on what is stepped over only.
        drop(publisher.try_claim(TAG, 0).unwrap());
        let there = subscriber.wait_until(WaitStrategy::Block, None, || false);
        assert_eq!(there, Ok(false));
        assert_eq!((subscriber.held(), subscriber.position()), (256, 272));
    }
}
