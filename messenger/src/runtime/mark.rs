//! Where a worker says up to where it has handled everything, for who runs it next.

use crate::journal::{Cursor, CursorError, Journal};
#[cfg(all(feature = "shared", target_os = "linux"))]
use crate::shared::{PoolSeat, Seat};

/// Where a worker says how far it has got.
pub(crate) enum Mark {
    /// In a journal.
    Cursor(Box<(Cursor, Journal)>),
    /// On a bus that processes share.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Seat(Seat),
    /// On such a bus, of what it has taken as a member of a pool.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Pool(Box<PoolSeat>),
}

impl Mark {
    /// Says that everything before `position` is handled.
    pub(super) fn store(&mut self, position: u64) -> Result<(), CursorError> {
        match self {
            Self::Cursor(place) if place.0.position() == position => Ok(()),
            Self::Cursor(place) => place.0.store(position),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Seat(seat) => {
                seat.store(position);
                Ok(())
            }
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Pool(seat) => {
                seat.store(position);
                Ok(())
            }
        }
    }
}
