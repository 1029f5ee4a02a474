//! [`copy_bidirectional`]: what a proxy does, both ways at once, in one task.
//!
//! Each direction is a small state machine with a buffer of its own. The end of one direction closes the
//! write side that it feeds, so that half-closed connections pass through; the whole ends when both have.
//!
//! ```text
//!   Running ── read 0 bytes, all written ──► Closing ── poll_close ──► Done
//!      ▲ │ read, write; flush while the reader has nothing
//!      └─┘
//! ```
//!
//! A reader that is never without bytes would keep its direction running for ever, and the other one silent: what one
//! calls fast, the other calls hung. So a direction moves [`TURN`] buffers in a poll and no more; its task is woken for
//! the rest, after the other direction had its turn. And the two take turns at being first: by the time that the second
//! is polled the task's time slice may be used up, and whatever it reads then gives way.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

/// The size of each direction's buffer.
const BUFFER: usize = 8 * 1024;

/// How often a direction reads in one poll: enough for the way through the scheduler not to matter.
const TURN: usize = 32;

/// Copies from `a` to `b` and from `b` to `a` until both have ended, and returns how many bytes went each
/// way: `(a to b, b to a)`. When one side ends, the write side of the other is closed and flushed.
///
/// Dropping the future may lose bytes that were read and not yet written. Any error ends both directions.
///
/// ```
/// use pirn::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional, duplex};
///
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let ((mut client, mut left), (mut right, mut server)) = (duplex(64), duplex(64));
///     client.write_all(b"ping").await?;
///     client.close().await?;
///     server.write_all(b"pong!").await?;
///     server.close().await?;
///     assert_eq!(copy_bidirectional(&mut left, &mut right).await?, (4, 5));
///     let mut heard = String::new();
///     server.read_to_string(&mut heard).await?;
///     assert_eq!(heard, "ping");
///     Ok(())
/// })
/// # }
/// ```
pub fn copy_bidirectional<'a, A, B>(a: &'a mut A, b: &'a mut B) -> CopyBidirectional<'a, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    CopyBidirectional { a, b, a_to_b: Half::new(), b_to_a: Half::new(), back_first: false }
}

/// The future of [`copy_bidirectional`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct CopyBidirectional<'a, A: ?Sized, B: ?Sized> {
    a: &'a mut A,
    b: &'a mut B,
    a_to_b: Half,
    b_to_a: Half,
    /// Whether the next poll begins with `b_to_a`.
    back_first: bool,
}

impl<A, B> Future for CopyBidirectional<'_, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<(u64, u64)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { a, b, a_to_b, b_to_a, back_first } = self.get_mut();
        let back_was_first = std::mem::replace(back_first, !*back_first);
        let mut back = Poll::Pending;
        if back_was_first {
            back = b_to_a.poll(&mut **b, &mut **a, cx)?;
        }
        let forth = a_to_b.poll(&mut **a, &mut **b, cx)?;
        if !back_was_first {
            back = b_to_a.poll(&mut **b, &mut **a, cx)?;
        }
        Poll::Ready(Ok((ready!(forth), ready!(back))))
    }
}

#[derive(Debug)]
enum Phase {
    Running,
    Closing,
    Done,
}

/// One direction.
#[derive(Debug)]
struct Half {
    phase: Phase,
    buffer: Box<[u8]>,
    /// What was read and not yet written.
    filled: std::ops::Range<usize>,
    unflushed: bool,
    copied: u64,
}

impl Half {
    fn new() -> Self {
        Self {
            phase: Phase::Running,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            filled: 0..0,
            unflushed: false,
            copied: 0,
        }
    }

    fn poll<R, W>(&mut self, reader: &mut R, writer: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            match self.phase {
                Phase::Running => ready!(self.poll_running(reader, writer, cx))?,
                Phase::Closing => {
                    ready!(Pin::new(&mut *writer).poll_close(cx))?;
                    self.phase = Phase::Done;
                }
                Phase::Done => return Poll::Ready(Ok(self.copied)),
            }
        }
    }

    /// Moves bytes until the reader ends (then the phase is `Closing`), one of the two has to wait, or the turn is over.
    fn poll_running<R, W>(
        &mut self,
        reader: &mut R,
        writer: &mut W,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        for _ in 0..TURN {
            while !self.filled.is_empty() {
                let written =
                    ready!(Pin::new(&mut *writer).poll_write(cx, &self.buffer[self.filled.clone()]))?;
                if written == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.filled.start += written;
                self.copied += written as u64;
                self.unflushed = true;
            }
            match Pin::new(&mut *reader).poll_read(cx, &mut self.buffer)? {
                Poll::Ready(0) => {
                    self.phase = Phase::Closing;
                    return Poll::Ready(Ok(()));
                }
                Poll::Ready(read) => self.filled = 0..read,
                Poll::Pending => {
                    if self.unflushed {
                        ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                        self.unflushed = false;
                    }
                    return Poll::Pending;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
