//! Starting tasks that do nothing, and letting others run.
//!
//! `spawn_join`: a task starts a million others in batches of 10,000 and awaits them. `spawn_remote`: the same from
//! a thread that is no worker. `yield`: a thousand tasks that yield a thousand times each; the figure is one yield.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::contender::{Contender, EXECUTORS, on_executor};
use crate::exec::Exec;
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "spawn_join",
        figures: &[Figure::less("spawn_join", "ns")],
        contenders: EXECUTORS,
        run: |setup| on_executor!(setup, spawn_join),
    },
    Row {
        name: "spawn_remote",
        figures: &[Figure::less("spawn_remote", "ns")],
        contenders: EXECUTORS,
        run: |setup| on_executor!(setup, spawn_remote),
    },
    Row {
        name: "yield",
        figures: &[Figure::less("yield", "ns")],
        contenders: EXECUTORS,
        run: |setup| on_executor!(setup, yields),
    },
];

/// Batches, and the tasks in each: threads are too dear for as many, and the figure is one per task.
fn batches(setup: Setup) -> (u64, u64) {
    if setup.contender == Contender::Std { (100, 100) } else { (100, 10_000) }
}

fn spawn_join<E: Exec>(setup: Setup) -> Measured {
    let (batches, size) = batches(setup);
    let (time, sum) = E::run(setup.procs, async move {
        let begun = Instant::now();
        let mut sum = 0;
        for _ in 0..batches {
            let tasks: Vec<_> = (0..size).map(|number| E::spawn(async move { number })).collect();
            for task in tasks {
                sum += task.await;
            }
        }
        (begun.elapsed(), sum)
    });
    assert_eq!(sum, batches * size * (size - 1) / 2);
    Measured::ns_each(time, batches * size)
}

fn spawn_remote<E: Exec>(setup: Setup) -> Measured {
    let (batches, size) = batches(setup);
    let executor = E::start(setup.procs);
    let begun = Instant::now();
    let mut sum = 0;
    for _ in 0..batches {
        let tasks: Vec<_> =
            (0..size).map(|number| executor.spawn_from_outside(async move { number })).collect();
        sum += executor.block_on(async {
            let mut sum = 0;
            for task in tasks {
                sum += task.await;
            }
            sum
        });
    }
    let time = begun.elapsed();
    std::mem::forget(executor);
    assert_eq!(sum, batches * size * (size - 1) / 2);
    Measured::ns_each(time, batches * size)
}

fn yields<E: Exec>(setup: Setup) -> Measured {
    const TASKS: u64 = 1_000;
    const YIELDS: u64 = 1_000;
    let done = Arc::new(AtomicU64::new(0));
    let sum = Arc::clone(&done);
    let time = E::run(setup.procs, async move {
        let begun = Instant::now();
        let task = || {
            let sum = Arc::clone(&sum);
            E::spawn(async move {
                let mut yields = 0;
                for _ in 0..YIELDS {
                    E::yield_now().await;
                    yields += 1;
                }
                // Relaxed: joining the task is what makes it seen.
                sum.fetch_add(yields, Ordering::Relaxed);
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(|_| task()).collect();
        for task in tasks {
            task.await;
        }
        begun.elapsed()
    });
    assert_eq!(done.load(Ordering::Relaxed), TASKS * YIELDS);
    Measured::ns_each(time, TASKS * YIELDS)
}
