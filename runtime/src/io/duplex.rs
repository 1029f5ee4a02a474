//! [`duplex`]: a connection in memory. Two pipes, crossed.
//!
//! For tests of protocols without a network, and for joining two parts of one process that speak bytes.
//!
//! ```text
//!   one end                                 the other
//!   poll_write ──► │ bytes, at most n │ ──► poll_read
//!   poll_read  ◄── │ bytes, at most n │ ◄── poll_write
//! ```
//!
//! # Invariants
//! X1. A pipe holds at most `capacity` bytes; a writer that finds it full waits for the reader.
//! X2. Who changes what the other side waits for takes the other's waker under the lock and calls it after.
//! X3. A closed pipe stays closed: its reader drains it and then sees the end, its writer gets `BrokenPipe`.
//! X4. A waker that panics keeps nobody asleep and no pipe open; its panic goes on to the caller afterwards.

use std::collections::VecDeque;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use futures_io::{AsyncRead, AsyncWrite};
use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::{Arc, Mutex};
use pirn_sync::unwind::{each, wake_all};

/// Two ends of a connection in memory; each direction holds at most `capacity` bytes.
///
/// Dropping an end, or closing it for writing (`poll_close`), lets the other end read what is left and then
/// the end of the stream; writing to a dropped end is a `BrokenPipe`. Reads and writes are cancel-safe.
///
/// # Panics
/// If `capacity` is 0: nothing could ever be written.
///
/// ```
/// use pirn::io::{AsyncReadExt, AsyncWriteExt, duplex};
///
/// let (mut a, mut b) = duplex(16);
/// pirn::block_on(async {
///     a.write_all(b"hello").await.unwrap();
///     let mut buf = [0; 5];
///     b.read_exact(&mut buf).await.unwrap();
///     assert_eq!(&buf, b"hello");
/// });
/// ```
#[track_caller]
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    assert!(capacity > 0, "a duplex pipe needs room for at least one byte");
    let (forth, back) = (Arc::new(Pipe::new(capacity)), Arc::new(Pipe::new(capacity)));
    let at = Location::caller();
    let one = DuplexStream { incoming: Arc::clone(&back), outgoing: Arc::clone(&forth), at };
    (one, DuplexStream { incoming: forth, outgoing: back, at })
}

/// One end of a [`duplex`] connection.
#[derive(Debug)]
pub struct DuplexStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
    at: &'static Location<'static>,
}

#[derive(Debug)]
struct Pipe {
    capacity: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Pipe {
    fn new(capacity: usize) -> Self {
        Self { capacity, state: Mutex::new(State::default()) }
    }

    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<usize> {
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        if state.bytes.is_empty() && !state.closed && !buf.is_empty() {
            let former = state.reader.replace(waker);
            drop(state);
            drop(former);
            return Poll::Pending;
        }
        let count = buf.len().min(state.bytes.len());
        for (place, byte) in buf.iter_mut().zip(state.bytes.drain(..count)) {
            *place = byte;
        }
        let writer = if count > 0 { state.writer.take() } else { None };
        drop(state);
        wake(writer);
        Poll::Ready(count)
    }

    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let waker = cx.waker().clone();
        let mut state = self.state.lock();
        if state.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = buf.len().min(self.capacity - state.bytes.len());
        if count == 0 && !buf.is_empty() {
            let former = state.writer.replace(waker);
            drop(state);
            drop(former);
            return Poll::Pending;
        }
        state.bytes.extend(&buf[..count]);
        let reader = if count > 0 { state.reader.take() } else { None };
        drop(state);
        wake(reader);
        Poll::Ready(Ok(count))
    }

    fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let wakers = [state.reader.take(), state.writer.take()];
        drop(state);
        wake_all(wakers.into_iter().flatten());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl AsyncRead for DuplexStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(host::poll_yield(cx));
        let poll = self.incoming.poll_read(cx, buf);
        if poll.is_pending() {
            host::waiting_on(WaitKind::Io, self.at);
        }
        poll.map(Ok)
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(host::poll_yield(cx));
        let poll = self.outgoing.poll_write(cx, buf);
        if poll.is_pending() {
            host::waiting_on(WaitKind::Io, self.at);
        }
        poll
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        each([&self.incoming, &self.outgoing], |pipe| pipe.close());
    }
}
