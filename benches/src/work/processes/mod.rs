//! Work between two processes: the sample's own writes, or calls, on the first core; its second is on the other.

mod crowd;
mod death;
mod latency;
mod stream;

use std::path::Path;

use super::{Conditions, Metrics};
use crate::catalogue::Cell;
use crate::link::{Crowd, Link};
use crate::log::Done;
use crate::ours::Mode;

pub(crate) use crowd::{OBSERVERS, SUBSCRIBERS};
pub(crate) use stream::STREAMED;

/// What the two processes of a sample do.
#[derive(Clone, Copy)]
pub(crate) struct Sides {
    /// The first, which starts the second and measures.
    pub(crate) near: fn(&Cell<'_>, Conditions) -> Done<Metrics>,
    /// The second, which finds what is between them in that directory.
    pub(crate) far: fn(&Cell<'_>, &Path) -> Done,
}

/// One-way time is half of a round trip.
pub(crate) fn ping_pong<L: Link<N>, const N: usize>() -> Sides {
    Sides {
        near: latency::call::<L, N>,
        far: latency::answer::<L, N>,
    }
}

/// For how long what stands behind a record that was never finished can't be read.
pub(crate) fn survived<M: Mode<N, R: Send>, const N: usize>() -> Sides {
    Sides {
        near: death::survive::<M, N>,
        far: death::die::<N>,
    }
}

/// Records per second, and bytes.
pub(crate) fn streamed<L: Link<N>, const N: usize>() -> Sides {
    Sides {
        near: stream::write_all::<L, N>,
        far: stream::read_all::<L, N>,
    }
}

/// A record's cost, with members that read them all, or all that they can.
pub(crate) fn read_by_many<C: Crowd<N>, const N: usize>() -> Sides {
    Sides {
        near: crowd::publish::<C, N>,
        far: if C::GATES {
            crowd::follow::<C, N>
        } else {
            crowd::look_on::<C, N>
        },
    }
}

/// A record's cost, with members that are attached and don't look.
pub(crate) fn unread_by_many<C: Crowd<N>, const N: usize>() -> Sides {
    const { assert!(!C::GATES, "the publisher would wait for them for ever") };
    Sides {
        near: crowd::publish::<C, N>,
        far: crowd::stand_by::<C, N>,
    }
}
