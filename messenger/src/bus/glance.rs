//! Reading as no member, which holds nothing and writes nothing: what is looked at may be overwritten meanwhile. So it is
//! copied, and is worth something only once it is known that nobody has written there. See `docs/bus.md`, "Reading without
//! a pin".
//!
//! All loads are relaxed, and fences order them: it is what may be done in memory that is mapped for reading only.

use super::format::Format;
use super::layout::POSITION;
use super::order;
use super::ring::{Found, LAST, META, Memory, Ring, Uncovered};
use super::{Lost, ReadError};
use crate::sync::Ordering::Relaxed;

/// Why a glance has found nothing out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Missed {
    /// The position lies before the floor, which is here now: others may have written over what stood there.
    Lapped(u64),
    /// What stands there can't be.
    Read(ReadError),
}

impl<M: Memory> Ring<M> {
    /// Looks at `position`, a record boundary, which nothing keeps from being overwritten. Of a record `copy` takes the payload's so
    /// many bytes, by relaxed loads; they are its own if this says that a record was found, and else worth nothing. On a bus that is kept
    /// it is asked for what is skipped, too, and may give the checksum of the second word, which it is given, and of its copy: then
    /// what is found is as it was written.
    #[inline]
    pub(crate) fn glance(
        &self,
        window: &mut M::Window,
        position: u64,
        copy: impl FnOnce(&M::Window, u64, u32) -> Option<u32>,
    ) -> Result<Found, Missed> {
        if position > LAST {
            return Err(Missed::Read(Lost::corrupt(position).into()));
        }
        match self.memory.cover(window, position) {
            Ok(()) => {}
            Err(Uncovered::NotYet) => return Ok(Found::Nothing),
            Err(Uncovered::Lost(lost)) => {
                // What is given up can't be had, and the floor was raised before that.
                let floor = self.glance_at_floor()?;
                let lapped = floor > position;
                return Err(if lapped {
                    Missed::Lapped(floor)
                } else {
                    Missed::Read(lost.into())
                });
            }
        }
        let (stamp, meta) = self.memory.header(window, position);
        let stamp = stamp.load(Relaxed);
        // Edge 1, commit: the second word and the payload are the record's, or newer.
        order::glance_fence();
        let mut second = 0;
        let found = (self.format).found(position, stamp, || {
            second = meta.load(Relaxed);
            second
        });
        let sum = match found {
            Ok(Found::Record { len, .. }) => copy(window, second, len),
            Ok(Found::Skip { .. }) if self.is_kept() => {
                let state = self.format.state(position, stamp);
                match Format::covered(state, second) {
                    0 => Some(0),
                    bytes => copy(window, second, (bytes - META) as u32),
                }
            }
            Ok(_) | Err(_) => None,
        };
        // Edge 18, overwriting: if anything of it was newer, the floor that allowed it is seen.
        order::validate_fence();
        let floor = self.glance_at_floor()?;
        if floor > position {
            return Err(Missed::Lapped(floor));
        }
        // By the copy, which nobody changes any more.
        if self.is_kept() && sum.is_some_and(|sum| !self.format.fits(position, stamp, sum)) {
            return Err(Missed::Read(ReadError::Damaged { position }));
        }
        found.map_err(|corrupt| Missed::Read(corrupt.into()))
    }

    /// The floor, by a relaxed load: a record boundary, if nobody has written over it; a multiple of 16 whatever happens.
    fn glance_at_floor(&self) -> Result<u64, Missed> {
        let floor = self.memory.control().floor.load(Relaxed) & POSITION;
        if floor > LAST {
            return Err(Missed::Read(Lost::corrupt(floor).into()));
        }
        Ok(floor)
    }

    /// The floor and the tail, both record boundaries, the floor not beyond the tail; read as [`glance`](Self::glance) reads.
    #[cfg(not(loom))]
    pub(crate) fn glance_at_ends(&self) -> (u64, u64) {
        let control = self.memory.control();
        let floor = control.floor.load(Relaxed) & POSITION;
        // Edge 5, floor: the tail is not older than it.
        order::glance_fence();
        (floor, control.tail.load(Relaxed) & POSITION)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::shared::{Core, create};
    use super::super::{Bus, BusConfig, Corrupt, MessageId, Publisher, SourceId, Tag};
    use super::*;

    const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(2));

    /// A ring of 256 bytes, whose longest payload has 64.
    fn bus() -> (Core, Publisher) {
        let core = create(&BusConfig::bytes(256)).unwrap();
        let publisher = Bus::of(core.clone()).publisher().unwrap();
        (core, publisher)
    }

    /// What a glance at `position` finds, and what it has copied, while `meanwhile` is done after that.
    fn glance(
        core: &Core,
        position: u64,
        meanwhile: impl FnOnce(),
    ) -> (Result<Found, Missed>, Vec<u8>) {
        let mut copied = Vec::new();
        let mut window = core.memory.window();
        let found = core.glance(&mut window, position, |window, _, len| {
            window.copy(position, len as usize, &mut copied);
            meanwhile();
            None
        });
        (found, copied)
    }

    #[test]
    fn a_record_of_each_length_is_copied_whole() {
        let (core, mut publisher) = bus();
        for len in 0..=64 {
            let payload: Vec<u8> = (0..len).map(|byte| byte ^ len).collect();
            let position = publisher.send(TAG, &payload).unwrap();
            let (found, copied) = glance(&core, position, || ());
            let next = position + super::super::record_len(payload.len()) as u64;
            let len = u32::from(len);
            assert_eq!(
                found,
                Ok(Found::Record {
                    tag: TAG,
                    len,
                    next
                })
            );
            assert_eq!(copied, payload);
            assert_eq!(glance(&core, next, || ()).0, Ok(Found::Nothing));
        }
    }

    #[test]
    fn what_is_overwritten_meanwhile_is_thrown_away() {
        let (core, mut publisher) = bus();
        let first = publisher.send(TAG, &[1; 40]).unwrap();
        // Up to one that needs the first one's room.
        let (found, _) = glance(&core, first, || {
            for _ in 0..4 {
                publisher.send(TAG, &[2; 40]).unwrap();
            }
        });
        let Err(Missed::Lapped(floor)) = found else {
            panic!("{found:?}");
        };
        assert!(floor > first && glance(&core, floor, || ()).0.is_ok());
        // Also a header that is none any more.
        assert_eq!(glance(&core, first, || ()).0, Err(Missed::Lapped(floor)));
    }

    #[test]
    fn what_is_written_behind_it_does_no_harm() {
        let (core, mut publisher) = bus();
        let first = publisher.send(TAG, &[1; 40]).unwrap();
        let (found, copied) = glance(&core, first, || {
            for _ in 0..3 {
                publisher.send(TAG, &[2; 40]).unwrap();
            }
        });
        assert!(matches!(found, Ok(Found::Record { .. })), "{found:?}");
        assert_eq!(copied, [1; 40]);
    }

    #[test]
    fn words_that_cannot_be_are_errors() {
        let (core, mut publisher) = bus();
        let position = publisher.send(TAG, b"good").unwrap();
        core.write_meta(&core.memory.window(), position, TAG, 100);
        let (found, copied) = glance(&core, position, || ());
        let corrupt = Corrupt { position, len: 100 };
        assert_eq!(found, Err(Missed::Read(corrupt.into())));
        assert!(
            copied.is_empty(),
            "nothing is copied by a length that can't be"
        );
        core.memory.control().floor.store(u64::MAX, Relaxed);
        let (found, _) = glance(&core, position, || ());
        let lost = Lost::corrupt(POSITION);
        assert_eq!(found, Err(Missed::Read(lost.into())));
    }
}
