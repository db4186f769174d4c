//! messenger's bus between processes.

use std::marker::PhantomData;

use messenger::bus::{Multi, ObserveError, Observer, Start};
use messenger::shared::SharedBus;

use super::bus::{Claims, Polls, whole};
use super::mode::Mode;
use crate::contender::Reader;
use crate::link::{Crowd, Link, Place};
use crate::log::{Done, text};
use crate::sample::fail;

/// The slots of a bus that are none of its readers': the publisher's, one of each process, and some to spare.
const SPARE: usize = 8;

fn made(place: &Place, readers: usize) -> Done<SharedBus> {
    let options = SharedBus::options()
        .bytes(place.ring)
        .members(readers + SPARE);
    let options = options.directory(place.directory());
    options.create(&place.name()).map_err(text)
}

fn found(place: &Place) -> Done<SharedBus> {
    let options = SharedBus::options().directory(place.directory());
    options.open(&place.name()).map_err(text)
}

/// A bus between two processes.
pub(crate) struct Between<M> {
    bus: SharedBus,
    ring: usize,
    mode: PhantomData<M>,
}

impl<M> Between<M> {
    /// Makes it with both ends in this process.
    pub(crate) fn ends<const N: usize>(place: &Place) -> Done<(M::W, M::R)>
    where
        M: Mode<N>,
    {
        let bus = made(place, 1)?;
        Ok((Self::writer(&bus)?, Self::reader(&bus, place.ring)?))
    }

    fn writer<const N: usize>(bus: &SharedBus) -> Done<M::W>
    where
        M: Mode<N>,
    {
        let publisher = bus.bus().publisher().map_err(text)?;
        Ok(M::writer(publisher))
    }

    fn reader<const N: usize>(bus: &SharedBus, ring: usize) -> Done<M::R>
    where
        M: Mode<N>,
    {
        let subscriber = bus.bus().subscribe(Start::Oldest).map_err(text)?;
        Ok(M::reader(subscriber, ring))
    }
}

impl<M: Mode<N>, const N: usize> Link<N> for Between<M> {
    type W = M::W;
    type R = M::R;

    fn make(place: &Place) -> Done<Self> {
        Ok(Self {
            bus: made(place, 1)?,
            ring: place.ring,
            mode: PhantomData,
        })
    }

    fn near_writer(self) -> Done<Self::W> {
        Self::writer::<N>(&self.bus)
    }

    fn near_reader(self) -> Done<Self::R> {
        Self::reader::<N>(&self.bus, self.ring)
    }

    fn far_writer(place: &Place) -> Done<Self::W> {
        Self::writer::<N>(&found(place)?)
    }

    fn far_reader(place: &Place) -> Done<Self::R> {
        Self::reader::<N>(&found(place)?, place.ring)
    }
}

fn publisher(place: &Place, members: usize) -> Done<Claims<Multi>> {
    let bus = made(place, members)?;
    let publisher = bus.bus().publisher().map_err(text)?;
    Ok(Claims(publisher))
}

/// Subscribers, which the publisher waits for.
pub(crate) struct Gated;

impl<const N: usize> Crowd<N> for Gated {
    type W = Claims<Multi>;
    type R = Polls;
    const GATES: bool = true;

    fn make(place: &Place, members: usize) -> Done<Self::W> {
        publisher(place, members)
    }

    fn members(place: &Place, members: usize) -> Done<Vec<Self::R>> {
        let bus = found(place)?;
        (0..members)
            .map(|_| {
                let subscriber = bus.bus().subscribe(Start::Oldest).map_err(text)?;
                Ok(Polls::new::<N>(subscriber, place.ring))
            })
            .collect()
    }
}

/// Observers, which nobody waits for.
pub(crate) struct Observed;

/// One of them, and its copy of a record.
pub(crate) struct Observes(Observer, Vec<u8>);

impl<const N: usize> Reader<N> for Observes {
    #[inline(always)]
    fn read(&mut self, each: impl FnMut(&[u8; N])) -> usize {
        let Self(observer, copy) = self;
        match observer.try_next(copy) {
            Ok(Some(_)) => {
                whole(copy, each);
                1
            }
            Ok(None) | Err(ObserveError::Lagged { .. }) => 0,
            Err(error) => fail(&error.to_string()),
        }
    }
}

impl<const N: usize> Crowd<N> for Observed {
    type W = Claims<Multi>;
    type R = Observes;
    const GATES: bool = false;

    fn make(place: &Place, members: usize) -> Done<Self::W> {
        publisher(place, members)
    }

    fn members(place: &Place, members: usize) -> Done<Vec<Self::R>> {
        let bus = found(place)?;
        (0..members)
            .map(|_| {
                let observer = bus.bus().observe(Start::Newest).map_err(text)?;
                Ok(Observes(observer, Vec::with_capacity(N)))
            })
            .collect()
    }
}
