//! Tests of rule R20, of fairness, and of waiters that are ignored or dropped.

use std::pin::pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::testing::{Task, begins_to_wait, within_limit};

const LONG: Duration = Duration::from_millis(5);

#[test]
fn r20_a_mutex_is_held_across_a_wait() {
    let mutex = Mutex::new(0);
    let guard = mutex.lock_blocking();
    let mut other = Task::waiting(mutex.lock());
    assert!(other.poll().is_none());
    drop(guard);
    assert_eq!(other.wakes(), 1);
    assert_eq!(*other.poll().unwrap(), 0);
}

#[test]
fn r24_unlock_happens_before_a_later_lock() {
    within_limit(|| {
        let mutex = Mutex::new(0_u64);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..20_000).for_each(|_| *mutex.lock_blocking() += 1));
            }
        });
        assert_eq!(mutex.into_inner(), 80_000);
    });
}

#[test]
fn a_waiter_that_was_polled_once_and_then_ignored_does_not_stop_a_second_lock_in_the_same_task() {
    within_limit(|| {
        for held in [Duration::ZERO, LONG] {
            let mutex = Arc::new(Mutex::new(()));
            let guard = mutex.lock_blocking();
            let release = std::thread::spawn({
                let mutex = Arc::clone(&mutex);
                move || {
                    std::thread::sleep(held);
                    let _keeps_it_alive = mutex;
                }
            });
            block::wait(async {
                let mut ignored = pin!(mutex.lock());
                begins_to_wait(ignored.as_mut()).await;
                let mut second = pin!(mutex.lock());
                begins_to_wait(second.as_mut()).await;
                std::thread::sleep(held);
                drop(guard);
                drop(second.await);
                drop(mutex.lock().await);
            });
            release.join().unwrap();
        }
    });
}

#[test]
fn a_waiter_that_was_polled_once_and_then_ignored_does_not_stop_a_lock_in_another_task() {
    within_limit(|| {
        for held in [Duration::ZERO, LONG] {
            let mutex = Mutex::new(());
            let guard = mutex.lock_blocking();
            let _ignored = Task::waiting(mutex.lock());
            let queued = Barrier::new(2);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    let mut second = pin!(mutex.lock());
                    block::wait(begins_to_wait(second.as_mut()));
                    queued.wait();
                    drop(block::wait(second));
                });
                queued.wait();
                std::thread::sleep(held);
                drop(guard);
            });
        }
    });
}

#[test]
fn an_ignored_waiter_delays_the_others_once() {
    within_limit(|| {
        let mutex = Mutex::new(());
        let guard = mutex.lock_blocking();
        let _ignored = Task::waiting(mutex.lock());
        std::thread::sleep(LONG);
        drop(guard);
        drop(mutex.lock_blocking());
        let start = Instant::now();
        for _ in 0..1000 {
            drop(mutex.lock_blocking());
        }
        assert!(start.elapsed() < Duration::from_millis(500), "{:?}", start.elapsed());
    });
}

#[test]
fn a_task_that_locks_again_in_a_loop_does_not_starve_another() {
    within_limit(|| {
        let mutex = Mutex::new(());
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let _guard = mutex.lock_blocking();
                    std::thread::sleep(Duration::from_micros(200));
                }
            });
            for _ in 0..10 {
                std::thread::sleep(Duration::from_millis(1));
                drop(mutex.lock_blocking());
            }
            stop.store(true, Ordering::Relaxed);
        });
    });
}

#[test]
fn a_starved_waiter_has_the_right_of_way_until_it_lapses() {
    let mutex = Mutex::new(());
    let guard = mutex.lock_blocking();
    let mut starved = Task::waiting(mutex.lock());
    std::thread::sleep(LONG);
    let start = Instant::now();
    drop(guard);
    let barged = mutex.try_lock().is_some();
    // Only if this thread was not held up can the outcome be told.
    if start.elapsed() < Duration::from_micros(900) {
        assert!(!barged, "the lock is kept for the one that starves");
    }
    assert!(starved.run().is_some());

    let guard = mutex.lock_blocking();
    let _ignored = Task::waiting(mutex.lock());
    std::thread::sleep(LONG);
    drop(guard);
    std::thread::sleep(LONG);
    assert!(mutex.try_lock().is_some(), "the right of way has lapsed");
}

#[test]
fn before_it_starves_a_waiter_competes() {
    let mutex = Mutex::new(());
    let start = Instant::now();
    let guard = mutex.lock_blocking();
    let mut waiter = Task::waiting(mutex.lock());
    drop(guard);
    let barged = mutex.try_lock();
    if start.elapsed() < Duration::from_micros(900) {
        assert!(barged.is_some());
        assert!(waiter.poll().is_none());
    }
    drop(barged);
    assert!(waiter.run().is_some());
}

#[test]
fn cancelling_a_queued_wait_lets_the_next_one_proceed() {
    let mutex = Mutex::new(());
    let guard = mutex.lock_blocking();
    let first = Task::waiting(mutex.lock());
    let mut second = Task::waiting(mutex.lock());
    drop(first);
    drop(guard);
    assert!(second.wakes() > 0);
    assert!(second.run().is_some());
}

/// Two that wait as `wait` does are cancelled when their turn has come, after the lock was held for so long.
fn cancel_two<F: Future + Unpin>(mutex: &Mutex<()>, held: Duration, wait: impl Fn() -> F) {
    let guard = mutex.lock_blocking();
    let (first, second) = (Task::waiting(wait()), Task::waiting(wait()));
    let mut third = Task::waiting(mutex.lock());
    std::thread::sleep(held);
    drop(guard);
    drop(first);
    drop(second);
    assert!(third.wakes() > 0);
    assert!(third.run().is_some());
}

#[test]
fn cancelling_a_wait_whose_turn_has_come_lets_the_next_ones_proceed() {
    let mutex = Arc::new(Mutex::new(()));
    for held in [Duration::ZERO, LONG] {
        cancel_two(&mutex, held, || mutex.lock());
        cancel_two(&mutex, held, || Arc::clone(&mutex).lock_owned());
    }
}

#[test]
fn a_panic_releases_the_lock() {
    let mutex = Mutex::new(1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _guard = mutex.lock_blocking();
        panic!("while locked");
    }));
    assert!(panicked.is_err());
    assert_eq!(*mutex.try_lock().unwrap(), 1);
}

#[test]
fn a_mapped_guard_holds_the_lock() {
    let mutex = Mutex::new((1, 2));
    let part = MutexGuard::map(mutex.lock_blocking(), |pair| &mut pair.1);
    assert!(mutex.try_lock().is_none());
    let part = MappedMutexGuard::map(part, |number| number);
    assert!(mutex.try_lock().is_none());
    drop(part);
    let part = MutexGuard::try_map(mutex.try_lock().unwrap(), |pair| Some(&mut pair.0)).unwrap();
    assert!(mutex.try_lock().is_none());
    drop(part);
    assert!(mutex.try_lock().is_some());
}

#[test]
fn debug_never_waits() {
    let mutex = Mutex::new(7);
    assert_eq!(format!("{mutex:?}"), "Mutex { value: 7 }");
    let _guard = mutex.lock_blocking();
    assert_eq!(format!("{mutex:?}"), "Mutex { value: <locked> }");
}

#[test]
fn guards_are_send_where_the_content_is_and_sync_where_it_is() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<MutexGuard<'static, std::cell::Cell<u8>>>();
    sync::<MutexGuard<'static, u8>>();
    send::<OwnedMutexGuard<std::cell::Cell<u8>>>();
    sync::<OwnedMutexGuard<u8>>();
    send::<MappedMutexGuard<'static, u8>>();
    send::<Lock<'static, u8>>();
    sync::<Mutex<std::cell::Cell<u8>>>();
}

#[test]
fn a_wait_says_what_it_waits_on_and_where() {
    let mutex = Mutex::new(());
    let _guard = mutex.lock_blocking();
    let _waiting = Task::waiting(mutex.lock());
    let wait = crate::host::take_wait().unwrap();
    assert_eq!(wait.kind, WaitKind::Mutex);
    assert!(wait.at.file().ends_with("mutex/tests.rs"));
}

#[test]
fn a_lock_honours_the_wish_to_yield_before_it_takes_anything() {
    static FLAG: AtomicBool = AtomicBool::new(true);
    let mutex = Mutex::new(());
    let mut task = Task::new(mutex.lock());
    crate::host::install(Some(&FLAG));
    assert!(task.poll().is_none());
    crate::host::install(None);
    assert_eq!(task.wakes(), 1);
    assert!(mutex.try_lock().is_some());
    assert!(task.poll().is_some());
}
