//! `timers`: a million tasks that sleep for 0 to 1,000 ms each, by the wall clock and in processor time.
//! `sleep_accuracy`: by how much a sleep of a millisecond is late, in the median and at the 99th percentile.

use std::time::{Duration, Instant};

use crate::contender::{Contender, EXECUTORS, on_executor};
use crate::exec::Exec;
use crate::process::{Durations, cpu_time};
use crate::row::{Figure, Measured, Row, Setup, Size};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "timers",
        figures: &[Figure::less("timers", "ms"), Figure::less("timers:cpu_ms", "ms")],
        contenders: EXECUTORS,
        run: |setup| on_executor!(setup, timers),
    },
    Row {
        name: "sleep_accuracy",
        figures: &[Figure::less("sleep_accuracy", "us"), Figure::less("sleep_accuracy:p99_us", "us")],
        contenders: EXECUTORS,
        run: |setup| on_executor!(setup, sleep_accuracy),
    },
];

const TIMERS: u64 = 1_000_000;
/// As many threads as there is room for at once.
const THREADS: u64 = 5_000;

fn timers<E: Exec>(setup: Setup) -> Measured {
    let is_std = setup.contender == Contender::Std;
    let count = if is_std { THREADS } else { TIMERS };
    let (wall, cpu, early) = E::run(setup.procs, async move {
        let (cpu, begun) = (cpu_time(), Instant::now());
        let sleep = |number: u64| {
            // Spread over the second, in an order that is neither rising nor falling.
            let duration = Duration::from_micros(number.wrapping_mul(7_919) * 1_009 % 1_000_001);
            E::spawn(async move {
                let begun = Instant::now();
                E::sleep(duration).await;
                u64::from(begun.elapsed() < duration)
            })
        };
        let tasks: Vec<_> = (0..count).map(sleep).collect();
        let mut early = 0;
        for task in tasks {
            early += task.await;
        }
        (begun.elapsed(), cpu_time() - cpu, early)
    });
    assert_eq!(early, 0, "no sleep ends early");
    Measured::new([wall.as_secs_f64() * 1e3, cpu.as_secs_f64() * 1e3]).sized(is_std, Size::Smaller)
}

fn sleep_accuracy<E: Exec>(setup: Setup) -> Measured {
    const SLEEPS: u64 = 1_000;
    const DURATION: Duration = Duration::from_millis(1);
    let late = E::run(setup.procs, async {
        let mut late = Durations::default();
        for _ in 0..SLEEPS {
            let begun = Instant::now();
            E::sleep(DURATION).await;
            late.record(begun.elapsed().checked_sub(DURATION).expect("no sleep ends early"));
        }
        late
    });
    assert_eq!(late.count(), SLEEPS);
    Measured::new(late.quantiles_us([0.5, 0.99]))
}
