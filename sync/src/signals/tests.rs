//! Who is told what, in which order, and that foreign code in a waker costs no signal.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::*;
use crate::testing::{Task, Touch, arm, on_touch, touchy};

fn wait() -> Wait {
    Wait::new(WaitKind::Notify, Location::caller())
}

/// A wait in `signals`, to be polled by hand.
fn task<'a>(signals: &'a Signals<(), u8>) -> Task<impl Future<Output = u8> + Unpin + 'a> {
    let mut wait = wait();
    Task::waiting(poll_fn(move |cx| signals.poll(&mut wait, cx, |_, _| None)))
}

#[test]
fn signals_go_to_those_who_wait_in_the_order_in_which_they_came() {
    let signals = Signals::new(());
    let mut tasks = [task(&signals), task(&signals), task(&signals)];
    for n in 0..3 {
        assert!(signals.with(|inner, wakers| inner.signal_first(n, wakers)));
    }
    assert!(!signals.with(|inner, wakers| inner.signal_first(9, wakers)));
    assert_eq!(tasks.each_mut().map(|task| (task.wakes(), task.poll())), [0, 1, 2].map(|n| (1, Some(n))));
}

#[test]
fn a_signal_stays_with_its_waiter_when_the_next_round_has_begun() {
    let signals = Signals::new(());
    let mut early = task(&signals);
    signals.with(|inner, wakers| inner.signal_all(1, wakers));
    let mut late = task(&signals);
    assert_eq!(late.poll(), None);
    assert_eq!(early.poll(), Some(1));
    signals.with(|inner, wakers| inner.signal_all(2, wakers));
    assert_eq!(late.poll(), Some(2));
}

#[test]
fn who_cancels_learns_what_it_had_been_told() {
    let signals = Signals::new(());
    let (mut told, mut untold) = (wait(), wait());
    for wait in [&mut told, &mut untold] {
        assert_eq!(signals.enter(wait, None, |_, _| None), None);
    }
    signals.with(|inner, wakers| inner.signal_first(5, wakers));
    let mut seen = Vec::new();
    for wait in [&mut told, &mut untold] {
        signals.cancel(wait, |_, signal, _| seen.push(signal));
        signals.cancel(wait, |_, _, _| unreachable!("it has left already"));
    }
    assert_eq!(seen, [Some(5), None]);
}

#[test]
fn the_waker_of_the_last_poll_is_woken() {
    let signals = Signals::<(), u8>::new(());
    let mut wait = wait();
    let mut poll = |waker: &Waker| signals.poll(&mut wait, &Context::from_waker(waker), |_, _| None);
    let (first, first_waker) = crate::testing::Woken::new();
    let (second, second_waker) = crate::testing::Woken::new();
    assert!(poll(&first_waker).is_pending());
    assert!(poll(&second_waker).is_pending());
    signals.with(|inner, wakers| inner.signal_all(1, wakers));
    assert_eq!((first.count(), second.count()), (0, 1));
    assert_eq!(poll(&second_waker), Poll::Ready(1));
}

#[test]
fn the_waker_of_a_wait_that_is_answered_at_once_is_dropped_with_no_lock_held() {
    let signals = Arc::new(Signals::<(), u8>::new(()));
    let waker = touchy();
    let other = Arc::clone(&signals);
    let hook = move || assert!(other.inner.try_lock().is_some(), "S3");
    let polled = on_touch(Touch::Drop, hook, || {
        signals.poll(&mut wait(), &Context::from_waker(&waker), |_, _| Some(1))
    });
    assert_eq!(polled, Poll::Ready(1));
}

#[test]
fn a_waker_that_panics_as_the_signal_comes_costs_no_signal() {
    let signals = Arc::new(Signals::<(), u8>::new(()));
    let (waker, mut wait) = (touchy(), wait());
    assert_eq!(signals.enter(&mut wait, None, |_, _| None), None);
    let mut poll = || signals.poll(&mut wait, &Context::from_waker(&waker), |_, _| None);
    let other = Arc::clone(&signals);
    // The signal comes as the waker is cloned: the clone is not needed any more.
    let hook = move || {
        other.with(|inner, wakers| inner.signal_first(1, wakers));
        arm(Touch::Drop, || panic!("as it is dropped"));
    };
    let polled = catch_unwind(AssertUnwindSafe(|| on_touch(Touch::Clone, hook, &mut poll)));
    assert!(polled.is_err());
    assert_eq!(poll(), Poll::Ready(1));
}
