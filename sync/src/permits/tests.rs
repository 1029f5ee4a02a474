//! The algorithm's corners that no primitive on it shows directly; the rest is tested through them.

use std::future::{Future, poll_fn};
use std::panic::Location;

use super::queue::{LOOKS, Standing};
use super::*;
use crate::clock;
use crate::host::WaitKind;
use crate::patience;
use crate::testing::Task;

fn wanting<const BARGING: bool>(
    permits: &Permits<BARGING>,
    need: usize,
) -> Task<impl Future<Output = Result<(), Closed>> + Unpin + '_> {
    let mut ticket = Ticket::new(need, WaitKind::Semaphore, Location::caller());
    Task::new(poll_fn(move |context| permits.poll_acquire(&mut ticket, context)))
}

#[test]
fn flags_are_set_while_somebody_waits_and_only_then() {
    let permits = Permits::<false>::new(0);
    let mut waiter = wanting(&permits, 1);
    assert!(waiter.poll().is_none());
    assert_eq!(permits.state.load(Relaxed), QUEUED | RESERVED);
    permits.release(1);
    assert!(waiter.poll().is_some());
    assert_eq!(permits.state.load(Relaxed), 0);

    let permits = Permits::<true>::new(0);
    let mut waiter = wanting(&permits, 1);
    assert!(waiter.poll().is_none());
    assert_eq!(permits.state.load(Relaxed), QUEUED);
    permits.release(1);
    assert!(waiter.poll().is_some());
    assert_eq!(permits.state.load(Relaxed), 0);
}

#[test]
fn a_release_calls_one_more_than_it_has_permits_for() {
    let permits = Permits::<false>::new(0);
    let mut waiters = [(); 4].map(|()| wanting(&permits, 1));
    assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_none()));
    permits.release(2);
    assert_eq!(waiters.each_ref().map(Task::wakes), [1, 1, 1, 0]);
    assert!(waiters[0].poll().is_some());
    permits.release(1);
    assert_eq!(waiters.each_ref().map(Task::wakes), [1, 1, 1, 1], "the witness is awake already");
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
    permits.state.fetch_add(1 << SHIFT, Relaxed);
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
