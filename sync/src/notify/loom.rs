//! Models of notices against waiters: stored, given, passed on, never lost.

use super::*;
use crate::models;
use crate::primitive::{Arc, UnsafeCell, thread};

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
    });
}
