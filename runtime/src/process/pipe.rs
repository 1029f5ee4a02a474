//! The pipes to and from a child, as async streams.
//!
//! A pipe's two ends are two open files: making ours non-blocking does not change the child's. Ours is held as
//! a plain file, which std reads and writes by shared reference.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::io::AsyncFd;
use crate::netpoll::Direction;

/// The writing end of a child's standard input. Dropping or closing it is how the child learns of the end.
///
/// A child that has closed its input makes writes fail with `BrokenPipe`; the SIGPIPE that comes with it is
/// ignored in Rust programs, unless they have changed that.
#[derive(Debug)]
pub struct ChildStdin {
    pipe: Option<AsyncFd<File>>,
    at: &'static Location<'static>,
}

impl ChildStdin {
    pub(super) fn new(pipe: std::process::ChildStdin, at: &'static Location<'static>) -> io::Result<Self> {
        Ok(Self { pipe: Some(open(pipe)?), at })
    }
}

impl AsyncWrite for ChildStdin {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(pipe) = &this.pipe else {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::BrokenPipe, "the pipe was closed here")));
        };
        let mut writer = pipe.get_ref();
        let attempt = || writer.write(buf);
        pipe.registration().poll_attempt(Direction::Write, None, cx, this.at, attempt, |_| false)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().pipe = None;
        Poll::Ready(Ok(()))
    }
}

macro_rules! reading_end {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name {
            pipe: AsyncFd<File>,
            at: &'static Location<'static>,
        }

        impl $name {
            pub(super) fn new(pipe: std::process::$name, at: &'static Location<'static>) -> io::Result<Self> {
                Ok(Self { pipe: open(pipe)?, at })
            }

            /// Makes the pipe another process's stream, blocking again.
            ///
            /// # Errors
            /// The system's.
            pub fn into_stdio(self) -> io::Result<Stdio> {
                let pipe = self.pipe.into_inner();
                socket2::SockRef::from(&pipe).set_nonblocking(false)?;
                Ok(pipe.into())
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.pipe.as_fd()
            }
        }

        impl AsRawFd for $name {
            fn as_raw_fd(&self) -> RawFd {
                self.pipe.as_raw_fd()
            }
        }

        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let Self { pipe, at } = self.get_mut();
                let mut reader = pipe.get_ref();
                let attempt = || reader.read(buf);
                pipe.registration().poll_attempt(Direction::Read, None, cx, at, attempt, |_| false)
            }
        }
    };
}

reading_end! {
    /// The reading end of a child's standard output.
    ChildStdout
}

reading_end! {
    /// The reading end of a child's standard error.
    ChildStderr
}

fn open(pipe: impl Into<OwnedFd>) -> io::Result<AsyncFd<File>> {
    AsyncFd::new(File::from(pipe.into()))
}
