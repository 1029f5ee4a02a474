//! Tests of rule R19, and of what counts that are misused say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU32;

use super::*;
use crate::testing::{Task, asked_to_yield, within_limit};

#[test]
fn r19_wait_returns_when_all_are_done() {
    let group = WaitGroup::new();
    group.add(2);
    let mut wait = Task::waiting(group.wait());
    group.done();
    assert_eq!(wait.wakes(), 0);
    assert!(wait.poll().is_none());
    group.clone().done();
    assert_eq!(wait.wakes(), 1);
    assert!(wait.poll().is_some());
    assert!(Task::new(group.wait()).poll().is_some(), "nothing is left to wait for");
}

#[test]
fn r19_a_wait_counts_from_its_first_poll_also_where_that_yields() {
    let group = WaitGroup::new();
    group.add(1);
    let mut wait = Task::new(group.wait());
    assert!(asked_to_yield(|| wait.poll()).is_none());
    group.done();
    group.add(1);
    assert!(wait.poll().is_some(), "it waited when the count was zero");
}

#[test]
fn r19_a_negative_count_panics_with_the_callers_place() {
    let panic = std::thread::spawn(|| {
        let place = Arc::new(std::sync::Mutex::new(None));
        let seen = Arc::clone(&place);
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload_as_str().is_some_and(|message| message.starts_with("WaitGroup: negative count")) {
                *seen.lock().unwrap() = info.location().map(|at| at.file().to_owned());
            }
        }));
        let caught = catch_unwind(|| WaitGroup::new().done());
        std::panic::set_hook(hook);
        assert!(caught.is_err());
        place.lock().unwrap().take()
    });
    assert!(panic.join().unwrap().unwrap().ends_with("wait_group/tests.rs"));
}

#[test]
fn r19_a_task_that_panics_releases_its_guard() {
    let group = WaitGroup::new();
    let guard = group.guard();
    let mut wait = Task::waiting(group.wait());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _guard = guard;
        panic!("in the task");
    }));
    assert!(panicked.is_err());
    assert!(wait.poll().is_some());
}

#[test]
fn r19_a_wait_group_is_reusable_as_a_two_phase_barrier() {
    within_limit(|| {
        const WORKERS: u32 = 4;
        const ROUNDS: u32 = 200;
        let (arrived, left) = (WaitGroup::new(), WaitGroup::new());
        let done = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for round in 0..ROUNDS {
                arrived.add(WORKERS as usize);
                left.add(WORKERS as usize);
                let workers: Vec<_> = (0..WORKERS)
                    .map(|_| {
                        let (arrived, left, done) = (&arrived, &left, &done);
                        scope.spawn(move || {
                            done.fetch_add(1, Relaxed);
                            arrived.done();
                            arrived.wait_blocking();
                            assert_eq!(done.load(Relaxed), (round + 1) * WORKERS);
                            left.done();
                        })
                    })
                    .collect();
                left.wait_blocking();
                workers.into_iter().for_each(|worker| worker.join().unwrap());
            }
        });
    });
}

#[test]
fn waiters_released_at_zero_stay_released() {
    let group = WaitGroup::new();
    group.add(1);
    let mut first = Task::waiting(group.wait());
    group.done();
    group.add(1);
    let mut second = Task::waiting(group.wait());
    assert!(first.poll().is_some());
    group.done();
    assert!(second.poll().is_some());
}

#[test]
fn r24_done_happens_before_the_return_of_wait() {
    within_limit(|| {
        for _ in 0..300 {
            let group = WaitGroup::new();
            let values: Vec<_> = (0..4).map(|_| Arc::new(AtomicU32::new(0))).collect();
            for value in &values {
                let (guard, value) = (group.guard(), Arc::clone(value));
                std::thread::spawn(move || {
                    value.store(1, Relaxed);
                    drop(guard);
                });
            }
            group.wait_blocking();
            assert!(values.iter().all(|value| value.load(Relaxed) == 1));
        }
    });
}

#[test]
fn a_dropped_wait_leaves_the_group_as_it_was() {
    let group = WaitGroup::new();
    group.add(1);
    drop(Task::waiting(group.wait()));
    let mut wait = Task::waiting(group.wait());
    group.done();
    assert!(wait.poll().is_some());
    group.add(1);
    assert!(Task::new(group.wait()).poll().is_none());
}

#[test]
fn a_count_that_is_too_large_panics() {
    let group = WaitGroup::new();
    group.add(usize::MAX / 2);
    assert!(catch_unwind(AssertUnwindSafe(|| group.add(1))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| WaitGroup::new().add(usize::MAX))).is_err());
}

#[test]
fn a_guard_whose_thing_was_done_before_panics_unless_a_panic_is_under_way() {
    let group = WaitGroup::new();
    let [first, second] = [(); 2].map(|()| group.guard());
    group.done();
    group.done();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(first))).is_err());
    let own = catch_unwind(AssertUnwindSafe(|| {
        let _guard = second;
        panic!("the task's own");
    }));
    assert_eq!(own.unwrap_err().downcast_ref(), Some(&"the task's own"));
}
