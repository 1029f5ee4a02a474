//! Waits that their tasks have turned away from: they hold nobody else up for long, and keep their own turn.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{LONG, wanting};
use crate::permits::{Closed, Permits};
use crate::testing::{Task, Woken};
use crate::{RwLock, Semaphore};

#[test]
fn a_task_that_waits_anew_leaves_its_turns_to_the_next() {
    fn check<const BARGING: bool>(queued_before: bool) {
        let permits = Permits::<BARGING>::new(0);
        let wakers = [(); 2].map(|()| Woken::new());
        let wanting_of = |task: usize| wanting(&permits, 1).with_waker(wakers[task].1.clone());
        let mut ignored = [0, 1].map(wanting_of);
        let mut anew = [0, 1].map(wanting_of);
        let mut last = wanting(&permits, 1);
        assert!(ignored.iter_mut().all(|waiter| waiter.poll().is_none()));
        assert!(last.poll().is_none());
        if queued_before {
            assert!(anew.iter_mut().all(|waiter| waiter.poll().is_none()));
        }
        std::thread::sleep(LONG); // so that nobody barges
        permits.release(1);
        assert_eq!((wakers[0].0.count(), wakers[1].0.count(), last.wakes()), (1, 1, 0));
        assert!(anew.iter_mut().all(|waiter| waiter.poll().is_none()), "behind the last");
        assert!(last.wakes() > 0, "both that were called have been turned away from");
        assert!(last.run().is_some());
    }
    for queued_before in [false, true] {
        check::<false>(queued_before);
        check::<true>(queued_before);
    }
}

/// Two that were called and whose calls have lapsed, and one asleep behind them, beside a free permit.
fn two_abandoned_and_one_asleep<const BARGING: bool>(
    permits: &Permits<BARGING>,
) -> [Task<impl Future<Output = Result<(), Closed>> + Unpin + '_>; 3] {
    let mut waiters = [(); 3].map(|()| wanting(permits, 1));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    std::thread::sleep(LONG); // so that nobody barges
    permits.release(1);
    assert_eq!(waiters.each_ref().map(Task::wakes), [1, 1, 0]);
    std::thread::sleep(LONG);
    waiters
}

#[test]
fn a_newcomer_finds_that_calls_have_lapsed() {
    fn check<const BARGING: bool>() {
        let permits = Permits::<BARGING>::new(0);
        let waiters = two_abandoned_and_one_asleep(&permits);
        let mut newcomer = wanting(&permits, 1);
        assert!(newcomer.run().is_some() || waiters[2].wakes() > 0, "both asleep");
    }
    check::<false>();
    check::<true>();
}

#[test]
fn who_tries_in_vain_finds_that_calls_have_lapsed() {
    let permits = Permits::<true>::new(0);
    let waiters = two_abandoned_and_one_asleep(&permits);
    assert!(permits.try_acquire(1).unwrap() || waiters[2].wakes() > 0);
}

#[test]
fn a_stray_poll_further_behind_finds_that_calls_have_lapsed() {
    let permits = Permits::<false>::new(0);
    let mut waiters = [(); 4].map(|()| wanting(&permits, 1));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    permits.release(1);
    std::thread::sleep(LONG);
    assert!(waiters[3].poll().is_none());
    assert!(waiters[2].wakes() > 0);
}

#[test]
fn a_newcomer_beside_a_holder_finds_that_calls_have_lapsed() {
    let permits = Permits::<true>::new(0);
    let mut ignored = [(); 2].map(|()| wanting(&permits, 1));
    assert!(ignored.iter_mut().all(|waiter| waiter.poll().is_none()));
    permits.release(1);
    assert!(permits.try_take(1), "past those who were called");
    std::thread::sleep(LONG);
    let mut newcomer = wanting(&permits, 1);
    assert!(newcomer.poll().is_none());
    permits.release(1);
    assert!(newcomer.wakes() > 0, "the release does not leave it to calls of long ago");
}

#[test]
fn who_wants_nothing_is_called_when_those_before_have_gone() {
    let semaphore = Semaphore::new(0);
    let first = Task::waiting(semaphore.acquire());
    let mut nothing = Task::waiting(semaphore.acquire_many(0));
    drop(first);
    assert!(nothing.wakes() > 0);
    assert!(nothing.run().is_some());
}

/// `Pending`, once, with the task woken.
async fn one_yield() {
    let mut yielded = false;
    poll_fn(|context| match std::mem::replace(&mut yielded, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// Polls a loop that never ends and one wait in turns, in one task, the loop first.
fn does_not_starve(in_a_loop: impl Future<Output = ()>, once: impl Future<Output = ()>) {
    let (_woken, waker) = Woken::new();
    let context = &mut Context::from_waker(&waker);
    let (mut in_a_loop, mut once) = (pin!(in_a_loop), pin!(once));
    let rounds = (0..10_000).take_while(|_| {
        assert!(in_a_loop.as_mut().poll(context).is_pending());
        once.as_mut().poll(context).is_pending()
    });
    assert!(rounds.count() < 10, "its turns are not given to the other wait of its own task");
}

#[test]
fn a_wait_keeps_its_turn_beside_a_loop_in_the_same_task() {
    let semaphore = Semaphore::new(1);
    let in_a_loop = async {
        loop {
            let _permit = semaphore.acquire().await;
            one_yield().await;
        }
    };
    does_not_starve(in_a_loop, async { drop(semaphore.acquire().await) });

    let lock = RwLock::new(());
    let in_a_loop = async {
        loop {
            let _guard = lock.read().await;
            one_yield().await;
        }
    };
    does_not_starve(in_a_loop, async { drop(lock.write().await) });
}

#[test]
fn tasks_that_share_a_waker_take_turns() {
    let semaphore = Semaphore::new(1);
    let mut held = semaphore.try_acquire().ok();
    let context = &mut Context::from_waker(Waker::noop());
    let mut first = pin!(semaphore.acquire());
    let rounds = (0..1000).take_while(|_| {
        let waits = first.as_mut().poll(context).is_pending();
        held.take();
        if let Poll::Ready(permit) = pin!(semaphore.acquire()).poll(context) {
            held = permit.ok();
        }
        waits
    });
    assert!(rounds.count() < 10, "the first in the queue is passed again and again");
}
