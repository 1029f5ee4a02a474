//! `waitgroup`: 100,000 tasks are started, and the end of the last is awaited without a handle for each.
//!
//! Who has no wait group uses what it has: tokio a `TaskTracker`; smol the handles.

use std::sync::Arc;
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

type Counter = Arc<AtomicU64>;

fn run<E, F>(setup: Setup, tasks: u64, work: fn(u64, Counter) -> F) -> Measured
where
    E: Exec,
    F: Future<Output = ()> + Send + 'static,
{
    let (time, done) = E::run(setup.procs, async move {
        let counter = Counter::default();
        let begun = Instant::now();
        work(tasks, Arc::clone(&counter)).await;
        // Relaxed: the waiting has ordered it after every task.
        (begun.elapsed(), counter.load(Ordering::Relaxed))
    });
    assert_eq!(done, tasks, "every task is waited for");
    Measured::ns_each(time, tasks)
}

/// What each task does.
fn count(counter: &AtomicU64) {
    // Relaxed: only its total is read, after all.
    counter.fetch_add(1, Ordering::Relaxed);
}

async fn on_pirn(tasks: u64, counter: Counter) {
    let group = pirn::sync::WaitGroup::new();
    for _ in 0..tasks {
        let (guard, counter) = (group.guard(), Arc::clone(&counter));
        pirn::go!({
            count(&counter);
            drop(guard);
        });
    }
    group.wait().await;
}

async fn on_tokio(tasks: u64, counter: Counter) {
    let tracker = tokio_util::task::TaskTracker::new();
    for _ in 0..tasks {
        let counter = Arc::clone(&counter);
        tracker.spawn(async move { count(&counter) });
    }
    tracker.close();
    tracker.wait().await;
}

async fn on_smol(tasks: u64, counter: Counter) {
    let task = |counter: Counter| exec::Smol::spawn(async move { count(&counter) });
    let handles: Vec<_> = (0..tasks).map(|_| task(Arc::clone(&counter))).collect();
    for handle in handles {
        handle.await;
    }
}

async fn on_std(tasks: u64, counter: Counter) {
    let group = crossbeam_utils::sync::WaitGroup::new();
    for _ in 0..tasks {
        let (guard, counter) = (group.clone(), Arc::clone(&counter));
        exec::Threads::detach(async move {
            count(&counter);
            drop(guard);
        });
    }
    group.wait();
}
