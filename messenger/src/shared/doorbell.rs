//! A descriptor by which those learn of records who wait for descriptors: epoll, tokio, asyncio.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::task::{Wake, Waker};

use rustix::event::{EventfdFlags, eventfd};

/// A descriptor that becomes readable when somebody whose waker it is is woken. One is enough for all subscribers of a process.
///
/// The order matters: [`clear`](Self::clear) it, read each subscriber with [`poll_next`](crate::bus::Subscriber::poll_next) and
/// the [`waker`](Self::waker) until nothing is pending, and only then wait for the descriptor.
///
/// ```
/// # if cfg!(miri) { return Ok(()); } // It has no such files.
/// use std::os::fd::AsFd;
/// use std::task::{Context, Poll};
/// use messenger::bus::{MessageId, SourceId, Start, Tag};
/// use messenger::shared::{Doorbell, SharedBus};
///
/// let name = format!("doorbell-{}", std::process::id());
/// let bus = SharedBus::create(&name, 1 << 16)?;
/// let mut subscriber = bus.bus().subscribe(Start::Oldest)?;
/// let doorbell = Doorbell::new()?;
/// let waker = doorbell.waker();
/// let mut task = Context::from_waker(&waker);
///
/// assert!(subscriber.poll_next(&mut task)?.is_pending());
/// bus.bus().publisher()?.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"ding")?;
/// // Here an event loop waits until `doorbell.as_fd()` can be read.
/// # let _ = doorbell.as_fd();
/// doorbell.clear()?;
/// while let Poll::Ready(record) = subscriber.poll_next(&mut task)? {
///     assert_eq!(record.payload(), b"ding");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Doorbell(Arc<Bell>);

#[derive(Debug)]
struct Bell(OwnedFd);

impl Doorbell {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Those of the system, which gives no descriptor.
    pub fn new() -> io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(Bell(fd))))
    }

    /// A waker that makes it readable.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.0))
    }

    /// Makes it unreadable until the next waking.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn clear(&self) -> io::Result<()> {
        match rustix::io::read(&self.0.0, &mut [0; 8]) {
            Ok(_) | Err(rustix::io::Errno::AGAIN) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

impl AsRawFd for Doorbell {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // It only fails where the count is at its end, and then it is readable.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}
