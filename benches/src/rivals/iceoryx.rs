//! `iceoryx2`: publish and subscribe without copies, in the variant whose ports stay in their thread, which is the fastest.

use std::fmt;
use std::mem::MaybeUninit;

use iceoryx2::config::Config;
use iceoryx2::node::{Node, NodeBuilder};
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::{
    Alignment, FileName, LogLevel, Path, SemanticString as _, ServiceName, SignalHandlingMode, ipc,
    set_log_level,
};
use iceoryx2::sample_mut_uninit::SampleMutUninit;
use iceoryx2::service::port_factory::{event, publish_subscribe};

use crate::contender::{Idle, Reader, Writer};
use crate::link::{Crowd, Link, Place};
use crate::log::{Done, text};
use crate::payload::{fill, filled};
use crate::sample::fail;
use crate::scratch::{memory_prefix, outermost};

type Kind = ipc::Service;

fn spoken(error: impl fmt::Debug) -> String {
    format!("iceoryx2: {error:?}")
}

/// A node with all its files in the sample's directory, and its memory named after it: what a sample that failed leaves goes with
/// that.
fn node(place: &Place) -> Done<Node<Kind>> {
    set_log_level(LogLevel::Fatal);
    let directory = outermost(place.directory());
    let mut config = Config::default();
    let root = Path::new(directory.as_os_str().as_encoded_bytes()).map_err(spoken)?;
    config.global.set_root_path(&root);
    let prefix = memory_prefix(&directory);
    config.global.prefix = FileName::new(prefix.as_bytes()).map_err(spoken)?;
    NodeBuilder::new()
        .config(&config)
        // Whoever wants to end this process ends it.
        .signal_handling_mode(SignalHandlingMode::Disabled)
        .create()
        .map_err(spoken)
}

type Service<const N: usize> = publish_subscribe::PortFactory<Kind, [u8; N], ()>;

/// The service for payloads of `N` bytes: nothing is lost, unless subscribers may be `lapped`, and all has room that is on its way.
fn service<const N: usize>(
    node: &Node<Kind>,
    place: &Place,
    members: usize,
    lapped: bool,
) -> Done<Service<N>> {
    let name = ServiceName::new(&place.name()).map_err(text)?;
    node.service_builder(&name)
        .publish_subscribe::<[u8; N]>()
        .payload_alignment(Alignment::new(64).ok_or("64 is a power of two")?)
        .enable_safe_overflow(lapped)
        .history_size(0)
        .max_publishers(1)
        .max_subscribers(members.max(1))
        .subscriber_max_borrowed_samples(1)
        .subscriber_max_buffer_size(place.ahead)
        .open_or_create()
        .map_err(spoken)
}

fn events(node: &Node<Kind>, place: &Place) -> Done<event::PortFactory<Kind>> {
    let name = ServiceName::new(&place.name()).map_err(text)?;
    node.service_builder(&name)
        .event()
        .max_notifiers(1)
        .max_listeners(1)
        .event_id_max_value(0)
        .open_or_create()
        .map_err(spoken)
}

/// Subscribers look for samples or, `WAITS`, sleep until an event says that there are some.
pub(crate) struct Iceoryx<const WAITS: bool>(Place);

impl<const N: usize, const WAITS: bool> Link<N> for Iceoryx<WAITS> {
    type W = Publish<N>;
    type R = Receive<N>;

    fn make(place: &Place) -> Done<Self> {
        Ok(Self(place.clone()))
    }

    fn near_writer(self) -> Done<Self::W> {
        Publish::new(&self.0, 1, false, WAITS)
    }

    fn near_reader(self) -> Done<Self::R> {
        Receive::new(&self.0, WAITS)
    }

    fn far_writer(place: &Place) -> Done<Self::W> {
        Publish::new(place, 1, false, WAITS)
    }

    fn far_reader(place: &Place) -> Done<Self::R> {
        Receive::new(place, WAITS)
    }
}

/// Many subscribers, which the publisher waits for, or which may be `LAPPED`.
pub(crate) struct IceoryxCrowd<const LAPPED: bool>;

impl<const N: usize, const LAPPED: bool> Crowd<N> for IceoryxCrowd<LAPPED> {
    type W = Publish<N>;
    type R = Receive<N>;
    const GATES: bool = !LAPPED;

    fn make(place: &Place, members: usize) -> Done<Self::W> {
        Publish::new(place, members, LAPPED, false)
    }

    fn members(place: &Place, members: usize) -> Done<Vec<Self::R>> {
        let node = node(place)?;
        let service = service(&node, place, members, LAPPED)?;
        (0..members)
            .map(|_| {
                Ok(Receive {
                    events: None,
                    subscriber: service.subscriber_builder().create().map_err(spoken)?,
                })
            })
            .collect()
    }
}

/// A publisher, and the sample that it is about to fill.
pub(crate) struct Publish<const N: usize> {
    loaned: Option<SampleMutUninit<Kind, MaybeUninit<[u8; N]>, ()>>,
    publisher: Publisher<Kind, [u8; N], ()>,
    events: Option<Notifier<Kind>>,
}

impl<const N: usize> Publish<N> {
    fn new(place: &Place, members: usize, lapped: bool, notifies: bool) -> Done<Self> {
        let node = node(place)?;
        let service = service::<N>(&node, place, members, lapped)?;
        let publisher = service.publisher_builder().max_loaned_samples(2);
        let publisher = publisher.create().map_err(spoken)?;
        let notifier = || {
            events(&node, place)?
                .notifier_builder()
                .create()
                .map_err(spoken)
        };
        Ok(Self {
            loaned: Some(publisher.loan_uninit().map_err(spoken)?),
            publisher,
            events: notifies.then(notifier).transpose()?,
        })
    }
}

/// What is written at a time of a long payload, so that it stays in registers and the first cache.
const PIECE: usize = 512;

/// Fills the payload where it lies.
#[inline(always)]
fn put<const N: usize>(to: &mut MaybeUninit<[u8; N]>, seq: u64) {
    const {
        assert!(
            N <= PIECE || N.is_multiple_of(PIECE),
            "long payloads are whole pieces"
        );
    }
    if N <= PIECE {
        to.write(filled(seq));
        return;
    }
    let pieces = to.as_mut_ptr().cast::<[u8; PIECE]>();
    for piece in 0..N / PIECE {
        let mut bytes = [0; PIECE];
        fill(&mut bytes, seq.wrapping_add((piece * PIECE / 8) as u64));
        // SAFETY: the piece lies within the N bytes at `to`, which are this function's alone, and bytes have no alignment.
        unsafe { pieces.add(piece).write(bytes) };
    }
}

impl<const N: usize> Writer<N> for Publish<N> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, _: &mut Idle) {
        for seq in first..first + count {
            let mut loaned = match self.loaned.take() {
                Some(loaned) => loaned,
                None => fail("iceoryx2: the last write ended in the middle"),
            };
            put(loaned.payload_mut(), seq);
            // SAFETY: `put` has written all of it.
            let sample = unsafe { loaned.assume_init() };
            if let Err(error) = sample.send() {
                fail(&spoken(error));
            }
            if let Some(Err(error)) = self.events.as_ref().map(Notifier::notify) {
                fail(&spoken(error));
            }
            // The next one is had when this has gone, while the other side reads.
            match self.publisher.loan_uninit() {
                Ok(next) => self.loaned = Some(next),
                Err(error) => fail(&spoken(error)),
            }
        }
    }
}

/// A subscriber, and what wakes it.
pub(crate) struct Receive<const N: usize> {
    subscriber: Subscriber<Kind, [u8; N], ()>,
    events: Option<Listener<Kind>>,
}

impl<const N: usize> Receive<N> {
    fn new(place: &Place, waits: bool) -> Done<Self> {
        let node = node(place)?;
        let service = service(&node, place, 1, false)?;
        let listener = || {
            events(&node, place)?
                .listener_builder()
                .create()
                .map_err(spoken)
        };
        Ok(Self {
            subscriber: service.subscriber_builder().create().map_err(spoken)?,
            events: waits.then(listener).transpose()?,
        })
    }
}

impl<const N: usize> Reader<N> for Receive<N> {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        match self.subscriber.receive() {
            Ok(Some(sample)) => {
                each(sample.payload());
                return 1;
            }
            Ok(None) => {}
            Err(error) => fail(&spoken(error)),
        }
        if let Some(Err(error)) = self
            .events
            .as_ref()
            .map(|events| events.blocking_wait(|_| ()))
        {
            fail(&spoken(error));
        }
        0
    }
}
