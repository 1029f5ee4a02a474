//! Counts the files, lines and words of a directory tree: a walker, a bounded pool of readers, a merge.
//!
//! ```text
//!                batches of paths       ┌── reader ──┐        counts
//!    walker ───────────────────────────►┼── reader ──┼──────────────────► merge ──► N files, N lines, N words
//!   (one blocking job)    bounded       └── reader ──┘        bounded       │
//!                                     (each batch: a blocking job)          └──► a progress line
//! ```
//!
//! Reading directories and files blocks the thread that does it, so all of that happens in `spawn_blocking` jobs;
//! tasks coordinate. The walker is a job too: it hands its findings to the tasks through an ordinary channel, by
//! `send_blocking`. Both channels are bounded, so a huge tree costs no more memory than its counts.
//!
//! # Stopping
//! Ctrl-C, SIGTERM and `--timeout` end one context, and everybody listens to it: a job between two reads, a reader
//! while it waits for a batch or a job, the merge while it waits for counts. The readers' going away closes the
//! walker's channel, so its next send fails and it returns. Nobody waits for a job that hangs in the kernel (on a
//! dead network mount, say): it is simply left behind, and the partial result is printed.
//!
//! # Agreeing with `find DIR -type f | xargs cat | wc -lw`
//! Symbolic links are not followed, so there are no loops, and special files are passed over. DIR itself may be a
//! link. The walk has `find`'s order and every file its number in it, because a word may span two files in
//! the eyes of `cat`: see `count.rs`, and `order.rs`.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pirn::channel::{Receiver, SendError, Sender, bounded};
use pirn::signal::Signal;
use pirn::{Context, select, spawn_blocking};
use pirn_examples::{Failure, MOST, Outcome, arguments, complain, duration, start};

mod count;
mod order;
mod progress;

use count::{Count, Locale, count};
use order::entries;
use progress::Progress;

/// Counts the files, lines and words of a directory tree, as `find DIR -type f | xargs cat | wc -lw` does.
///
/// What cannot be read is named on standard error and passed over. Ctrl-C ends the count early, with what has been
/// counted so far. The exit code is 0 also then; it is 1 when something was passed over, and 2 when DIR is not there or
/// cannot be read.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The tree; a single file is a small one
    dir: PathBuf,
    /// How many files are read at once [default: two per processor, at least four]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST))]
    workers: Option<u32>,
    /// Stop after this time with what has been counted so far, as in 10s or 500ms
    #[arg(long, value_name = "D", value_parser = duration)]
    timeout: Option<Duration>,
}

fn main() -> ExitCode {
    let args = arguments();
    // While there is only one thread: see `of_the_environment`.
    let locale = Locale::of_the_environment();
    start(run(args, locale))
}

async fn run(args: Args, locale: Locale) -> Outcome {
    let Args { dir, workers, timeout } = args;
    let (ctx, _signals) = Context::notify(&Context::background(), &[Signal::INT, Signal::TERM]);
    let (ctx, _cancel) = ctx.with_timeout(timeout.unwrap_or(Duration::MAX));
    let root = root(&dir).map_err(|error| Failure::Input(format!("{}: {error}", dir.display())))?;

    let workers = workers.map_or_else(|| (2 * pirn::procs()).max(4), |workers| workers as usize);
    let (found, batches) = bounded(2 * workers);
    let (report, counts) = bounded(2 * workers);
    let walker = spawn_blocking({
        let walk = Walk { found, report: report.clone(), ctx: ctx.clone(), batch: Vec::new(), files: 0 };
        move || walk.run(root)
    });
    for _ in 0..workers {
        pirn::go!(read(ctx.clone(), batches.clone(), report.clone(), locale));
    }
    drop((batches, report));

    let mut totals = Totals::default();
    let mut progress = Progress::start();
    merge(&ctx, counts, &mut totals, &mut progress).await;
    progress.end();
    summary(&ctx, &totals);
    if ctx.err().is_none() {
        let walked = walker.await.map_err(|error| Failure::Wrong(format!("the walk failed: {error}")))?;
        if walked != totals.counts.len() {
            let message = format!("{walked} files were found, but {} came back", totals.counts.len());
            return Err(Failure::Wrong(message));
        }
    }
    match totals.unreadable {
        0 => Ok(()),
        missing => Err(Failure::Wrong(format!("{missing} could not be read"))),
    }
}

/// A path with its number in the walk's order.
type Numbered = (usize, PathBuf);

/// How many paths go to a reader at once: enough that handing them over costs little beside reading them.
const BATCH: usize = 32;

/// What the merge hears.
enum Event {
    /// The files of one batch, with what they hold, or why they could not be read.
    Counted(Vec<(usize, Result<Count, Problem>)>),
    /// A directory that could not be read.
    Unlisted(Problem),
}

struct Problem {
    path: PathBuf,
    error: io::Error,
}

/// Where the walk begins. Unlike anything below it, this may be a link.
enum Root {
    Directory(Vec<fs::DirEntry>),
    File(PathBuf),
}

fn root(dir: &Path) -> io::Result<Root> {
    let kind = fs::metadata(dir)?;
    if kind.is_file() {
        // Only to learn whether that is allowed: a file that is not is passed over, but here it is all there is.
        File::open(dir)?;
        return Ok(Root::File(dir.to_owned()));
    }
    Ok(Root::Directory(entries(dir)?))
}

/// The walker: goes through the tree as `find` does, each directory at the place where its parent lists it.
struct Walk {
    found: Sender<Vec<Numbered>>,
    report: Sender<Event>,
    ctx: Context,
    batch: Vec<Numbered>,
    files: usize,
}

/// The readers or the merge have gone, because the context has ended.
struct Stopped;

impl<T> From<SendError<T>> for Stopped {
    fn from(_: SendError<T>) -> Self {
        Self
    }
}

impl Walk {
    /// Walks the tree and returns how many files it found.
    fn run(mut self, root: Root) -> usize {
        // An error means only that nobody listens any more.
        let _ = match root {
            Root::File(path) => self.file(path),
            Root::Directory(entries) => self.tree(entries),
        }
        .and_then(|()| self.flush());
        self.files
    }

    fn tree(&mut self, mut stack: Vec<fs::DirEntry>) -> Result<(), Stopped> {
        while let Some(entry) = stack.pop() {
            if self.ctx.err().is_some() {
                return Err(Stopped);
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => match entries(&entry.path()) {
                    Ok(entries) => stack.extend(entries),
                    Err(error) => self.unlisted(entry.path(), error)?,
                },
                Ok(kind) if kind.is_file() => self.file(entry.path())?,
                Ok(_) => {}
                Err(error) => self.unlisted(entry.path(), error)?,
            }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf) -> Result<(), Stopped> {
        self.batch.push((self.files, path));
        self.files += 1;
        if self.batch.len() == BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        if self.batch.is_empty() {
            return Ok(());
        }
        Ok(self.found.send_blocking(std::mem::take(&mut self.batch))?)
    }

    fn unlisted(&mut self, path: PathBuf, error: io::Error) -> Result<(), Stopped> {
        Ok(self.report.send_blocking(Event::Unlisted(Problem { path, error }))?)
    }
}

/// A reader: takes batches until there are no more, and has each one read where blocking hurts nobody.
async fn read(ctx: Context, batches: Receiver<Vec<Numbered>>, report: Sender<Event>, locale: Locale) {
    loop {
        let batch = select! {
            biased;
            _ = ctx.done() => return,
            batch = batches.recv() => match batch {
                Ok(batch) => batch,
                Err(_) => return,
            },
        };
        let (stop, report) = (ctx.clone(), report.clone());
        let job = spawn_blocking(move || {
            let counted = batch.into_iter().map_while(|(number, path)| {
                (stop.err().is_none()).then(|| (number, count_file(&stop, path, locale)))
            });
            // An error means only that nobody listens any more.
            let _ = report.send_blocking(Event::Counted(counted.collect()));
        });
        // A job that hangs is left behind when the context ends.
        let _ = ctx.run(job).await;
    }
}

fn count_file(ctx: &Context, path: PathBuf, locale: Locale) -> Result<Count, Problem> {
    let counted = File::open(&path).and_then(|file| count(file, locale, || ctx.err().is_none()));
    counted.map_err(|error| Problem { path, error })
}

/// What has come in so far.
#[derive(Default)]
struct Totals {
    /// One entry per file, by number; none for a file that could not be read or has not come in.
    counts: Vec<Option<Count>>,
    files: usize,
    unreadable: usize,
}

impl Totals {
    fn add(&mut self, number: usize, counted: Option<Count>) {
        if self.counts.len() <= number {
            self.counts.resize(number + 1, None);
        }
        match counted {
            Some(_) => self.files += 1,
            None => self.unreadable += 1,
        }
        self.counts[number] = counted;
    }

    /// The count of all files, one after the other in the walk's order.
    fn all(&self) -> Count {
        self.counts.iter().flatten().copied().fold(Count::default(), Count::then)
    }
}

/// Adds up what the readers send, until they are done or the context ends.
async fn merge(ctx: &Context, counts: Receiver<Event>, totals: &mut Totals, progress: &mut Progress) {
    let tick = pirn::time::tick(progress.period());
    loop {
        select! {
            event = counts.recv() => match event {
                Ok(event) => settle(event, totals, progress),
                Err(_) => return,
            },
            _ = tick.recv() => progress.show(totals.files),
            _ = ctx.done() => break,
        }
    }
    // What had been counted by then belongs to the partial result.
    while let Ok(event) = counts.try_recv() {
        settle(event, totals, progress);
    }
}

fn settle(event: Event, totals: &mut Totals, progress: &Progress) {
    // The debug form of a path keeps a name with a newline on one line.
    let name = |Problem { path, error }| progress.complain(&format!("cannot read {path:?}: {error}"));
    match event {
        Event::Unlisted(problem) => {
            totals.unreadable += 1;
            name(problem);
        }
        Event::Counted(files) => {
            for (number, counted) in files {
                totals.add(number, counted.map_err(name).ok());
            }
        }
    }
}

fn summary(ctx: &Context, totals: &Totals) {
    if let Some(cause) = ctx.cause() {
        complain(format_args!("stopped early: {cause}; this is what was counted until then"));
    }
    let all = totals.all();
    println!("{} files, {} lines, {} words", totals.files, all.lines, all.words);
}
