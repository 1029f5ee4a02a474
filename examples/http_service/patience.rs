//! [`Patient`]: a connection that does not wait for ever until its peer reads, and does not close before it could.
//!
//! Whoever asks and never reads fills the kernel's buffers, then ours; a write waits then, and with it the request,
//! and all that it holds. So a write that has to wait gives the *socket* a deadline, which a write that succeeds
//! takes away again. It costs nothing where nobody has to wait: no timer per request, not even a reading of
//! the clock.
//!
//! The other way round, a client may still be sending a body that nobody wants when it is told so. To close at once would
//! have the kernel answer what comes with a reset, which overtakes the last words: the client would never see the 413. So after
//! the end of the writing side what comes is read and forgotten, until the client closes too or [`LINGER`] is over.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use pirn::net::TcpStream;

/// How long the last words may take to arrive.
const LINGER: Duration = Duration::from_millis(500);
/// How much is read at once of what nobody wants.
const FORGOTTEN: usize = 16 * 1024;

/// A connection whose writes fail when its peer has taken nothing in for as long as the limit.
pub(crate) struct Patient {
    stream: TcpStream,
    limit: Duration,
    /// Whether a write waits, and the socket has a deadline.
    waits: bool,
    /// Whether the writing side has been ended.
    is_shut: bool,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, limit: Duration) -> Self {
        Self { stream, limit, waits: false, is_shut: false }
    }

    /// Notes what came of a write.
    fn note<T>(&mut self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() != self.waits {
            self.waits = written.is_pending();
            let deadline = self.waits.then(|| Instant::now().checked_add(self.limit)).flatten();
            self.stream.set_write_deadline(deadline);
        }
        written
    }
}

impl Read for Patient {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl Write for Patient {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.note(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Write::poll_flush(Pin::new(&mut self.get_mut().stream), cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let mut stream = Pin::new(&mut this.stream);
        if !this.is_shut {
            ready!(stream.as_mut().poll_shutdown(cx))?;
            this.is_shut = true;
            stream.set_read_deadline(Instant::now() + LINGER);
        }
        let mut nothing = [0; FORGOTTEN];
        while let Ok(1..) = ready!(pirn::io::AsyncRead::poll_read(stream.as_mut(), cx, &mut nothing)) {}
        Poll::Ready(Ok(()))
    }
}
