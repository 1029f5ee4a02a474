//! [`Socket`]: what every kind of socket here is made of, and [`Leaf`]: what every operation on one is.
//!
//! ```text
//!   TcpStream  TcpListener  UdpSocket  UnixStream  UnixListener  UnixDatagram
//!        └─────────┴────────────┴────────┬─┴─────────────┴────────────┘
//!                                     Socket   AsyncFd (registration, std's socket) · deadlines · where made
//!                                        ▲
//!                   Leaf: one operation ─┘     its place among the waiters · where called
//! ```
//!
//! The operations themselves are system calls of std and socket2 on a non-blocking socket, passed in as
//! closures; everything about waiting is here and in the registration.

use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::panic::Location;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Instant;

use pirn_sync::unwind::wake_all;
use socket2::SockRef;

use super::deadline::Deadline;
use crate::io::AsyncFd;
use crate::netpoll::{Direction, Waiting, is_ready_now};

/// A registered socket with its deadlines.
#[derive(Debug)]
pub(super) struct Socket<S: AsFd> {
    fd: AsyncFd<S>,
    /// Most sockets never have a deadline: the two cost a pointer until one is set.
    deadlines: OnceLock<Box<Deadlines>>,
    /// Where the socket was made: what a dump shows for the `poll_*` functions, which know no caller.
    at: &'static Location<'static>,
}

#[derive(Debug)]
struct Deadlines {
    read: Deadline,
    write: Deadline,
}

impl Deadlines {
    fn of(&self, direction: Direction) -> &Deadline {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

impl<S: AsFd> Socket<S> {
    /// Registers `socket`, which is non-blocking already.
    pub(super) fn new(socket: S, at: &'static Location<'static>) -> io::Result<Self> {
        Ok(Self { fd: AsyncFd::register(socket)?, deadlines: OnceLock::new(), at })
    }

    /// Sets `O_NONBLOCK` and registers `socket`.
    pub(super) fn from_std(socket: S, at: &'static Location<'static>) -> io::Result<Self> {
        Ok(Self { fd: AsyncFd::new(socket)?, deadlines: OnceLock::new(), at })
    }

    pub(super) fn get(&self) -> &S {
        self.fd.get_ref()
    }

    pub(super) fn into_inner(self) -> S {
        self.fd.into_inner()
    }

    pub(super) fn set_deadline(&self, direction: Direction, moment: Option<Instant>) {
        if moment.is_none() && self.deadlines.get().is_none() {
            return;
        }
        let deadlines = self
            .deadlines
            .get_or_init(|| Box::new(Deadlines { read: Deadline::new(), write: Deadline::new() }));
        deadlines.of(direction).set(moment, self.fd.registration().descriptor(), direction);
    }

    /// `TimedOut` once the direction's deadline has passed.
    pub(super) fn check_deadline(&self, direction: Direction) -> io::Result<()> {
        self.deadlines.get().map_or(Ok(()), |deadlines| deadlines.of(direction).check())
    }

    /// Shuts one direction or both. Writers that wait hear it from here: the kernel does not report to a Unix socket that
    /// its own write side was shut.
    pub(super) fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        SockRef::from(self.get()).shutdown(how)?;
        if how != Shutdown::Read {
            let mut writers = Vec::new();
            self.fd.registration().descriptor().nudge(Direction::Write, &mut writers);
            wake_all(writers);
        }
        Ok(())
    }

    /// Tries once, without waiting.
    pub(super) fn attempt<R>(
        &self,
        direction: Direction,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
    ) -> io::Result<R> {
        self.fd.registration().attempt(|| {
            self.check_deadline(direction)?;
            attempt(self.get())
        })
    }

    /// For the `poll_*` functions of the traits: the task waits until the next event.
    pub(super) fn poll_shared<R>(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&S) -> io::Result<R>,
        drained: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        self.poll(direction, None, cx, self.at, attempt, drained)
    }

    fn poll<R>(
        &self,
        direction: Direction,
        waiting: Option<&mut Waiting>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
        mut attempt: impl FnMut(&S) -> io::Result<R>,
        drained: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        // L1 of `deadline`: the attempt is made after the stamp was taken.
        let attempt = || {
            self.check_deadline(direction)?;
            attempt(self.get())
        };
        self.fd.registration().poll_attempt(direction, waiting, cx, at, attempt, drained)
    }
}

impl<S: AsFd> AsFd for Socket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// One operation on a socket. Dropping it takes it out of the list of waiters and undoes nothing else: it has
/// had no effect before it returned `Ready`.
#[derive(Debug)]
pub(super) struct Leaf<'a, S: AsFd> {
    socket: &'a Socket<S>,
    direction: Direction,
    waiting: Waiting,
    at: &'static Location<'static>,
}

impl<'a, S: AsFd> Leaf<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>, direction: Direction) -> Self {
        Self::called_at(Location::caller(), socket, direction)
    }

    pub(super) fn called_at(
        at: &'static Location<'static>,
        socket: &'a Socket<S>,
        direction: Direction,
    ) -> Self {
        Self { socket, direction, waiting: Waiting::new(), at }
    }

    pub(super) fn at(&self) -> &'static Location<'static> {
        self.at
    }

    /// Waits until the kernel says that the socket is ready.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (fd, direction) = (self.socket.as_fd().as_raw_fd(), self.direction);
        let attempt = |_: &S| match is_ready_now(fd, direction)? {
            true => Ok(()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        };
        self.poll(cx, attempt, |()| false)
    }

    /// Tries, and waits while the socket would block.
    pub(super) fn poll<R>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnMut(&S) -> io::Result<R>,
        drained: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        self.socket.poll(self.direction, Some(&mut self.waiting), cx, self.at, attempt, drained)
    }
}

impl<S: AsFd> Drop for Leaf<'_, S> {
    fn drop(&mut self) {
        self.socket.fd.registration().descriptor().cancel(self.direction, &mut self.waiting);
    }
}
