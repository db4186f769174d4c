//! By which processes on a bus send each other to look who is there: a socket for each, under a name in the kernel that needs no file and is
//! gone with its process.
//!
//! (An inotify would also tell of files that are closed, and so of deaths that are hidden in another namespace. But to let one go the
//! kernel waits until all that are being told anything by any have been: a process that is killed then dies for seconds.)

use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::layout::Place;

/// A file, by its device and its number there.
pub(super) type Identity = (u64, u64);

/// A process's own socket.
pub(super) struct Ear {
    bus: Identity,
    socket: Option<UnixDatagram>,
}

/// Whether somebody could be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Heard {
    Yes,
    /// He is not there, or where his name does not reach: another network namespace.
    No,
}

impl Ear {
    /// That of the process which has `place` on `bus` for the `turn`th time. Without a socket, if the system gives none, it hears nothing.
    pub(super) fn new(bus: Identity, place: Place, turn: u64) -> Self {
        let socket = address(bus, place, turn)
            .and_then(|address| UnixDatagram::bind_addr(&address))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
        Self {
            bus,
            socket: socket.ok(),
        }
    }

    /// Sends another process to look.
    pub(super) fn tell(&self, place: Place, turn: u64) -> Heard {
        let sent = self.socket.as_ref().map(|socket| {
            address(self.bus, place, turn)
                .and_then(|address| socket.send_to_addr(&[1], &address).map(drop))
        });
        match sent {
            Some(Ok(())) => Heard::Yes,
            // It has not looked since it was told last.
            Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => Heard::Yes,
            _ => Heard::No,
        }
    }

    /// What is readable when somebody has told something; nothing, if it hears nothing.
    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// Takes all that was told.
    pub(super) fn drain(&self) {
        if let Some(socket) = &self.socket {
            while socket.recv(&mut [0]).is_ok() {}
        }
    }
}

fn address((device, file): Identity, place: Place, turn: u64) -> std::io::Result<SocketAddr> {
    let place = place.index();
    let name = format!("messenger/{device:x}/{file:x}/{place}/{turn:x}");
    SocketAddr::from_abstract_name(name)
}
