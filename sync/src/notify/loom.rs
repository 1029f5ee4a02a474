use super::*;
use crate::models;
use crate::primitive::{Arc, thread};

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
