//! What the system has between processes: a named pipe and Unix sockets, a call to write and a call to read.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::io::ioctl_fionbio;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketType, accept, bind, connect, listen, socket,
};
use rustix::pipe::fcntl_setpipe_size;

use crate::contender::{Idle, Reader, Writer};
use crate::link::{Link, Place};
use crate::log::{Done, text};
use crate::payload::fill;
use crate::sample::fail;

/// What a pipe holds: the most that everybody may ask for. A socket holds what the system gives it.
const PIPE: usize = 1 << 20;

/// How many bytes go with one call, where records needn't go singly, and are asked for by one that reads.
const BUFFER: usize = 64 << 10;

/// What has a file descriptor in each of two processes.
pub(crate) trait Channel: Sized {
    /// Makes it, in the first process.
    fn make(place: &Place) -> Done<Self>;
    /// The first process's end.
    fn near(self, writes: bool) -> Done<File>;
    /// The second's.
    fn far(place: &Place, writes: bool) -> Done<File>;
}

/// A pipe with a name; once it is open it is as any pipe.
pub(crate) struct NamedPipe(Place);

impl Channel for NamedPipe {
    fn make(place: &Place) -> Done<Self> {
        mkfifoat(CWD, &place.path, Mode::RUSR | Mode::WUSR).map_err(text)?;
        Ok(Self(place.clone()))
    }

    fn near(self, writes: bool) -> Done<File> {
        Self::far(&self.0, writes)
    }

    fn far(place: &Place, writes: bool) -> Done<File> {
        let mut options = OpenOptions::new();
        // Returns when the other end is open too.
        let file = options.read(!writes).write(writes).open(&place.path);
        let file = file.map_err(text)?;
        fcntl_setpipe_size(&file, PIPE).map_err(text)?;
        Ok(file)
    }
}

/// A Unix socket: a stream, or one that keeps its packets apart.
pub(crate) struct UnixSocket<const PACKETS: bool>(OwnedFd);

impl<const PACKETS: bool> UnixSocket<PACKETS> {
    fn open(place: &Place) -> Done<(OwnedFd, SocketAddrUnix)> {
        let kind = if PACKETS {
            SocketType::SEQPACKET
        } else {
            SocketType::STREAM
        };
        let socket = socket(AddressFamily::UNIX, kind, None).map_err(text)?;
        let address = SocketAddrUnix::new(&place.path)
            .map_err(|error| format!("{}: {error}", place.path.display()))?;
        Ok((socket, address))
    }
}

impl<const PACKETS: bool> Channel for UnixSocket<PACKETS> {
    fn make(place: &Place) -> Done<Self> {
        let (socket, address) = Self::open(place)?;
        bind(&socket, &address).map_err(text)?;
        listen(&socket, 1).map_err(text)?;
        Ok(Self(socket))
    }

    fn near(self, _: bool) -> Done<File> {
        Ok(File::from(accept(&self.0).map_err(text)?))
    }

    fn far(place: &Place, _: bool) -> Done<File> {
        let (socket, address) = Self::open(place)?;
        connect(&socket, &address).map_err(text)?;
        Ok(File::from(socket))
    }
}

/// A channel with one call per record or, `BATCHED`, with as few as will do; one that `SPINS` never sleeps in a call.
pub(crate) struct Calls<C, const BATCHED: bool, const SPINS: bool>(C);

impl<C: Channel, const N: usize, const BATCHED: bool, const SPINS: bool> Link<N>
    for Calls<C, BATCHED, SPINS>
{
    type W = Write<BATCHED>;
    type R = Read;

    fn make(place: &Place) -> Done<Self> {
        C::make(place).map(Self)
    }

    fn near_writer(self) -> Done<Self::W> {
        Write::new(self.0.near(true)?, N, SPINS)
    }

    fn near_reader(self) -> Done<Self::R> {
        Read::new(self.0.near(false)?, N, SPINS)
    }

    fn far_writer(place: &Place) -> Done<Self::W> {
        Write::new(C::far(place, true)?, N, SPINS)
    }

    fn far_reader(place: &Place) -> Done<Self::R> {
        Read::new(C::far(place, false)?, N, SPINS)
    }
}

/// So many whole payloads that they fill a buffer, in bytes.
fn buffered(size: usize) -> usize {
    (BUFFER / size).max(1) * size
}

/// The writing end, and what it has yet to write.
pub(crate) struct Write<const BATCHED: bool> {
    to: File,
    buffer: Vec<u8>,
    /// How long the buffer becomes.
    most: usize,
}

impl<const BATCHED: bool> Write<BATCHED> {
    fn new(to: File, size: usize, spins: bool) -> Done<Self> {
        ioctl_fionbio(&to, spins).map_err(text)?;
        let most = if BATCHED { buffered(size) } else { size };
        Ok(Self {
            to,
            buffer: Vec::with_capacity(most),
            most,
        })
    }

    fn flush(&mut self, idle: &mut Idle) {
        let mut rest = &self.buffer[..];
        while !rest.is_empty() {
            match self.to.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => idle.wait(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => fail(&format!("can't write: {error}")),
            }
        }
        self.buffer.clear();
    }
}

impl<const N: usize, const BATCHED: bool> Writer<N> for Write<BATCHED> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        for seq in first..first + count {
            let at = self.buffer.len();
            self.buffer.resize(at + N, 0);
            fill(&mut self.buffer[at..], seq);
            if self.buffer.len() == self.most {
                self.flush(idle);
            }
        }
        self.flush(idle);
    }
}

/// The reading end, and what it has of payloads that aren't whole yet.
pub(crate) struct Read {
    from: File,
    buffer: Vec<u8>,
    filled: usize,
}

impl Read {
    fn new(from: File, size: usize, spins: bool) -> Done<Self> {
        ioctl_fionbio(&from, spins).map_err(text)?;
        Ok(Self {
            from,
            buffer: vec![0; buffered(size)],
            filled: 0,
        })
    }
}

impl<const N: usize> Reader<N> for Read {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        match self.from.read(&mut self.buffer[self.filled..]) {
            Ok(0) => fail("the other process has closed its end"),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return 0,
            Err(error) if error.kind() == ErrorKind::Interrupted => return 0,
            Err(error) => fail(&format!("can't read: {error}")),
        }
        let whole = self.filled - self.filled % N;
        let payloads = self.buffer[..whole].as_chunks::<N>().0;
        payloads.iter().for_each(&mut each);
        self.buffer.copy_within(whole..self.filled, 0);
        self.filled -= whole;
        whole / N
    }
}
