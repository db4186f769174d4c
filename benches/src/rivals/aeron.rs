//! Aeron's IPC channel: an exclusive publication that is claimed and filled in place, and a subscription that polls. Its media
//! driver, which is not on a record's way, has a thread of the first process.

use std::ffi::CString;
use std::fmt;
use std::time::{Duration, Instant};

use rusteron_media_driver::bindings::aeron_threading_mode_t;
use rusteron_media_driver::testing::EmbeddedDriver;
use rusteron_media_driver::{
    Aeron, AeronContext, AeronExclusivePublication, AeronSubscription, Handlers,
};

use crate::contender::{Idle, Reader, Writer};
use crate::link::{Link, Place};
use crate::log::{Done, text};
use crate::payload::filled;
use crate::sample::fail;

/// One stream is all that there is on a driver.
const STREAM: i32 = 1;
/// How long all that is set up once may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many records are read at a time, at most.
const AT_A_TIME: usize = 64;

fn spoken(error: impl fmt::Debug) -> String {
    format!("Aeron: {error:?}")
}

fn directory(place: &Place) -> Done<CString> {
    CString::new(format!("{}.aeron", place.path.display())).map_err(text)
}

/// A publisher is let ahead of its readers by half of a term, and gets the bytes of our ring so.
fn channel(place: &Place) -> Done<CString> {
    let term = (2 * place.ring).next_power_of_two().max(64 << 10);
    CString::new(format!("aeron:ipc?term-length={term}|sparse=false")).map_err(text)
}

/// This process as a client of the driver at `place`.
fn client(place: &Place) -> Done<Aeron> {
    let context = AeronContext::new().map_err(spoken)?;
    context.set_dir(&directory(place)?).map_err(spoken)?;
    context.set_pre_touch_mapped_memory(true).map_err(spoken)?;
    let aeron = Aeron::new(&context).map_err(spoken)?;
    aeron.start().map_err(spoken)?;
    Ok(aeron)
}

pub(crate) struct AeronIpc {
    place: Place,
    driver: EmbeddedDriver,
}

impl<const N: usize> Link<N> for AeronIpc {
    type W = Publish;
    type R = Poll;

    fn make(place: &Place) -> Done<Self> {
        let directory = directory(place)?;
        let driver = EmbeddedDriver::launch_with(|context| {
            context.set_dir(&directory)?;
            // One thread, which sleeps: both cores are for those who publish and read.
            context.set_threading_mode(aeron_threading_mode_t::AERON_THREADING_MODE_SHARED)?;
            context.set_shared_idle_strategy(c"sleep-ns")?;
            context.set_term_buffer_sparse_file(false)?;
            Ok(())
        });
        Ok(Self {
            place: place.clone(),
            driver: driver.map_err(spoken)?,
        })
    }

    fn near_writer(self) -> Done<Self::W> {
        Publish::new(&self.place, Some(self.driver))
    }

    fn near_reader(self) -> Done<Self::R> {
        Poll::new(&self.place, Some(self.driver))
    }

    fn far_writer(place: &Place) -> Done<Self::W> {
        Publish::new(place, None)
    }

    fn far_reader(place: &Place) -> Done<Self::R> {
        Poll::new(place, None)
    }
}

/// The publication; what it needs goes after it.
pub(crate) struct Publish {
    publication: AeronExclusivePublication,
    _client: Aeron,
    _driver: Option<EmbeddedDriver>,
}

impl Publish {
    /// Waits until somebody has subscribed.
    fn new(place: &Place, driver: Option<EmbeddedDriver>) -> Done<Self> {
        let client = client(place)?;
        let adding = client.async_add_exclusive_publication(&channel(place)?, STREAM);
        let publication = adding.and_then(|adding| adding.poll_blocking(PATIENCE));
        let publication = publication.map_err(spoken)?;
        let end = Instant::now() + PATIENCE;
        while !publication.is_connected() {
            if Instant::now() > end {
                return Err("Aeron: nobody has subscribed".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(Self {
            publication,
            _client: client,
            _driver: driver,
        })
    }
}

impl<const N: usize> Writer<N> for Publish {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        for seq in first..first + count {
            let mut claim = loop {
                match self.publication.try_claim_owned(N) {
                    Ok(claim) => break claim,
                    Err(error) if error.is_retryable() => idle.wait(),
                    Err(error) => fail(&spoken(error)),
                }
            };
            idle.reset();
            match <&mut [u8; N]>::try_from(claim.data()) {
                Ok(bytes) => *bytes = filled(seq),
                Err(error) => fail(&spoken(error)),
            }
            if let Err(error) = claim.commit() {
                fail(&spoken(error));
            }
        }
    }
}

/// The subscription; what it needs goes after it.
pub(crate) struct Poll {
    subscription: AeronSubscription,
    _client: Aeron,
    _driver: Option<EmbeddedDriver>,
}

impl Poll {
    fn new(place: &Place, driver: Option<EmbeddedDriver>) -> Done<Self> {
        let client = client(place)?;
        let channel = channel(place)?;
        let adding =
            client.async_add_subscription(&channel, STREAM, Handlers::NONE, Handlers::NONE);
        let subscription = adding.and_then(|adding| adding.poll_blocking(PATIENCE));
        Ok(Self {
            subscription: subscription.map_err(spoken)?,
            _client: client,
            _driver: driver,
        })
    }
}

impl<const N: usize> Reader<N> for Poll {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        let polled = self.subscription.poll_fn(
            |bytes, _| match bytes.try_into() {
                Ok(bytes) => each(bytes),
                Err(error) => fail(&spoken(error)),
            },
            AT_A_TIME,
        );
        match polled {
            Ok(came) => came as usize,
            Err(error) => fail(&spoken(error)),
        }
    }
}
