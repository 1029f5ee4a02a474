//! Models of batches of permits: waiting, releasing, cancelling and closing against each other.

use super::*;
use crate::primitive::{Arc, thread};
use crate::{block, models};

fn wanting(semaphore: &Arc<Semaphore>, count: usize) -> thread::JoinHandle<bool> {
    let semaphore = Arc::clone(semaphore);
    thread::spawn(move || block::wait(semaphore.acquire_many(count)).is_ok())
}

#[test]
fn a_batch_waits_for_all_of_its_permits_and_holds_nobody_up_afterwards() {
    models::check(2, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let big = wanting(&semaphore, 2);
        let small = wanting(&semaphore, 1);
        semaphore.add_permits(1);
        semaphore.add_permits(1);
        assert!(big.join().unwrap());
        assert!(small.join().unwrap());
        assert_eq!(semaphore.available_permits(), 2);
    });
}

#[test]
fn one_release_calls_all_for_whom_it_suffices() {
    models::check(2, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let waiters = [(); 2].map(|()| {
            let semaphore = Arc::clone(&semaphore);
            thread::spawn(move || block::wait(semaphore.acquire()).unwrap().forget())
        });
        semaphore.add_permits(2);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn a_cancelled_batch_lets_those_behind_it_proceed() {
    models::check(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut big = semaphore.acquire_many(2);
        assert!(models::poll_once(&mut big).is_none());
        let small = wanting(&semaphore, 1);
        let adding = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(1)
        });
        drop(big);
        adding.join().unwrap();
        assert!(small.join().unwrap());
    });
}

#[test]
fn an_ignored_waiter_does_not_stop_others() {
    for lapsed in [false, true] {
        models::check_told(false, lapsed, 2, || {
            let semaphore = Arc::new(Semaphore::new(0));
            let mut ignored = semaphore.acquire_many(2);
            assert!(models::poll_once(&mut ignored).is_none());
            let others = [(); 2].map(|()| {
                let semaphore = Arc::clone(&semaphore);
                thread::spawn(move || block::wait(semaphore.acquire()).unwrap().forget())
            });
            semaphore.add_permits(2);
            others.into_iter().for_each(|other| other.join().unwrap());
            drop(ignored);
        });
    }
}

#[test]
fn close_wakes_whoever_waits() {
    models::check(3, || {
        let semaphore = Arc::new(Semaphore::new(1));
        let waiters = [wanting(&semaphore, 1), wanting(&semaphore, 2)];
        semaphore.close();
        let [small, big] = waiters.map(|waiter| waiter.join().unwrap());
        assert!(!big, "there never were two");
        assert_eq!(semaphore.available_permits(), 1, "got and given back: {small}");
        assert!(semaphore.try_acquire().is_err());
    });
}

#[test]
fn nothing_is_taken_once_it_is_closed() {
    models::check(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut called = semaphore.acquire_many(2);
        assert!(models::poll_once(&mut called).is_none());
        // Two are free and meant for who was called, so whoever else comes has to ask the queue for the third.
        semaphore.add_permits(3);
        let closing = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || {
                semaphore.close();
                semaphore.available_permits()
            }
        });
        let taken = semaphore.try_acquire().map(SemaphorePermit::forget);
        assert_eq!(closing.join().unwrap(), semaphore.available_permits(), "taken: {taken:?}");
    });
}

#[test]
fn who_finds_it_closed_sees_what_came_before() {
    models::check(3, || {
        let (semaphore, written) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
        let closing = thread::spawn({
            let (semaphore, written) = (Arc::clone(&semaphore), Arc::clone(&written));
            move || {
                // Relaxed: the close is to carry it.
                written.store(1, Ordering::Relaxed);
                semaphore.close();
            }
        });
        if let Err(TryAcquireError::Closed) = semaphore.try_acquire() {
            assert_eq!(written.load(Ordering::Relaxed), 1); // Relaxed: as above
        }
        closing.join().unwrap();
    });
}

#[test]
fn what_is_added_in_place_of_what_is_forgotten_comes_after_it() {
    models::check(3, || {
        let semaphore = Arc::new(Semaphore::new(MAX_PERMITS));
        let forgetting = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || assert_eq!(semaphore.forget(1), 1)
        });
        // Relaxed: a guess that `add_permits` checks.
        let added = semaphore.total.load(Ordering::Relaxed) < MAX_PERMITS;
        if added {
            semaphore.add_permits(1);
        }
        forgetting.join().unwrap();
        assert_eq!(semaphore.available_permits(), MAX_PERMITS - usize::from(!added));
    });
}
