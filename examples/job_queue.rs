//! Runs the jobs that stand in a file or come in on standard input, one per line, with a bounded pool and retries.
//!
//! ```text
//!   lines ──► intake ──► accepted jobs ──► worker ──┐
//!            (a blocking  (bounded)  ├───► worker ──┼──► results ──► JSON lines on standard output
//!             job)                   └───► worker ──┘    (bounded)   and a report on standard error
//! ```
//!
//! A job is a URL (`http://HOST[:PORT][/PATH][?QUERY]`, fetched) or else a shell command. It is *accepted* once it is
//! in the first channel, and every accepted job gets exactly one line of output:
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
use futures_lite::future::zip;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::http::uri::Scheme;
use hyper::{Request, Uri, header};
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
    finish(run).await
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

/// Why an attempt came to nothing.
type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// What one attempt came to; a success where there is no error.
struct Attempt {
    code: Option<i32>,
    error: Option<String>,
}

async fn attempt(text: &[u8]) -> Attempt {
    let ended = match url(text) {
        Some(url) => fetch(url).await.map(|status| {
            let error = (!(200..400).contains(&status)).then(|| format!("HTTP status {status}"));
            Attempt { code: Some(status.into()), error }
        }),
        None => command(text).await.map_err(AnyError::from),
    };
    ended.unwrap_or_else(|error| Attempt { code: None, error: Some(error.to_string()) })
}

/// The job as a URL, if it begins like one.
fn url(text: &[u8]) -> Option<&str> {
    let text = str::from_utf8(text).ok()?;
    let (scheme, _) = text.split_once("://")?;
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(text)
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

/// Asks for what a URL names, throws it away, and returns the HTTP status.
async fn fetch(url: &str) -> Result<u16, AnyError> {
    let (address, request) = ask_for(url)?;
    let (mut sender, connection) = http1::handshake(TcpStream::connect(address).await?).await?;
    // The sender goes with it: then nothing more will be asked, and the connection ends.
    let ask = async move {
        let mut answer = sender.send_request(request).await?;
        // Only the status matters; the rest is read so that the server can finish.
        while let Some(frame) = answer.frame().await {
            frame?;
        }
        Ok(answer.status().as_u16())
    };
    // The connection moves the bytes. An error of its own is seen by who asks, as well.
    let (status, _) = zip(ask, connection).await;
    status
}

const NO_HOST: &str = "the URL names no host";

/// The address to connect to, and what to say there.
fn ask_for(url: &str) -> Result<(String, Request<Empty<Bytes>>), AnyError> {
    let url: Uri = url.parse().map_err(|error| format!("this is no URL: {error}"))?;
    if url.scheme() != Some(&Scheme::HTTP) {
        return Err("only http:// is spoken here".into());
    }
    let authority = url.authority().ok_or(NO_HOST)?;
    if authority.as_str().contains('@') {
        return Err("a URL with a user in it is not followed".into());
    }
    let host = authority.host();
    if host.is_empty() {
        return Err(NO_HOST.into());
    }
    let port = match &authority.as_str()[host.len()..] {
        "" | ":" => 80,
        rest => port(rest).ok_or_else(|| format!("`{rest}` is no port"))?,
    };
    // A path that is empty means `/`, also where a query follows.
    let target = url.path_and_query().map_or("/".to_owned(), ToString::to_string);
    let request = Request::get(target)
        .header(header::HOST, authority.as_str())
        .header(header::CONNECTION, "close")
        .body(Empty::new())?;
    Ok((format!("{host}:{port}"), request))
}

/// The number behind a colon. A sign, which a number may have otherwise, makes it none.
fn port(text: &str) -> Option<u16> {
    let digits = text.strip_prefix(':')?;
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
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
