//! Tests of one descriptor's readiness and its waiters, with events that the test makes itself.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn descriptor() -> Descriptor {
    Descriptor::new(7, Token::from_bits(0), 0)
}

fn readable() -> Readiness {
    Readiness { read: true, ..Readiness::default() }
}

fn dispatch(descriptor: &Descriptor, readiness: Readiness) -> usize {
    let mut ready = Vec::new();
    descriptor.event(readiness, &mut ready);
    let count = ready.len();
    ready.into_iter().for_each(Waker::wake);
    count
}

fn stamp(poll: Poll<io::Result<ReadyStamp>>) -> ReadyStamp {
    match poll {
        Poll::Ready(Ok(stamp)) => stamp,
        other => panic!("not ready: {other:?}"),
    }
}

fn drained(descriptor: &Descriptor) {
    let mut cx = Context::from_waker(Waker::noop());
    for direction in [Direction::Read, Direction::Write] {
        let seen = stamp(descriptor.poll_ready_shared(direction, &mut cx));
        descriptor.clear_ready(direction, seen);
    }
}

#[test]
fn a_new_descriptor_lets_the_first_operation_try() {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(descriptor().poll_ready_shared(Direction::Read, &mut cx).is_ready());
    assert!(descriptor().poll_ready_shared(Direction::Write, &mut cx).is_ready());
}

#[test]
fn clearing_after_a_newer_event_has_no_effect() {
    let descriptor = descriptor();
    let mut cx = Context::from_waker(Waker::noop());
    let old = stamp(descriptor.poll_ready_shared(Direction::Read, &mut cx));
    dispatch(&descriptor, readable());
    descriptor.clear_ready(Direction::Read, old);
    let new = stamp(descriptor.poll_ready_shared(Direction::Read, &mut cx));
    descriptor.clear_ready(Direction::Read, new);
    assert!(descriptor.poll_ready_shared(Direction::Read, &mut cx).is_pending());
}

#[test]
fn an_event_wakes_every_waiter_of_its_direction_and_no_other() {
    let descriptor = descriptor();
    drained(&descriptor);
    let tasks: Vec<_> = (0..3).map(|_| Arc::new(Count::default())).collect();
    let mut places = [const { Waiting::new() }; 3];
    let directions = [Direction::Read, Direction::Read, Direction::Write];
    for ((task, place), direction) in tasks.iter().zip(&mut places).zip(directions) {
        let waker = Waker::from(Arc::clone(task));
        assert!(descriptor.poll_ready(direction, place, &mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(dispatch(&descriptor, readable()), 2);
    assert_eq!(tasks.iter().map(|task| task.0.load(Ordering::Relaxed)).collect::<Vec<_>>(), [1, 1, 0]);
}

#[test]
fn a_task_that_polls_again_keeps_one_place() {
    let descriptor = descriptor();
    drained(&descriptor);
    let (first, second) = (Waker::from(Arc::new(Count::default())), Arc::new(Count::default()));
    let mut place = Waiting::new();
    let mut cx = Context::from_waker(&first);
    assert!(descriptor.poll_ready(Direction::Read, &mut place, &mut cx).is_pending());
    let waker = Waker::from(Arc::clone(&second));
    let mut cx = Context::from_waker(&waker);
    assert!(descriptor.poll_ready(Direction::Read, &mut place, &mut cx).is_pending());
    for _ in 0..3 {
        assert!(descriptor.poll_ready_shared(Direction::Read, &mut cx).is_pending());
    }
    assert_eq!(dispatch(&descriptor, readable()), 2, "one keyed place and one shared one");
    assert_eq!(second.0.load(Ordering::Relaxed), 2, "the waker polled last is the one that is called");
}

#[test]
fn tasks_that_have_ended_leave_the_list_and_others_stay() {
    let descriptor = Arc::new(descriptor());
    drained(&descriptor);
    let wait = |cx: &mut Context<'_>, descriptor: &Descriptor| {
        assert!(descriptor.poll_ready_shared(Direction::Read, cx).is_pending());
    };
    crate::block_on(async {
        let waiting = [(); 10].map(|()| {
            let (descriptor, mut waits) = (Arc::clone(&descriptor), false);
            crate::spawn(poll_fn(move |cx| {
                if std::mem::replace(&mut waits, true) {
                    return Poll::Ready(());
                }
                wait(cx, &descriptor);
                Poll::Pending
            }))
        });
        while descriptor.read.waiters.lock().list.len() < 10 {
            crate::yield_now().await;
        }
        for _ in 0..1_000 {
            let descriptor = Arc::clone(&descriptor);
            let ends = poll_fn(move |cx| {
                wait(cx, &descriptor);
                Poll::Ready(())
            });
            crate::spawn(ends).await.unwrap();
        }
        let woken = dispatch(&descriptor, readable());
        assert!(woken <= 20, "{woken} entries for ten tasks");
        for task in waiting {
            task.await.unwrap();
        }
    });
}

#[test]
fn a_cancelled_wait_holds_no_waker() {
    let descriptor = descriptor();
    drained(&descriptor);
    let task = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&task));
    let mut place = Waiting::new();
    let mut cx = Context::from_waker(&waker);
    assert!(descriptor.poll_ready(Direction::Read, &mut place, &mut cx).is_pending());
    drop(waker);
    assert_eq!(Arc::strong_count(&task), 2);
    descriptor.cancel(Direction::Read, &mut place);
    assert_eq!(Arc::strong_count(&task), 1);
    assert_eq!(dispatch(&descriptor, readable()), 0);
}

#[test]
fn a_hang_up_is_remembered_until_the_descriptor_is_drained() {
    let descriptor = descriptor();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(stamp(descriptor.poll_ready_shared(Direction::Read, &mut cx)).trusts_short_reads());
    dispatch(&descriptor, Readiness { read: true, read_partial: true, ..Readiness::default() });
    dispatch(&descriptor, readable());
    let seen = stamp(descriptor.poll_ready_shared(Direction::Read, &mut cx));
    assert!(!seen.trusts_short_reads());
    descriptor.clear_ready(Direction::Read, seen);
    assert!(descriptor.poll_ready_shared(Direction::Read, &mut cx).is_pending());
}

#[test]
fn a_closed_descriptor_gives_an_error_and_its_waiters_back() {
    let descriptor = descriptor();
    drained(&descriptor);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(descriptor.poll_ready_shared(Direction::Read, &mut cx).is_pending());
    assert!(descriptor.poll_ready_shared(Direction::Write, &mut cx).is_pending());
    let mut ready = Vec::new();
    descriptor.close(&mut ready);
    assert_eq!(ready.len(), 2);
    for direction in [Direction::Read, Direction::Write] {
        assert!(matches!(descriptor.poll_ready_shared(direction, &mut cx), Poll::Ready(Err(_))));
    }
}
