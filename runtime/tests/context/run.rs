//! `Context::run`: which side wins, and when the future goes.

use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Cx, Poll, Waker};

use pirn::{Context, ContextError};

#[test]
fn run_gives_the_result_of_a_future_that_ends_first() {
    let (ctx, _cancel) = Context::background().with_cancel();
    assert_eq!(futures_lite::future::block_on(ctx.run(ready(7))), Ok(7));
    assert_eq!(futures_lite::future::block_on(Context::background().run(ready(7))), Ok(7));
}

#[test]
fn run_drops_its_future_in_the_poll_that_sees_the_end() {
    let (ctx, cancel) = Context::background().with_cancel();
    let held = Arc::new(());
    let mut run = pin!(ctx.run({
        let held = Arc::clone(&held);
        async move {
            pending::<()>().await;
            drop(held);
        }
    }));
    let mut cx = Cx::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_pending());
    cancel.cancel();
    assert_eq!(run.as_mut().poll(&mut cx), Poll::Ready(Err(ContextError::Canceled)));
    assert_eq!(Arc::strong_count(&held), 1, "dropped although `Run` itself is still here");
}

#[test]
fn run_under_an_ended_context_never_polls_its_future() {
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    let result = futures_lite::future::block_on(ctx.run(async { unreachable!("it was polled") }));
    assert_eq!(result, Err::<(), _>(ContextError::Canceled));
}

#[test]
fn a_future_that_ends_its_own_context_and_is_ready_gives_its_value() {
    let (ctx, cancel) = Context::background().with_cancel();
    let run = ctx.run(async move {
        cancel.cancel();
        7
    });
    assert_eq!(futures_lite::future::block_on(run), Ok(7));
}

#[test]
fn a_future_that_ends_its_own_context_and_waits_is_dropped() {
    let (ctx, cancel) = Context::background().with_cancel();
    let run = ctx.run(poll_fn(move |_| {
        cancel.cancel();
        Poll::<()>::Pending
    }));
    assert_eq!(futures_lite::future::block_on(run), Err(ContextError::Canceled));
}

#[test]
fn run_polled_after_its_end_panics_clearly() {
    let mut run = pin!(Context::background().run(ready(())));
    let mut cx = Cx::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut cx).is_ready());
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run.poll(&mut cx).is_ready()));
    let message = panic.expect_err("misuse");
    assert_eq!(message.downcast_ref(), Some(&"`Run` polled after it was ready"));
}
