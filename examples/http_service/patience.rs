//! [`Patient`]: a connection that does not wait for ever until its peer reads, and does not close before it could.
//!
//! Whoever asks and never reads fills the kernel's buffers, then ours; a write waits then, and with it the request,
//! and all that it holds. So a write that has to wait gives the *socket* a deadline, which a write that succeeds
//! takes away again. It costs nothing where nobody has to wait: no timer per request, not even a reading of
//! the clock.
//!
//! The other way round, a client may still be sending a body that nobody wants when it is told so. To close at once would
//! have the kernel answer what comes with a reset, which overtakes the last words: the client would never see the 413. So
//! the end is that of all servers here, [`Linger`].

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Write};
use pirn::net::TcpStream;
use pirn_examples::server::Linger;

/// How long the last words may take to arrive.
const LINGER: Duration = Duration::from_millis(500);

/// A connection whose writes fail when its peer has taken nothing in for as long as the limit.
pub(crate) struct Patient {
    stream: TcpStream,
    limit: Duration,
    /// Whether a write waits, and the socket has a deadline.
    waits: bool,
    linger: Linger,
}

impl Patient {
    pub(crate) fn new(stream: TcpStream, limit: Duration) -> Self {
        Self { stream, limit, waits: false, linger: Linger::new(LINGER, usize::MAX) }
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
        this.linger.poll(&this.stream, cx)
    }
}
