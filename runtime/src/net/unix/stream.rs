//! [`UnixStream`]: one connection within this machine.
//!
//! # Connecting
//! A Unix connect is done at once or not at all: there is no handshake to wait for. The one thing that can
//! take time is a listener whose queue is full; the kernel then says "would block" and offers nothing to wait
//! for. A blocking connect does wait, but it cannot be called off: a thread would be held until the listener accepts,
//! long after whoever wanted the connection has given up. So the future looks again, after pauses that grow.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};
use pirn_sync::clock;
use pirn_sync::host::{self, WaitKind};
use socket2::{Domain, SockAddr, Type};

use super::address::address_of;
use super::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::net::forward::{forward_read, forward_write};
use crate::net::readiness::{Readable, Writable};
use crate::net::socket::Socket;
use crate::net::transfer::{self, Peek, Read, Write};
use crate::netpoll::Direction;
use crate::sched::timer_slot::TimerSlot;

/// The first pause before another look at a listener whose queue is full. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A connection between two processes of this machine, or within one. Used like a
/// [`TcpStream`](crate::net::TcpStream).
///
/// ```
/// use pirn::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let (a, b) = UnixStream::pair()?;
///     a.write(b"hello").await?;
///     assert_eq!(b.read(&mut [0; 16]).await?, 5);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct UnixStream {
    socket: Socket<std::os::unix::net::UnixStream>,
}

impl UnixStream {
    /// Connects to the listener at `path`, waiting while its queue is full.
    ///
    /// The kernel does not say when there is room again, so this looks after 1 ms, 2 ms, and so on, and every 50 ms in
    /// the end: those who wait at one listener are not served in the order in which they came. Dropping the future
    /// leaves nothing behind. Bound the wait with [`timeout`](crate::time::timeout).
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused` when nobody listens there any more; `InvalidInput` for a path that is too long or
    /// has a zero byte in it, but for one at its beginning, which names an abstract socket; the system's.
    #[track_caller]
    pub fn connect(path: impl AsRef<Path>) -> ConnectPath {
        ConnectPath {
            path: path.as_ref().to_owned(),
            timer: TimerSlot::new(),
            next_look: None,
            pause: FIRST_PAUSE,
            at: Location::caller(),
        }
    }

    /// Two connected streams.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = std::os::unix::net::UnixStream::pair()?;
        Ok((Self::from_std(a)?, Self::from_std(b)?))
    }

    /// Reads what is there, waiting until something is; 0 is the end (or `buf` is empty). Cancel-safe.
    ///
    /// # Errors
    /// `ConnectionReset`; `TimedOut` after the [read deadline](Self::set_read_deadline).
    #[track_caller]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a, std::os::unix::net::UnixStream> {
        Read::new(&self.socket, buf)
    }

    /// As [`read`](Self::read), leaving the bytes for the next read.
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a, std::os::unix::net::UnixStream> {
        Peek::new(&self.socket, buf)
    }

    /// Writes as much of `buf` as there is room for, waiting until there is some. Cancel-safe.
    ///
    /// # Errors
    /// `BrokenPipe` (never a SIGPIPE); `TimedOut` after the [write deadline](Self::set_write_deadline).
    #[track_caller]
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a, std::os::unix::net::UnixStream> {
        Write::new(&self.socket, buf)
    }

    /// Waits until there is something to read: bytes, the end, or an error that a read would tell of. Cancel-safe.
    ///
    /// # Errors
    /// `TimedOut` after the [read deadline](Self::set_read_deadline).
    #[track_caller]
    pub fn readable(&self) -> Readable<'_, std::os::unix::net::UnixStream> {
        Readable::new(&self.socket)
    }

    /// Waits until there is room to write, or an error that a write would tell of. Cancel-safe.
    ///
    /// # Errors
    /// `TimedOut` after the [write deadline](Self::set_write_deadline).
    #[track_caller]
    pub fn writable(&self) -> Writable<'_, std::os::unix::net::UnixStream> {
        Writable::new(&self.socket)
    }

    /// Reads what is there, without waiting; 0 as for [`read`](Self::read).
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; those of [`read`](Self::read).
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        transfer::try_read(&self.socket, buf)
    }

    /// Writes as much of `buf` as there is room for, without waiting, and returns how much.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; those of [`write`](Self::write).
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        transfer::try_write(&self.socket, buf)
    }

    /// A reading and a writing half that borrow the stream.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(self), WriteHalf(self))
    }

    /// Two halves for two tasks. Dropping the writing half shuts the write side.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        (OwnedReadHalf::new(Arc::clone(&stream)), OwnedWriteHalf::new(stream))
    }

    /// Shuts one direction or both, at once. A reader that waits sees the end, a writer that waits gets `BrokenPipe`.
    ///
    /// # Errors
    /// `NotConnected` when the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    /// From `deadline` on reads fail with `TimedOut`, those that wait now too. `None` takes it away.
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(Direction::Read, deadline.into());
    }

    /// From `deadline` on writes fail with `TimedOut`, those that wait now too. `None` takes it away.
    pub fn set_write_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(Direction::Write, deadline.into());
    }

    /// The address of this end.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().local_addr()
    }

    /// The address of the other end.
    ///
    /// # Errors
    /// `NotConnected` when the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// Makes std's stream non-blocking and serves it here.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the descriptor is registered already.
    #[track_caller]
    pub fn from_std(stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        Ok(Self { socket: Socket::from_std(stream, Location::caller())? })
    }

    /// Std's stream, still non-blocking.
    pub fn into_std(self) -> std::os::unix::net::UnixStream {
        self.socket.into_inner()
    }

    /// For traits whose buffers need not be initialised: reads, and returns how many bytes are from then on.
    #[cfg(feature = "hyper")]
    pub(crate) fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [std::mem::MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        transfer::poll_read_uninit(&self.socket, cx, buf)
    }

    pub(in crate::net) fn from_socket(socket: Socket<std::os::unix::net::UnixStream>) -> Self {
        Self { socket }
    }
}

crate::net::forward::try_from_std!(std::os::unix::net::UnixStream => UnixStream);

impl AsFd for UnixStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UnixStream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsyncRead for &UnixStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        transfer::poll_read(&self.socket, cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        transfer::poll_read_vectored(&self.socket, cx, bufs)
    }
}

impl AsyncWrite for &UnixStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        transfer::poll_write(&self.socket, cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        transfer::poll_write_vectored(&self.socket, cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(transfer::shut_write(&self.socket))
    }
}

forward_read!(UnixStream => |this| &*this);
forward_write!(UnixStream => |this| &*this);

/// The future of [`UnixStream::connect`].
#[must_use = "futures do nothing unless awaited"]
pub struct ConnectPath {
    path: PathBuf,
    timer: TimerSlot,
    next_look: Option<Instant>,
    pause: Duration,
    at: &'static Location<'static>,
}

impl Future for ConnectPath {
    type Output = io::Result<UnixStream>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(host::poll_yield(cx));
        loop {
            if let Some(next) = this.next_look {
                if this.timer.poll_until(next, cx).is_pending() {
                    host::waiting_on(WaitKind::Io, this.at);
                    return Poll::Pending;
                }
                this.next_look = None;
            }
            match connect(&this.path) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    this.next_look = Some(clock::now() + this.pause);
                    this.pause = (this.pause * 2).min(LONGEST_PAUSE);
                }
                result => {
                    let socket = Socket::new(result?.into(), this.at)?;
                    return Poll::Ready(Ok(UnixStream::from_socket(socket)));
                }
            }
        }
    }
}

impl std::fmt::Debug for ConnectPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectPath").field("path", &self.path).field("at", &self.at).finish_non_exhaustive()
    }
}

/// A non-blocking socket, connected; `WouldBlock` if the listener's queue is full.
fn connect(path: &Path) -> io::Result<socket2::Socket> {
    address_of(path)?;
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(path)?)?;
    Ok(socket)
}
