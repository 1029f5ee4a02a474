//! [`UdpSocket`]: datagrams over the network.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::ToSocketAddrs;
use super::datagram::{Datagrams, Recv, RecvFrom, Send, SendTo};
use super::readiness::{Readable, Writable};
use super::resolve::{Bind, Resolve, lookup_host};
use super::socket::Socket;
use crate::netpoll::Direction;

/// A UDP socket. All operations take `&self`, and any number of tasks may share one.
///
/// Options that have no method here can be set with `socket2::SockRef::from(&socket)`.
///
/// ```
/// use pirn::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let (a, b) = (UdpSocket::bind("127.0.0.1:0").await?, UdpSocket::bind("127.0.0.1:0").await?);
///     a.send_to(b"ping", b.local_addr()?).await?;
///     let mut buf = [0; 16];
///     let (count, from) = b.recv_from(&mut buf).await?;
///     assert_eq!((&buf[..count], from), (&b"ping"[..], a.local_addr()?));
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket<std::net::UdpSocket>,
}

impl UdpSocket {
    /// Binds to the first of `address`'s addresses that works; port 0 picks a free one.
    ///
    /// # Errors
    /// The system's, or the resolver's.
    #[track_caller]
    pub fn bind(address: impl ToSocketAddrs) -> Bind<Self> {
        Bind::new(address, |address, at| {
            Ok(Self { socket: Socket::from_std(std::net::UdpSocket::bind(address)?, at)? })
        })
    }

    /// Makes the first of `address`'s addresses that works the only peer: [`send`](Self::send) goes there,
    /// and only what comes from there is received. No datagram is sent.
    ///
    /// # Errors
    /// The system's, or the resolver's.
    #[track_caller]
    pub fn connect(&self, address: impl ToSocketAddrs) -> ConnectPeer<'_> {
        ConnectPeer { socket: self, resolve: lookup_host(address) }
    }

    /// Sends a datagram to the connected peer. Cancel-safe.
    ///
    /// # Errors
    /// `ConnectionRefused` tells that nobody received an earlier one; the system's.
    #[track_caller]
    pub fn send<'a>(&'a self, datagram: &'a [u8]) -> Send<'a, std::net::UdpSocket> {
        Send::new(&self.socket, datagram)
    }

    /// Receives a datagram from the connected peer and returns its length; what does not fit into `buf` is
    /// lost. Cancel-safe.
    ///
    /// # Errors
    /// As [`send`](Self::send); `TimedOut` after the [deadline](Self::set_read_deadline).
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a, std::net::UdpSocket> {
        Recv::new(&self.socket, buf)
    }

    /// Sends a datagram to the first of `address`'s addresses. Cancel-safe.
    ///
    /// # Errors
    /// The system's, or the resolver's.
    #[track_caller]
    pub fn send_to<'a>(&'a self, datagram: &'a [u8], address: impl ToSocketAddrs) -> SendToHost<'a> {
        let step = Addressing::Resolving(lookup_host(address));
        SendToHost { socket: self, datagram, step, at: Location::caller() }
    }

    /// Receives a datagram and its sender's address; what does not fit into `buf` is lost. Cancel-safe.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a, std::net::UdpSocket> {
        RecvFrom::new(&self.socket, buf, false)
    }

    /// As [`recv_from`](Self::recv_from), leaving the datagram for the next receive.
    #[track_caller]
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a, std::net::UdpSocket> {
        RecvFrom::new(&self.socket, buf, true)
    }

    /// Waits until there is a datagram to receive, or an error that a receive would tell of. Cancel-safe.
    ///
    /// # Errors
    /// `TimedOut` after the [deadline](Self::set_read_deadline).
    #[track_caller]
    pub fn readable(&self) -> Readable<'_, std::net::UdpSocket> {
        Readable::new(&self.socket)
    }

    /// Waits until there is room for a datagram, or an error that a send would tell of. Cancel-safe.
    ///
    /// # Errors
    /// `TimedOut` after the [deadline](Self::set_write_deadline).
    #[track_caller]
    pub fn writable(&self) -> Writable<'_, std::net::UdpSocket> {
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

    /// [`send_to`](Self::send_to) without waiting; so it takes an address, and no name.
    ///
    /// # Errors
    /// `WouldBlock` when there is no room; the system's.
    pub fn try_send_to(&self, datagram: &[u8], address: SocketAddr) -> io::Result<usize> {
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

    /// The address of this end, with the port that was picked.
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

    /// Allows sending to broadcast addresses.
    ///
    /// # Errors
    /// The system's.
    pub fn set_broadcast(&self, yes: bool) -> io::Result<()> {
        self.socket.get().set_broadcast(yes)
    }

    /// Sets the time to live of outgoing packets.
    ///
    /// # Errors
    /// The system's.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.socket.get().set_ttl(ttl)
    }

    /// Makes std's socket non-blocking and serves it here.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` if the descriptor is registered already.
    #[track_caller]
    pub fn from_std(socket: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self { socket: Socket::from_std(socket, Location::caller())? })
    }

    /// Std's socket, still non-blocking.
    pub fn into_std(self) -> std::net::UdpSocket {
        self.socket.into_inner()
    }
}

crate::net::forward::try_from_std!(std::net::UdpSocket => UdpSocket);

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Datagrams for std::net::UdpSocket {
    type Address = SocketAddr;

    fn receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.recv(buf)
    }

    fn receive_from(&self, buf: &mut [u8], leave: bool) -> io::Result<(usize, SocketAddr)> {
        if leave { self.peek_from(buf) } else { self.recv_from(buf) }
    }

    fn transmit(&self, buf: &[u8]) -> io::Result<usize> {
        self.send(buf)
    }

    fn transmit_to(&self, buf: &[u8], address: &SocketAddr) -> io::Result<usize> {
        self.send_to(buf, address)
    }
}

/// The future of [`UdpSocket::connect`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct ConnectPeer<'a> {
    socket: &'a UdpSocket,
    resolve: Resolve,
}

impl Future for ConnectPeer<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let addresses = ready!(Pin::new(&mut this.resolve).poll(cx))?;
        Poll::Ready(this.socket.socket.get().connect(&addresses[..]))
    }
}

/// The future of [`UdpSocket::send_to`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendToHost<'a> {
    socket: &'a UdpSocket,
    datagram: &'a [u8],
    step: Addressing<'a>,
    at: &'static Location<'static>,
}

#[derive(Debug)]
enum Addressing<'a> {
    Resolving(Resolve),
    Sending(SendTo<'a, std::net::UdpSocket>),
}

impl Future for SendToHost<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        loop {
            match &mut this.step {
                Addressing::Resolving(resolve) => {
                    let addresses = ready!(Pin::new(resolve).poll(cx))?;
                    let socket = &this.socket.socket;
                    this.step =
                        Addressing::Sending(SendTo::called_at(this.at, socket, this.datagram, addresses[0]));
                }
                Addressing::Sending(send) => return Pin::new(send).poll(cx),
            }
        }
    }
}
