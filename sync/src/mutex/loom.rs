//! Models of the mutex: turns that are granted, barged past, revoked and passed on.

use super::*;
use crate::primitive::{Arc, thread};
use crate::{block, models};

/// Counts up under the lock, waiting for it as a task does.
fn count(mutex: &Mutex<u32>) {
    *block::wait(mutex.lock()) += 1;
}

#[test]
fn three_who_want_it_all_get_it() {
    for starved in [false, true] {
        models::check_told(starved, false, 2, || {
            let mutex = Arc::new(Mutex::new(0));
            let others = [(); 2].map(|()| {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || count(&mutex))
            });
            count(&mutex);
            others.into_iter().for_each(|other| other.join().unwrap());
            assert_eq!(*mutex.try_lock().expect("free in the end"), 3);
        });
    }
}

#[test]
fn a_granted_turn_keeps_bargers_out_until_it_is_taken() {
    models::check_told(true, false, 3, || {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.try_lock().unwrap();
        let mut starved = mutex.lock();
        assert!(models::poll_once(&mut starved).is_none());
        let barger = thread::spawn({
            let mutex = Arc::clone(&mutex);
            move || mutex.try_lock().is_some()
        });
        drop(guard);
        let guard = block::wait(starved);
        assert!(!barger.join().unwrap(), "held, kept for the other, or held by it");
        drop(guard);
        assert!(mutex.try_lock().is_some());
    });
}

#[test]
fn a_granted_turn_that_nobody_takes_is_revoked() {
    for lapsed in [false, true] {
        // Without a lapse by the clock, the witness' patience ends it.
        models::check_told(true, lapsed, 3, || {
            let mutex = Arc::new(Mutex::new(0));
            let guard = mutex.try_lock().unwrap();
            let mut ignored = mutex.lock();
            assert!(models::poll_once(&mut ignored).is_none());
            let waiter = thread::spawn({
                let mutex = Arc::clone(&mutex);
                move || count(&mutex)
            });
            drop(guard);
            waiter.join().unwrap();
            drop(ignored);
            assert_eq!(*mutex.try_lock().unwrap(), 1);
        });
    }
}

#[test]
fn a_cancelled_wait_passes_its_turn_on() {
    for starved in [false, true] {
        models::check_told(starved, false, 3, || {
            let mutex = Arc::new(Mutex::new(0));
            let guard = mutex.try_lock().unwrap();
            let mut cancelled = mutex.lock();
            assert!(models::poll_once(&mut cancelled).is_none());
            let waiter = thread::spawn({
                let mutex = Arc::clone(&mutex);
                move || count(&mutex)
            });
            let holder = thread::spawn({
                // The guard's release, on a thread of its own, against the cancel below.
                let mutex = Arc::clone(&mutex);
                std::mem::forget(guard);
                move || mutex.permits.release(1)
            });
            drop(cancelled);
            holder.join().unwrap();
            waiter.join().unwrap();
            assert_eq!(*mutex.try_lock().unwrap(), 1);
        });
    }
}
