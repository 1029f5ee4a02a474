//! [`UnixListener`]: accepts connections from within this machine.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_core::{FusedStream, Stream};
use socket2::SockAddr;

use super::UnixStream;
use super::address::address_of;
use crate::net::accept::{Accept, Accepted, Listener};
use crate::net::socket::Socket;
use crate::netpoll::Direction;

/// A listening Unix socket.
///
/// Dropping it does not remove its path from the file system; a later [`bind`](Self::bind) there fails until
/// somebody does.
#[derive(Debug)]
pub struct UnixListener {
    listener: Listener<std::os::unix::net::UnixListener>,
}

impl UnixListener {
    /// Makes a socket at `path`, an abstract one if `path` begins with a zero byte, and listens on it.
    ///
    /// # Errors
    /// `AddrInUse` when there is something at `path`; `InvalidInput` for a path that is too long or has a zero byte
    /// elsewhere; the system's.
    ///
    /// ```
    /// use pirn::net::{UnixListener, UnixStream};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let path = std::env::temp_dir().join(format!("pirn-{}.sock", std::process::id()));
    /// pirn::block_on(async {
    ///     let listener = UnixListener::bind(&path)?;
    ///     let client = UnixStream::connect(&path).await?;
    ///     let (server, _) = listener.accept().await?;
    ///     server.write(b"hello").await?;
    ///     assert_eq!(client.read(&mut [0; 16]).await?, 5);
    ///     pirn::fs::remove_file(&path).await
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(std::os::unix::net::UnixListener::bind_addr(&address_of(path.as_ref())?)?)
    }

    /// Takes the next connection, waiting for one. As
    /// [`TcpListener::accept`](crate::net::TcpListener::accept).
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` without a free descriptor; `TimedOut` after the deadline.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_, UnixStream> {
        Accept::new(&self.listener)
    }

    /// The connections as a stream that never ends.
    #[track_caller]
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming(self.accept())
    }

    /// The address that it listens on.
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

    /// Makes std's listener non-blocking and serves it here.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the descriptor is registered already.
    #[track_caller]
    pub fn from_std(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        let socket = Socket::from_std(listener, Location::caller())?;
        Ok(Self { listener: Listener::new(socket) })
    }

    /// Std's listener, still non-blocking.
    pub fn into_std(self) -> std::os::unix::net::UnixListener {
        self.listener.into_socket().into_inner()
    }
}

crate::net::forward::try_from_std!(std::os::unix::net::UnixListener => UnixListener);

impl AsFd for UnixListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.socket().as_fd()
    }
}

impl AsRawFd for UnixListener {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Accepted for UnixStream {
    type Listener = std::os::unix::net::UnixListener;
    type Address = SocketAddr;

    fn accepted(
        socket: socket2::Socket,
        address: &SockAddr,
        at: &'static Location<'static>,
    ) -> io::Result<(Self, SocketAddr)> {
        let stream = std::os::unix::net::UnixStream::from(socket);
        let address = match (address.as_pathname(), address.as_abstract_namespace()) {
            // A path may fill all of its room. One can then be told by the system, but not made: that wants a zero behind it.
            (Some(path), _) => SocketAddr::from_pathname(path).or_else(|_| stream.peer_addr()),
            (None, Some(name)) => SocketAddr::from_abstract_name(name),
            // A client that is bound to nothing has no address: the empty path stands for that.
            (None, None) => SocketAddr::from_pathname(""),
        }?;
        Ok((Self::from_socket(Socket::new(stream, at)?), address))
    }
}

/// The stream of [`UnixListener::incoming`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct Incoming<'a>(Accept<'a, UnixStream>);

impl Stream for Incoming<'_> {
    type Item = io::Result<UnixStream>;

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
