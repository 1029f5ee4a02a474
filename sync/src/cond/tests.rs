//! Tests of rule R21, of the order of signals, and of waits that are dropped at each of their steps.

use std::sync::Arc;

use super::*;
use crate::Mutex;
use crate::testing::{Task, within_limit};

#[test]
fn r21_wait_unlocks_sleeps_and_locks_again() {
    let (mutex, cond) = (Mutex::new(0), Cond::new());
    let mut waiter = Task::waiting(cond.wait(mutex.lock_blocking()));
    *mutex.try_lock().expect("unlocked while it waits") = 1;
    assert!(waiter.poll().is_none());
    cond.notify_one();
    assert_eq!(waiter.wakes(), 1);
    assert_eq!(*waiter.poll().unwrap(), 1);
}

#[test]
fn r21_broadcast_wakes_all_who_wait_and_nobody_later() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let mut waiters = [(); 3].map(|()| Task::waiting(cond.wait(mutex.lock_blocking())));
    cond.notify_all();
    let mut late = Task::waiting(cond.wait(mutex.lock_blocking()));
    for waiter in &mut waiters {
        assert!(waiter.poll().is_some());
    }
    assert!(late.poll().is_none());
}

#[test]
fn r21_a_signal_without_a_waiter_is_gone() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    cond.notify_one();
    cond.notify_all();
    assert!(Task::new(cond.wait(mutex.lock_blocking())).poll().is_none());
}

#[test]
fn signals_come_in_wait_order_over_100_generations() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    for _ in 0..100 {
        let mut waiters: Vec<_> = (0..10).map(|_| Task::waiting(cond.wait(mutex.lock_blocking()))).collect();
        for next in 0..waiters.len() {
            cond.notify_one();
            for (at, waiter) in waiters.iter_mut().enumerate().skip(next) {
                assert_eq!(waiter.poll().is_some(), at == next);
            }
        }
    }
}

#[test]
fn a_dropped_waiter_passes_its_signal_on() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let first = Task::waiting(cond.wait(mutex.lock_blocking()));
    let mut second = Task::waiting(cond.wait(mutex.lock_blocking()));
    let mut third = Task::waiting(cond.wait(mutex.lock_blocking()));
    cond.notify_one();
    drop(first);
    assert!(second.poll().is_some());
    assert!(third.poll().is_none());
}

#[test]
fn a_waiter_dropped_while_it_locks_again_passes_its_signal_on_and_leaves_the_mutex_free() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let mut first = Task::waiting(cond.wait(mutex.lock_blocking()));
    let mut second = Task::waiting(cond.wait(mutex.lock_blocking()));
    cond.notify_one();
    let guard = mutex.lock_blocking();
    assert!(first.poll().is_none(), "it is told, and waits for the mutex");
    drop(first);
    drop(guard);
    assert!(second.poll().is_some());
    assert!(mutex.try_lock().is_some());
}

#[test]
fn dropping_after_a_broadcast_signals_nobody() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let first = Task::waiting(cond.wait(mutex.lock_blocking()));
    cond.notify_all();
    let mut second = Task::waiting(cond.wait(mutex.lock_blocking()));
    drop(first);
    assert!(second.poll().is_none());
}

#[test]
fn a_wait_dropped_before_its_first_poll_unlocks() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    drop(cond.wait(mutex.lock_blocking()));
    assert!(mutex.try_lock().is_some());
}

#[test]
fn wait_while_waits_while_the_condition_holds() {
    let (mutex, cond) = (Mutex::new(3), Cond::new());
    let mut waiter = Task::waiting(cond.wait_while(mutex.lock_blocking(), |left| *left > 0));
    for left in [2, 1, 0] {
        assert!(waiter.poll().is_none());
        *mutex.lock_blocking() = left;
        cond.notify_one();
    }
    assert_eq!(*waiter.poll().unwrap(), 0);
    let mut ready = Task::new(cond.wait_while(mutex.lock_blocking(), |left| *left > 0));
    assert!(ready.poll().is_some(), "false at once: no wait");
}

#[test]
fn threads_and_tasks_alternate_through_one_cond() {
    within_limit(|| {
        let shared = Arc::new((Mutex::new(0_u32), Cond::new()));
        let other = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                for turn in 0..1000 {
                    let mut guard =
                        shared.1.wait_while_blocking(shared.0.lock_blocking(), |at| *at != 2 * turn + 1);
                    *guard += 1;
                    shared.1.notify_one();
                }
            }
        });
        block::wait(async {
            for turn in 0..1000 {
                let guard = shared.0.lock().await;
                let mut guard = shared.1.wait_while(guard, |at| *at != 2 * turn).await;
                *guard += 1;
                shared.1.notify_one();
            }
        });
        other.join().unwrap();
        assert_eq!(*shared.0.lock_blocking(), 2000);
    });
}

#[test]
fn a_thread_that_waits_comes_back_once_it_is_told() {
    within_limit(|| {
        let (mutex, cond) = (Mutex::new(false), Cond::new());
        std::thread::scope(|scope| {
            let guard = mutex.lock_blocking();
            scope.spawn(|| {
                *mutex.lock_blocking() = true;
                cond.notify_one();
            });
            assert!(*cond.wait_blocking(guard), "nobody could change it before this waited");
        });
    });
}
