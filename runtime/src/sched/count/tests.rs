//! Tests of the stock: it is used, it is bounded, and it keeps nothing alive.

use super::*;
use crate::Builder;
use std::time::{Duration, Instant};

fn counts(shared: &Arc<Shared>) -> usize {
    Arc::strong_count(shared)
}

#[test]
fn a_count_that_is_dropped_inside_serves_the_next_spawn() {
    let runtime = Builder::new().procs(1).build().unwrap();
    let shared = runtime.handle().shared().clone();
    runtime.block_on(async {
        drop(Count::of(&shared));
        let before = counts(&shared);
        let one = Count::of(&shared);
        assert_eq!(counts(&shared), before, "it comes from the stock");
        let other = Count::of(&shared);
        assert_eq!(counts(&shared), before + 1, "the stock was empty");
        drop((one, other));
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
        assert!(counts(&shared) <= before + MOST);
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
