//! Accepting: the operation that TCP and Unix listeners share, and how it behaves without descriptors.
//!
//! A process that has used up its descriptors cannot take a connection out of the queue, and the queue stays
//! ready: a server that logs the error and accepts again would burn a core until a descriptor is freed. So
//! the error is returned once, and the *next* accept on that listener rests for 10 ms before it tries: the
//! server sees about a hundred errors a second, and goes on by itself.
//!
//! An error that belongs to one connection (it was reset while it waited in the queue) is no error of the
//! listener: that connection is skipped.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pirn_sync::clock;
use pirn_sync::host::{self, WaitKind};
use socket2::{SockAddr, SockRef};

use super::deadline::Moment;
use super::socket::{Leaf, Socket};
use crate::netpoll::Direction;
use crate::sched::timer_slot::TimerSlot;

/// How long a listener rests after it found no descriptor left.
const REST: Duration = Duration::from_millis(10);

/// A listening socket and the end of its rest.
#[derive(Debug)]
pub(super) struct Listener<L: AsFd> {
    socket: Socket<L>,
    resting_until: Moment,
}

impl<L: AsFd> Listener<L> {
    pub(super) fn new(socket: Socket<L>) -> Self {
        Self { socket, resting_until: Moment::none() }
    }

    pub(super) fn socket(&self) -> &Socket<L> {
        &self.socket
    }

    pub(super) fn into_socket(self) -> Socket<L> {
        self.socket
    }
}

/// What a listener makes of an accepted socket.
pub trait Accepted: Sized {
    /// The listening socket's type in std.
    type Listener: AsFd;
    /// The peer's address.
    type Address;

    /// Wraps the non-blocking `socket`.
    ///
    /// # Errors
    /// What registering it gives.
    fn accepted(
        socket: socket2::Socket,
        address: &SockAddr,
        at: &'static Location<'static>,
    ) -> io::Result<(Self, Self::Address)>;
}

/// The future of a listener's `accept`: the connection and its peer's address.
#[must_use = "futures do nothing unless awaited"]
pub struct Accept<'a, T: Accepted> {
    listener: &'a Listener<T::Listener>,
    leaf: Leaf<'a, T::Listener>,
    rest: TimerSlot,
}

impl<'a, T: Accepted> Accept<'a, T> {
    #[track_caller]
    pub(super) fn new(listener: &'a Listener<T::Listener>) -> Self {
        let leaf = Leaf::new(&listener.socket, Direction::Read);
        Self { listener, leaf, rest: TimerSlot::new() }
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(end) = self.listener.resting_until.pending() else { return Poll::Ready(()) };
        let poll = self.rest.poll_until(end, cx);
        if poll.is_pending() {
            host::waiting_on(WaitKind::Io, self.leaf.at());
        }
        poll
    }
}

impl<T: Accepted> Future for Accept<'_, T> {
    type Output = io::Result<(T, T::Address)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        ready!(this.poll_rest(cx));
        let result = ready!(this.leaf.poll(cx, accept, |_| false));
        if let Err(error) = &result
            && is_exhausted(error)
        {
            this.listener.resting_until.set(Some(clock::now() + REST));
        }
        let (socket, address) = result?;
        Poll::Ready(T::accepted(socket, &address, this.leaf.at()))
    }
}

impl<T: Accepted> std::fmt::Debug for Accept<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accept").field("at", &self.leaf.at()).finish_non_exhaustive()
    }
}

/// The next connection whose peer has not gone away in the meantime.
fn accept<L: AsFd>(listener: &L) -> io::Result<(socket2::Socket, SockAddr)> {
    loop {
        match SockRef::from(listener).accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) {
            Err(error) if belongs_to_connection(&error) => {}
            result => return result,
        }
    }
}

/// Network errors that accept(2) passes on from the connection itself.
fn belongs_to_connection(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(
            libc::ECONNABORTED
                | libc::EPROTO
                | libc::ENETDOWN
                | libc::ENOPROTOOPT
                | libc::EHOSTDOWN
                | libc::ENONET
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
        )
    )
}

fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}
