//! A publisher as the tests have it: in this process, or in another one. It does what the bus's own does, by the same names.

mod far;

use std::time::{Duration, Instant};

use messenger::bus::{
    self, ClaimError, CommitError, Multi, Overflow, PayloadWriter, PublisherKind, Tag, WaitStrategy,
};

pub(crate) use far::Process;

pub(crate) enum Publisher<K: PublisherKind = Multi> {
    Here(bus::Publisher<K>),
    There(far::Publisher),
}

pub(crate) enum Claim<'a> {
    Here(bus::Claim<'a>),
    There(far::Claim<'a>),
}

pub(crate) enum Reservation<'a> {
    Here(bus::Reservation<'a>),
    There(far::Reservation<'a>),
}

pub(crate) enum Writer<'a> {
    Here(PayloadWriter<'a>),
    There(far::Writer<'a>),
}

/// The same of either; with a type, as that.
macro_rules! either {
    ($self:expr, $end:ident => $does:expr) => {
        match $self {
            Self::Here($end) => $does,
            Self::There($end) => $does,
        }
    };
    ($self:expr, $end:ident => $does:expr, $as:ident) => {
        match $self {
            Self::Here($end) => $does.map($as::Here),
            Self::There($end) => $does.map($as::There),
        }
    };
}

impl<K: PublisherKind> Publisher<K> {
    /// One in another process, on the bus that processes share by that name; `makes` says of what kind it is, if that process is to make it.
    #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
    pub(crate) fn elsewhere(bus: &str, makes: Option<&str>) -> Self {
        Self::There(far::Publisher::start(bus, makes))
    }

    pub(crate) fn set_wait(&mut self, wait: WaitStrategy) {
        either!(self, end => end.set_wait(wait));
    }

    pub(crate) fn max_payload(&self) -> usize {
        either!(self, end => end.max_payload())
    }

    pub(crate) fn capacity(&self) -> usize {
        either!(self, end => end.capacity())
    }

    pub(crate) fn send(&mut self, tag: Tag, bytes: &[u8]) -> Result<u64, ClaimError> {
        either!(self, end => end.send(tag, bytes))
    }

    pub(crate) fn try_send(&mut self, tag: Tag, bytes: &[u8]) -> Result<u64, ClaimError> {
        either!(self, end => end.try_send(tag, bytes))
    }

    pub(crate) fn send_timeout(
        &mut self,
        tag: Tag,
        bytes: &[u8],
        timeout: Duration,
    ) -> Result<u64, ClaimError> {
        either!(self, end => end.send_timeout(tag, bytes, timeout))
    }

    pub(crate) fn claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        either!(self, end => end.claim(tag, len), Claim)
    }

    pub(crate) fn try_claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        either!(self, end => end.try_claim(tag, len), Claim)
    }

    pub(crate) fn claim_timeout(
        &mut self,
        tag: Tag,
        len: usize,
        timeout: Duration,
    ) -> Result<Claim<'_>, ClaimError> {
        either!(self, end => end.claim_timeout(tag, len, timeout), Claim)
    }

    pub(crate) fn claim_until(
        &mut self,
        tag: Tag,
        len: usize,
        deadline: Option<Instant>,
        stop: impl FnMut() -> bool,
    ) -> Result<Claim<'_>, ClaimError> {
        either!(self, end => end.claim_until(tag, len, deadline, stop), Claim)
    }

    pub(crate) fn reserve(&mut self, bytes: usize) -> Result<Reservation<'_>, ClaimError> {
        either!(self, end => end.reserve(bytes), Reservation)
    }

    pub(crate) fn try_reserve(&mut self, bytes: usize) -> Result<Reservation<'_>, ClaimError> {
        either!(self, end => end.try_reserve(bytes), Reservation)
    }

    pub(crate) fn reserve_timeout(
        &mut self,
        bytes: usize,
        timeout: Duration,
    ) -> Result<Reservation<'_>, ClaimError> {
        either!(self, end => end.reserve_timeout(bytes, timeout), Reservation)
    }

    pub(crate) fn reserve_until(
        &mut self,
        bytes: usize,
        deadline: Option<Instant>,
        stop: impl FnMut() -> bool,
    ) -> Result<Reservation<'_>, ClaimError> {
        either!(self, end => end.reserve_until(bytes, deadline, stop), Reservation)
    }
}

impl Reservation<'_> {
    pub(crate) fn remaining(&self) -> usize {
        either!(self, end => end.remaining())
    }

    pub(crate) fn claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        either!(self, end => end.claim(tag, len), Claim)
    }

    pub(crate) fn send(&mut self, tag: Tag, bytes: &[u8]) -> Result<u64, ClaimError> {
        either!(self, end => end.send(tag, bytes))
    }
}

impl Claim<'_> {
    pub(crate) fn position(&self) -> u64 {
        either!(self, end => end.position())
    }

    pub(crate) fn payload_len(&self) -> usize {
        either!(self, end => end.payload_len())
    }

    pub(crate) fn writer(&mut self) -> Writer<'_> {
        match self {
            Self::Here(claim) => Writer::Here(claim.writer()),
            Self::There(claim) => Writer::There(claim.writer()),
        }
    }

    pub(crate) fn zeroed(&mut self) -> &mut [u8] {
        either!(self, end => end.zeroed())
    }

    pub(crate) fn commit(self) -> Result<u64, CommitError> {
        either!(self, end => end.commit())
    }
}

impl Writer<'_> {
    pub(crate) fn put(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        either!(self, end => end.put(bytes))
    }

    pub(crate) fn put_zeros(&mut self, count: usize) -> Result<(), Overflow> {
        either!(self, end => end.put_zeros(count))
    }

    pub(crate) fn written(&self) -> usize {
        either!(self, end => end.written())
    }

    pub(crate) fn remaining(&self) -> usize {
        either!(self, end => end.remaining())
    }
}
