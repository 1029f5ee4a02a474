//! How late others are beside tasks that block or compute inside a poll: a target of its own, because what is
//! measured is spoilt by tests that keep the cores busy.

mod common;

use common::within;
use pirn::Builder;
use pirn::time::sleep;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a hog does to its thread.
#[derive(Clone, Copy, Debug)]
enum Hog {
    Blocks,
    Spins,
}

impl Hog {
    fn hold(self, duration: Duration) {
        match self {
            Hog::Blocks => std::thread::sleep(duration),
            Hog::Spins => {
                let end = Instant::now() + duration;
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
            }
        }
    }
}

/// Held by the test that runs: lateness tells nothing beside the hogs of another one.
static ALONE: Mutex<()> = Mutex::new(());

/// One hog per processor, again and again, beside a hundred tasks that tick every millisecond: the lateness
/// of their ticks, sorted.
fn lateness(procs: usize, hog: Hog) -> Vec<Duration> {
    let runtime = Builder::new().procs(procs).build().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    for _ in 0..procs {
        let over = over.clone();
        let _detached = runtime.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                hog.hold(Duration::from_millis(200));
                sleep(Duration::from_millis(10)).await;
            }
        });
    }
    let tickers: Vec<_> = (0..100)
        .map(|_| {
            runtime.spawn(async {
                let end = Instant::now() + Duration::from_millis(1500);
                let mut late = Vec::new();
                while Instant::now() < end {
                    let due = Instant::now() + Duration::from_millis(1);
                    sleep(Duration::from_millis(1)).await;
                    late.push(due.elapsed());
                }
                late
            })
        })
        .collect();
    let mut late: Vec<Duration> = runtime.block_on(async {
        let mut all = Vec::new();
        for ticker in tickers {
            all.extend(ticker.await.unwrap());
        }
        all
    });
    over.store(true, Ordering::Relaxed);
    late.sort();
    late
}

/// The 99th percentile of the lateness, and the most.
fn report(procs: usize, hog: Hog) -> (Duration, Duration) {
    let late = lateness(procs, hog);
    let p99 = late[late.len() * 99 / 100];
    let most = *late.last().unwrap();
    eprintln!(
        "{hog:?}, {procs} procs: {} ticks, p50 {:?}, p99 {p99:?}, most {most:?}",
        late.len(),
        late[late.len() / 2]
    );
    (p99, most)
}

#[test]
fn tasks_that_block_delay_the_others_by_milliseconds_at_most() {
    within(60, || {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        for procs in [1, 2] {
            let (p99, most) = report(procs, Hog::Blocks);
            assert!(p99 < Duration::from_millis(50), "{p99:?}");
            assert!(most < Duration::from_millis(100), "{most:?}");
        }
    });
}

#[test]
fn tasks_that_spin_delay_the_others_by_time_slices_at_most() {
    within(60, || {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        for procs in [1, 2] {
            let (p99, most) = report(procs, Hog::Spins);
            assert!(p99 < Duration::from_millis(50), "{p99:?}");
            assert!(most < Duration::from_millis(150), "{most:?}");
        }
    });
}
