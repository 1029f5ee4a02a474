//! The end of a connection from this side: what has arrived by then is read ([`LastReads`]), and what has been
//! written by then arrives ([`Linger`]).
//!
//! To the first a deadline for reads is not enough. Whoever was busy when it passed (with a peer that is slow to read,
//! say) would find all that has come meanwhile out of reach. So what the deadline ends is the *waiting*: how much the
//! kernel has received is asked then, and so much is read.
//!
//! To the second it is not enough to have written. To close a socket while bytes lie unread in it, or before more of
//! them come, resets the connection, and the reset may overtake the last words, which say why, or are an answer. So the
//! writing side is closed first, and what still comes is read and forgotten, until the peer closes too, or for a while.

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pirn::io::AsyncRead;
use pirn::net::TcpStream;

/// How much is read at once of what nobody wants.
const FORGOTTEN: usize = 16 * 1024;

/// How many bytes have arrived and have not been read.
///
/// # Errors
/// What the system says instead.
pub fn unread(stream: &TcpStream) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the kernel writes one number, into a variable that lives longer than the call.
    if unsafe { libc::ioctl(stream.as_raw_fd(), libc::FIONREAD, &raw mut count) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(count as usize)
}

/// Reads a connection until its peer ends it, or its read deadline passes and what has arrived by then is read.
#[derive(Debug, Default)]
pub struct LastReads {
    /// How much is still to be read, once the deadline has passed.
    left: Option<usize>,
}

impl LastReads {
    /// Reads what is there, waiting until something is; 0 at the end. Cancel-safe, as what it does is.
    ///
    /// # Errors
    /// What reading says, but for `TimedOut`.
    pub async fn read(&mut self, stream: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
        while self.left != Some(0) {
            match stream.read(buf).await {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    stream.set_read_deadline(None);
                    self.left = Some(unread(stream)?);
                }
                read => {
                    self.left = self.left.map(|left| left.saturating_sub(*read.as_ref().unwrap_or(&0)));
                    return read;
                }
            }
        }
        Ok(0)
    }
}

/// Closes a connection in such a way that the last words arrive, if they do so in time and before too much has come.
#[derive(Debug)]
pub struct Linger {
    time: Duration,
    /// How much may still come.
    most: usize,
    is_shut: bool,
}

impl Linger {
    /// For so long at most, and no more than so many bytes.
    pub fn new(time: Duration, most: usize) -> Self {
        Self { time, most, is_shut: false }
    }

    /// Waits for the end. The buffer for what nobody wants is there only while something is read: there may be many who
    /// wait here.
    ///
    /// # Errors
    /// That of closing the writing side: the connection is gone already.
    pub async fn on(mut self, stream: &TcpStream) -> io::Result<()> {
        poll_fn(|cx| self.poll(stream, cx)).await
    }

    /// As [`on`](Self::on), where there is a poll function to be written.
    ///
    /// # Errors
    /// As there.
    pub fn poll(&mut self, mut stream: &TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            stream.shutdown(Shutdown::Write)?;
            self.is_shut = true;
            stream.set_read_deadline(Instant::now() + self.time);
        }
        let mut nothing = [0; FORGOTTEN];
        while self.most > 0
            && let Ok(length @ 1..) = ready!(Pin::new(&mut stream).poll_read(cx, &mut nothing))
        {
            self.most = self.most.saturating_sub(length);
        }
        Poll::Ready(Ok(()))
    }
}
