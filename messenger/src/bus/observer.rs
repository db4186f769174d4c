//! An observer: copies of the records, for those who must not hold anybody back.

use core::fmt;
use std::time::Instant;

use super::layout::HEADER;
use super::ring::{Found, Memory};
use super::shared::Core;
use super::wait::Event;
use super::window::Window;
use super::{ObserveError, Tag, WaitStrategy};
use crate::sync::Ordering::Relaxed;

/// Reads copies of the records and holds back nobody: when it is too slow it is lapped, is told
/// how much it missed, and goes on at the oldest record still there.
///
/// While it copies one record it pins it: a publisher that needs those very bytes waits for
/// that one copy.
pub struct Observer {
    core: Core,
    slot: usize,
    position: u64,
    /// Records before this one are stepped over.
    start: u64,
    window: Window,
    enrolled: bool,
}

/// What is known of a record that an observer has copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Observed {
    /// The record's position on the bus.
    pub position: u64,
    /// Who sent it, and what it is.
    pub tag: Tag,
}

impl Observer {
    /// From `start` on, which lies between the floor and the tail that were found when it was pinned.
    pub(super) fn new(core: Core, slot: usize, floor: u64, start: u64, tail: u64) -> Self {
        // The tail is a record boundary; of another place it is not known.
        let position = if start == tail {
            tail
        } else {
            core.memory.shortcut(floor, start)
        };
        let window = core.memory.window();
        Self {
            core,
            slot,
            position,
            start,
            window,
            enrolled: false,
        }
    }

    /// The position of what is read next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Copies the next record's payload into `payload`, in place of what is there, if a record
    /// is there.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    ///
    /// let bus = Bus::new(BusConfig::bytes(4096))?;
    /// let mut observer = bus.observe(Start::Oldest)?;
    /// bus.publisher()?.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"seen")?;
    ///
    /// let mut payload = Vec::new();
    /// let observed = observer.try_next(&mut payload)?.expect("it was committed");
    /// assert_eq!((observed.position, &payload[..]), (0, &b"seen"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ObserveError::Lagged`] if it was lapped; [`ObserveError::Read`] if something wrote over the bus's memory, or a
    /// journal's bytes can't be had.
    pub fn try_next(&mut self, payload: &mut Vec<u8>) -> Result<Option<Observed>, ObserveError> {
        loop {
            if let Err(floor) = self.core.pin(self.slot, self.position) {
                // What stood before the start is not missed.
                let from = self.position.max(self.start);
                self.position = floor;
                if floor <= from {
                    continue;
                }
                let skipped = floor - from;
                self.core.memory.control().lagged.fetch_add(1, Relaxed);
                return Err(ObserveError::Lagged { skipped });
            }
            let at = self.position;
            let pin = Pin(self, at);
            let (position, start) = (pin.0.position, pin.0.start);
            let Observer { core, window, .. } = &mut *pin.0;
            let found = core.look(window, position)?;
            core.check_old(window, position, found)?;
            match found {
                Found::Nothing => return Ok(None),
                Found::Skip { next } => pin.0.position = next,
                Found::Record { next, .. } if position < start => pin.0.position = next,
                Found::Record { tag, len, next } => {
                    let start = window.byte(position + HEADER);
                    // SAFETY: `look` found the record committed (edge 1) and inside the ring,
                    // and the pin keeps it from being overwritten (edges 10 and 11) until it is
                    // dropped, after this borrow.
                    let bytes =
                        unsafe { core::slice::from_raw_parts(start.as_ptr(), len as usize) };
                    payload.clear();
                    payload.extend_from_slice(bytes);
                    pin.0.position = next;
                    return Ok(Some(Observed { position, tag }));
                }
            }
        }
    }

    /// Copies the next record as [`try_next`](Self::try_next) does; waits for it until
    /// `deadline`, or until `stop` says so (then `None`, if no record is there even then).
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn next_until(
        &mut self,
        payload: &mut Vec<u8>,
        wait: WaitStrategy,
        deadline: Option<Instant>,
        mut stop: impl FnMut() -> bool,
    ) -> Result<Option<Observed>, ObserveError> {
        if wait == WaitStrategy::BlockNow && !self.enrolled {
            self.enrolled = self.core.enrol(self.slot);
        }
        let core = self.core.clone();
        let enrolled = self.enrolled;
        let found = core.wait(Event::Data, wait, enrolled, deadline, &mut || match self
            .try_next(payload)
        {
            // What was committed before `stop` turned is still seen.
            Ok(None) if stop() => Some(self.try_next(payload)),
            Ok(None) => None,
            found => Some(found),
        });
        found.unwrap_or(Ok(None))
    }
}

/// A pin, and where it is. It goes when the look has ended, however it ends.
struct Pin<'a>(&'a mut Observer, u64);

impl Drop for Pin<'_> {
    fn drop(&mut self) {
        self.0.core.unpin_at(self.0.slot, self.1);
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.core.leave(self.slot);
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("position", &self.position)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bus, BusConfig, Corrupt, MessageId, SourceId, Start};
    use super::*;

    #[test]
    fn a_length_written_over_is_refused_and_the_pin_goes() {
        let bus = Bus::new(BusConfig::bytes(256)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut observer = bus.observe(Start::Oldest).unwrap();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        let position = publisher.send(tag, b"good").unwrap();
        observer
            .core
            .write_meta(&observer.window, position, tag, 100);
        let error = ObserveError::Read(crate::bus::ReadError::Corrupt(Corrupt {
            position,
            len: 100,
        }));
        let mut payload = b"before".to_vec();
        assert_eq!(observer.try_next(&mut payload), Err(error));
        assert_eq!(payload, b"before", "nothing of it was copied");
        assert_eq!(
            error.to_string(),
            "the record at position 0 says it has 100 bytes, which do not fit in the bus: something wrote over its \
             memory"
        );
        observer.core.write_meta(&observer.window, position, tag, 4);
        assert_eq!(
            observer.try_next(&mut payload).map(|o| o.is_some()),
            Ok(true)
        );
        for _ in 0..20 {
            publisher
                .try_send(tag, &[0; 16])
                .expect("nothing is pinned");
        }
    }

    #[test]
    fn what_comes_with_the_stop_is_seen() {
        let bus = Bus::new(BusConfig::bytes(256)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut observer = bus.observe(Start::Oldest).unwrap();
        let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        // Between the look and the question, the last record is sent.
        let mut stop = || publisher.send(tag, b"last").is_ok();
        let mut payload = Vec::new();
        let observed = observer.next_until(&mut payload, WaitStrategy::Block, None, &mut stop);
        assert!(matches!(observed, Ok(Some(_))));
        assert_eq!(subscriber.poll(9, |_| ()), Ok(1));
        let there = subscriber.wait_until(WaitStrategy::Block, None, &mut stop);
        assert_eq!(there, Ok(true));
    }
}
