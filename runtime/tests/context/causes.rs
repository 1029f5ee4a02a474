//! The whole table of causes: who ended it, when, and with what.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use pirn::{Context, ContextError};

use crate::support::in_time;

use ContextError::{Canceled, DeadlineExceeded};

/// `err` and `cause` as one line: what a person sees of a context's end.
fn end_of(ctx: &Context) -> Option<(ContextError, String)> {
    match (ctx.err(), ctx.cause()) {
        (Some(err), Some(cause)) => Some((err, cause.to_string())),
        (None, None) => None,
        (err, cause) => panic!("err and cause disagree: {err:?}, {cause:?}"),
    }
}

fn ended(err: ContextError, cause: &str) -> Option<(ContextError, String)> {
    Some((err, cause.to_owned()))
}

fn done(ctx: &Context) {
    futures_lite::future::block_on(ctx.done());
}

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_live_context_has_no_err_and_no_cause() {
    let (ctx, _cancel) = Context::background().with_timeout(HOUR);
    for ctx in [Context::background(), Context::todo(), ctx.without_cancel(), ctx] {
        assert_eq!(end_of(&ctx), None);
    }
}

#[test]
fn cancel_alone_is_its_own_cause() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    assert_eq!(end_of(&ctx), ended(Canceled, "context canceled"));
    let cause = ctx.cause().expect("ended");
    assert_eq!(cause.downcast_ref::<ContextError>(), Some(&Canceled), "the cause is the ContextError itself");
}

#[test]
fn a_custom_cause_changes_cause_and_never_err() {
    #[derive(Debug, PartialEq)]
    struct OutOfDisk;
    impl std::fmt::Display for OutOfDisk {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("out of disk")
        }
    }
    impl std::error::Error for OutOfDisk {}

    let (ctx, cancel) = Context::background().with_cancel_cause();
    cancel.cancel_cause(OutOfDisk);
    assert_eq!(end_of(&ctx), ended(Canceled, "out of disk"));
    assert_eq!(ctx.cause().expect("ended").downcast_ref(), Some(&OutOfDisk));

    let (ctx, _cancel) = Context::background().with_timeout_cause(Duration::ZERO, OutOfDisk);
    assert_eq!(end_of(&ctx), ended(DeadlineExceeded, "out of disk"));
    let (ctx, _cancel) = Context::background().with_deadline_cause(Instant::now(), "a plain text");
    assert_eq!(end_of(&ctx), ended(DeadlineExceeded, "a plain text"));
}

#[test]
fn the_first_cancel_counts() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel_cause("first");
    cancel.cancel_cause("second");
    cancel.cancel();
    drop(cancel);
    assert_eq!(end_of(&ctx), ended(Canceled, "first"));
}

#[test]
fn dropping_the_cancel_func_cancels_without_a_cause() {
    let (ctx, cancel) = Context::background().with_cancel();
    drop(cancel);
    assert_eq!(end_of(&ctx), ended(Canceled, "context canceled"));
    let (ctx, _) = Context::background().with_cancel();
    assert_eq!(end_of(&ctx), ended(Canceled, "context canceled"), "`_` drops at once");
}

#[test]
fn a_detached_context_lives_on() {
    let (parent, cancel_parent) = Context::background().with_cancel();
    let (ctx, cancel) = parent.with_cancel();
    cancel.detach();
    assert_eq!(end_of(&ctx), None);
    cancel_parent.cancel();
    assert_eq!(end_of(&ctx), ended(Canceled, "context canceled"));
}

#[test]
fn a_parent_cancelled_before_gives_its_end_to_the_child_at_birth() {
    for cause in [None, Some("parent's")] {
        let (parent, cancel) = Context::background().with_cancel();
        match cause {
            Some(cause) => cancel.cancel_cause(cause),
            None => cancel.cancel(),
        }
        let wanted = ended(Canceled, cause.unwrap_or("context canceled"));
        let children = [
            parent.with_cancel(),
            parent.with_timeout(HOUR),
            parent.with_timeout(Duration::ZERO),
            parent.with_timeout_cause(Duration::ZERO, "child's"),
        ];
        for (child, cancel) in children {
            cancel.cancel_cause("too late");
            assert_eq!(end_of(&child), wanted);
        }
    }
}

#[test]
fn a_parent_cancelled_after_the_child_leaves_the_childs_end() {
    let (parent, cancel_parent) = Context::background().with_cancel();
    let (plain, cancel_plain) = parent.with_cancel();
    let (caused, cancel_caused) = parent.with_cancel();
    let (late, _cancel_late) = parent.with_timeout_cause(Duration::ZERO, "slow");
    cancel_plain.cancel();
    cancel_caused.cancel_cause("child's");
    cancel_parent.cancel_cause("parent's");
    assert_eq!(end_of(&plain), ended(Canceled, "context canceled"));
    assert_eq!(end_of(&caused), ended(Canceled, "child's"));
    assert_eq!(end_of(&late), ended(DeadlineExceeded, "slow"));
    assert_eq!(end_of(&parent), ended(Canceled, "parent's"));
}

#[test]
fn a_parent_cancelled_while_the_child_lives_gives_it_its_end() {
    let (parent, cancel_parent) = Context::background().with_cancel();
    let (child, _cancel) = parent.with_timeout_cause(HOUR, "slow");
    let (grandchild, _cancel) = child.with_cancel();
    cancel_parent.cancel_cause("parent's");
    for ctx in [&child, &grandchild] {
        assert_eq!(end_of(ctx), ended(Canceled, "parent's"));
    }
}

#[test]
fn a_deadline_that_comes_first_wins_over_a_later_cancel() {
    in_time(|| {
        let soon = Duration::from_millis(10);
        let (plain, cancel_plain) = Context::background().with_timeout(soon);
        let (caused, cancel_caused) = Context::background().with_timeout_cause(soon, "slow");
        let (child, _cancel) = caused.with_cancel();
        [&plain, &caused, &child].into_iter().for_each(done);
        cancel_plain.cancel_cause("too late");
        cancel_caused.cancel();
        assert_eq!(end_of(&plain), ended(DeadlineExceeded, "context deadline exceeded"));
        assert_eq!(end_of(&caused), ended(DeadlineExceeded, "slow"));
        assert_eq!(end_of(&child), ended(DeadlineExceeded, "slow"));
    });
}

#[test]
fn a_cancel_that_comes_first_wins_over_a_later_deadline() {
    let (ctx, cancel) = Context::background().with_timeout_cause(HOUR, "slow");
    cancel.cancel();
    assert_eq!(end_of(&ctx), ended(Canceled, "context canceled"), "the deadline's cause is not the cancel's");
}

#[test]
fn a_parents_earlier_deadline_brings_the_parents_cause() {
    in_time(|| {
        let at = Instant::now() + Duration::from_millis(10);
        let (parent, _cancel) = Context::background().with_deadline_cause(at, "parent's");
        let (later, _cancel) = parent.with_timeout_cause(HOUR, "child's");
        let (equal, _cancel) = parent.with_deadline_cause(at, "child's");
        for ctx in [&later, &equal] {
            done(ctx);
            assert_eq!(end_of(ctx), ended(DeadlineExceeded, "parent's"));
        }
    });
}

#[test]
fn a_childs_earlier_deadline_brings_its_own_cause_and_spares_the_parent() {
    let (parent, _cancel) = Context::background().with_timeout_cause(HOUR, "parent's");
    let (child, _cancel) = parent.with_timeout_cause(Duration::ZERO, "child's");
    assert_eq!(end_of(&child), ended(DeadlineExceeded, "child's"));
    assert_eq!(end_of(&parent), None);
}

#[test]
fn a_deadline_and_a_cancel_at_once_give_one_whole_end() {
    in_time(|| {
        for round in 0..200 {
            let at = Instant::now() + Duration::from_micros(300 + round % 7);
            let (ctx, cancel) = Context::background().with_deadline_cause(at, "slow");
            let (child, _cancel) = ctx.with_cancel();
            let canceller = thread::spawn(move || {
                while Instant::now() < at {
                    std::hint::spin_loop();
                }
                cancel.cancel_cause("cancelled");
            });
            done(&child);
            canceller.join().expect("it cancels");
            let end = end_of(&ctx);
            assert!(end == ended(DeadlineExceeded, "slow") || end == ended(Canceled, "cancelled"), "{end:?}");
            assert_eq!(end_of(&child), end);
        }
    });
}

#[test]
fn a_parent_and_its_child_cancelled_at_once_each_have_one_whole_end() {
    in_time(|| {
        for _ in 0..500 {
            let (parent, cancel_parent) = Context::background().with_cancel();
            let (child, cancel_child) = parent.with_cancel();
            let (grandchild, _cancel) = child.with_cancel();
            let start = std::sync::Arc::new(Barrier::new(2));
            let other = {
                let start = std::sync::Arc::clone(&start);
                thread::spawn(move || {
                    start.wait();
                    cancel_child.cancel_cause("child's");
                })
            };
            start.wait();
            cancel_parent.cancel_cause("parent's");
            assert!(grandchild.err().is_some(), "every descendant has ended before `cancel` returns");
            assert_eq!(end_of(&child), end_of(&grandchild));
            other.join().expect("it cancels");
            assert_eq!(end_of(&parent), ended(Canceled, "parent's"));
        }
    });
}
