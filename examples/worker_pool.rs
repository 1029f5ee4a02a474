//! A fixed number of workers take jobs from one channel and put results into another; a context bounds the wait.
//!
//! ```text
//!               ┌── worker 1 ──┐
//!    jobs ──────┼── worker 2 ──┼──────► results: (job, Ok or Err)
//!    (bounded)  └── worker 3 ──┘
//! ```
//!
//! The number of workers bounds how much runs at once, the capacity of `jobs` how far the producer runs ahead. A
//! result carries the job that it belongs to, so that an error is never without its job, in whatever order results
//! arrive. Each job runs under a timeout of its own; a job that hangs costs its worker no more than that.

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pirn::channel::{Receiver, Sender, bounded};
use pirn::time::sleep;
use pirn::{Context, ContextError};
use pirn_examples::{MOST, Outcome, check, check_eq, check_no_task_is_left, finish, live_tasks};

/// A bounded pool of workers turns jobs into results; jobs and errors stay paired.
#[derive(Parser)]
pub(crate) struct Args {
    /// How many jobs there are
    #[arg(long, default_value_t = 20)]
    jobs: u64,
    /// How many workers share them
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(..=MOST))]
    workers: u32,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum JobError {
    /// The job's number brings bad luck.
    Unlucky,
    /// The job took longer than it was given.
    Stopped(ContextError),
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlucky => f.write_str("unlucky number"),
            Self::Stopped(why) => why.fmt(f),
        }
    }
}

type JobResult = (u64, Result<u64, JobError>);

pub(crate) async fn run(args: Args) -> Outcome {
    let before = live_tasks();
    let (submit, jobs) = bounded(4);
    let (report, results) = bounded(4);
    let (ctx, _cancel) = Context::background().with_cancel();
    for number in 1..=args.workers {
        pirn::go!(work(number, ctx.clone(), jobs.clone(), report.clone()));
    }
    // The workers hold the channel's other ends now. Ours would keep it open for ever.
    drop((jobs, report));
    pirn::go!({
        for job in 1..=args.jobs {
            if submit.send(job).await.is_err() {
                return;
            }
        }
    });

    let mut found: Vec<JobResult> = Vec::new();
    while let Ok((job, result)) = results.recv().await {
        match result {
            Ok(square) => println!("job {job}: {square}"),
            Err(error) => println!("job {job}: failed: {error}"),
        }
        found.push((job, result));
    }

    if args.workers == 0 {
        return check("without workers nothing is done", found.is_empty());
    }
    found.sort_by_key(|(job, _)| *job);
    let expected: Vec<JobResult> = (1..=args.jobs).map(|job| (job, expected_of(job))).collect();
    check_eq("every job came back once, with its own result or error", found, expected)?;
    check_no_task_is_left(before).await
}

async fn work(number: u32, ctx: Context, jobs: Receiver<u64>, report: Sender<JobResult>) {
    while let Ok(job) = jobs.recv().await {
        println!("worker {number} takes job {job}");
        let (budget, _cancel) = ctx.with_timeout(Duration::from_millis(250));
        let result = budget.run(square(job)).await.unwrap_or_else(|why| Err(JobError::Stopped(why)));
        if report.send((job, result)).await.is_err() {
            return;
        }
    }
}

/// The work itself: every seventh job fails, and the eighth would take an hour.
async fn square(job: u64) -> Result<u64, JobError> {
    let takes = if job == 8 { Duration::from_secs(3600) } else { Duration::from_millis(5) };
    sleep(takes).await;
    if job.is_multiple_of(7) { Err(JobError::Unlucky) } else { Ok(job * job) }
}

fn expected_of(job: u64) -> Result<u64, JobError> {
    match job {
        8 => Err(JobError::Stopped(ContextError::DeadlineExceeded)),
        _ if job.is_multiple_of(7) => Err(JobError::Unlucky),
        _ => Ok(job * job),
    }
}
