//! Tests of the barrier: one leader each round, and waits that are dropped.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::testing::{Task, asked_to_yield, within_limit};

#[test]
fn each_round_has_exactly_one_leader() {
    within_limit(|| {
        const ROUNDS: usize = 300;
        let (barrier, leaders) = (Barrier::new(4), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for round in 0..ROUNDS {
                        if barrier.wait_blocking().is_leader() {
                            leaders.fetch_add(1, Ordering::Relaxed);
                        }
                        barrier.wait_blocking();
                        assert_eq!(leaders.load(Ordering::Relaxed).div_ceil(2), round + 1);
                        if barrier.wait_blocking().is_leader() {
                            leaders.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(leaders.into_inner(), 2 * ROUNDS);
    });
}

#[test]
fn sizes_0_and_1_never_wait() {
    for size in [0, 1] {
        let barrier = Barrier::new(size);
        for _ in 0..3 {
            assert!(Task::new(barrier.wait()).poll().unwrap().is_leader());
        }
    }
}

#[test]
fn the_last_to_come_leads() {
    let barrier = Barrier::new(3);
    let mut waits = [(); 2].map(|()| Task::waiting(barrier.wait()));
    assert!(Task::new(barrier.wait()).poll().unwrap().is_leader());
    assert!(waits.iter_mut().all(|wait| wait.wakes() == 1 && !wait.poll().unwrap().is_leader()));
}

#[test]
fn a_dropped_wait_takes_its_arrival_back() {
    let barrier = Barrier::new(2);
    drop(Task::waiting(barrier.wait()));
    let mut wait = Task::waiting(barrier.wait());
    assert!(Task::new(barrier.wait()).poll().is_some());
    assert!(wait.poll().is_some());
}

#[test]
fn a_wait_dropped_after_its_round_takes_nothing_back() {
    let barrier = Barrier::new(2);
    let released = Task::waiting(barrier.wait());
    assert!(Task::new(barrier.wait()).poll().is_some());
    let mut next = Task::waiting(barrier.wait());
    drop(released);
    assert!(Task::new(barrier.wait()).poll().is_some());
    assert!(next.poll().is_some());
}

#[test]
fn a_wait_has_come_from_its_first_poll_also_where_that_yields() {
    let barrier = Barrier::new(2);
    let mut first = Task::new(barrier.wait());
    assert!(asked_to_yield(|| first.poll()).is_none());
    assert!(Task::new(barrier.wait()).poll().expect("it has completed the round").is_leader());
    assert!(asked_to_yield(|| first.poll()).is_none());
    assert!(!first.poll().expect("both have come").is_leader());
    drop(Task::waiting(barrier.wait()));
}

#[test]
fn a_round_has_its_leader_also_where_all_are_asked_to_yield_and_give_up() {
    let barrier = Barrier::new(2);
    let mut waits = [(); 2].map(|()| Task::new(barrier.wait()));
    let told = waits.each_mut().map(|wait| asked_to_yield(|| wait.poll()));
    drop(waits);
    assert_eq!(told.into_iter().flatten().filter(BarrierWaitResult::is_leader).count(), 1);
}

#[test]
fn who_is_alone_yields_where_it_is_asked_to() {
    let barrier = Barrier::new(1);
    let mut wait = Task::new(barrier.wait());
    assert!(asked_to_yield(|| wait.poll()).is_none());
    assert!(wait.poll().expect("it is alone").is_leader());
}
