//! [`stdin`]: standard input that never holds up a shutdown.
//!
//! The usual way, a thread that sits in `read`, has two faults: the thread cannot be called back (a runtime
//! that ends waits for a key press), and what it read ahead is lost with it. Here nothing reads before there
//! is something to read:
//!
//! - A terminal, a pipe or a socket is watched by the netpoller. `O_NONBLOCK` is *not* set, since that flag
//!   belongs to the open file and would surprise every process that shares the terminal. So each read asks
//!   the kernel first whether it would find anything. (Another process that snatches the input in between
//!   makes that read block, as it would in any program.)
//! - A regular file, which epoll refuses, is always ready: blocking jobs read it.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncRead;

use super::AsyncFd;
use crate::fs;
use crate::netpoll::{Direction, is_ready_now};

/// A handle to standard input. Unbuffered: wrap it in a [`BufReader`](super::BufReader) to read lines.
///
/// Nothing is opened before the first read. Two handles read from the same input, each what comes while it
/// asks; they share no buffer with [`std::io::stdin`] either, so use one of them only.
///
/// Reads are cancel-safe on terminals and pipes. (From a regular file, bytes read ahead stay in the handle.)
///
/// ```no_run
/// use pirn::io::{AsyncBufReadExt, BufReader, stdin};
///
/// # async fn count() -> std::io::Result<usize> {
/// let mut lines = 0;
/// let (mut input, mut line) = (BufReader::new(stdin()), String::new());
/// while input.read_line(&mut line).await? > 0 {
///     lines += 1;
///     line.clear();
/// }
/// # Ok(lines)
/// # }
/// ```
#[track_caller]
pub fn stdin() -> Stdin {
    Stdin { std: io::stdin(), source: Source::Unopened, at: Location::caller() }
}

/// Standard input, see [`stdin`].
#[derive(Debug)]
pub struct Stdin {
    std: io::Stdin,
    source: Source,
    at: &'static Location<'static>,
}

#[derive(Debug)]
enum Source {
    Unopened,
    Watched(AsyncFd<std::fs::File>),
    File(Box<fs::File>),
}

impl Source {
    fn open(stdin: &io::Stdin, at: &'static Location<'static>) -> io::Result<Self> {
        // A number of its own: one epoll takes each number once, and there may be several handles.
        let file = || stdin.as_fd().try_clone_to_owned().map(std::fs::File::from);
        match AsyncFd::register(file()?) {
            Ok(fd) => Ok(Self::Watched(fd)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Ok(Self::File(Box::new(fs::File::opened_at(at, file()?))))
            }
            Err(error) => Err(error),
        }
    }
}

/// Descriptor 0, not the duplicate that is read: to ask it whether it is a terminal, say.
impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std.as_fd()
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        self.std.as_raw_fd()
    }
}

impl AsyncRead for Stdin {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let at = self.at;
        if let Source::Unopened = self.source {
            self.source = Source::open(&self.std, at)?;
        }
        match &mut self.source {
            Source::Unopened => unreachable!("opened above"),
            Source::File(file) => Pin::new(file).poll_read(cx, buf),
            Source::Watched(fd) => {
                let mut file = fd.get_ref();
                let attempt = || match is_ready_now(file.as_raw_fd(), Direction::Read)? {
                    true => file.read(buf),
                    false => Err(io::ErrorKind::WouldBlock.into()),
                };
                fd.registration().poll_attempt(Direction::Read, None, cx, at, attempt, |_| false)
            }
        }
    }
}
