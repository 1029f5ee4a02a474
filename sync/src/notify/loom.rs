//! Models of notices against waiters: stored, given, passed on, never lost.

use super::*;
use crate::models;
use crate::primitive::{Arc, UnsafeCell, thread};

fn assert_nobody_queues(notify: &Notify) {
    // Relaxed: everybody has come.
    assert_eq!(notify.permit.load(Relaxed), EMPTY, "N1");
}

fn waiter(notify: &Arc<Notify>) -> thread::JoinHandle<()> {
    let notify = Arc::clone(notify);
    thread::spawn(move || notify.notified_blocking())
}

#[test]
fn a_notice_is_stored_or_given_and_never_lost() {
    models::check(3, || {
        let notify = Arc::new(Notify::new());
        let waiting = waiter(&notify);
        notify.notify_one();
        waiting.join().unwrap();
        assert!(models::poll_once(&mut notify.notified()).is_none(), "given once");
        assert_nobody_queues(&notify);
    });
}

#[test]
fn a_dropped_waiter_passes_its_notice_on() {
    models::check(3, || {
        let notify = Arc::new(Notify::new());
        let mut dropped = notify.notified();
        assert!(models::poll_once(&mut dropped).is_none());
        let waiting = waiter(&notify);
        let notifying = thread::spawn({
            let notify = Arc::clone(&notify);
            move || notify.notify_one()
        });
        drop(dropped);
        notifying.join().unwrap();
        waiting.join().unwrap();
    });
}

#[test]
fn notify_waiters_reaches_whoever_is_enabled() {
    models::check(3, || {
        let notify = Arc::new(Notify::new());
        let mut enabled = notify.notified();
        assert!(!enabled.enable());
        let notifying = thread::spawn({
            let notify = Arc::clone(&notify);
            move || notify.notify_waiters()
        });
        crate::block::wait(enabled);
        notifying.join().unwrap();
        assert_nobody_queues(&notify);
    });
}

#[test]
fn a_stored_permit_carries_what_the_notifier_wrote() {
    models::check(3, || {
        let shared = Arc::new((Notify::new(), UnsafeCell::new(0)));
        let waiting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.0.notified_blocking();
                // SAFETY: written before the notice that has just been taken; that is what the model checks.
                shared.1.with(|value| assert_eq!(unsafe { *value }, 1));
            }
        });
        // SAFETY: nobody reads it before the notice.
        shared.1.with_mut(|value| unsafe { *value = 1 });
        shared.0.notify_one();
        waiting.join().unwrap();
    });
}

#[test]
fn two_notices_and_two_waiters_meet_whoever_comes_first() {
    models::check(2, || {
        let notify = Arc::new(Notify::new());
        let mut first = notify.notified();
        let notified = models::poll_once(&mut first).is_some();
        assert!(!notified);
        let waiting = waiter(&notify);
        let notifying = thread::spawn({
            let notify = Arc::clone(&notify);
            move || notify.notify_one()
        });
        notify.notify_one();
        crate::block::wait(first);
        notifying.join().unwrap();
        waiting.join().unwrap();
        assert_nobody_queues(&notify);
    });
}

#[test]
fn of_two_notices_in_one_permit_neither_is_overlooked() {
    models::check(2, || {
        let shared = Arc::new((Notify::new(), [(); 2].map(|()| AtomicU8::new(0))));
        // Where it still queues, a notice takes the lock, and may find that nobody does any more.
        let mut dropped = shared.0.notified();
        assert!(models::poll_once(&mut dropped).is_none());
        let notifying = [0, 1].map(|n| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                // Relaxed: the notice is to carry it.
                shared.1[n].store(1, Relaxed);
                shared.0.notify_one();
            })
        });
        drop(dropped);
        // Whoever overlooks one of the two sleeps for ever.
        while shared.1.iter().any(|done| done.load(Relaxed) == 0) {
            shared.0.notified_blocking();
        }
        notifying.into_iter().for_each(|notifying| notifying.join().unwrap());
    });
}

#[test]
fn who_queues_sees_what_came_before_a_notice_that_another_took() {
    models::check(3, || {
        let shared = Arc::new((Notify::new(), AtomicU8::new(0)));
        let notifying = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                // Relaxed: the notice is to carry it.
                shared.1.store(1, Relaxed);
                shared.0.notify_one();
            }
        });
        let taking = thread::spawn({
            let shared = Arc::clone(&shared);
            move || models::poll_once(&mut shared.0.notified()).is_some()
        });
        // Who sees nothing to do, though the notice is gone, sleeps for ever.
        let mut queued = shared.0.notified();
        if !queued.enable() && shared.1.load(Relaxed) == 0 {
            crate::block::wait(queued);
        }
        notifying.join().unwrap();
        taking.join().unwrap();
    });
}
