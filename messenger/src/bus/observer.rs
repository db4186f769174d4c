//! An observer: copies of the records, for those who must not hold anybody back.

use core::fmt;
use core::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::layout::HEADER;
use super::ring::{Found, Memory};
use super::shared::Core;
use super::stream::RecordStream;
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
                fault!("lag_counted");
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

    /// Copies the next record as [`try_next`](Self::try_next) does; waits for it if need be.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag, WaitStrategy};
    ///
    /// let bus = Bus::new(BusConfig::bytes(4096))?;
    /// let mut observer = bus.observe(Start::Oldest)?;
    /// let mut publisher = bus.publisher()?;
    /// std::thread::spawn(move || publisher.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"late"));
    ///
    /// let mut payload = Vec::new();
    /// let observed = observer.next(&mut payload, WaitStrategy::Block)?;
    /// assert_eq!((observed.position, &payload[..]), (0, &b"late"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn next(
        &mut self,
        payload: &mut Vec<u8>,
        wait: WaitStrategy,
    ) -> Result<Observed, ObserveError> {
        loop {
            // Without a deadline it only returns when a record is there.
            if let Some(observed) = self.next_until(payload, wait, None, || false)? {
                return Ok(observed);
            }
        }
    }

    /// As [`next`](Self::next), for `timeout` at the most.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, Start, WaitStrategy};
    /// use std::time::Duration;
    ///
    /// let bus = Bus::new(BusConfig::bytes(4096))?;
    /// let mut observer = bus.observe(Start::Oldest)?;
    /// let timeout = Duration::from_millis(1);
    /// let nothing = observer.next_timeout(&mut Vec::new(), WaitStrategy::Block, timeout)?;
    /// assert!(nothing.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn next_timeout(
        &mut self,
        payload: &mut Vec<u8>,
        wait: WaitStrategy,
        timeout: Duration,
    ) -> Result<Option<Observed>, ObserveError> {
        let deadline = Instant::now().checked_add(timeout);
        self.next_until(payload, wait, deadline, || false)
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
        if wait == WaitStrategy::BlockNow {
            self.enrol();
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

    /// For those who write futures of their own: copies the next record as [`try_next`](Self::try_next) does, or
    /// gives [`Poll::Pending`], with the task woken when there is one.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    /// use std::task::{Context, Waker};
    ///
    /// let bus = Bus::new(BusConfig::bytes(4096))?;
    /// let mut observer = bus.observe(Start::Oldest)?;
    /// let (mut task, mut payload) = (Context::from_waker(Waker::noop()), Vec::new());
    /// assert!(observer.poll_next(&mut payload, &mut task)?.is_pending());
    /// bus.publisher()?.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"hi")?;
    /// assert!(observer.poll_next(&mut payload, &mut task)?.is_ready());
    /// assert_eq!(payload, b"hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn poll_next(
        &mut self,
        payload: &mut Vec<u8>,
        task: &mut Context<'_>,
    ) -> Result<Poll<Observed>, ObserveError> {
        if let Some(observed) = self.try_next(payload)? {
            return Ok(Poll::Ready(observed));
        }
        // If the kernel refuses, publishers do not fence for us: then look once more later.
        if !self.enrol() {
            task.waker().wake_by_ref();
            return Ok(Poll::Pending);
        }
        self.core
            .register(Event::Data, self.slot, task.waker(), true);
        let Some(observed) = self.try_next(payload)? else {
            return Ok(Poll::Pending);
        };
        drop(self.core.deregister(Event::Data, self.slot));
        Ok(Poll::Ready(observed))
    }

    /// A stream of copies of the records.
    ///
    /// ```
    /// use futures_core::Stream;
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let bus = Bus::new(BusConfig::bytes(4096))?;
    /// let mut records = pin!(bus.observe(Start::Oldest)?.into_stream());
    /// bus.publisher()?.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"hi")?;
    ///
    /// // A runtime does this: `records.next().await` of the crate `futures`, or of `tokio-stream`.
    /// let mut task = Context::from_waker(Waker::noop());
    /// let Poll::Ready(Some(record)) = records.as_mut().poll_next(&mut task) else {
    ///     panic!("it was committed");
    /// };
    /// assert_eq!(record?.payload, b"hi");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_stream(self) -> RecordStream<Self> {
        RecordStream::new(self)
    }

    fn enrol(&mut self) -> bool {
        if !self.enrolled {
            self.enrolled = self.core.enrol(self.slot);
        }
        self.enrolled
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
        // Taken while the slot is ours, or the next owner's might go instead; dropped last, so that nobody waits for it if
        // that panics.
        let _waker = self.core.deregister(Event::Data, self.slot);
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

    /// As of a bus that another process has, too.
    #[test]
    fn a_tail_written_over_is_no_place_to_look_at() {
        let bus = Bus::new(BusConfig::bytes(256)).unwrap();
        let core = bus.observe(Start::Newest).unwrap().core.clone();
        core.memory.control().tail.store(17, Relaxed);
        assert!(bus.observe(Start::At(17)).is_err());
        let mut observer = bus.observe(Start::Newest).unwrap();
        assert_eq!(observer.try_next(&mut Vec::new()), Ok(None));
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
