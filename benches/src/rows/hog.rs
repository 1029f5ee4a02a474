//! What tasks without manners do to the others.
//!
//! A hundred tasks sleep for a millisecond, again and again, for two seconds; the figures are by how much they wake
//! late, at the 99th percentile, in the median and at worst. Meanwhile other tasks keep their thread for 200 ms at
//! a time: `hog_block` one that sleeps (as a blocking call would), `hog_spin` one that computes, `…_all` as many as
//! there are workers.

use std::time::{Duration, Instant};

use crate::contender::{EXECUTORS, on_executor};
use crate::exec::Exec;
use crate::process::Durations;
use crate::row::{Figure, Measured, Row, Setup};

/// Expands to a row: its name, and those of its three figures.
macro_rules! row {
    ($name:literal, $run:ident) => {
        Row {
            name: $name,
            figures: &[
                Figure::less($name, "us"),
                Figure::less(concat!($name, ":p50_us"), "us"),
                Figure::less(concat!($name, ":max_us"), "us"),
            ],
            contenders: EXECUTORS,
            run: |setup| on_executor!(setup, $run),
        }
    };
}

pub(crate) const ROWS: &[Row] = &[
    row!("hog_block", block),
    row!("hog_block_all", block_all),
    row!("hog_spin", spin),
    row!("hog_spin_all", spin_all),
];

const TASKS: usize = 100;
const NAP: Duration = Duration::from_millis(1);
const KEPT: Duration = Duration::from_millis(200);
const TIME: Duration = Duration::from_secs(2);

fn block<E: Exec>(setup: Setup) -> Measured {
    lateness::<E>(setup, 1, keep_blocked)
}

fn block_all<E: Exec>(setup: Setup) -> Measured {
    lateness::<E>(setup, setup.procs, keep_blocked)
}

fn spin<E: Exec>(setup: Setup) -> Measured {
    lateness::<E>(setup, 1, keep_busy)
}

fn spin_all<E: Exec>(setup: Setup) -> Measured {
    lateness::<E>(setup, setup.procs, keep_busy)
}

fn keep_blocked() {
    std::thread::sleep(KEPT);
}

fn keep_busy() {
    let begun = Instant::now();
    while begun.elapsed() < KEPT {
        std::hint::spin_loop();
    }
}

fn lateness<E: Exec>(setup: Setup, hogs: usize, keep: fn()) -> Measured {
    let late = E::run(setup.procs, async move {
        let end = Instant::now() + TIME;
        let sleepers: Vec<_> = (0..TASKS).map(|_| E::spawn(sleep_until::<E>(end))).collect();
        // The sleepers run before the first hog does.
        E::sleep(10 * NAP).await;
        for _ in 0..hogs {
            E::detach(async move {
                while Instant::now() < end {
                    keep();
                    E::yield_now().await;
                }
            });
        }
        let mut late = Durations::default();
        for sleeper in sleepers {
            late.add(&sleeper.await);
        }
        late
    });
    assert!(late.count() >= TASKS as u64, "every task has slept");
    Measured::new(late.quantiles_us([0.99, 0.5, 1.0]))
}

/// Sleeps again and again; by how much each sleep was late.
async fn sleep_until<E: Exec>(end: Instant) -> Durations {
    let mut late = Durations::default();
    while Instant::now() < end {
        let begun = Instant::now();
        E::sleep(NAP).await;
        late.record(begun.elapsed().checked_sub(NAP).expect("no sleep ends early"));
    }
    late
}
