//! Tests of the permits: their number, the order of requests, and waits that are dropped or ignored.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::testing::{Task, Touch, begins_to_wait, panics_at, touchy, within_limit};

const LONG: Duration = Duration::from_millis(5);

#[test]
fn at_most_so_many_hold_a_permit() {
    within_limit(|| {
        let semaphore = Semaphore::new(3);
        let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let _permit = semaphore.acquire_blocking().unwrap();
                        most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(most.into_inner(), 3);
        assert_eq!(semaphore.available_permits(), 3);
    });
}

#[test]
fn requests_are_served_in_the_order_in_which_they_came() {
    let semaphore = Semaphore::new(0);
    let mut tasks: Vec<_> = (0..10).map(|_| Task::waiting(semaphore.acquire())).collect();
    for next in 0..tasks.len() {
        semaphore.add_permits(1);
        assert!(tasks[next].wakes() > 0);
        tasks[next].run().expect("its turn").unwrap().forget();
        assert!(tasks[next + 1..].iter_mut().all(|task| task.run().is_none()));
    }
}

#[test]
fn a_big_request_is_not_starved_by_small_ones() {
    let semaphore = Semaphore::new(3);
    let mut held = semaphore.try_acquire_many(3).unwrap();
    let mut big = Task::waiting(semaphore.acquire_many(3));
    let mut small = Task::waiting(semaphore.acquire());
    for _ in 0..2 {
        drop(held.split(1));
        std::thread::sleep(LONG);
        assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
        assert!(small.run().is_none());
        assert!(big.run().is_none());
    }
    drop(held);
    let permits = big.run().unwrap().unwrap();
    assert!(small.run().is_none());
    drop(permits);
    assert!(small.run().is_some());
}

#[test]
fn one_release_serves_as_many_as_it_can() {
    let semaphore = Semaphore::new(0);
    let mut tasks = [2, 1, 2, 1].map(|count| Task::waiting(semaphore.acquire_many(count)));
    semaphore.add_permits(5);
    // Also when the later ones are polled first: what they were called for is theirs.
    let permits: Vec<_> = [2, 1, 0].map(|at: usize| tasks[at].poll().unwrap().unwrap()).into();
    assert!(tasks[3].poll().is_none());
    drop(permits);
    assert!(tasks[3].run().is_some());
}

#[test]
fn a_cancelled_big_request_lets_the_small_ones_behind_it_proceed() {
    let semaphore = Semaphore::new(2);
    let big = Task::waiting(semaphore.acquire_many(5));
    let mut small = [(); 2].map(|()| Task::waiting(semaphore.acquire()));
    assert_eq!(semaphore.available_permits(), 2, "permits are not collected for the big one");
    drop(big);
    for small in &mut small {
        assert_eq!(small.wakes(), 1);
        small.poll().unwrap().unwrap().forget();
    }
}

#[test]
fn cancelling_a_wait_whose_turn_has_come_lets_the_next_one_proceed() {
    let semaphore = Semaphore::new(0);
    let first = Task::waiting(semaphore.acquire());
    let mut second = Task::waiting(semaphore.acquire());
    semaphore.add_permits(1);
    drop(first);
    assert!(second.wakes() > 0);
    assert!(second.run().is_some());
}

#[test]
fn a_waiter_that_was_polled_once_and_then_ignored_does_not_stop_a_second_acquire_in_the_same_task() {
    within_limit(|| {
        for held in [Duration::ZERO, LONG] {
            let semaphore = Semaphore::new(1);
            let permit = semaphore.try_acquire().unwrap();
            block::wait(async {
                let mut ignored = pin!(semaphore.acquire());
                begins_to_wait(ignored.as_mut()).await;
                let mut second = pin!(semaphore.acquire());
                begins_to_wait(second.as_mut()).await;
                std::thread::sleep(held);
                drop(permit);
                drop(second.await);
                drop(semaphore.acquire().await);
            });
        }
    });
}

#[test]
fn a_waiter_that_was_polled_once_and_then_ignored_does_not_stop_other_tasks() {
    within_limit(|| {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.try_acquire().unwrap();
        let _ignored = Task::waiting(semaphore.acquire());
        let mut second = Task::waiting(semaphore.acquire());
        drop(permit);
        let mut served = None;
        while served.is_none() {
            assert!(second.wakes() > 0, "the witness is awake");
            served = second.run();
        }
        assert!(semaphore.try_acquire().is_err());
        drop(served);
        assert!(semaphore.try_acquire().is_ok(), "past the absent one");
    });
}

#[test]
fn what_an_absent_waiter_leaves_over_serves_more_than_one() {
    let semaphore = Semaphore::new(0);
    let _ignored = Task::waiting(semaphore.acquire_many(2));
    let mut others = [(); 2].map(|()| Task::waiting(semaphore.acquire()));
    semaphore.add_permits(2);
    assert_eq!(others.each_ref().map(Task::wakes), [1, 0], "a witness, and one that sleeps");
    std::thread::sleep(LONG);
    let first = others[0].run().expect("past the absent one");
    assert_eq!(others[1].wakes(), 1);
    assert!(others[1].run().is_some());
    drop(first);
}

#[test]
fn an_absent_waiter_that_is_polled_again_is_served() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    let mut absent = Task::waiting(semaphore.acquire());
    drop(permit);
    std::thread::sleep(LONG);
    let permit = semaphore.try_acquire().expect("its call has lapsed");
    assert!(absent.run().is_none());
    drop(permit);
    assert!(absent.run().is_some());
}

#[test]
fn a_queue_of_waiters_is_respected_by_try_acquire() {
    let semaphore = Semaphore::new(1);
    let _big = Task::waiting(semaphore.acquire_many(2));
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
}

#[test]
fn close_wakes_all_and_revokes_nothing() {
    let semaphore = Semaphore::new(2);
    let permits = semaphore.try_acquire_many(2).unwrap();
    let mut tasks = [1, 2, 1].map(|count| Task::waiting(semaphore.acquire_many(count)));
    semaphore.close();
    for task in &mut tasks {
        assert_eq!(task.wakes(), 1);
        assert!(task.poll().unwrap().is_err());
    }
    assert_eq!(permits.permits(), 2);
    drop(permits);
    assert_eq!(semaphore.available_permits(), 2);
    assert_eq!(semaphore.try_acquire().unwrap_err(), TryAcquireError::Closed);
}

#[test]
fn more_than_the_total_waits_until_permits_are_added() {
    let semaphore = Semaphore::new(1);
    let mut task = Task::waiting(semaphore.acquire_many(3));
    semaphore.add_permits(2);
    assert_eq!(task.run().unwrap().unwrap().permits(), 3);
}

#[test]
fn overflow_panics_and_changes_nothing() {
    let semaphore = Semaphore::new(Semaphore::MAX_PERMITS);
    for count in [1, usize::MAX] {
        assert!(catch_unwind(AssertUnwindSafe(|| semaphore.add_permits(count))).is_err());
    }
    assert_eq!(semaphore.available_permits(), Semaphore::MAX_PERMITS);
    assert!(catch_unwind(|| Semaphore::new(usize::MAX)).is_err());
    let in_use = semaphore.try_acquire_many(2).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| semaphore.add_permits(1))).is_err(), "they will come back");
    in_use.forget();
    semaphore.add_permits(1);
    let owned = Arc::new(Semaphore::new(Semaphore::MAX_PERMITS));
    Arc::clone(&owned).try_acquire_many_owned(2).unwrap().forget();
    owned.add_permits(2);
    assert_eq!(semaphore.forget(1), 1);
    semaphore.add_permits(2);
    assert_eq!(semaphore.available_permits(), Semaphore::MAX_PERMITS);
    let waited_for = Semaphore::new(1);
    let _waiting = Task::waiting(waited_for.acquire_many(2));
    assert!(catch_unwind(AssertUnwindSafe(|| waited_for.add_permits(usize::MAX))).is_err());
    assert_eq!(waited_for.available_permits(), 1);
}

#[test]
fn an_owned_request_leaves_the_queue_also_when_its_poll_has_panicked() {
    let semaphore = Arc::new(Semaphore::new(0));
    let mut task = Task::waiting(Arc::clone(&semaphore).acquire_many_owned(2)).with_waker(touchy());
    panics_at(Touch::Clone, || task.poll());
    drop(task);
    semaphore.add_permits(1);
    assert!(semaphore.try_acquire().is_ok());
}

#[test]
fn owned_permits_split_merge_and_go_back() {
    let semaphore = Arc::new(Semaphore::new(4));
    let mut three = block::wait(Arc::clone(&semaphore).acquire_many_owned(3)).unwrap();
    let one = three.split(1).unwrap();
    assert!(three.split(3).is_none());
    three.merge(one);
    assert_eq!((three.permits(), semaphore.available_permits()), (3, 1));
    let other = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| three.merge(other))).is_err());
    assert_eq!((three.permits(), semaphore.available_permits()), (3, 1));
    drop(three);
    assert_eq!(semaphore.available_permits(), 4);
}

#[test]
fn a_wait_says_what_it_waits_on_and_where() {
    let semaphore = Semaphore::new(0);
    let _waiting = Task::waiting(semaphore.acquire());
    let wait = crate::host::take_wait().unwrap();
    assert_eq!(wait.kind, WaitKind::Semaphore);
    assert!(wait.at.file().ends_with("semaphore/tests.rs"));
}

#[test]
fn permits_split_merge_and_go_back() {
    let (semaphore, stranger) = (Semaphore::new(4), Semaphore::new(1));
    let mut three = semaphore.acquire_many_blocking(3).unwrap();
    assert_eq!((three.permits(), semaphore.available_permits()), (3, 1));
    assert!(three.split(4).is_none());
    let one = three.split(1).unwrap();
    three.merge(one);
    assert_eq!((three.permits(), semaphore.available_permits()), (3, 1));
    let other = stranger.try_acquire().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| three.merge(other))).is_err());
    assert_eq!((three.permits(), stranger.available_permits()), (3, 1));
    drop(three);
    assert_eq!(semaphore.available_permits(), 4);
}

#[test]
fn owned_permits_are_as_many_as_were_asked_for_and_of_their_semaphore() {
    let semaphore = Arc::new(Semaphore::new(3));
    let two = Arc::clone(&semaphore).try_acquire_many_owned(2).unwrap();
    assert_eq!((two.permits(), semaphore.available_permits()), (2, 1));
    assert!(Arc::ptr_eq(two.semaphore(), &semaphore));
    let mut task = Task::waiting(Arc::clone(&semaphore).acquire_many_owned(2));
    semaphore.close();
    assert!(task.poll().unwrap().is_err(), "it was closed while it waited");
    assert!(Arc::clone(&semaphore).try_acquire_owned().is_err());
    drop(two);
    assert_eq!(semaphore.available_permits(), 3);
}
