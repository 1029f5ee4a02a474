//! `waitgroup`: 100,000 tasks are started, and the end of the last is awaited without a handle for each.
//!
//! Who has no wait group uses what it has: tokio a `TaskTracker`; smol the handles.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::contender::{Contender, EXECUTORS};
use crate::exec::{self, Exec};
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[Row {
    name: "waitgroup",
    figures: &[Figure::less("waitgroup", "ns")],
    contenders: EXECUTORS,
    run: wait_group,
}];

const TASKS: u64 = 100_000;
const THREADS: u64 = 5_000;

fn wait_group(setup: Setup) -> Measured {
    match setup.contender {
        Contender::Pirn => run::<exec::Pirn, _>(setup, TASKS, on_pirn),
        Contender::Tokio => run::<exec::Tokio, _>(setup, TASKS, on_tokio),
        Contender::Smol => run::<exec::Smol, _>(setup, TASKS, on_smol),
        Contender::Std => run::<exec::Threads, _>(setup, THREADS, on_std),
        other => panic!("{} takes no part in this row", other.name()),
    }
}

/// How many tasks have run. A static, so that what is shared beside the wait group costs as little as it can.
static DONE: AtomicU64 = AtomicU64::new(0);

fn run<E, F>(setup: Setup, tasks: u64, work: fn(u64) -> F) -> Measured
where
    E: Exec,
    F: Future<Output = ()> + Send + 'static,
{
    let (time, done) = E::run(setup.procs, async move {
        let begun = Instant::now();
        work(tasks).await;
        // Relaxed: the waiting has ordered it after every task.
        (begun.elapsed(), DONE.load(Ordering::Relaxed))
    });
    assert_eq!(done, tasks, "every task is waited for");
    Measured::ns_each(time, tasks)
}

/// What each task does.
fn count() {
    // Relaxed: only its total is read, after all.
    DONE.fetch_add(1, Ordering::Relaxed);
}

async fn on_pirn(tasks: u64) {
    let group = pirn::sync::WaitGroup::new();
    for _ in 0..tasks {
        let guard = group.guard();
        pirn::go!({
            count();
            drop(guard);
        });
    }
    group.wait().await;
}

async fn on_tokio(tasks: u64) {
    let tracker = tokio_util::task::TaskTracker::new();
    for _ in 0..tasks {
        tracker.spawn(async { count() });
    }
    tracker.close();
    tracker.wait().await;
}

async fn on_smol(tasks: u64) {
    let handles: Vec<_> = (0..tasks).map(|_| exec::Smol::spawn(async { count() })).collect();
    for handle in handles {
        handle.await;
    }
}

async fn on_std(tasks: u64) {
    let group = crossbeam_utils::sync::WaitGroup::new();
    for _ in 0..tasks {
        let guard = group.clone();
        exec::Threads::detach(async move {
            count();
            drop(guard);
        });
    }
    group.wait();
}
