//! Reading, peeking and writing: the operations that TCP and Unix streams share.
//!
//! A read that returns less than there was room for has emptied the socket, and a write that was cut short
//! has filled it: both spare the next operation a system call that would only say "would block". Reads of
//! Unix streams are the exception that [`ByteStream`] tells of.
//!
//! A read into no room asks for nothing: it returns 0 and waits for nobody. Of a list of slices the system takes so many
//! at once and no more; the first ones are used, as std does.
//!
//! Writes pass `MSG_NOSIGNAL`: a peer that is gone is an error (`BrokenPipe`), never a SIGPIPE.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::SockRef;

use super::socket::{Leaf, Socket};
use crate::netpoll::Direction;

/// How many slices one system call takes.
const MOST_SLICES: usize = libc::UIO_MAXIOV as usize;

/// The streams of std.
pub trait ByteStream: AsFd {
    /// Whether a short read has emptied the socket. In a Unix stream a read ends too where descriptors came with the
    /// bytes, or another sender's credentials, and the kernel's report told of what lies behind as well.
    const SHORT_READ_EMPTIES: bool;
}

impl ByteStream for std::net::TcpStream {
    const SHORT_READ_EMPTIES: bool = true;
}

impl ByteStream for std::os::unix::net::UnixStream {
    const SHORT_READ_EMPTIES: bool = false;
}

/// The future of a stream's `read`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Read<'a, S: AsFd> {
    leaf: Leaf<'a, S>,
    buf: &'a mut [u8],
}

/// The future of a stream's `peek`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Peek<'a, S: AsFd> {
    leaf: Leaf<'a, S>,
    buf: &'a mut [u8],
}

/// The future of a stream's `write`.
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Write<'a, S: AsFd> {
    leaf: Leaf<'a, S>,
    buf: &'a [u8],
}

impl<'a, S: AsFd> Read<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>, buf: &'a mut [u8]) -> Self {
        Self { leaf: Leaf::new(socket, Direction::Read), buf }
    }
}

impl<'a, S: AsFd> Peek<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>, buf: &'a mut [u8]) -> Self {
        Self { leaf: Leaf::new(socket, Direction::Read), buf }
    }
}

impl<'a, S: AsFd> Write<'a, S> {
    #[track_caller]
    pub(super) fn new(socket: &'a Socket<S>, buf: &'a [u8]) -> Self {
        Self { leaf: Leaf::new(socket, Direction::Write), buf }
    }
}

impl<S: ByteStream> Future for Read<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, buf } = self.get_mut();
        let room = buf.len();
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        leaf.poll(cx, |socket| receive(socket, buf), |&count| has_emptied::<S>(count, room))
    }
}

impl<S: AsFd> Future for Peek<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, buf } = self.get_mut();
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        leaf.poll(cx, |socket| peek(socket, buf), |_| false)
    }
}

impl<S: AsFd> Future for Write<'_, S> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { leaf, buf } = self.get_mut();
        leaf.poll(cx, |socket| send(socket, buf), |&count| is_short(count, buf.len()))
    }
}

/// A stream's `try_read`.
pub(super) fn try_read<S: AsFd>(socket: &Socket<S>, buf: &mut [u8]) -> io::Result<usize> {
    if buf.is_empty() {
        return Ok(0);
    }
    socket.attempt(Direction::Read, |socket| receive(socket, buf))
}

/// A stream's `try_write`.
pub(super) fn try_write<S: AsFd>(socket: &Socket<S>, buf: &[u8]) -> io::Result<usize> {
    socket.attempt(Direction::Write, |socket| send(socket, buf))
}

/// `AsyncRead::poll_read` of a stream.
pub(super) fn poll_read<S: ByteStream>(
    socket: &Socket<S>,
    cx: &mut Context<'_>,
    buf: &mut [u8],
) -> Poll<io::Result<usize>> {
    let room = buf.len();
    if room == 0 {
        return Poll::Ready(Ok(0));
    }
    let attempt = |socket: &S| receive(socket, buf);
    socket.poll_shared(Direction::Read, cx, attempt, |&count| has_emptied::<S>(count, room))
}

/// As [`poll_read`], into bytes that need not be initialised: as many as are returned are, from the first on.
#[cfg(feature = "hyper")]
pub(super) fn poll_read_uninit<S: ByteStream>(
    socket: &Socket<S>,
    cx: &mut Context<'_>,
    buf: &mut [MaybeUninit<u8>],
) -> Poll<io::Result<usize>> {
    let room = buf.len();
    if room == 0 {
        return Poll::Ready(Ok(0));
    }
    let attempt = |socket: &S| SockRef::from(socket).recv(buf);
    socket.poll_shared(Direction::Read, cx, attempt, |&count| has_emptied::<S>(count, room))
}

/// `AsyncRead::poll_read_vectored` of a stream.
pub(super) fn poll_read_vectored<S: ByteStream>(
    socket: &Socket<S>,
    cx: &mut Context<'_>,
    bufs: &mut [IoSliceMut<'_>],
) -> Poll<io::Result<usize>> {
    let most = bufs.len().min(MOST_SLICES);
    let bufs = &mut bufs[..most];
    let room = bufs.iter().map(|buf| buf.len()).sum();
    if room == 0 {
        return Poll::Ready(Ok(0));
    }
    let attempt = |socket: &S| (&*SockRef::from(socket)).read_vectored(bufs);
    socket.poll_shared(Direction::Read, cx, attempt, |&count| has_emptied::<S>(count, room))
}

/// `AsyncWrite::poll_write` of a stream.
pub(super) fn poll_write<S: AsFd>(
    socket: &Socket<S>,
    cx: &mut Context<'_>,
    buf: &[u8],
) -> Poll<io::Result<usize>> {
    let attempt = |socket: &S| send(socket, buf);
    socket.poll_shared(Direction::Write, cx, attempt, |&count| is_short(count, buf.len()))
}

/// `AsyncWrite::poll_write_vectored` of a stream.
pub(super) fn poll_write_vectored<S: AsFd>(
    socket: &Socket<S>,
    cx: &mut Context<'_>,
    bufs: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let bufs = &bufs[..bufs.len().min(MOST_SLICES)];
    let length = bufs.iter().map(|buf| buf.len()).sum();
    let attempt = |socket: &S| SockRef::from(socket).send_vectored_with_flags(bufs, libc::MSG_NOSIGNAL);
    socket.poll_shared(Direction::Write, cx, attempt, |&count| is_short(count, length))
}

/// `AsyncWrite::poll_close`: no more will be written. A peer that is gone already has heard.
pub(super) fn shut_write<S: AsFd>(socket: &Socket<S>) -> io::Result<()> {
    match socket.shutdown(std::net::Shutdown::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
        result => result,
    }
}

fn receive<S: AsFd>(socket: &S, buf: &mut [u8]) -> io::Result<usize> {
    (&*SockRef::from(socket)).read(buf)
}

fn send<S: AsFd>(socket: &S, buf: &[u8]) -> io::Result<usize> {
    SockRef::from(socket).send_with_flags(buf, libc::MSG_NOSIGNAL)
}

fn peek<S: AsFd>(socket: &S, buf: &mut [u8]) -> io::Result<usize> {
    // SAFETY: initialised bytes are valid as bytes that may be uninitialised, and `peek` only writes
    // initialised ones.
    let bytes = unsafe { &mut *(std::ptr::from_mut(buf) as *mut [MaybeUninit<u8>]) };
    SockRef::from(socket).peek(bytes)
}

fn has_emptied<S: ByteStream>(count: usize, room: usize) -> bool {
    S::SHORT_READ_EMPTIES && is_short(count, room)
}

fn is_short(count: usize, room: usize) -> bool {
    0 < count && count < room
}
