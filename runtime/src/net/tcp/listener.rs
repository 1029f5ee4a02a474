//! [`TcpListener`]: accepts TCP connections.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_core::{FusedStream, Stream};
use socket2::{Domain, Protocol, SockAddr, Type};

use super::TcpStream;
use crate::net::ToSocketAddrs;
use crate::net::accept::{Accept, Accepted, Listener};
use crate::net::resolve::Bind;
use crate::net::socket::Socket;
use crate::netpoll::Direction;

/// The length of the queue of connections that nobody has accepted yet. std's 128 loses connections when
/// hundreds arrive at once (their SYN is sent again a second later); the kernel caps this at `somaxconn`.
const BACKLOG: i32 = 4096;

/// A listening TCP socket.
///
/// Any number of tasks may accept from one. Dropping it closes the port at once; connections in the queue are
/// reset.
///
/// ```
/// use pirn::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let listener = TcpListener::bind("127.0.0.1:0").await?;
///     let client = TcpStream::connect(listener.local_addr()?).await?;
///     let (server, peer) = listener.accept().await?;
///     assert_eq!(peer, client.local_addr()?);
///     server.write(b"hello").await?;
///     let mut buf = [0; 16];
///     assert_eq!(client.read(&mut buf).await?, 5);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct TcpListener {
    listener: Listener<std::net::TcpListener>,
}

impl TcpListener {
    /// Binds to the first of `address`'s addresses that works; port 0 picks a free one. `SO_REUSEADDR` is
    /// set, as std does. Only a host name makes this wait, for a blocking job.
    ///
    /// # Errors
    /// `AddrInUse`, `PermissionDenied`, what the resolver says; `InvalidInput` for text that is no
    /// `HOST:PORT`.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> Bind<Self> {
        Bind::new(address, Self::bind_to)
    }

    fn bind_to(address: SocketAddr, at: &'static Location<'static>) -> io::Result<Self> {
        let kind = Type::STREAM.nonblocking();
        let socket = socket2::Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&SockAddr::from(address))?;
        Self::listen(socket, BACKLOG, at)
    }

    /// Listens with `socket`, which is non-blocking.
    pub(super) fn listen(
        socket: socket2::Socket,
        backlog: i32,
        at: &'static Location<'static>,
    ) -> io::Result<Self> {
        socket.listen(backlog)?;
        Ok(Self { listener: Listener::new(Socket::new(socket.into(), at)?) })
    }

    /// Takes the next connection, waiting for one.
    ///
    /// Cancel-safe: a connection is taken in the poll that returns it.
    ///
    /// # Errors
    /// Without a free descriptor, `EMFILE` or `ENFILE`; the connection stays in the queue, and the next call
    /// rests for 10 ms first, so a loop that ignores the error does not spin. `TimedOut` after the
    /// [deadline](Self::set_deadline).
    #[track_caller]
    pub fn accept(&self) -> Accept<'_, TcpStream> {
        Accept::new(&self.listener)
    }

    /// The connections as a stream that never ends.
    #[track_caller]
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self.accept())
    }

    /// The address that it listens on, with the port that was picked.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.socket().get().local_addr()
    }

    /// From `deadline` on accepts fail with `TimedOut`, those that wait now too. `None` takes it away.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.listener.socket().set_deadline(Direction::Read, deadline.into());
    }

    /// Makes std's listener non-blocking and serves it here: for a socket that was inherited, or options that must be set
    /// before binding and that [`TcpSocket`](super::TcpSocket) does not know (make it with the `socket2` crate).
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the descriptor is registered already.
    #[track_caller]
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        let socket = Socket::from_std(listener, Location::caller())?;
        Ok(Self { listener: Listener::new(socket) })
    }

    /// Std's listener, still non-blocking.
    pub fn into_std(self) -> std::net::TcpListener {
        self.listener.into_socket().into_inner()
    }
}

crate::net::forward::try_from_std!(std::net::TcpListener => TcpListener);

impl AsFd for TcpListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.socket().as_fd()
    }
}

impl AsRawFd for TcpListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Accepted for TcpStream {
    type Listener = std::net::TcpListener;
    type Address = SocketAddr;

    fn accepted(
        socket: socket2::Socket,
        address: &SockAddr,
        at: &'static Location<'static>,
    ) -> io::Result<(Self, SocketAddr)> {
        let address = address.as_socket().ok_or(io::ErrorKind::InvalidData)?;
        Ok((Self::from_socket(Socket::new(socket.into(), at)?), address))
    }
}

/// The stream of [`TcpListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a>(Accept<'a, TcpStream>);

impl Stream for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let result = ready!(Pin::new(&mut self.get_mut().0).poll(cx));
        Poll::Ready(Some(result.map(|(stream, _)| stream)))
    }
}

impl FusedStream for Incoming<'_> {
    /// It never ends: errors do not end it.
    fn is_terminated(&self) -> bool {
        false
    }
}
