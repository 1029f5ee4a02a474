//! The algorithm's corners that no primitive on it shows directly; the rest is tested through them.

mod abandoned;
mod crowd;

use std::future::{Future, poll_fn};
use std::panic::Location;

use super::queue::LOOKS;
use super::waiter::Standing;
use super::*;
use crate::clock;
use crate::host::WaitKind;
use crate::patience;
use crate::testing::{Task, Touch, panics_at, touchy};

const LONG: std::time::Duration = std::time::Duration::from_millis(5);

fn wanting<const BARGING: bool>(
    permits: &Permits<BARGING>,
    need: usize,
) -> Task<impl Future<Output = Result<(), Closed>> + Unpin + '_> {
    let (want, mut ticket) = (Want::new(need, WaitKind::Semaphore), Ticket::new(Location::caller()));
    Task::new(poll_fn(move |context| permits.poll_acquire(&want, &mut ticket, context)))
}

#[test]
fn flags_are_set_while_somebody_waits_and_only_then() {
    let permits = Permits::<false>::new(0);
    let mut waiter = wanting(&permits, 1);
    assert!(waiter.poll().is_none());
    assert_eq!(permits.word.look().flags(), QUEUED | RESERVED | ASLEEP);
    permits.release(1);
    assert!(waiter.poll().is_some());
    assert_eq!(permits.word.look().flags(), 0);

    let permits = Permits::<true>::new(0);
    let mut waiter = wanting(&permits, 1);
    assert!(waiter.poll().is_none());
    assert_eq!(permits.word.look().flags(), QUEUED);
    permits.release(1);
    assert!(waiter.poll().is_some());
    assert_eq!(permits.word.look().flags(), 0);
}

#[test]
fn all_who_are_called_may_be_abandoned_so_one_more_is_woken() {
    let permits = Permits::<false>::new(0);
    let mut waiters = [(); 4].map(|()| wanting(&permits, 1));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    permits.release(2);
    assert_eq!(waiters.each_ref().map(Task::wakes), [1, 1, 1, 0]);
    permits.release(1);
    assert_eq!(
        waiters.each_ref().map(Task::wakes),
        [1, 1, 1, 1],
        "the witness has been called, and gets one too"
    );
}

#[test]
fn who_has_come_to_a_call_needs_no_witness() {
    let permits = Permits::<true>::new(0);
    let start = clock::now();
    let mut waiters = [(); 2].map(|()| wanting(&permits, 1));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    permits.release(1);
    assert!(permits.try_take(1), "past the called one");
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()), "both have come, for nothing");
    permits.release(1);
    if !patience::is_starved(start, clock::now()) {
        assert_eq!(waiters.each_ref().map(Task::wakes), [2, 1]);
    }
    assert!(waiters[0].poll().is_some());
}

#[test]
fn who_has_come_to_a_call_but_waited_for_long_needs_one() {
    let permits = Permits::<true>::new(0);
    let mut waiters = [(); 2].map(|()| wanting(&permits, 1));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    permits.release(1);
    assert!(permits.try_take(1), "past the called one");
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()), "both have come, for nothing");
    std::thread::sleep(LONG);
    permits.release(1);
    assert_eq!(waiters.each_ref().map(Task::wakes), [2, 2]);
}

#[test]
fn who_cannot_be_served_is_not_called() {
    let permits = Permits::<false>::new(0);
    let mut big = wanting(&permits, 3);
    assert!(big.poll().is_none());
    permits.release(2);
    assert_eq!(big.wakes(), 0);
    permits.release(1);
    assert_eq!(big.wakes(), 1);
    assert!(big.poll().is_some());
}

#[test]
fn a_witness_passes_over_those_who_do_not_come_even_if_the_clock_stands_still() {
    let permits = Permits::<false>::new(0);
    let mut waiters = [(); 2].map(|()| wanting(&permits, 1));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    let mut queue = permits.queue.lock();
    let (first, last, entries) = queue.entries();
    let far = clock::now() + std::time::Duration::from_secs(3600);
    entries.get_mut(first).standing = Standing::Called { at: far, entitled: true };
    entries.get_mut(last).looks = LOOKS - 10;
    drop(queue);
    permits.word.give_back(1, 0, permits.word.look()).unwrap();
    let polls = (0..).take_while(|_| waiters[1].poll().is_none()).count();
    assert!((8..=11).contains(&polls), "{polls}");
    assert!(waiters[0].poll().is_none());
}

#[test]
fn permits_forgotten_under_a_call_are_not_there_when_it_comes() {
    let permits = Permits::<false>::new(0);
    let mut waiter = wanting(&permits, 1);
    assert!(waiter.poll().is_none());
    permits.release(1);
    assert_eq!(permits.forget(5), 1);
    assert!(waiter.run().is_none());
    permits.release(1);
    assert!(waiter.run().is_some());
}

#[test]
fn beside_plenty_small_requests_pass_those_who_were_called_and_big_ones_do_not() {
    let permits = Permits::<false>::new(0);
    let mut called = wanting(&permits, 1);
    assert!(called.poll().is_none());
    permits.release(MAX_PERMITS);
    assert_eq!(permits.word.look().flags(), QUEUED | ASLEEP, "P2");
    assert!(permits.try_take(1));
    permits.release(1);
    assert!(!permits.try_take(MAX_PERMITS));
    assert!(!permits.try_take(2));
    assert!(called.poll().is_some());
    permits.release(1);
    assert!(permits.try_take(MAX_PERMITS));
}

#[test]
fn every_so_many_releases_look_whether_the_one_who_was_called_has_lapsed() {
    let permits = Permits::<true>::new(0);
    let mut waiters = [(); 3].map(|()| wanting(&permits, 1));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    permits.release(1);
    assert_eq!(waiters.each_ref().map(Task::wakes), [1, 1, 0], "the second one as the witness");
    std::thread::sleep(std::time::Duration::from_millis(3));
    for _ in 0..TRUST {
        if permits.try_take(1) {
            permits.release(1);
        }
    }
    assert_eq!(waiters[2].wakes(), 1, "neither has come");
}

#[test]
fn a_waker_that_panics_as_another_one_takes_its_permits_does_not_cost_them() {
    let permits = Permits::<false>::new(0);
    let (mut ignored, mut second) = (wanting(&permits, 2), wanting(&permits, 1));
    let mut third = wanting(&permits, 1).with_waker(touchy());
    assert!([ignored.poll(), second.poll(), third.poll()].iter().all(Option::is_none));
    permits.release(2);
    std::thread::sleep(LONG);
    panics_at(Touch::Wake, || second.poll());
    assert_eq!(permits.free(), 2, "it took one past the absent one, and called the third");
    assert!(third.poll().is_some());
}

#[test]
fn a_newcomers_waker_that_panics_does_not_cost_its_permits() {
    let permits = Permits::<false>::new(0);
    let (mut ignored, mut newcomer) = (wanting(&permits, 1), wanting(&permits, 1).with_waker(touchy()));
    assert!(ignored.poll().is_none());
    permits.release(1);
    std::thread::sleep(LONG);
    panics_at(Touch::Drop, || newcomer.poll());
    assert_eq!(permits.free(), 1, "it came to sleep, and need not");
}

#[test]
fn a_waker_that_panics_as_it_leaves_the_queue_does_not_cost_the_permits() {
    for spins in [true, false] {
        let permits = Permits::<true>::new(0);
        let mut waiter = wanting(&permits, 1).with_waker(touchy());
        assert!(waiter.poll().is_none());
        for _ in 0..3 {
            permits.luck.spin(|| Some(spins));
        }
        permits.word.give_back(1, 0, permits.word.look()).unwrap();
        panics_at(Touch::Drop, || waiter.poll());
        assert_eq!((permits.free(), permits.word.look().flags()), (1, 0), "spins: {spins}");
    }
}

#[test]
fn a_request_for_more_than_there_can_be_waits_behind_those_who_were_called() {
    let permits = Permits::<false>::new(0);
    let (mut called, mut greedy) = (wanting(&permits, 1), wanting(&permits, usize::MAX));
    assert!(called.poll().is_none());
    permits.release(1);
    assert!(greedy.poll().is_none());
    assert!(called.poll().is_some());
}

#[test]
fn those_who_were_called_may_want_more_in_all_than_can_be_counted() {
    let permits = Permits::<false>::new(0);
    let mut waiters = [(); 20].map(|()| wanting(&permits, MAX_PERMITS));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    // As it comes to be when they are called one after the other, and permits are forgotten in between.
    let mut queue = permits.queue.lock();
    let (mut next, _, entries) = queue.entries();
    let far = clock::now() + std::time::Duration::from_secs(3600);
    for _ in &waiters {
        entries.get_mut(next).standing = Standing::Called { at: far, entitled: true };
        next = entries.behind(next).unwrap_or(next);
    }
    drop(queue);
    permits.word.give_back(1, 0, permits.word.look()).unwrap();
    assert!(matches!(permits.try_acquire(1), Ok(false)));
}
