//! A call that may be slow, against a clock: `select!` between the answer and `after(d)`.
//!
//! Whichever is ready first happens, and the other one is dropped. Dropping the call is what stops it: a future that
//! nobody polls does nothing, so there is no goroutine left that computes an answer for nobody, as there would be in
//! Go without a context. `timeout(d, call)` is the same in one function, for when nothing else is waited for.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use clap::Parser;
use pirn::select;
use pirn::time::{after, sleep, timeout};
use pirn_examples::{Outcome, check, check_eq, duration, finish};

/// A fast and a slow call, each against the same time limit.
#[derive(Parser)]
pub(crate) struct Args {
    /// How long a call may take
    #[arg(long, default_value = "200ms", value_parser = duration)]
    limit: Duration,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

/// Stands for a request to somewhere else; notes when it got its answer.
async fn fetch(what: &str, takes: Duration, answered: Arc<AtomicBool>) -> String {
    sleep(takes).await;
    answered.store(true, Relaxed);
    format!("the contents of {what}")
}

/// What to show for a call that `takes` so long: its answer, or that there was none in time.
async fn call(what: &str, takes: Duration, limit: Duration, answered: &Arc<AtomicBool>) -> String {
    let outcome = select! {
        contents = fetch(what, takes, answered.clone()) => contents,
        _ = after(limit).recv() => format!("no answer from {what} within {limit:?}"),
    };
    println!("{outcome}");
    outcome
}

pub(crate) async fn run(args: Args) -> Outcome {
    let Args { limit } = args;
    let answered = Arc::new(AtomicBool::new(false));
    let fast = call("/fast", Duration::ZERO, limit, &answered).await;
    check_eq("the fast call gave its answer", fast.as_str(), "the contents of /fast")?;
    check("the fast call was carried out", answered.swap(false, Relaxed))?;

    let slow = call("/slow", Duration::from_secs(3600), limit, &answered).await;
    check("the slow call was given up", slow.starts_with("no answer from /slow within"))?;
    check("nobody goes on with the call that was given up", !answered.load(Relaxed))?;

    let both = timeout(limit, fetch("/slow", Duration::from_secs(3600), answered)).await;
    check("timeout() says the same of it", both.is_err())
}
