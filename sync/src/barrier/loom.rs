//! Models of the barrier: rounds against each other, and a wait that is dropped against its release.

use super::*;
use crate::models;
use crate::primitive::{Arc, thread};

#[test]
fn two_rounds_have_two_leaders() {
    models::check(3, || {
        let barrier = Arc::new(Barrier::new(2));
        let both = || {
            let barrier = Arc::clone(&barrier);
            move || {
                u32::from(barrier.wait_blocking().is_leader())
                    + u32::from(barrier.wait_blocking().is_leader())
            }
        };
        let other = thread::spawn(both());
        let led = both()();
        assert_eq!(led + other.join().unwrap(), 2);
    });
}

/// A waker that remembers that it was woken. What it tells is no part of what the model explores.
#[derive(Default)]
struct Woken(std::sync::atomic::AtomicBool);

impl std::task::Wake for Woken {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn a_dropped_wait_takes_its_arrival_back_or_has_been_released() {
    models::check(3, || {
        let barrier = Arc::new(Barrier::new(2));
        let woken = std::sync::Arc::new(Woken::default());
        let mut dropped = barrier.wait();
        let waker = std::sync::Arc::clone(&woken).into();
        assert!(Pin::new(&mut dropped).poll(&mut Context::from_waker(&waker)).is_pending());
        let other = thread::spawn({
            let barrier = Arc::clone(&barrier);
            move || models::poll_once(&mut barrier.wait()).is_some()
        });
        drop(dropped);
        let led = other.join().unwrap();
        assert_eq!(led, woken.0.load(std::sync::atomic::Ordering::Relaxed), "two make a round, or neither");
        // Whatever happened: nobody stands at the barrier now, and two can pass it.
        let mut first = barrier.wait();
        assert!(models::poll_once(&mut first).is_none());
        assert!(barrier.wait_blocking().is_leader());
        assert!(models::poll_once(&mut first).is_some());
    });
}
