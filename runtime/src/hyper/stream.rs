//! hyper's `Read` and `Write` for this crate's own streams, and for their owned halves.
//!
//! hyper reads into a [`ReadBufCursor`]: bytes with room for more behind them, not initialised. The kernel
//! fills that very memory; nothing is zeroed first and nothing is copied. Writes are vectored: the head of a
//! response and its body lie in different places, and leave in one system call.
//!
//! A stream that is not a socket (a pipe in memory) has no such path, and is read into memory zeroed first.
//!
//! # Invariant
//! U1. `poll_read_uninit` of a stream returns how many bytes it has initialised, from the first on; no more than
//!     there was room for.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::hyper::rt::ReadBufCursor;
use futures_io::{AsyncRead, AsyncWrite};

use crate::io::DuplexStream;
use crate::net::{TcpStream, UnixStream, tcp, unix};

/// Lets `read`, which wants its buffer initialised, fill the room that `buf` has.
pub(super) fn poll_fill_zeroed(
    mut buf: ReadBufCursor<'_>,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    let room = buf.initialize_unfilled();
    let length = room.len();
    let count = ready!(read(room))?;
    assert!(count <= length, "a reader claims to have read more than there was room for");
    // SAFETY: all of the room is initialised, and `count` lies within it.
    unsafe { buf.advance(count) };
    Poll::Ready(Ok(()))
}

macro_rules! read {
    ($type:ty => |$this:ident| $stream:expr) => {
        impl ::hyper::rt::Read for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                mut buf: ReadBufCursor<'_>,
            ) -> Poll<io::Result<()>> {
                let $this = self.get_mut();
                // SAFETY: `poll_read_uninit` initialises bytes and never the opposite (U1).
                let room = unsafe { buf.as_mut() };
                let count = ready!($stream.poll_read_uninit(cx, room))?;
                // SAFETY: so many bytes are initialised now, and there was room for them (U1).
                unsafe { buf.advance(count) };
                Poll::Ready(Ok(()))
            }
        }
    };
}

macro_rules! write {
    ($type:ty) => {
        impl ::hyper::rt::Write for $type {
            fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                AsyncWrite::poll_write(self, cx, buf)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_close(self, cx)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                AsyncWrite::poll_write_vectored(self, cx, bufs)
            }
        }
    };
}

read!(TcpStream => |this| this);
read!(UnixStream => |this| this);
read!(tcp::OwnedReadHalf => |this| this.as_ref());
read!(unix::OwnedReadHalf => |this| this.as_ref());

write!(TcpStream);
write!(UnixStream);
write!(tcp::OwnedWriteHalf);
write!(unix::OwnedWriteHalf);

impl ::hyper::rt::Read for DuplexStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        poll_fill_zeroed(buf, |bytes| AsyncRead::poll_read(self, cx, bytes))
    }
}

impl ::hyper::rt::Write for DuplexStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self, cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_close(self, cx)
    }
}
