//! Connecting by "happy eyeballs" (RFC 8305): the first of several addresses that answers wins.
//!
//! A host often has an IPv6 and an IPv4 address of which only one works from here, and finding out that the
//! other does not can take minutes. So the addresses are sorted into alternating families, and an attempt
//! that has not answered for 250 ms gets company; a failed one is replaced at once, whoever else is still trying.
//!
//! ```text
//!   0 ms      connect [2001:db8::1] ────────────────────────────► (never answers; dropped)
//!   250 ms            connect 192.0.2.1 ──────► connected: done
//!   500 ms                    (would be the third address)
//! ```
//!
//! # When is a connect complete?
//! The kernel reports a descriptor whose connect goes on as writable when it ends, either way. Writability
//! alone is not proof: a fresh descriptor counts as ready before the kernel has said anything. So each look
//! asks for the socket's error first and for the peer's address second; neither there means "not yet".

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pirn_sync::clock;
use socket2::{Domain, Protocol, SockAddr, Type};

use super::resolve::{Resolve, lookup_host};
use super::socket::Socket;
use super::{TcpStream, ToSocketAddrs};
use crate::netpoll::Direction;
use crate::sched::timer_slot::TimerSlot;

/// How long an attempt is alone before the next address is tried beside it (RFC 8305, section 8).
const HEAD_START: Duration = Duration::from_millis(250);

/// The future of [`TcpStream::connect`] and [`TcpSocket::connect`](super::TcpSocket::connect).
#[must_use = "futures do nothing unless awaited"]
pub struct Connect {
    step: Step,
    at: &'static Location<'static>,
}

enum Step {
    Resolving(Resolve),
    Racing(Race),
}

struct Race {
    untried: VecDeque<SocketAddr>,
    /// The socket of the first attempt, if it was made beforehand.
    prepared: Option<socket2::Socket>,
    attempts: Vec<Socket<std::net::TcpStream>>,
    /// When the next address joins: after the head start of the latest attempt, or at once when one has failed.
    next: Instant,
    timer: TimerSlot,
    last_error: io::Error,
}

impl Connect {
    #[track_caller]
    pub(super) fn new(address: impl ToSocketAddrs) -> Self {
        Self { step: Step::Resolving(lookup_host(address)), at: Location::caller() }
    }

    /// Connects `socket`, which is non-blocking.
    #[track_caller]
    pub(super) fn with(socket: socket2::Socket, address: SocketAddr) -> Self {
        let race = Race { prepared: Some(socket), ..Race::new(vec![address]) };
        Self { step: Step::Racing(race), at: Location::caller() }
    }
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { step, at } = self.get_mut();
        loop {
            match step {
                Step::Resolving(resolve) => {
                    let addresses = ready!(Pin::new(resolve).poll(cx))?;
                    *step = Step::Racing(Race::new(addresses));
                }
                Step::Racing(race) => return race.poll(cx, at),
            }
        }
    }
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connect").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Race {
    fn new(addresses: Vec<SocketAddr>) -> Self {
        Self {
            untried: alternate(addresses),
            prepared: None,
            attempts: Vec::new(),
            next: clock::now(),
            timer: TimerSlot::new(),
            last_error: io::ErrorKind::InvalidInput.into(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, at: &'static Location<'static>) -> Poll<io::Result<TcpStream>> {
        loop {
            if let Poll::Ready(stream) = self.poll_attempts(cx) {
                return Poll::Ready(Ok(stream));
            }
            if self.untried.is_empty() {
                if self.attempts.is_empty() {
                    return Poll::Ready(Err(std::mem::replace(
                        &mut self.last_error,
                        io::ErrorKind::InvalidInput.into(),
                    )));
                }
                return Poll::Pending;
            }
            // Nobody to wait for, or the others have had their head start.
            if !self.attempts.is_empty() {
                ready!(self.timer.poll_until(self.next, cx));
            }
            if let Some(address) = self.untried.pop_front() {
                self.timer.cancel();
                match begin(self.prepared.take(), address, at) {
                    Ok(socket) => {
                        self.attempts.push(socket);
                        self.next = clock::now() + HEAD_START;
                    }
                    Err(error) => self.fail(error),
                }
            }
        }
    }

    /// Ready with the first attempt that has ended well; those that failed are gone.
    fn poll_attempts(&mut self, cx: &mut Context<'_>) -> Poll<TcpStream> {
        let mut number = 0;
        while number < self.attempts.len() {
            match self.attempts[number].poll_shared(Direction::Write, cx, is_connected, |()| false) {
                Poll::Pending => number += 1,
                Poll::Ready(Ok(())) => {
                    let socket = self.attempts.swap_remove(number);
                    self.attempts.clear();
                    return Poll::Ready(TcpStream::from_socket(socket));
                }
                Poll::Ready(Err(error)) => {
                    self.attempts.swap_remove(number);
                    self.fail(error);
                }
            }
        }
        Poll::Pending
    }

    /// An attempt has failed with `error`: the next one need not wait any longer.
    fn fail(&mut self, error: io::Error) {
        self.last_error = error;
        self.next = clock::now();
    }
}

/// Starts connecting, with a socket of its own if none is `prepared`.
fn begin(
    prepared: Option<socket2::Socket>,
    address: SocketAddr,
    at: &'static Location<'static>,
) -> io::Result<Socket<std::net::TcpStream>> {
    let (domain, kind) = (Domain::for_address(address), Type::STREAM.nonblocking());
    let socket = prepared.map_or_else(|| socket2::Socket::new(domain, kind, Some(Protocol::TCP)), Ok)?;
    match socket.connect(&SockAddr::from(address)) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    Socket::new(socket.into(), at)
}

/// Whether the connect has ended; `WouldBlock` while it has not.
fn is_connected(socket: &std::net::TcpStream) -> io::Result<()> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Err(io::ErrorKind::WouldBlock.into()),
        result => result.map(drop),
    }
}

/// The families in turn, each in the resolver's order, beginning with the first.
fn alternate(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut order = VecDeque::with_capacity(first.len() + second.len());
    while !(first.is_empty() && second.is_empty()) {
        order.extend(first.pop_front());
        order.extend(second.pop_front());
    }
    order
}

#[cfg(all(test, not(loom)))]
mod tests;
