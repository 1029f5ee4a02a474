//! [`AsyncFd`]: any pollable descriptor, for those who bring their own system calls.
//!
//! Sockets, pipes, terminals, eventfds, timerfds, pidfds, inotify: what epoll accepts can wait here. The
//! other types of this crate are built on the same two parts, the registration and its loop.
//!
//! # Invariants
//! A1. The registration stands above the value in the struct, so it is dropped first: the number leaves the
//!     netpoller before it is closed.
//! A2. The registration keeps the number that it registered. What `T` returns from `as_fd` later does not
//!     matter to it.

use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::registration::Registration;
use crate::netpoll::{Direction, Waiting, is_ready_now};

/// A non-blocking descriptor whose readiness tasks can wait for.
///
/// Any number of tasks may wait on one, in both directions. It belongs to the runtime in which it was made
/// (outside of one, to the global runtime); after that runtime's shutdown every wait is an error.
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (ours, mut theirs) = UnixStream::pair()?;
/// pirn::block_on(async {
///     let ours = pirn::io::AsyncFd::new(ours)?;
///     theirs.write_all(b"hello")?;
///     let mut buf = [0; 8];
///     let n = ours.read_with(|mut stream| stream.read(&mut buf)).await?;
///     assert_eq!(&buf[..n], b"hello");
///     Ok(())
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncFd<T: AsFd> {
    registration: Registration,
    fd: RawFd,
    inner: T,
}

impl<T: AsFd> AsyncFd<T> {
    /// Sets `O_NONBLOCK` on `inner` and registers it. Does not block.
    ///
    /// # Errors
    /// `PermissionDenied` (`EPERM`) for what epoll cannot wait for: regular files and directories, which are
    /// always ready (use [`fs`](crate::fs)). `AlreadyExists` if the same number is registered already. What
    /// setting the flag gives. `inner` is dropped then.
    pub fn new(inner: T) -> io::Result<Self> {
        set_nonblocking(inner.as_fd())?;
        Self::register(inner)
    }

    /// Registers `inner`, which is non-blocking or is never asked to block.
    pub(crate) fn register(inner: T) -> io::Result<Self> {
        let registration = Registration::new(inner.as_fd())?;
        Ok(Self { registration, fd: inner.as_fd().as_raw_fd(), inner })
    }

    /// Waits until there is something to read: data, a connection to accept, the end, or an error.
    ///
    /// The kernel was asked at the moment of the return, so the answer is no leftover; another task may still
    /// be faster. Dropping the future undoes nothing.
    #[track_caller]
    pub fn readable(&self) -> Readable<'_, T> {
        Readable { leaf: Leaf::new(self, Direction::Read) }
    }

    /// Waits until there is room to write, or an error that writing would tell of. As
    /// [`readable`](Self::readable) otherwise.
    #[track_caller]
    pub fn writable(&self) -> Writable<'_, T> {
        Writable { leaf: Leaf::new(self, Direction::Write) }
    }

    /// Calls `f` until it does not return `WouldBlock`, waiting to be readable in between.
    ///
    /// Cancel-safe as far as `f` is: it runs to its end inside one poll. `f` must not block.
    ///
    /// # Errors
    /// Those of `f`, and one after the runtime's shutdown.
    #[track_caller]
    pub fn read_with<R, F>(&self, f: F) -> ReadWith<'_, T, F>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        ReadWith { leaf: Leaf::new(self, Direction::Read), f }
    }

    /// Calls `f` until it does not return `WouldBlock`, waiting to be writable in between. As
    /// [`read_with`](Self::read_with) otherwise.
    #[track_caller]
    pub fn write_with<R, F>(&self, f: F) -> WriteWith<'_, T, F>
    where
        F: FnMut(&T) -> io::Result<R>,
    {
        WriteWith { leaf: Leaf::new(self, Direction::Write), f }
    }

    /// The value inside. Reading or writing it directly is allowed.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// Deregisters and gives the value back, still non-blocking.
    pub fn into_inner(self) -> T {
        self.inner
    }

    /// The registration, for the streams built on this.
    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }
}

impl<T: AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<T: AsFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_fd().as_raw_fd()
    }
}

/// What every future here has: the descriptor, its place among the waiters, and where it was made.
#[derive(Debug)]
struct Leaf<'a, T: AsFd> {
    fd: &'a AsyncFd<T>,
    direction: Direction,
    waiting: Waiting,
    at: &'static Location<'static>,
}

impl<'a, T: AsFd> Leaf<'a, T> {
    #[track_caller]
    fn new(fd: &'a AsyncFd<T>, direction: Direction) -> Self {
        Self { fd, direction, waiting: Waiting::new(), at: Location::caller() }
    }

    fn poll_attempt<R>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let registration = &self.fd.registration;
        registration.poll_attempt(self.direction, Some(&mut self.waiting), cx, self.at, attempt, |_| false)
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let (fd, direction) = (self.fd.fd, self.direction);
        self.poll_attempt(cx, || match is_ready_now(fd, direction)? {
            true => Ok(()),
            false => Err(io::ErrorKind::WouldBlock.into()),
        })
    }
}

impl<T: AsFd> Drop for Leaf<'_, T> {
    fn drop(&mut self) {
        self.fd.registration.descriptor().cancel(self.direction, &mut self.waiting);
    }
}

/// The future of [`AsyncFd::readable`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Readable<'a, T: AsFd> {
    leaf: Leaf<'a, T>,
}

impl<T: AsFd> Future for Readable<'_, T> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().leaf.poll_ready(cx)
    }
}

/// The future of [`AsyncFd::writable`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Writable<'a, T: AsFd> {
    leaf: Leaf<'a, T>,
}

impl<T: AsFd> Future for Writable<'_, T> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().leaf.poll_ready(cx)
    }
}

/// The future of [`AsyncFd::read_with`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReadWith<'a, T: AsFd, F> {
    leaf: Leaf<'a, T>,
    f: F,
}

/// The future of [`AsyncFd::write_with`].
#[must_use = "futures do nothing unless awaited"]
pub struct WriteWith<'a, T: AsFd, F> {
    leaf: Leaf<'a, T>,
    f: F,
}

// The closure is only ever called by reference: nothing of it is pinned.
impl<T: AsFd, F> Unpin for ReadWith<'_, T, F> {}
impl<T: AsFd, F> Unpin for WriteWith<'_, T, F> {}

impl<T: AsFd, R, F: FnMut(&T) -> io::Result<R>> Future for ReadWith<'_, T, F> {
    type Output = io::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, f } = self.get_mut();
        let inner = &leaf.fd.inner;
        leaf.poll_attempt(cx, || f(inner))
    }
}

impl<T: AsFd, R, F: FnMut(&T) -> io::Result<R>> Future for WriteWith<'_, T, F> {
    type Output = io::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, f } = self.get_mut();
        let inner = &leaf.fd.inner;
        leaf.poll_attempt(cx, || f(inner))
    }
}

impl<T: AsFd, F> std::fmt::Debug for ReadWith<'_, T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadWith").field("at", &self.leaf.at).finish_non_exhaustive()
    }
}

impl<T: AsFd, F> std::fmt::Debug for WriteWith<'_, T, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteWith").field("at", &self.leaf.at).finish_non_exhaustive()
    }
}

fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    socket2::SockRef::from(&fd).set_nonblocking(true)
}
