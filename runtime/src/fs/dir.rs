//! [`read_dir`]: the entries of a directory, fetched in batches.
//!
//! One job per entry would spend its time on hand-overs between threads, and one job for all of them would
//! hold a directory of a million entries in memory. So each job fetches up to [`BATCH`] entries and hands
//! std's iterator back for the next.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{FileType, Metadata};
use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};

use super::Job;

/// Entries per job.
const BATCH: usize = 64;

/// Opens a directory and fetches its first entries.
///
/// # Errors
/// As [`std::fs::read_dir`].
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// pirn::block_on(async {
///     let mut entries = pirn::fs::read_dir(".").await?;
///     while let Some(entry) = entries.next_entry().await? {
///         println!("{}", entry.path().display());
///     }
///     Ok(())
/// })
/// # }
/// ```
#[track_caller]
pub fn read_dir(path: impl AsRef<Path>) -> Job<ReadDir> {
    let (path, at) = (path.as_ref().to_owned(), Location::caller());
    Job::new(move || {
        let batch = fetch(std::fs::read_dir(path)?);
        let mut entries = ReadDir { entries: VecDeque::new(), more: More::None, at };
        entries.take(batch);
        Ok(entries)
    })
}

/// The entries of a directory in no particular order, without `.` and `..`. Also a stream.
#[derive(Debug)]
pub struct ReadDir {
    entries: VecDeque<io::Result<DirEntry>>,
    more: More,
    at: &'static Location<'static>,
}

#[derive(Debug)]
enum More {
    None,
    Unasked(std::fs::ReadDir),
    Asked(Job<Batch>),
}

type Batch = (VecDeque<io::Result<DirEntry>>, Option<std::fs::ReadDir>);

impl ReadDir {
    /// The next entry, `None` after the last. Cancel-safe: an entry is taken in the poll that returns it.
    ///
    /// # Errors
    /// What the system gives instead of one entry; the others may still follow.
    pub fn next_entry(&mut self) -> NextEntry<'_> {
        NextEntry(self)
    }

    fn take(&mut self, (entries, rest): Batch) {
        self.entries = entries;
        self.more = rest.map_or(More::None, More::Unasked);
    }
}

impl Stream for ReadDir {
    type Item = io::Result<DirEntry>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(entry) = this.entries.pop_front() {
                return Poll::Ready(Some(entry));
            }
            this.more = match std::mem::replace(&mut this.more, More::None) {
                More::None => return Poll::Ready(None),
                More::Unasked(rest) => More::Asked(Job::called_at(this.at, move || Ok(fetch(rest)))),
                asked => asked,
            };
            if let More::Asked(job) = &mut this.more {
                match ready!(Pin::new(job).poll(cx)) {
                    Ok(batch) => this.take(batch),
                    Err(error) => {
                        this.more = More::None;
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
        }
    }
}

impl FusedStream for ReadDir {
    /// Whether nothing comes any more. Not known of a directory whose last batch was full.
    fn is_terminated(&self) -> bool {
        self.entries.is_empty() && matches!(self.more, More::None)
    }
}

/// The future of [`ReadDir::next_entry`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct NextEntry<'a>(&'a mut ReadDir);

impl Future for NextEntry<'_> {
    type Output = io::Result<Option<DirEntry>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.get_mut().0).poll_next(cx).map(Option::transpose)
    }
}

/// One entry of a directory.
#[derive(Clone, Debug)]
pub struct DirEntry(Arc<std::fs::DirEntry>);

impl DirEntry {
    /// The directory's path with the entry's name.
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// The name alone.
    pub fn file_name(&self) -> OsString {
        self.0.file_name()
    }

    /// What the system knows of it; does not follow symbolic links.
    ///
    /// # Errors
    /// As [`std::fs::DirEntry::metadata`].
    #[track_caller]
    pub fn metadata(&self) -> Job<Metadata> {
        let entry = Arc::clone(&self.0);
        Job::new(move || entry.metadata())
    }

    /// Whether it is a file, a directory or a symbolic link.
    ///
    /// # Errors
    /// As [`std::fs::DirEntry::file_type`].
    #[track_caller]
    pub fn file_type(&self) -> Job<FileType> {
        let entry = Arc::clone(&self.0);
        Job::new(move || entry.file_type())
    }
}

fn fetch(mut rest: std::fs::ReadDir) -> Batch {
    let entries: VecDeque<_> =
        rest.by_ref().take(BATCH).map(|entry| entry.map(|entry| DirEntry(Arc::new(entry)))).collect();
    let more = entries.len() == BATCH;
    (entries, more.then_some(rest))
}
