//! [`TcpStream`]: one TCP connection.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_io::{AsyncRead, AsyncWrite};
use socket2::{SockRef, TcpKeepalive};

use super::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, WriteHalf};
use crate::net::ToSocketAddrs;
use crate::net::connect::Connect;
use crate::net::readiness::{Readable, Writable};
use crate::net::socket::Socket;
use crate::net::transfer::{self, Peek, Read, Write};
use crate::netpoll::Direction;

/// A TCP connection.
///
/// Its own [`read`](Self::read), [`write`](Self::write) and [`peek`](Self::peek) take `&self`, so several
/// tasks may share a stream by reference or `Arc`. It implements [`AsyncRead`] and [`AsyncWrite`], by value
/// and by reference, for everything written against those. (Where `futures`' or `futures-lite`'s
/// `AsyncReadExt` is imported, their `read` and `write` methods take `&mut self`; by autoref the stream's
/// own come first.)
///
/// Options that have no method here can be set with `socket2::SockRef::from(&stream)`.
#[derive(Debug)]
pub struct TcpStream {
    socket: Socket<std::net::TcpStream>,
}

impl TcpStream {
    /// Connects to the first address that answers. A name is resolved off the workers; several addresses are
    /// tried by "happy eyeballs": alternating between IPv6 and IPv4, the next one 250 ms after the last, or at
    /// once when one fails.
    ///
    /// Dropping the future closes every attempt. Bound the wait with [`timeout`](crate::time::timeout).
    ///
    /// # Errors
    /// That of the last attempt (`ConnectionRefused`, `NetworkUnreachable`, …), or the resolver's.
    #[track_caller]
    pub fn connect(address: impl ToSocketAddrs) -> Connect {
        Connect::new(address)
    }

    /// Reads what is there, waiting until something is; 0 means that the peer writes no more (or that `buf`
    /// is empty).
    ///
    /// Cancel-safe: bytes are taken in the poll that returns them.
    ///
    /// # Errors
    /// `ConnectionReset`; `TimedOut` after the [read deadline](Self::set_read_deadline).
    #[track_caller]
    pub fn read<'a>(&'a self, buf: &'a mut [u8]) -> Read<'a, std::net::TcpStream> {
        Read::new(&self.socket, buf)
    }

    /// As [`read`](Self::read), leaving the bytes for the next read.
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a, std::net::TcpStream> {
        Peek::new(&self.socket, buf)
    }

    /// Writes as much of `buf` as there is room for, waiting until there is some, and returns how much.
    ///
    /// Cancel-safe: bytes are written in the poll that returns their number.
    ///
    /// # Errors
    /// `BrokenPipe` (never a SIGPIPE), `ConnectionReset`; `TimedOut` after the
    /// [write deadline](Self::set_write_deadline).
    #[track_caller]
    pub fn write<'a>(&'a self, buf: &'a [u8]) -> Write<'a, std::net::TcpStream> {
        Write::new(&self.socket, buf)
    }

    /// Waits until there is something to read: bytes, the end, or an error.
    ///
    /// The kernel was asked at the moment of the return, so the answer is no leftover; another task may still be faster.
    ///
    /// Cancel-safe: it takes nothing.
    ///
    /// # Errors
    /// `TimedOut` after the [read deadline](Self::set_read_deadline). What goes wrong with the connection is left for the read
    /// to tell.
    ///
    /// # Examples
    /// ```
    /// use std::io::ErrorKind;
    /// # use pirn::net::{TcpListener, TcpStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # pirn::block_on(async {
    /// # let listener = TcpListener::bind("127.0.0.1:0").await?;
    /// # let (stream, (peer, _)) = (TcpStream::connect(listener.local_addr()?).await?, listener.accept().await?);
    /// let mut buf = [0; 16];
    /// assert_eq!(stream.try_read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
    /// peer.write(b"hello").await?;
    /// let count = loop {
    ///     stream.readable().await?;
    ///     match stream.try_read(&mut buf) {
    ///         Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
    ///         result => break result?,
    ///     }
    /// };
    /// assert_eq!(&buf[..count], b"hello");
    /// # Ok(()) })
    /// # }
    /// ```
    #[track_caller]
    pub fn readable(&self) -> Readable<'_, std::net::TcpStream> {
        Readable::new(&self.socket)
    }

    /// Waits until there is room to write, or an error that a write would tell of. As [`readable`](Self::readable) otherwise.
    ///
    /// # Errors
    /// `TimedOut` after the [write deadline](Self::set_write_deadline).
    #[track_caller]
    pub fn writable(&self) -> Writable<'_, std::net::TcpStream> {
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

    /// A reading and a writing half that borrow the stream. No cost at all.
    ///
    /// (`futures`' `AsyncReadExt::split` takes the stream by value. Where that trait is imported, write
    /// `TcpStream::split(&mut stream)`.)
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        (ReadHalf(self), WriteHalf(self))
    }

    /// Two halves for two tasks. Dropping the writing half shuts the write side; the connection closes with
    /// the second half. One allocation.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
        let stream = Arc::new(self);
        (OwnedReadHalf::new(Arc::clone(&stream)), OwnedWriteHalf::new(stream))
    }

    /// Shuts one direction or both, at once. A reader that waits sees the end, a writer that waits gets
    /// `BrokenPipe`; the peer reads the end after what was written.
    ///
    /// # Errors
    /// `NotConnected` when the connection is gone.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.socket.shutdown(how)
    }

    /// From `deadline` on reads and peeks fail with `TimedOut`, those that wait now and all later ones, until
    /// the deadline is moved or, by `None`, taken away. One that has passed already fails them at once, also
    /// while there is something to read. Costs a timer when it is set, nothing per read.
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(Direction::Read, deadline.into());
    }

    /// As [`set_read_deadline`](Self::set_read_deadline), for writes.
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

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.get().nodelay()
    }

    /// Sends small writes at once instead of gathering them (`TCP_NODELAY`). Off unless set.
    ///
    /// # Errors
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.get().set_nodelay(nodelay)
    }

    /// The time to live of outgoing packets.
    ///
    /// # Errors
    /// The system's.
    pub fn ttl(&self) -> io::Result<u32> {
        self.socket.get().ttl()
    }

    /// Sets the time to live of outgoing packets.
    ///
    /// # Errors
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }

    /// Probes an idle connection after `idle`; `None` stops that.
    ///
    /// # Errors
    /// The system's.
    pub fn set_keepalive(&self, idle: Option<Duration>) -> io::Result<()> {
        let socket = SockRef::from(self.socket.get());
        match idle {
            Some(idle) => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle)),
            None => socket.set_keepalive(false),
        }
    }

    /// What closing does with unsent data: `Some(Duration::ZERO)` resets the connection at once. Other
    /// durations make the drop of the stream block.
    ///
    /// # Errors
    /// The system's.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self.socket.get()).set_linger(linger)
    }

    /// Makes std's stream non-blocking and serves it here.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the descriptor is registered already.
    #[track_caller]
    pub fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        Ok(Self { socket: Socket::from_std(stream, Location::caller())? })
    }

    /// Std's stream, still non-blocking.
    pub fn into_std(self) -> std::net::TcpStream {
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

    pub(in crate::net) fn from_socket(socket: Socket<std::net::TcpStream>) -> Self {
        Self { socket }
    }
}

crate::net::forward::try_from_std!(std::net::TcpStream => TcpStream);

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl AsyncRead for &TcpStream {
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

impl AsyncWrite for &TcpStream {
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

crate::net::forward::forward_read!(TcpStream => |this| &*this);
crate::net::forward::forward_write!(TcpStream => |this| &*this);
