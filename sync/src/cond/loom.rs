//! Models of the condition variable: a signal against a wait that begins, and against one that is dropped.

use super::*;
use crate::primitive::{Arc, thread};
use crate::{Mutex, models};

#[test]
fn a_signal_after_a_change_is_never_lost() {
    models::check(2, || {
        let shared = Arc::new((Mutex::new(false), Cond::new()));
        let waiting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || drop(shared.1.wait_while_blocking(shared.0.lock_blocking(), |ready| !*ready))
        });
        *shared.0.lock_blocking() = true;
        shared.1.notify_one();
        waiting.join().unwrap();
    });
}

#[test]
fn a_dropped_wait_passes_its_signal_on() {
    models::check(2, || {
        let shared = Arc::new((Mutex::new(()), Cond::new()));
        let mut dropped = shared.1.wait(shared.0.try_lock().unwrap());
        assert!(models::poll_once(&mut dropped).is_none());
        let mut second = shared.1.wait(shared.0.try_lock().unwrap());
        assert!(models::poll_once(&mut second).is_none());
        let signalling = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.1.notify_one()
        });
        // It may have been told, and wait for the mutex, when it is dropped.
        let guard = shared.0.try_lock().unwrap();
        assert!(models::poll_once(&mut dropped).is_none());
        drop(dropped);
        drop(guard);
        signalling.join().unwrap();
        drop(block::wait(second));
    });
}
