//! Tests of the stock: it is used, it is bounded, and it keeps nothing alive.

use super::*;
use crate::Builder;
use std::time::{Duration, Instant};

fn counts(shared: &Arc<Shared>) -> usize {
    Arc::strong_count(shared)
}

/// Whether one look of many finds what it should: sysmon and machines that start count as well, for a moment.
fn shows(look: impl Fn() -> bool) -> bool {
    (0..10_000).any(|_| {
        std::thread::yield_now();
        look()
    })
}

#[test]
fn a_count_that_is_dropped_inside_serves_the_next_spawn() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let shared = runtime.handle().shared().clone();
    runtime.block_on(async {
        drop(Count::of(&shared));
        assert!(shows(|| {
            let before = counts(&shared);
            let one = Count::of(&shared);
            let from_the_stock = counts(&shared) == before;
            let other = Count::of(&shared);
            let of_its_own = counts(&shared) == before + 1;
            // The stock is as it was: one goes back, the other is counted down.
            drop(one);
            drop(current::with(|place| place?.stock_of(&shared)?.take()));
            drop(other);
            from_the_stock && of_its_own
        }));
    });
}

#[test]
fn a_stock_is_bounded() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let shared = runtime.handle().shared().clone();
    runtime.block_on(async {
        let before = counts(&shared);
        let many: Vec<_> = (0..10 * MOST).map(|_| Count::of(&shared)).collect();
        drop(many);
        // Machines that have begun since count as well.
        assert!(counts(&shared) <= before + MOST + 8);
    });
}

#[test]
fn a_stock_keeps_no_runtime_alive() {
    let runtime = Builder::new().procs(2).build().unwrap();
    let weak = Arc::downgrade(runtime.handle().shared());
    runtime.block_on(async {
        let tasks: Vec<_> = (0..1_000).map(|n| crate::spawn(async move { n })).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    drop(runtime);
    let begun = Instant::now();
    while weak.upgrade().is_some() {
        assert!(begun.elapsed() < Duration::from_secs(10), "somebody still counts the runtime");
        // Sysmon may be at a look just now.
        std::thread::yield_now();
    }
}
