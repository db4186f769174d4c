//! Where a worker says up to where it has handled everything, for who runs it next.

use core::time::Duration;

use crate::journal::{Cursor, CursorError, Journal};
use crate::runtime::failure::FailureKind;

/// How long a worker that ends waits until what it has sent is synced: another's claim may stand before that, and not be finished.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether all that stands on the journal now can be synced.
pub(in crate::runtime) fn sync_all(journal: &Journal) -> Result<bool, FailureKind> {
    let synced = match journal.bus().tail().checked_sub(1) {
        Some(last) => journal.wait_synced(last, Some(PATIENCE)),
        None => Ok(true),
    };
    synced.map_err(|error| FailureKind::Returned(error.into()))
}

/// Where a worker says how far it has got.
pub(crate) enum Mark {
    /// In a journal.
    Cursor(Box<(Cursor, Journal)>),
    /// On a bus that processes share.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Seat(crate::runtime::split::Seated),
}

impl Mark {
    /// The worker's subscriber goes, though the worker is still there. Until this goes, too, nobody else runs it, but for a pool, whose others
    /// don't wait for this member.
    pub(in crate::runtime) fn rise(self) -> Option<Self> {
        match self {
            Self::Cursor(_) => Some(self),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Seat(seated) => seated.rise().map(Self::Seat),
        }
    }

    /// Says that everything before `position` is handled.
    pub(super) fn store(&mut self, position: u64) -> Result<(), CursorError> {
        match self {
            Self::Cursor(place) if place.0.position() == position => Ok(()),
            Self::Cursor(place) => place.0.store(position),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Seat(seated) => seated.store(position),
        }
    }
}
