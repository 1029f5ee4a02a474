//! `PIRN_TRACE=sched=MS`: one line about every processor each MS milliseconds, on standard error, as Go's
//! `schedtrace` does.
//!
//! A thread of its own prints: a trace must go on while every worker is stuck, which is when it is wanted.

use crate::sched::Shared;
use crate::thread;
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, io};

/// What the environment asks for.
///
/// # Errors
/// `InvalidInput` for a value that is not of the form.
pub(crate) fn asked_for() -> io::Result<Option<Duration>> {
    let Some(asked) = env::var_os("PIRN_TRACE") else { return Ok(None) };
    let interval = asked.to_str().and_then(|asked| asked.strip_prefix("sched=")?.parse().ok());
    match interval {
        Some(ms) if ms > 0 => Ok(Some(Duration::from_millis(ms))),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("PIRN_TRACE must be sched=MS with a positive number of milliseconds, not {asked:?}"),
        )),
    }
}

/// Starts the printing thread, which ends with the runtime, whatever the interval.
pub(crate) fn start(shared: &Arc<Shared>, interval: Duration) -> io::Result<()> {
    let shared = Arc::clone(shared);
    let started = pirn_sync::clock::now();
    thread::start("pirn-trace".into(), None, move || print_each(&shared, started, interval)).map(drop)
}

fn print_each(shared: &Shared, started: Instant, interval: Duration) {
    while !shared.ends_within(interval) {
        // A full disk or a closed descriptor ends the line, not the program.
        let _ = io::Write::write_all(
            &mut io::stderr().lock(),
            lines(shared, pirn_sync::clock::now() - started).as_bytes(),
        );
    }
}

fn lines(shared: &Shared, age: Duration) -> String {
    let metrics = shared.metrics();
    let mut text = format!(
        "SCHED {}ms: procs={} idle={} withheld={} threads={} tasks={} injector={} timers={} descriptors={}\n",
        age.as_millis(),
        shared.procs(),
        shared.idle_procs(),
        metrics.withheld,
        metrics.threads,
        metrics.live_tasks,
        metrics.injector_len,
        metrics.timers,
        metrics.descriptors,
    );
    for (number, p) in metrics.procs.iter().enumerate() {
        let _ = writeln!(
            text,
            "  P{number}: polls={} queue={} steals={} parks={} handoffs={}",
            p.polls, p.local_queue_len, p.steals, p.parks, p.handoffs
        );
    }
    text
}
