//! Tests of the permit that is stored, of the order of waiters, and of those that are dropped.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::*;
use crate::testing::{Task, Touch, arm, asked_to_yield, on_touch, touchy, within_limit};

#[test]
fn one_permit_is_stored_and_not_two() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    assert!(Task::new(notify.notified()).poll().is_some());
    assert!(Task::new(notify.notified()).poll().is_none());
}

#[test]
fn waiters_are_notified_in_the_order_in_which_they_came() {
    let notify = Notify::new();
    let mut waiters: Vec<_> = (0..5).map(|_| Task::waiting(notify.notified())).collect();
    for next in 0..waiters.len() {
        notify.notify_one();
        for (at, waiter) in waiters.iter_mut().enumerate().skip(next) {
            assert_eq!(waiter.poll().is_some(), at == next);
        }
    }
}

#[test]
fn notify_waiters_wakes_those_who_wait_and_stores_nothing() {
    let notify = Notify::new();
    let mut waiters = [(); 3].map(|()| Task::waiting(notify.notified()));
    notify.notify_waiters();
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_some()));
    assert!(Task::new(notify.notified()).poll().is_none());
}

#[test]
fn a_dropped_waiter_passes_a_notify_one_on() {
    let notify = Notify::new();
    let first = Task::waiting(notify.notified());
    let mut second = Task::waiting(notify.notified());
    notify.notify_one();
    drop(first);
    assert!(second.poll().is_some());
    let last = Task::waiting(notify.notified());
    notify.notify_one();
    drop(last);
    assert!(Task::new(notify.notified()).poll().is_some(), "it is stored");
}

#[test]
fn a_dropped_waiter_does_not_pass_a_notify_waiters_on() {
    let notify = Notify::new();
    let first = Task::waiting(notify.notified());
    notify.notify_waiters();
    let mut later = Task::waiting(notify.notified());
    drop(first);
    assert!(later.poll().is_none());
}

#[test]
fn an_enabled_waiter_stands_in_the_queue_before_its_first_poll() {
    let notify = Notify::new();
    let mut waiter = notify.notified();
    assert!(!waiter.enable());
    assert!(!waiter.enable());
    notify.notify_waiters();
    assert!(waiter.enable());
    assert!(Task::new(waiter).poll().is_some());
}

#[test]
fn a_waiter_stands_in_the_queue_from_its_first_poll_also_where_that_yields() {
    let notify = Notify::new();
    let mut waiter = Task::new(notify.notified());
    assert!(asked_to_yield(|| waiter.poll()).is_none());
    notify.notify_waiters();
    assert!(asked_to_yield(|| waiter.poll()).is_none(), "it takes nothing while it is asked to yield");
    assert!(waiter.poll().is_some());

    notify.notify_one();
    let mut waiter = Task::new(notify.notified());
    assert!(asked_to_yield(|| waiter.poll()).is_none());
    drop(waiter);
    assert!(Task::new(notify.notified()).poll().is_some(), "the permit is passed on");
}

#[test]
fn a_waker_that_panics_as_the_permit_is_taken_costs_no_permit() {
    let notify = Arc::new(Notify::new());
    let mut waiter = notify.notified();
    let (waker, notifier) = (touchy(), Arc::clone(&notify));
    // The notice comes as the waker is cloned: then there is a permit, and the clone is dropped unused.
    let hook = move || {
        notifier.notify_one();
        arm(Touch::Drop, || panic!("as it is dropped"));
    };
    let poll = || Pin::new(&mut waiter).poll(&mut Context::from_waker(&waker));
    assert!(catch_unwind(AssertUnwindSafe(|| on_touch(Touch::Clone, hook, poll))).is_err());
    drop(waiter);
    assert!(Task::new(notify.notified()).poll().is_some(), "the permit is passed on");
}

#[test]
fn an_enabled_waiter_that_is_dropped_passes_its_notice_on() {
    let notify = Notify::new();
    notify.notify_one();
    let mut waiter = notify.notified();
    assert!(waiter.enable());
    assert!(Task::new(notify.notified()).poll().is_none());
    drop(waiter);
    assert!(Task::new(notify.notified()).poll().is_some());
}

#[test]
fn no_notice_is_lost_between_threads() {
    within_limit(|| {
        let (ping, pong) = (Notify::new(), Notify::new());
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..2000 {
                    ping.notified_blocking();
                    pong.notify_one();
                }
            });
            for _ in 0..2000 {
                ping.notify_one();
                pong.notified_blocking();
            }
        });
    });
}

#[test]
fn a_thread_that_waits_comes_back_once_it_is_notified() {
    within_limit(|| {
        let (notify, told) = (Notify::new(), std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                told.store(true, Relaxed);
                notify.notify_one();
            });
            notify.notified_blocking();
            assert!(told.load(Relaxed));
        });
    });
}
