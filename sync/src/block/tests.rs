//! Tests of a thread that waits for a future: wakes at every moment, waits inside waits, deadlines.

use std::future::{pending, poll_fn, ready};
use std::sync::atomic::AtomicBool as Flag;
use std::time::Duration;

use super::*;
use crate::testing::within_limit;

#[test]
fn a_ready_future_does_not_block() {
    assert_eq!(wait(ready(7)), 7);
}

#[test]
fn a_wake_from_another_thread_ends_the_wait() {
    let (send, receive) = std::sync::mpsc::channel::<Waker>();
    let done = Arc::new(Flag::new(false));
    let other = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            let waker = receive.recv().unwrap();
            done.store(true, Ordering::Release);
            waker.wake();
        }
    });
    within_limit(move || {
        wait(poll_fn(|cx| {
            if done.load(Ordering::Acquire) {
                return Poll::Ready(());
            }
            send.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }));
    });
    other.join().unwrap();
}

#[test]
fn a_wake_during_the_poll_is_not_lost() {
    let mut polls = 0;
    wait(poll_fn(|cx| {
        polls += 1;
        cx.waker().wake_by_ref();
        if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
    }));
}

#[test]
fn a_wait_inside_a_wait_has_its_own_seat() {
    let mut outer = None;
    wait(poll_fn(|cx| {
        let seen = wait(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
        assert!(!seen.will_wake(cx.waker()));
        outer = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    let again = wait(poll_fn(|cx| Poll::Ready(cx.waker().clone())));
    assert!(again.will_wake(&outer.unwrap()), "the seat is kept for the next wait");
}

#[test]
fn a_deadline_ends_the_wait_after_a_last_look() {
    let start = clock::now();
    let deadline = start + Duration::from_millis(20);
    assert_eq!(wait_until(pin!(pending::<()>()), deadline), None);
    assert!(clock::now() >= deadline);
    let mut polls = 0;
    let looks = poll_fn(|_| {
        polls += 1;
        if polls == 2 { Poll::Ready(polls) } else { Poll::Pending }
    });
    assert_eq!(wait_until(pin!(looks), start), Some(2));
}

#[test]
fn a_deadline_ends_the_wait_for_a_future_that_is_woken_in_every_poll() {
    within_limit(|| {
        let deadline = clock::now() + Duration::from_millis(20);
        let restless = poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        });
        assert_eq!(wait_until(pin!(restless), deadline), None);
        assert!(clock::now() >= deadline);
    });
}

#[test]
fn the_executors_yield_flag_is_hidden_while_a_thread_waits() {
    static FLAG: Flag = Flag::new(true);
    within_limit(|| {
        host::install(Some(&FLAG));
        wait(poll_fn(host::poll_yield));
        assert!(host::should_yield(), "it is back afterwards");
    });
}
