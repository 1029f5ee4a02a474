//! The rules R26 to R29, and what else holds of the tree.

use std::future::Future;
use std::pin::pin;
use std::task::Context as Cx;
use std::time::{Duration, Instant};

use pirn::{CancelFunc, Context, ContextError};

use crate::support::{counting_waker, in_time};

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn r26_cancelling_a_parent_cancels_all_children_and_never_the_reverse() {
    let (root, cancel_root) = Context::background().with_cancel();
    let (left, cancel_left) = root.with_cancel();
    let (right, _cancel_right) = root.with_value(7).with_timeout(HOUR);
    let (leaf, cancel_leaf) = left.with_value("leaf").with_cancel();
    let errs = || [&root, &left, &right, &leaf].map(|ctx| ctx.err().is_some());

    cancel_leaf.cancel();
    assert_eq!(errs(), [false, false, false, true]);
    cancel_left.cancel();
    assert_eq!(errs(), [false, true, false, true]);
    cancel_root.cancel();
    assert_eq!(errs(), [true; 4]);
}

#[test]
fn r26_ten_thousand_children_end_before_cancel_returns() {
    in_time(|| {
        let (parent, cancel) = Context::background().with_cancel();
        let children: Vec<_> = (0..10_000).map(|_| parent.with_cancel()).collect();
        cancel.cancel();
        assert!(children.iter().all(|(child, _)| child.err() == Some(ContextError::Canceled)));
    });
}

#[test]
fn r26_a_chain_of_ten_thousand_ends_looks_up_and_drops_without_recursion() {
    // A quarter of the stack that a recursion over the chain would need at 100 bytes a level.
    let chain = || {
        let mut links: Vec<(Context, CancelFunc)> =
            vec![Context::background().with_value(7_u64).with_cancel()];
        for n in 1..10_000_u32 {
            let (last, _) = links.last().expect("it starts with one");
            links.push(last.with_value(n).with_cancel());
        }
        links
    };
    let body = move || {
        let links = chain();
        let (last, _) = links.last().expect("10,000");
        assert_eq!(last.value::<u64>(), Some(&7), "looked up through the whole chain");
        links[0].1.cancel();
        assert!(links.iter().all(|(ctx, _)| ctx.err().is_some()));
        drop(links);

        // Held by its last link alone, the chain drops from there, live and ended.
        for end_it in [false, true] {
            let mut links = chain();
            let (last, cancel_last) = links.pop().expect("10,000");
            let (_, cancel_first) = links.swap_remove(0);
            links.into_iter().for_each(|(_, cancel)| cancel.detach());
            cancel_last.detach();
            if end_it {
                cancel_first.cancel();
            } else {
                cancel_first.detach();
            }
            assert_eq!(last.err().is_some(), end_it);
            drop(last);
        }
    };
    in_time(move || {
        let small = std::thread::Builder::new().stack_size(256 << 10).spawn(body).expect("a thread");
        small.join().expect("no stack overflow, no panic");
    });
}

#[test]
fn r27_the_earlier_deadline_wins() {
    let now = Instant::now();
    let (parent, _cancel) = Context::background().with_deadline(now + HOUR);
    let (later, _cancel) = parent.with_deadline(now + 2 * HOUR);
    let (earlier, _cancel) = parent.with_deadline(now + HOUR / 2);
    let (through, _cancel) = earlier.with_value(()).with_cancel();
    assert_eq!(parent.deadline(), Some(now + HOUR));
    assert_eq!(later.deadline(), Some(now + HOUR));
    assert_eq!([&earlier, &through].map(Context::deadline), [Some(now + HOUR / 2); 2]);
    assert_eq!(Context::background().deadline(), None);
    assert_eq!(parent.without_cancel().deadline(), None);
}

#[test]
fn r27_err_tells_canceled_from_deadline_exceeded() {
    in_time(|| {
        let (cancelled, cancel) = Context::background().with_timeout(HOUR);
        cancel.cancel();
        let (late, _cancel) = Context::background().with_timeout(Duration::from_millis(5));
        let (below, _cancel) = late.with_timeout(HOUR);
        futures_lite::future::block_on(below.done());
        assert_eq!(cancelled.err().expect("ended").to_string(), "context canceled");
        assert_eq!(late.err().expect("ended").to_string(), "context deadline exceeded");
        assert_eq!(below.err(), Some(ContextError::DeadlineExceeded));
    });
}

#[test]
fn r27_a_deadline_that_is_past_or_zero_gives_a_context_that_has_ended() {
    let past = Instant::now().checked_sub(Duration::from_millis(1)).expect("the machine is up");
    let contexts = [
        Context::background().with_timeout(Duration::ZERO),
        Context::background().with_deadline(past),
        Context::background().with_timeout(HOUR).0.with_value(()).with_deadline(past),
    ];
    let errs = contexts.map(|(ctx, _)| ctx.err());
    let late = Some(ContextError::DeadlineExceeded);
    assert_eq!(errs, [late, late, late]);
}

#[test]
fn r27_a_deadline_is_honoured_within_milliseconds_and_not_before() {
    in_time(|| {
        let at = Instant::now() + Duration::from_millis(20);
        let (ctx, _cancel) = Context::background().with_deadline(at);
        futures_lite::future::block_on(ctx.done());
        let late = Instant::now().checked_duration_since(at).expect("not before the deadline");
        assert!(late < Duration::from_millis(500), "late by {late:?}");
    });
}

#[test]
fn r28_a_value_is_found_by_its_type_and_the_nearest_wins() {
    #[derive(Debug, PartialEq)]
    struct UserId(u32);
    let root = Context::background().with_value(UserId(1)).with_value("trace");
    let (near, _cancel) = root.with_value(UserId(2)).with_cancel();
    assert_eq!(near.value(), Some(&UserId(2)), "the nearest shadows");
    assert_eq!(near.value(), Some(&"trace"), "another type is found behind it");
    assert_eq!(root.value(), Some(&UserId(1)), "the parent does not see it");
    assert_eq!(near.value::<String>(), None);
    assert_eq!(Context::background().value::<UserId>(), None);
}

#[test]
fn r28_values_survive_the_end_and_without_cancel() {
    let (ctx, cancel) = Context::background().with_value(7_u8).with_cancel();
    cancel.cancel();
    let kept = ctx.without_cancel();
    assert_eq!(ctx.value(), Some(&7_u8));
    assert_eq!((kept.value(), kept.err()), (Some(&7_u8), None));
}

#[test]
fn r28_a_value_lives_as_long_as_a_context_that_sees_it() {
    let value = std::sync::Arc::new(());
    let ctx = Context::background().with_value(std::sync::Arc::clone(&value));
    let (child, cancel) = ctx.with_cancel();
    drop((ctx, cancel));
    assert_eq!(std::sync::Arc::strong_count(&value), 2);
    drop(child);
    assert_eq!(std::sync::Arc::strong_count(&value), 1);
}

#[test]
fn done_wakes_everybody_who_waits_and_stays_ready() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (count, waker) = counting_waker();
    let mut cx = Cx::from_waker(&waker);
    let mut waiting: Vec<_> = (0..100).map(|_| ctx.done()).collect();
    for done in &mut waiting {
        assert!(pin!(done).poll(&mut cx).is_pending());
    }
    cancel.cancel();
    assert_eq!(count.get(), 100);
    for done in &mut waiting {
        assert!(pin!(&mut *done).poll(&mut cx).is_ready());
        assert!(pin!(done).poll(&mut cx).is_ready(), "again");
    }
    assert!(pin!(ctx.done()).poll(&mut cx).is_ready(), "and one that comes later");
}

#[test]
fn a_done_that_is_dropped_is_not_woken() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (count, waker) = counting_waker();
    let mut done = ctx.done();
    assert!(pin!(&mut done).poll(&mut Cx::from_waker(&waker)).is_pending());
    drop(done);
    cancel.cancel();
    assert_eq!(count.get(), 0);
}

#[test]
fn done_of_the_background_never_ends_and_outlives_its_context() {
    let (count, waker) = counting_waker();
    let mut cx = Cx::from_waker(&waker);
    assert!(pin!(Context::background().done()).poll(&mut cx).is_pending());

    let (parent, cancel) = Context::background().with_cancel();
    let (ctx, cancel_ctx) = parent.with_cancel();
    cancel_ctx.detach();
    let mut done = ctx.done();
    drop(ctx);
    assert!(pin!(&mut done).poll(&mut cx).is_pending());
    cancel.cancel();
    assert!(count.get() == 1 && pin!(done).poll(&mut cx).is_ready(), "a Done keeps its context");
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_asleep() {
    struct Bomb;
    impl std::task::Wake for Bomb {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("a waker that panics");
        }
    }
    let (ctx, cancel) = Context::background().with_cancel();
    let (child, _cancel_child) = ctx.with_cancel();
    let (count, waker) = counting_waker();
    let bomb = std::task::Waker::from(std::sync::Arc::new(Bomb));
    let mut waiting: Vec<_> = (0..10).map(|_| ctx.done()).collect();
    for (n, done) in waiting.iter_mut().enumerate() {
        let waker = if n % 5 == 0 { &bomb } else { &waker };
        assert!(pin!(done).poll(&mut Cx::from_waker(waker)).is_pending());
    }
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cancel.cancel()));
    assert!(panic.is_err(), "the canceller learns of it");
    assert_eq!((count.get(), child.err()), (8, Some(ContextError::Canceled)));
}

#[test]
fn wakers_and_causes_may_touch_the_tree_that_wakes_and_drops_them() {
    struct Meddler(Context);
    impl std::task::Wake for Meddler {
        fn wake(self: std::sync::Arc<Self>) {
            assert!(self.0.err().is_some());
            let (child, _cancel) = self.0.with_cancel();
            assert!(child.err().is_some());
        }
    }
    impl Drop for Meddler {
        fn drop(&mut self) {
            drop(self.0.with_cancel());
        }
    }
    in_time(|| {
        let (ctx, cancel) = Context::background().with_cancel();
        let meddler = std::task::Waker::from(std::sync::Arc::new(Meddler(ctx.clone())));
        let mut done = ctx.done();
        assert!(pin!(&mut done).poll(&mut Cx::from_waker(&meddler)).is_pending());
        drop(meddler);
        let (_, other) = counting_waker();
        assert!(pin!(&mut done).poll(&mut Cx::from_waker(&other)).is_pending(), "drops the meddler");
        cancel.cancel();
    });
}

#[test]
fn handles_are_send_and_sync_and_done_is_unpin_and_static() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<Context>();
    check::<CancelFunc>();
    check::<pirn::Done>();
    check::<pirn::AfterFunc>();
}
