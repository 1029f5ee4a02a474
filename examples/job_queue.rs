//! Runs the jobs that stand in a file or come in on standard input, one per line, with a bounded pool and retries.
//!
//! ```text
//!   lines ──► intake ──► accepted jobs ──► worker ──┐
//!            (a blocking  (bounded)  ├───► worker ──┼──► results ──► JSON lines on standard output
//!             job)                   └───► worker ──┘    (bounded)   and a report on standard error
//! ```
//!
//! A job is a URL (`http://HOST:PORT/PATH`, fetched) or else a shell command. It is *accepted* once it is in the first
//! channel, and every accepted job gets exactly one line of output:
//!
//! ```json
//! {"line":3,"job":"make test","status":"ok","attempts":1,"code":0,"ms":512.25}
//! ```
//!
//! # Shutting down
//! The first SIGINT or SIGTERM *closes the channel of accepted jobs*, and the rest follows from what closing means:
//! the intake's next send fails, with the job given back, so that job was not accepted; the workers drain what is
//! in the channel, then learn that it is closed and end; as they end, the channel of results closes, and the program
//! is done. A second signal, or the end of `--grace`, cancels the context under which the jobs run. Their processes
//! are killed, and they and all that still wait are reported as `canceled`. No accepted job is lost either way.
//!
//! A line of output that cannot be written, because its reader has gone or the disk is full, is as good as a second
//! signal: nobody would learn what becomes of the jobs. The report on standard error still accounts for each of them.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use pirn::channel::{Receiver, Sender, WeakSender, bounded};
use pirn::net::TcpStream;
use pirn::process::Command;
use pirn::signal::{self, Signal};
use pirn::time::{sleep, timeout};
use pirn::{CancelFunc, Context, select, spawn_blocking};
use pirn_examples::{Failure, MOST, Outcome, complain, duration, finish};
use serde::Serialize;

/// Runs jobs, one per line: shell commands, or URLs to fetch. Writes one JSON line about each.
///
/// What the jobs print goes to standard error. SIGINT or SIGTERM ends the intake, and what was accepted is still done;
/// a second one cancels that too, as does a line that cannot be written. The exit code is 0 if every job succeeded, 1
/// if one did not or a line could not be written, and 2 if FILE cannot be read, or has a line of more than 1 MiB.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// The file with the jobs; without it they are read from standard input
    file: Option<PathBuf>,
    /// How many jobs run at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=MOST))]
    workers: u32,
    /// How often a job that failed is tried again
    #[arg(long, value_name = "N", default_value_t = 2)]
    retries: u32,
    /// The pause before the first retry; each further one doubles it, up to ten seconds
    #[arg(long, value_name = "D", default_value = "100ms", value_parser = duration)]
    backoff: Duration,
    /// How long one attempt may take [default: as long as it likes]
    #[arg(long, value_name = "D", value_parser = duration)]
    timeout: Option<Duration>,
    /// How many jobs are accepted ahead of the workers
    #[arg(long, value_name = "N", default_value = "16")]
    queue: NonZeroUsize,
    /// How long accepted jobs may go on after the first signal
    #[arg(long, value_name = "D", default_value = "30s", value_parser = duration)]
    grace: Duration,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run(Args::parse())).await
}

async fn run(args: Args) -> Outcome {
    let input = open(&args.file)?;
    // Asked for before the first job is accepted: from here on no signal ends the process by itself.
    let signals = signal::notify(&[Signal::INT, Signal::TERM]);
    let (accepting, stop) = Context::background().with_cancel();
    let (ctx, cancel) = Context::background().with_cancel();
    let (accept, accepted) = bounded(args.queue.get());
    let (report, results) = bounded(args.queue.get());

    let shutdown = Arc::new(Shutdown { accept: accept.downgrade(), stop, cancel });
    pirn::go!(obey(signals, shutdown.clone(), args.grace));
    let intake = spawn_blocking(move || take_in(input, &accept));
    let plan = Plan { retries: args.retries, backoff: args.backoff, timeout: args.timeout };
    let workers: Vec<_> = (0..args.workers)
        .map(|_| pirn::spawn(work(ctx.clone(), plan, accepted.clone(), report.clone())))
        .collect();
    drop((accepted, report));

    let mut tally = Tally::default();
    let mut written = Ok(());
    while let Ok(result) = results.recv().await {
        tally.add(&result);
        let line = serde_json::to_string(&result).expect("a result is plain data");
        if written.is_ok() {
            written = writeln!(io::stdout(), "{line}");
            if written.is_err() {
                shutdown.end_intake();
                shutdown.end_jobs();
            }
        }
    }
    // After a signal the intake may sit in a read that nobody can end. It accepts nothing any more, and is left.
    let read = match accepting.run(intake).await {
        Ok(intake) => intake.unwrap_or_else(|panic| Err(io::Error::other(panic))),
        Err(_stopped) => Ok(()),
    };
    complain(tally.report());
    // The report knows nothing of a job whose worker panicked.
    for worker in workers {
        worker.await.map_err(|error| Failure::Wrong(format!("a worker failed: {error}")))?;
    }
    written.map_err(|error| Failure::Wrong(format!("cannot write: {error}")))?;
    read.map_err(|error| Failure::Input(format!("the jobs could not be read to their end: {error}")))?;
    match tally.failed + tally.canceled {
        0 => Ok(()),
        bad => Err(Failure::Wrong(format!("{bad} of {} jobs did not succeed", tally.accepted()))),
    }
}

fn open(file: &Option<PathBuf>) -> Outcome<Box<dyn BufRead + Send>> {
    let Some(path) = file else { return Ok(Box::new(BufReader::new(io::stdin()))) };
    let unreadable = |error: io::Error| Failure::Input(format!("{}: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    Ok(Box::new(BufReader::new(file)))
}

/// How many bytes a line of input may have, with its end. It bounds the memory, and the kernel takes no such command.
const LONGEST: u64 = 1 << 20;

/// A line of input.
struct Job {
    line: u64,
    text: Vec<u8>,
}

/// Accepts one job per line that is not blank, until the input ends or the channel is closed.
fn take_in(mut input: impl BufRead, accept: &Sender<Job>) -> io::Result<()> {
    for line in 1.. {
        let mut text = Vec::new();
        match input.by_ref().take(LONGEST + 1).read_until(b'\n', &mut text)? as u64 {
            0 => break,
            1..=LONGEST => {}
            _ => {
                let message = format!("line {line} is longer than 1 MiB");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
        }
        let text = text.trim_ascii().to_vec();
        if !text.is_empty() && accept.send_blocking(Job { line, text }).is_err() {
            break;
        }
    }
    Ok(())
}

/// The two steps of shutting down.
struct Shutdown {
    accept: WeakSender<Job>,
    stop: CancelFunc,
    cancel: CancelFunc,
}

impl Shutdown {
    /// From now on nothing is accepted.
    fn end_intake(&self) {
        self.stop.cancel();
        // Where there is no sender any more the input has ended, and the channel is closed already.
        if let Some(accept) = self.accept.upgrade() {
            accept.close();
        }
    }

    /// Cancels the jobs that run, and those that wait.
    fn end_jobs(&self) {
        self.cancel.cancel();
    }
}

/// Turns the first signal into the end of the intake, and the second, or the end of `grace`, into the end of the jobs.
async fn obey(signals: Receiver<Signal>, shutdown: Arc<Shutdown>, grace: Duration) {
    let Ok(signal) = signals.recv().await else { return };
    complain(format_args!("{signal:?}: what was accepted is still done; a second signal cancels it"));
    shutdown.end_intake();
    select! {
        _ = second(&signals) => {}
        _ = sleep(grace) => {}
    }
    shutdown.end_jobs();
}

/// Waits for a signal that is meant as a second one.
///
/// Whoever ends a program often tells it twice: the process itself, and then its group, as timeout(1) does.
async fn second(signals: &Receiver<Signal>) {
    sleep(Duration::from_millis(250)).await;
    while signals.try_recv().is_ok() {}
    let _ = signals.recv().await;
}

/// How often and how patiently a job is tried.
#[derive(Clone, Copy)]
struct Plan {
    retries: u32,
    backoff: Duration,
    timeout: Option<Duration>,
}

/// What became of a job: one line of output.
#[derive(Serialize)]
struct JobResult {
    line: u64,
    job: String,
    status: Status,
    attempts: u32,
    /// The exit code of the last attempt, or its HTTP status; none where it did not come to that.
    code: Option<i32>,
    /// From the first attempt's start to the last one's end, in milliseconds.
    ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    Failed,
    Canceled,
}

/// A worker: does accepted jobs until there will be no more.
async fn work(ctx: Context, plan: Plan, accepted: Receiver<Job>, report: Sender<JobResult>) {
    while let Ok(job) = accepted.recv().await {
        let result = perform(&ctx, plan, &job).await;
        if report.send(result).await.is_err() {
            return;
        }
    }
}

/// Tries a job until it succeeds, the retries are used up, or the context ends.
async fn perform(ctx: &Context, plan: Plan, job: &Job) -> JobResult {
    let begun = Instant::now();
    let mut pause = plan.backoff;
    let mut attempts = 0;
    let mut last = Attempt { code: None, error: None };
    let status = loop {
        if ctx.err().is_some() {
            break Status::Canceled;
        }
        attempts += 1;
        let limit = plan.timeout.unwrap_or(Duration::MAX);
        match ctx.run(timeout(limit, attempt(&job.text))).await {
            Err(_ended) => break Status::Canceled,
            Ok(Err(_late)) => last = Attempt { code: None, error: Some(format!("no end within {limit:?}")) },
            Ok(Ok(ended)) => last = ended,
        }
        if last.error.is_none() {
            break Status::Ok;
        }
        if attempts > plan.retries {
            break Status::Failed;
        }
        // The loop looks at the context itself.
        let _ = ctx.run(sleep(pause)).await;
        pause = pause.saturating_mul(2).min(Duration::from_secs(10)).max(plan.backoff);
    };
    let error =
        if status == Status::Canceled { ctx.cause().map(|cause| cause.to_string()) } else { last.error };
    JobResult {
        line: job.line,
        job: String::from_utf8_lossy(&job.text).into_owned(),
        status,
        attempts,
        code: last.code,
        ms: (begun.elapsed().as_secs_f64() * 1e6).round() / 1e3,
        error,
    }
}

/// What one attempt came to; a success where there is no error.
struct Attempt {
    code: Option<i32>,
    error: Option<String>,
}

async fn attempt(text: &[u8]) -> Attempt {
    let url = std::str::from_utf8(text).ok().and_then(|text| text.strip_prefix("http://"));
    let ended = match url {
        Some(rest) => fetch(rest).await.map(|status| {
            let error = (!(200..400).contains(&status)).then(|| format!("HTTP status {status}"));
            Attempt { code: Some(status), error }
        }),
        None => command(text).await,
    };
    ended.unwrap_or_else(|error| Attempt { code: None, error: Some(error.to_string()) })
}

/// Runs a shell command. Dropping this future kills it, with whatever it has started.
async fn command(text: &[u8]) -> io::Result<Attempt> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(OsStr::from_bytes(text))
        .stdin(Stdio::null())
        .stdout(io::stderr())
        // A signal that a terminal sends to us is ours to pass on, not the jobs' to die of.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group(child.id());
    let status = child.wait().await?;
    // What the job left running in the background is its own affair.
    std::mem::forget(group);
    let error = (!status.success()).then(|| status.to_string());
    Ok(Attempt { code: status.code(), error })
}

/// A process group, all of which is killed when this is dropped.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // SAFETY: it takes two numbers. The group is the child's own: its number is that of a child that nobody
            // has waited for, so nobody else has it.
            unsafe { libc::killpg(group, libc::SIGKILL) };
        }
    }
}

/// Asks `HOST:PORT/PATH` for its contents, which it throws away, and returns the HTTP status.
async fn fetch(rest: &str) -> io::Result<i32> {
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let stream = TcpStream::connect(address).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        let written = stream.write(rest).await?;
        rest = &rest[written..];
    }
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        // Only the first line matters; the rest is read so that the server can finish.
        let room = 64_usize.saturating_sub(answer.len());
        answer.extend_from_slice(&buffer[..read.min(room)]);
    }
    let status = std::str::from_utf8(&answer).ok().and_then(|answer| answer.strip_prefix("HTTP/1."));
    let status = status.and_then(|line| line.get(2..5)).and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

/// What all jobs came to.
#[derive(Default)]
struct Tally {
    ok: usize,
    failed: usize,
    canceled: usize,
    retries: u64,
    /// Of the jobs that succeeded, in milliseconds.
    latencies: Vec<f64>,
}

impl Tally {
    fn add(&mut self, result: &JobResult) {
        match result.status {
            Status::Ok => {
                self.ok += 1;
                self.latencies.push(result.ms);
            }
            Status::Failed => self.failed += 1,
            Status::Canceled => self.canceled += 1,
        }
        self.retries += u64::from(result.attempts.saturating_sub(1));
    }

    fn accepted(&self) -> usize {
        self.ok + self.failed + self.canceled
    }

    fn report(&mut self) -> String {
        self.latencies.sort_by(f64::total_cmp);
        let quantile = |part: f64| {
            let last = self.latencies.len().saturating_sub(1);
            self.latencies.get((part * last as f64).round() as usize).copied().unwrap_or_default()
        };
        format!(
            "{} jobs accepted: {} ok, {} failed, {} canceled; {} retries; latency p50 {:.1} ms, p99 {:.1} ms",
            self.accepted(),
            self.ok,
            self.failed,
            self.canceled,
            self.retries,
            quantile(0.5),
            quantile(0.99),
        )
    }
}
