//! [`UnixDatagram`]: datagrams within this machine. They arrive in order, and none is lost: a full receiver
//! makes the sender wait.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pirn_sync::clock;
use pirn_sync::host::{self, WaitKind};

use super::address::address_of;
use crate::net::datagram::{Datagrams, Recv, RecvFrom, Send};
use crate::net::readiness::{Readable, Writable};
use crate::net::socket::Socket;
use crate::netpoll::Direction;
use crate::sched::timer_slot::TimerSlot;

/// The pause between two looks at a full peer that is not connected.
const PAUSE: Duration = Duration::from_millis(1);

/// A Unix datagram socket. All operations take `&self`, and any number of tasks may share one.
///
/// ```
/// use pirn::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let (a, b) = UnixDatagram::pair()?;
///     a.send(b"one").await?;
///     a.send(b"two").await?;
///     let mut buf = [0; 16];
///     assert_eq!(b.recv(&mut buf).await?, 3);
///     assert_eq!(&buf[..3], b"one");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct UnixDatagram {
    socket: Socket<std::os::unix::net::UnixDatagram>,
}

impl UnixDatagram {
    /// Makes a socket at `path`, an abstract one if `path` begins with a zero byte. Dropping it does not remove the path.
    ///
    /// # Errors
    /// `AddrInUse` when there is something at `path`; `InvalidInput` for a path that is too long or has a zero byte
    /// elsewhere; the system's.
    #[track_caller]
    pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(std::os::unix::net::UnixDatagram::bind_addr(&address_of(path.as_ref())?)?)
    }

    /// A socket without an address, for sending.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        Self::from_std(std::os::unix::net::UnixDatagram::unbound()?)
    }

    /// Two connected sockets.
    ///
    /// # Errors
    /// The system's.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = std::os::unix::net::UnixDatagram::pair()?;
        Ok((Self::from_std(a)?, Self::from_std(b)?))
    }

    /// Makes the socket at `path` the only peer. Does not wait.
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused`; the system's.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.socket.get().connect_addr(&address_of(path.as_ref())?)
    }

    /// Sends a datagram to the connected peer, waiting while it is full. Cancel-safe.
    ///
    /// # Errors
    /// `ConnectionRefused` when the peer is gone; `TimedOut` after the deadline.
    #[track_caller]
    pub fn send<'a>(&'a self, datagram: &'a [u8]) -> Send<'a, std::os::unix::net::UnixDatagram> {
        Send::new(&self.socket, datagram)
    }

    /// Receives a datagram from the connected peer and returns its length; what does not fit into `buf` is
    /// lost. Cancel-safe.
    ///
    /// # Errors
    /// The system's; `TimedOut` after the deadline.
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a, std::os::unix::net::UnixDatagram> {
        Recv::new(&self.socket, buf)
    }

    /// Sends a datagram to the socket at `path`, waiting while it is full. Cancel-safe.
    ///
    /// The kernel does not say when a peer that is not [connected](Self::connect) has room again, so this
    /// looks every millisecond while it is full.
    ///
    /// # Errors
    /// `NotFound`, `ConnectionRefused`, `InvalidInput` for a path that is too long; `TimedOut` after the
    /// deadline.
    #[track_caller]
    pub fn send_to<'a>(&'a self, datagram: &'a [u8], path: impl AsRef<Path>) -> SendToPath<'a> {
        SendToPath {
            socket: &self.socket,
            datagram,
            address: address_of(path.as_ref()).map_err(Some),
            pause: TimerSlot::new(),
            next_look: None,
            at: Location::caller(),
        }
    }

    /// Receives a datagram and its sender's address. Cancel-safe.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a, std::os::unix::net::UnixDatagram> {
        RecvFrom::new(&self.socket, buf, false)
    }

    /// Waits until there is a datagram to receive, or an error that a receive would tell of. Cancel-safe.
    ///
    /// # Errors
    /// `TimedOut` after the [deadline](Self::set_read_deadline).
    #[track_caller]
    pub fn readable(&self) -> Readable<'_, std::os::unix::net::UnixDatagram> {
        Readable::new(&self.socket)
    }

    /// Waits until there is room for a datagram to the [connected](Self::connect) peer, or an error that a send would tell of.
    /// Cancel-safe.
    ///
    /// # Errors
    /// `TimedOut` after the [deadline](Self::set_write_deadline).
    #[track_caller]
    pub fn writable(&self) -> Writable<'_, std::os::unix::net::UnixDatagram> {
        Writable::new(&self.socket)
    }

    /// [`send`](Self::send) without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; those of [`send`](Self::send).
    pub fn try_send(&self, datagram: &[u8]) -> io::Result<usize> {
        self.socket.attempt(Direction::Write, |socket| socket.transmit(datagram))
    }

    /// [`recv`](Self::recv) without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; those of [`recv`](Self::recv).
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.socket.attempt(Direction::Read, |socket| socket.receive(buf))
    }

    /// [`send_to`](Self::send_to) without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; those of [`send_to`](Self::send_to).
    pub fn try_send_to(&self, datagram: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let address = address_of(path.as_ref())?;
        self.socket.attempt(Direction::Write, |socket| socket.transmit_to(datagram, &address))
    }

    /// [`recv_from`](Self::recv_from) without waiting.
    ///
    /// # Errors
    /// `WouldBlock` when nothing is there; those of [`recv_from`](Self::recv_from).
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.socket.attempt(Direction::Read, |socket| socket.receive_from(buf, false))
    }

    /// From `deadline` on receives fail with `TimedOut`, those that wait now too. `None` takes it away.
    pub fn set_read_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.socket.set_deadline(Direction::Read, deadline.into());
    }

    /// From `deadline` on sends fail with `TimedOut`, those that wait now too. `None` takes it away.
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

    /// The connected peer.
    ///
    /// # Errors
    /// `NotConnected` without one.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.socket.get().peer_addr()
    }

    /// Makes std's socket non-blocking and serves it here.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the descriptor is registered already.
    #[track_caller]
    pub fn from_std(socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        Ok(Self { socket: Socket::from_std(socket, Location::caller())? })
    }

    /// Std's socket, still non-blocking.
    pub fn into_std(self) -> std::os::unix::net::UnixDatagram {
        self.socket.into_inner()
    }
}

crate::net::forward::try_from_std!(std::os::unix::net::UnixDatagram => UnixDatagram);

impl AsFd for UnixDatagram {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UnixDatagram {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Datagrams for std::os::unix::net::UnixDatagram {
    type Address = SocketAddr;

    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv(buf)
    }

    fn receive_from(&self, buf: &mut [u8], leave: bool) -> io::Result<(usize, SocketAddr)> {
        debug_assert!(!leave, "Unix datagrams are not peeked at");
        self.recv_from(buf)
    }

    fn transmit(&self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn transmit_to(&self, buf: &[u8], address: &SocketAddr) -> io::Result<usize> {
        self.send_to_addr(buf, address)
    }
}

/// The future of [`UnixDatagram::send_to`].
#[must_use = "futures do nothing unless awaited"]
pub struct SendToPath<'a> {
    socket: &'a Socket<std::os::unix::net::UnixDatagram>,
    datagram: &'a [u8],
    address: Result<SocketAddr, Option<io::Error>>,
    pause: TimerSlot,
    next_look: Option<Instant>,
    at: &'static Location<'static>,
}

impl SendToPath<'_> {
    fn try_send(&mut self) -> io::Result<usize> {
        self.socket.check_deadline(Direction::Write)?;
        match &mut self.address {
            Ok(address) => self.socket.get().transmit_to(self.datagram, address),
            Err(error) => Err(error.take().unwrap_or_else(|| io::ErrorKind::InvalidInput.into())),
        }
    }
}

impl Future for SendToPath<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(host::poll_yield(cx));
        loop {
            if let Some(next) = this.next_look {
                if this.pause.poll_until(next, cx).is_pending() {
                    host::waiting_on(WaitKind::Io, this.at);
                    return Poll::Pending;
                }
                this.next_look = None;
            }
            match this.try_send() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    this.next_look = Some(clock::now() + PAUSE);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}

impl std::fmt::Debug for SendToPath<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SendToPath").field("at", &self.at).finish_non_exhaustive()
    }
}
