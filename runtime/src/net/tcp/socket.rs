//! [`TcpSocket`]: options before the connection.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;

use socket2::{Domain, Protocol, SockAddr, Type};

use super::TcpListener;
use crate::net::connect::Connect;

/// A TCP socket that neither listens nor is connected yet: for what must be set before.
///
/// [`TcpListener::bind`] and [`TcpStream::connect`](super::TcpStream::connect) are enough for most. This is for the size of a
/// listener's queue, ports that several listeners share, the address from which to connect, or buffers of another size, which
/// the two sides agree on as they connect. Options that have no method here can be set with `socket2::SockRef::from(&socket)`.
///
/// It belongs to no runtime: what it becomes belongs to the one in which it does.
///
/// ```
/// use pirn::net::TcpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let socket = TcpSocket::new_v4()?;
///     socket.set_reuseaddr(true)?;
///     socket.bind("127.0.0.1:0".parse().unwrap())?;
///     let listener = socket.listen(64)?;
///
///     let socket = TcpSocket::new_v4()?;
///     socket.set_nodelay(true)?;
///     socket.set_recv_buffer_size(64 * 1024)?;
///     let stream = socket.connect(listener.local_addr()?).await?;
///     assert!(stream.nodelay()?);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct TcpSocket {
    socket: socket2::Socket,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` without a free descriptor; the system's.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    /// As [`new_v4`](Self::new_v4); `EAFNOSUPPORT` where there is no IPv6.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    fn new(domain: Domain) -> io::Result<Self> {
        let socket = socket2::Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        Ok(Self { socket })
    }

    /// Binds to `address`; port 0 picks a free one. A socket that connects needs this only to connect *from* there.
    ///
    /// # Errors
    /// `AddrInUse`, `AddrNotAvailable`, `PermissionDenied`; `InvalidInput` for a second time.
    pub fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.socket.bind(&SockAddr::from(address))
    }

    /// Listens, with room for `backlog` connections that nobody has accepted yet; the system caps that at `somaxconn`. Without
    /// a [`bind`](Self::bind) before it the system picks the port.
    ///
    /// # Errors
    /// `AddrInUse` where another socket listens; the system's.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        let backlog = i32::try_from(backlog).unwrap_or(i32::MAX);
        TcpListener::listen(self.socket, backlog, Location::caller())
    }

    /// Connects to `address`.
    ///
    /// Dropping the future closes the socket. Bound the wait with [`timeout`](crate::time::timeout).
    ///
    /// # Errors
    /// `ConnectionRefused`, `NetworkUnreachable`, …; `EAFNOSUPPORT` for an address of the other family.
    #[track_caller]
    pub fn connect(self, address: SocketAddr) -> Connect {
        Connect::with(self.socket, address)
    }

    /// The address that it is bound to, with the port that was picked.
    ///
    /// # Errors
    /// The system's.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()?.as_socket().ok_or(io::ErrorKind::InvalidData.into())
    }

    /// Whether it may be bound to a port of which connections that have ended still remain (`SO_REUSEADDR`).
    ///
    /// # Errors
    /// The system's.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        self.socket.reuse_address()
    }

    /// Lets it be bound to a port of which connections that have ended still remain (`SO_REUSEADDR`). Off unless set;
    /// [`TcpListener::bind`] sets it.
    ///
    /// # Errors
    /// The system's.
    pub fn set_reuseaddr(&self, reuse: bool) -> io::Result<()> {
        self.socket.set_reuse_address(reuse)
    }

    /// Whether several sockets may be bound to its port (`SO_REUSEPORT`).
    ///
    /// # Errors
    /// The system's.
    pub fn reuseport(&self) -> io::Result<bool> {
        self.socket.reuse_port()
    }

    /// Lets several sockets, of one user, be bound to one port; the system spreads the connections over those that listen
    /// (`SO_REUSEPORT`). Each of them must set it. Off unless set.
    ///
    /// # Errors
    /// The system's.
    pub fn set_reuseport(&self, reuse: bool) -> io::Result<()> {
        self.socket.set_reuse_port(reuse)
    }

    /// How many bytes the system keeps for what is written (`SO_SNDBUF`).
    ///
    /// # Errors
    /// The system's.
    pub fn send_buffer_size(&self) -> io::Result<usize> {
        self.socket.send_buffer_size()
    }

    /// Sets how many bytes the system keeps for what is written (`SO_SNDBUF`); it then no longer adapts them itself. Linux takes
    /// twice as many, for its own use, and says so when it is asked.
    ///
    /// # Errors
    /// The system's.
    pub fn set_send_buffer_size(&self, size: usize) -> io::Result<()> {
        self.socket.set_send_buffer_size(size)
    }

    /// How many bytes the system keeps for what has not been read (`SO_RCVBUF`).
    ///
    /// # Errors
    /// The system's.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.socket.recv_buffer_size()
    }

    /// Sets how many bytes the system keeps for what has not been read (`SO_RCVBUF`), as
    /// [`set_send_buffer_size`](Self::set_send_buffer_size) does. A listener's connections inherit it.
    ///
    /// # Errors
    /// The system's.
    pub fn set_recv_buffer_size(&self, size: usize) -> io::Result<()> {
        self.socket.set_recv_buffer_size(size)
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    /// The system's.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.tcp_nodelay()
    }

    /// Sends small writes at once instead of gathering them (`TCP_NODELAY`). Off unless set. A listener's connections inherit
    /// it.
    ///
    /// # Errors
    /// The system's.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_tcp_nodelay(nodelay)
    }
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
