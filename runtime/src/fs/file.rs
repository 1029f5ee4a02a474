//! [`File`]: an open file as an async stream, over blocking jobs.
//!
//! One job is under way at a time (F4), and it owns a buffer of its own, so that a future which is dropped in the
//! middle takes no buffer away from the thread that fills it.
//!
//! ```text
//!               poll_read                        poll_write(bytes)
//!   Idle ────────────────────► Reading     Idle ──────────────────► Writing    returns at once
//!    ▲   bytes for the reader     │         ▲   an error is kept       │
//!    └────────────────────────────┘         └──────── for the next ────┘       flush waits for it
//!                                             operation
//! ```
//!
//! # Invariants
//! F1. `unread` holds bytes that a read has fetched and nobody has taken: a read whose future was dropped
//!     loses nothing, the next one takes them.
//! F2. The file's own position is ahead of the user's by `unread.len()`. Whatever depends on the position
//!     (a write, a seek from the current place) first steps back by that much, inside its job.
//!     The bytes are given up when that has succeeded: a seek that fails moves nothing, and what has no position (a
//!     pipe, a terminal) is written to without a step, and its bytes stay for the reader.
//! F3. An error of a write that has been reported as done is told once, by the next operation. One of a read, a seek or a
//!     call is for the future that asked for it, and for nobody if that was dropped.
//! F4. A job that has been started is in `state` until it has ended, whatever becomes of the future that asked for it.
//!     So operations take effect one after the other, in the order in which their jobs were started.

use std::fs::{Metadata, Permissions};
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncSeek, AsyncWrite};
use pirn_sync::primitive::Mutex;

use super::{Job, OpenOptions};

/// The most that one job reads or writes: large enough that the hand-over between threads does not matter.
const LARGEST_JOB: usize = 2 * 1024 * 1024;

/// An open file: [`AsyncRead`], [`AsyncWrite`], [`AsyncSeek`].
///
/// A write returns as soon as a job has taken the bytes; [`flush`](futures_lite::io::AsyncWriteExt::flush)
/// waits until they are in the file and tells whether they got there. Dropping a file does not wait for its
/// last write, and its error is lost then: flush first. For many small reads or writes put it into a
/// [`BufReader`](crate::io::BufReader) or [`BufWriter`](crate::io::BufWriter): each costs a job.
///
/// Reads and writes are cancel-safe. Operations take effect one after the other, in the order in which they were first
/// polled, also when their futures are dropped: the next one waits for what goes on. (After a seek that was dropped, the
/// same seek takes that one's place, since [`AsyncSeek`] does not tell the two apart.)
///
/// ```
/// use pirn::fs::{self, File};
/// use pirn::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
///
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let path = std::env::temp_dir().join(format!("pirn-file-{}", std::process::id()));
///     let mut file = fs::OpenOptions::new().read(true).write(true).create(true).open(&path).await?;
///     file.write_all(b"hello file").await?;
///     file.seek(SeekFrom::Start(6)).await?;
///     let mut text = String::new();
///     file.read_to_string(&mut text).await?;
///     assert_eq!(text, "file");
///     fs::remove_file(&path).await
/// })
/// # }
/// ```
#[derive(Debug)]
pub struct File {
    std: Arc<std::fs::File>,
    state: State,
    /// F1.
    unread: Vec<u8>,
    taken: usize,
    at: &'static Location<'static>,
}

#[derive(Debug)]
enum State {
    Idle,
    Reading(Job<Vec<u8>>),
    /// Whether it has stepped back (F2), and what became of the bytes.
    Writing(Job<(bool, io::Result<()>)>),
    Seeking(SeekFrom, Job<u64>),
    /// What the call returned is for its [`Settled`], if that is still there.
    Calling(Job<()>),
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// As [`std::fs::File::open`].
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Job<Self> {
        OpenOptions::new().read(true).open(path)
    }

    /// Makes a file, or empties it, for writing.
    ///
    /// # Errors
    /// As [`std::fs::File::create`].
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Job<Self> {
        OpenOptions::new().write(true).create(true).truncate(true).open(path)
    }

    /// Wraps std's file.
    #[track_caller]
    pub fn from_std(file: std::fs::File) -> Self {
        Self::opened_at(Location::caller(), file)
    }

    /// A file whose reads and writes the dump shows at `at`, where it was opened: their polls have no caller to tell of.
    pub(crate) fn opened_at(at: &'static Location<'static>, file: std::fs::File) -> Self {
        Self { std: Arc::new(file), state: State::Idle, unread: Vec::new(), taken: 0, at }
    }

    /// Writes everything to the disk, content and metadata.
    ///
    /// # Errors
    /// As [`std::fs::File::sync_all`], and those of an earlier write.
    #[track_caller]
    pub fn sync_all(&mut self) -> Settled<'_, ()> {
        Settled::new(self, |file| file.sync_all())
    }

    /// Writes the content to the disk.
    ///
    /// # Errors
    /// As [`std::fs::File::sync_data`], and those of an earlier write.
    #[track_caller]
    pub fn sync_data(&mut self) -> Settled<'_, ()> {
        Settled::new(self, |file| file.sync_data())
    }

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// As [`std::fs::File::set_len`], and those of an earlier write.
    #[track_caller]
    pub fn set_len(&mut self, length: u64) -> Settled<'_, ()> {
        Settled::new(self, move |file| file.set_len(length))
    }

    /// What the system knows of the file.
    ///
    /// # Errors
    /// As [`std::fs::File::metadata`], and those of an earlier write.
    #[track_caller]
    pub fn metadata(&mut self) -> Settled<'_, Metadata> {
        Settled::new(self, |file| file.metadata())
    }

    /// Changes who may do what with the file.
    ///
    /// # Errors
    /// As [`std::fs::File::set_permissions`], and those of an earlier write.
    #[track_caller]
    pub fn set_permissions(&mut self, permissions: Permissions) -> Settled<'_, ()> {
        Settled::new(self, move |file| file.set_permissions(permissions))
    }

    /// Waits for the job that is under way, whatever it is. An error is one of a write (F3).
    fn poll_settle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = match &mut self.state {
            State::Idle => return Poll::Ready(Ok(())),
            State::Reading(job) => {
                if let Ok(bytes) = ready!(Pin::new(job).poll(cx)) {
                    self.keep(bytes);
                }
                Ok(())
            }
            State::Seeking(_, job) => {
                if ready!(Pin::new(job).poll(cx)).is_ok() {
                    self.keep(Vec::new());
                }
                Ok(())
            }
            State::Writing(job) => ready!(Pin::new(job).poll(cx)).and_then(|(stepped_back, result)| {
                if stepped_back {
                    self.keep(Vec::new());
                }
                result
            }),
            State::Calling(job) => ready!(Pin::new(job).poll(cx)),
        };
        self.state = State::Idle;
        Poll::Ready(result)
    }

    fn keep(&mut self, bytes: Vec<u8>) {
        (self.unread, self.taken) = (bytes, 0);
    }

    /// How far the file's position is in front of the user's (F2).
    fn ahead(&self) -> i64 {
        (self.unread.len() - self.taken) as i64
    }

    fn take_unread(&mut self, buf: &mut [u8]) -> usize {
        let rest = &self.unread[self.taken..];
        let count = rest.len().min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        count
    }
}

/// As [`File::from_std`].
impl From<std::fs::File> for File {
    #[track_caller]
    fn from(file: std::fs::File) -> Self {
        Self::from_std(file)
    }
}

/// What is done by way of it knows nothing of the jobs, nor of bytes that were read ahead (F2).
impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.std.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.std.as_raw_fd()
    }
}

impl AsyncRead for File {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        loop {
            if let State::Reading(job) = &mut this.state {
                let fetched = ready!(Pin::new(job).poll(cx));
                this.state = State::Idle;
                this.keep(fetched?);
                return Poll::Ready(Ok(this.take_unread(buf)));
            }
            ready!(this.poll_settle(cx))?;
            if this.taken < this.unread.len() || buf.is_empty() {
                return Poll::Ready(Ok(this.take_unread(buf)));
            }
            let (file, room) = (Arc::clone(&this.std), buf.len().min(LARGEST_JOB));
            this.state = State::Reading(Job::called_at(this.at, move || {
                let mut bytes = vec![0; room];
                let count = read_once(&file, &mut bytes)?;
                bytes.truncate(count);
                Ok(bytes)
            }));
        }
    }
}

impl AsyncWrite for File {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_settle(cx))?;
        let bytes = buf[..buf.len().min(LARGEST_JOB)].to_vec();
        let (file, count, ahead) = (Arc::clone(&this.std), bytes.len(), this.ahead());
        this.state = State::Writing(Job::called_at(this.at, move || {
            Ok(match step_back(&file, ahead) {
                Ok(stepped_back) => (stepped_back, (&*file).write_all(&bytes)),
                Err(error) => (false, Err(error)),
            })
        }));
        // The first poll starts it; nobody else may ever poll this file again.
        match this.poll_settle(cx) {
            Poll::Ready(result) => Poll::Ready(result.map(|()| count)),
            Poll::Pending => Poll::Ready(Ok(count)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_settle(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncSeek for File {
    fn poll_seek(self: Pin<&mut Self>, cx: &mut Context<'_>, to: SeekFrom) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        loop {
            if let State::Seeking(under_way, job) = &mut this.state
                && *under_way == to
            {
                let result = ready!(Pin::new(job).poll(cx));
                this.state = State::Idle;
                if result.is_ok() {
                    this.keep(Vec::new());
                }
                return Poll::Ready(result);
            }
            ready!(this.poll_settle(cx))?;
            let (file, ahead) = (Arc::clone(&this.std), this.ahead());
            let job = Job::called_at(this.at, move || {
                (&*file).seek(match to {
                    // What is too small for a number lies before the beginning.
                    SeekFrom::Current(by) => SeekFrom::Current(by.checked_sub(ahead).ok_or_else(invalid)?),
                    other => other,
                })
            });
            this.state = State::Seeking(to, job);
        }
    }
}

/// Moves the file's position back to the user's (F2). False for a file that has none.
fn step_back(mut file: &std::fs::File, ahead: i64) -> io::Result<bool> {
    if ahead == 0 {
        return Ok(true);
    }
    match file.seek(SeekFrom::Current(-ahead)) {
        Err(error) if error.raw_os_error() == Some(libc::ESPIPE) => Ok(false),
        result => result.map(|_| true),
    }
}

/// What the system says to a seek before the beginning.
fn invalid() -> io::Error {
    io::Error::from_raw_os_error(libc::EINVAL)
}

/// A read that a signal handler does not end.
fn read_once(mut file: &std::fs::File, bytes: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// A call on a file after everything before it has been done.
///
/// Dropping it before the call has begun leaves the file alone; afterwards the call runs to its end unseen, and what is
/// done next with the file waits for it.
#[must_use = "futures do nothing unless awaited"]
pub struct Settled<'a, T> {
    file: &'a mut File,
    /// Until its turn has come; then it is the file's (F4).
    job: Option<Job<()>>,
    /// Where the job leaves what the call has returned.
    answer: Arc<Mutex<Option<io::Result<T>>>>,
}

impl<'a, T: Send + 'static> Settled<'a, T> {
    #[track_caller]
    fn new(
        file: &'a mut File,
        call: impl FnOnce(&std::fs::File) -> io::Result<T> + Send + Sync + 'static,
    ) -> Self {
        let (std, answer) = (Arc::clone(&file.std), Arc::new(Mutex::new(None)));
        let place = Arc::clone(&answer);
        let job = Job::new(move || {
            let result = call(&std);
            *place.lock() = Some(result);
            Ok(())
        });
        Self { file, job: Some(job), answer }
    }
}

impl<T: Send + 'static> Future for Settled<'_, T> {
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.job.is_some() {
            ready!(this.file.poll_settle(cx))?;
        }
        if let Some(job) = this.job.take() {
            this.file.state = State::Calling(job);
        }
        ready!(this.file.poll_settle(cx))?;
        let answer = this.answer.lock().take();
        Poll::Ready(answer.expect("a file operation was polled after it returned"))
    }
}

impl<T> std::fmt::Debug for Settled<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settled").field("file", &self.file).field("job", &self.job).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
