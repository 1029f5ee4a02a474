//! Tests of rule R23: counters and flags without a lock.

use super::*;
use crate::testing::within_limit;

#[test]
fn r23_a_sharded_counter_sums_exactly() {
    within_limit(|| {
        let counter = Counter::new();
        std::thread::scope(|scope| {
            for n in 0..40_i64 {
                let counter = &counter;
                scope.spawn(move || (0..1000).for_each(|_| counter.add(n - 10)));
            }
        });
        assert_eq!(counter.get(), (0..40_i64).map(|n| (n - 10) * 1000).sum::<i64>());
    });
}

#[test]
fn r23_atomics_count_and_flag() {
    let (count, flag, cell) = (AtomicU64::new(0), AtomicBool::new(false), AtomicCell::new((0_u8, 0_u8)));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1000 {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            cell.store((1, 2));
            flag.store(true, Ordering::Release);
        });
        while !flag.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        assert_eq!(cell.load(), (1, 2));
    });
    assert_eq!(count.into_inner(), 4000);
}

#[test]
fn a_counter_wraps_and_does_not_panic() {
    let counter = Counter::new();
    counter.add(i64::MAX);
    counter.add(1);
    assert_eq!(counter.get(), i64::MIN);
}
