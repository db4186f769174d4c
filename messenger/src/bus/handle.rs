//! A bus as its users hold it.

use core::fmt;
use core::marker::PhantomData;
use std::time::Duration;

use super::evict::nanos;
use super::layout::POSITION;
use super::members::Joined;
use super::registry::{self, Name, NameConflict, Registration, Runs};
use super::ring::Memory;
use super::ring::MoveTail;
use super::shared::{Core, create};
use super::stats::{Stats, has_reader_before, stats};
use super::subscriber::{Evictable, Start, Subscriber, SubscriberKind};
use super::{BusConfig, BusError, JoinError, Observer, Publisher};
use crate::sync::{AtomicU64, Ordering, Ordering::Relaxed};

/// How many publishers a bus may have: [`Multi`] or [`Single`].
#[expect(
    private_bounds,
    reason = "sealed: how the tail moves is the bus's own affair"
)]
pub trait PublisherKind: MoveTail + fmt::Debug + Send + Sync + 'static {}

/// Any number of publishers: each claim is a compare-and-swap.
#[derive(Clone, Copy, Debug)]
pub struct Multi;

/// One publisher, made with the bus: a claim is a plain store.
#[derive(Clone, Copy, Debug)]
pub struct Single;

impl PublisherKind for Multi {}
impl PublisherKind for Single {}

impl MoveTail for Multi {
    #[inline]
    fn move_tail(tail: &AtomicU64, from: u64, to: u64, ordering: Ordering) -> Result<(), u64> {
        tail.compare_exchange_weak(from, to, ordering, Relaxed)
            .map(|_| ())
    }
}

impl MoveTail for Single {
    #[inline]
    fn move_tail(tail: &AtomicU64, _from: u64, to: u64, ordering: Ordering) -> Result<(), u64> {
        tail.store(to, ordering);
        Ok(())
    }
}

/// A message bus: a handle that can be cloned and shared; the memory goes when the last handle
/// and the last member have gone.
///
/// With `Bus<Single>`, from [`Bus::single`], no other publisher can be had: the type has no
/// method for it.
pub struct Bus<K: PublisherKind = Multi> {
    core: Core,
    kind: PhantomData<K>,
}

impl Bus<Multi> {
    /// Makes a bus for any number of publishers.
    ///
    /// # Errors
    ///
    /// [`BusError`] if the length is zero or over the address space, the number of members is
    /// out of range, or the system gives no memory.
    pub fn new(config: BusConfig) -> Result<Self, BusError> {
        Ok(Self::over(create(&config)?))
    }

    /// Makes a bus for one publisher, which then pays for no compare-and-swap.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    /// let (bus, mut publisher) = Bus::single(BusConfig::bytes(4096))?;
    /// let mut subscriber = bus.subscribe(Start::Oldest)?;
    /// publisher.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"only me")?;
    /// assert_eq!(subscriber.try_next()?.map(|r| r.payload().len()), Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn single(config: BusConfig) -> Result<(Bus<Single>, Publisher<Single>), BusError> {
        let bus = Bus::<Single>::over(create(&config)?);
        let slot = bus.core.attach().ok_or(BusError::Members {
            members: config.members,
        })?;
        let publisher = Publisher::new(bus.core.clone(), slot);
        Ok((bus, publisher))
    }

    /// Attaches a publisher: one for each thread that publishes.
    ///
    /// # Errors
    ///
    /// [`JoinError::NoFreeSlot`] if as many members are attached as the bus has slots.
    pub fn publisher(&self) -> Result<Publisher<Multi>, JoinError> {
        let slot = self.core.attach().ok_or_else(|| self.no_free_slot())?;
        Ok(Publisher::new(self.core.clone(), slot))
    }
}

#[cfg(any(test, feature = "journal"))]
impl Bus<Multi> {
    /// A bus over memory that is there.
    pub(crate) fn of(core: Core) -> Self {
        Self::over(core)
    }
}

impl<K: PublisherKind> Bus<K> {
    fn over(core: Core) -> Self {
        Self {
            core,
            kind: PhantomData,
        }
    }

    fn no_free_slot(&self) -> JoinError {
        JoinError::NoFreeSlot {
            members: self.core.memory.slots().len(),
        }
    }

    /// Attaches a subscriber, which gets every record from `start` on, and holds back the
    /// publishers until it has read them.
    ///
    /// # Errors
    ///
    /// [`JoinError::NoFreeSlot`] if as many members are attached as the bus has slots; [`JoinError::Gone`] or
    /// [`JoinError::Ahead`] if `start` is a position that is not retained, or not reached.
    pub fn subscribe(&self, start: Start) -> Result<Subscriber, JoinError> {
        self.join(start, 0, Subscriber::new)
    }

    /// Attaches a subscriber that is evicted if it rests for `evict_after` where a publisher wants room; then it is told
    /// what it has missed ([`ReadError::Evicted`](super::ReadError::Evicted)), and goes on at the oldest record that is retained.
    /// So a reader that hangs, or whose process is stopped, holds back the publishers for so long only.
    ///
    /// It rests between two calls, and while it waits. A record that it is reading is never taken from it: while a closure
    /// given to [`poll`](Subscriber::poll) runs, or a record is lent by [`try_next`](Subscriber::try_next) and its like, until the
    /// next call or [`rest`](Subscriber::rest), it holds back the publishers as any other subscriber does.
    ///
    /// Its time runs while a publisher tries to find room, or waits for it, a record is there for the subscriber to be read, and nobody
    /// else holds the same room; what passes between two tries counts for a quarter of the time at the most. Each publisher
    /// measures for itself. It is evicted at the first try after that.
    ///
    /// To begin and to end a batch takes it a compare-and-swap and a store more.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, MessageId, ReadError, SourceId, Start, Tag};
    /// use std::time::Duration;
    ///
    /// let bus = Bus::new(BusConfig::bytes(1024))?;
    /// let mut publisher = bus.publisher()?;
    /// let mut subscriber = bus.subscribe_evictable(Start::Oldest, Duration::from_millis(20))?;
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    /// // It does not read, and twice as much is sent as the bus can hold.
    /// for _ in 0..32 {
    ///     publisher.send(tag, &[7; 48])?;
    /// }
    /// let told = subscriber.poll(100, |_| ());
    /// assert!(matches!(told, Err(ReadError::Evicted { position: 0, skipped: 1024.. })));
    /// assert!(subscriber.poll(100, |_| ())? > 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`subscribe`](Self::subscribe).
    pub fn subscribe_evictable(
        &self,
        start: Start,
        evict_after: Duration,
    ) -> Result<Subscriber<Evictable>, JoinError> {
        // 0 stands for never.
        self.join(start, nanos(evict_after).max(1), Subscriber::new)
    }

    fn join<S: SubscriberKind>(
        &self,
        start: Start,
        evict_after: u64,
        begin: impl FnOnce(Core, Joined, u64) -> Subscriber<S>,
    ) -> Result<Subscriber<S>, JoinError> {
        let joined = self.core.join(evict_after);
        let joined = joined.ok_or_else(|| self.no_free_slot())?;
        match start_of(start, joined.floor, joined.tail) {
            Ok(start) => Ok(begin(self.core.clone(), joined, start)),
            Err(error) => {
                self.core.leave(joined.slot);
                Err(error)
            }
        }
    }

    /// Attaches an observer, which gets copies, holds back nobody, and may be lapped.
    ///
    /// # Errors
    ///
    /// As for [`subscribe`](Self::subscribe).
    pub fn observe(&self, start: Start) -> Result<Observer, JoinError> {
        let slot = self.core.attach().ok_or_else(|| self.no_free_slot())?;
        let floor = self.core.pin_at_floor(slot);
        let tail = self.tail();
        self.core.unpin_at(slot, floor);
        match start_of(start, floor, tail) {
            Ok(start) => Ok(Observer::new(self.core.clone(), slot, floor, start, tail)),
            Err(error) => {
                self.core.leave(slot);
                Err(error)
            }
        }
    }

    /// Whether processes share it.
    pub(crate) fn is_shared(&self) -> bool {
        self.core.owner != 0
    }

    /// How many bytes may lie between the oldest record that is retained and the end of the newest: the ring's length.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.core.capacity() as usize
    }

    /// The longest payload in bytes: a quarter of the ring, and at most what 32 bits can say.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.core.max_payload()
    }

    /// All memory of the bus in bytes: the ring, the slots and the shared words.
    #[must_use]
    pub fn memory_len(&self) -> usize {
        self.core.memory.shared().region().len()
    }

    /// Whether the system took the request for huge pages.
    #[must_use]
    pub fn huge_pages(&self) -> bool {
        self.core.memory.shared().region().huge_pages()
    }

    /// How the bus stands now. Disturbs nobody; each number is true at some moment of the call.
    #[must_use]
    pub fn stats(&self) -> Stats {
        stats(&self.core)
    }

    /// The position at which the next claim will begin.
    #[must_use]
    pub fn tail(&self) -> u64 {
        // A multiple of 16, whatever has become of the word: who starts there looks there.
        self.core.memory.control().tail.load(Relaxed) & POSITION
    }

    /// How many bytes of records are a part of the bus, of which a reader says now and then that it has read them.
    pub(crate) fn stride(&self) -> u64 {
        self.core.step()
    }

    /// How many bytes of records there are between two ends of the ring, or of a segment.
    #[cfg(feature = "journal")]
    pub(crate) fn lap(&self) -> u64 {
        self.core.lap()
    }

    /// Whether some subscriber, but for that in the slot `except`, has yet to read what stands before `position`.
    pub(crate) fn has_reader_before(&self, position: u64, except: usize) -> bool {
        has_reader_before(&self.core, position, except)
    }

    /// Says what ids mean to one who attaches; holds until the registration is dropped.
    ///
    /// # Errors
    ///
    /// [`NameConflict`] if one of them means something else to who has registered before.
    pub fn register(&self, names: Vec<Name>) -> Result<Registration, NameConflict> {
        registry::register(self.core.memory.shared(), names)
    }

    /// Says that the worker runs which is called so, by its table's name and its own. `None`: it does already.
    pub(crate) fn run_worker(&self, app: &'static str, worker: &'static str) -> Option<Runs> {
        registry::run(self.core.memory.shared(), (app, worker))
    }

    /// Sends all who sleep on this bus to look again, and to ask their `stop`
    /// (see [`Subscriber::wait_until`]).
    pub fn wake_all(&self) {
        self.core.rouse_all();
    }
}

#[cfg(feature = "journal")]
impl<K: PublisherKind> Bus<K> {
    /// Attaches a subscriber that holds all from its start on until it lets go of it by name, see [`Subscriber::let_go`].
    pub(crate) fn subscribe_holding(&self, start: Start) -> Result<Subscriber, JoinError> {
        self.join(start, 0, Subscriber::holding)
    }

    /// The same in a slot that goes on holding what another held; it begins at `start`. `None`: that is not held by it; then the slot goes on as it is.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    pub(crate) fn take_over(&self, slot: usize, start: u64) -> Option<Subscriber> {
        let joined = self.core.take_over_at(slot, start)?;
        Some(Subscriber::holding(self.core.clone(), joined, start))
    }
}

/// The position where a reader begins on a bus that retains what lies between `floor` and `tail`.
pub(crate) fn start_of(start: Start, floor: u64, tail: u64) -> Result<u64, JoinError> {
    match start {
        Start::Oldest => Ok(floor),
        Start::Newest => Ok(tail),
        Start::At(position) if position < floor => Err(JoinError::Gone {
            position,
            oldest: floor,
        }),
        Start::At(position) if position > tail => Err(JoinError::Ahead { position, tail }),
        Start::At(position) => Ok(position),
    }
}

impl<K: PublisherKind> Clone for Bus<K> {
    fn clone(&self) -> Self {
        Self::over(self.core.clone())
    }
}

impl<K: PublisherKind> fmt::Debug for Bus<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("stats", &self.stats()).finish()
    }
}
