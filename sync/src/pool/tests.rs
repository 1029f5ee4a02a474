//! Tests of the pool: what comes back is used again, by one user at a time, and a burst is not kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::testing::within_limit;

#[test]
fn what_comes_back_is_used_again() {
    let made = Arc::new(AtomicUsize::new(0));
    let pool = Pool::new({
        let made = Arc::clone(&made);
        move || made.fetch_add(1, Ordering::Relaxed)
    });
    for _ in 0..10 {
        assert_eq!(*pool.get(), 0);
    }
    let both = [pool.get(), pool.get()];
    assert_eq!(made.load(Ordering::Relaxed), 2);
    drop(both);
    assert_eq!(pool.idle(), 2);
}

#[test]
fn a_value_put_back_by_one_thread_is_found_by_another() {
    within_limit(|| {
        let pool = Pool::new(|| 0);
        std::thread::scope(|scope| {
            scope.spawn(|| *pool.get() = 7);
        });
        assert_eq!(*pool.get(), 7);
    });
}

#[test]
fn no_value_has_two_users_under_contention() {
    within_limit(|| {
        let pool = Pool::new(|| AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5000 {
                        let value = pool.get();
                        assert!(!value.swap(true, Ordering::Relaxed));
                        std::hint::spin_loop();
                        assert!(value.swap(false, Ordering::Relaxed));
                    }
                });
            }
        });
        assert!(pool.idle() >= 1);
    });
}

#[test]
fn a_burst_is_not_kept() {
    let pool = Pool::new(|| ());
    let burst: Vec<_> = (0..1000).map(|_| pool.get()).collect();
    drop(burst);
    assert_eq!(pool.idle(), KEPT);
}

#[test]
fn a_user_that_panics_gives_its_value_back_and_a_maker_that_panics_harms_nothing() {
    let angry = Arc::new(AtomicBool::new(true));
    let pool = Pool::new({
        let angry = Arc::clone(&angry);
        move || assert!(!angry.load(Ordering::Relaxed), "no value")
    });
    let panics = |body: &dyn Fn()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_err();
    assert!(panics(&|| drop(pool.get())));
    angry.store(false, Ordering::Relaxed);
    assert!(panics(&|| {
        let _value = pool.get();
        panic!("with a value in hand");
    }));
    assert_eq!(pool.idle(), 1);
}
