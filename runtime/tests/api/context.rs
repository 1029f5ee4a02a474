//! *Context*: `pirn::Context`.

use std::error::Error;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use pirn::signal::Signal;
use pirn::{AfterFunc, CancelFunc, Context, ContextError, Done};

use crate::{error, owned, poll, send_sync, spawnable, unpin};

const LONG: Duration = Duration::from_secs(3600);

type Cause = Option<Arc<dyn Error + Send + Sync>>;

#[test]
fn the_types_are_as_free_as_they_can_be() {
    send_sync::<Context>();
    unpin::<Context>();
    owned::<Context>();
    send_sync::<CancelFunc>();
    send_sync::<AfterFunc>();
    send_sync::<Done>();
    send_sync::<pirn::context::Run<Done>>();
    unpin::<Done>();
    owned::<Done>();
    error::<ContextError>();
    let _: fn(pirn::context::Context) -> Context = |ctx| ctx;
    let _: fn(pirn::context::ContextError) -> ContextError = |error| error;
}

#[test]
fn the_background_never_ends() {
    for ctx in [Context::background(), Context::todo()] {
        assert!(ctx.err().is_none() && ctx.cause().is_none() && ctx.deadline().is_none());
        assert!(poll(&mut ctx.done()).is_pending());
    }
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn cancelling_ends_every_descendant_before_it_returns() {
    let (ctx, cancel): (Context, CancelFunc) = Context::background().with_cancel();
    let (child, _cancel_child) = ctx.with_cancel();
    let (grandchild, _cancel_grandchild) = child.with_value("a name").with_timeout(LONG);
    let done: Done = spawnable(grandchild.done());
    cancel.cancel();
    cancel.cancel();
    let err: Option<ContextError> = grandchild.err();
    assert_eq!(err, Some(ContextError::Canceled));
    done.await;
    assert!(Context::background().err().is_none());
}

#[test]
fn a_finished_child_never_cancels_its_parent() {
    let (parent, _cancel) = Context::background().with_cancel();
    let (child, cancel_child) = parent.with_cancel();
    cancel_child.cancel();
    assert!(child.err().is_some() && parent.err().is_none());
}

#[test]
fn dropping_a_cancel_func_cancels_and_detach_does_not() {
    let (ctx, cancel) = Context::background().with_cancel();
    drop(cancel);
    assert_eq!(ctx.err(), Some(ContextError::Canceled));
    let (ctx, _) = Context::background().with_cancel();
    assert!(ctx.err().is_some());
    let (ctx, cancel) = Context::background().with_cancel();
    cancel.detach();
    assert!(ctx.err().is_none());
}

#[test]
fn a_cause_is_the_one_given_else_the_error_itself() {
    let (ctx, cancel) = Context::background().with_cancel();
    let none: Cause = ctx.cause();
    assert!(none.is_none());
    cancel.cancel_cause("the client went away");
    cancel.cancel_cause(std::io::Error::other("too late"));
    assert_eq!(ctx.cause().unwrap().to_string(), "the client went away");
    assert_eq!(ctx.err(), Some(ContextError::Canceled));

    let (ctx, cancel) = Context::background().with_cancel();
    cancel.cancel();
    let cause = ctx.cause().unwrap();
    assert_eq!(cause.downcast_ref::<ContextError>(), Some(&ContextError::Canceled));
}

#[test]
fn the_errors_read_as_in_go() {
    assert_eq!(ContextError::Canceled.to_string(), "context canceled");
    assert_eq!(ContextError::DeadlineExceeded.to_string(), "context deadline exceeded");
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn the_earlier_deadline_counts() {
    let at = Instant::now() + LONG;
    let (parent, _cancel) = Context::background().with_deadline(at);
    assert_eq!(parent.deadline(), Some(at));
    let (child, _cancel_child) = parent.with_timeout(2 * LONG);
    assert_eq!(child.deadline(), Some(at));
    let (sooner, _cancel_sooner) = parent.with_timeout(Duration::from_millis(1));
    sooner.done().await;
    assert_eq!(sooner.err(), Some(ContextError::DeadlineExceeded));
    assert!(parent.err().is_none());
}

#[test]
fn a_deadline_that_is_past_has_ended_and_one_too_far_is_none() {
    let (past, _cancel) = Context::background().with_deadline(Instant::now());
    assert_eq!(past.err(), Some(ContextError::DeadlineExceeded));
    let (zero, _cancel) = Context::background().with_timeout(Duration::ZERO);
    assert_eq!(zero.err(), Some(ContextError::DeadlineExceeded));
    let (never, _cancel) = Context::background().with_timeout(Duration::MAX);
    assert!(never.err().is_none() && never.deadline().is_none());
}

#[test]
fn the_cause_twins_change_the_cause_alone() {
    let root = Context::background();
    let (ctx, _cancel) = root.with_timeout_cause(Duration::ZERO, "slow");
    assert_eq!(
        (ctx.err(), ctx.cause().unwrap().to_string()),
        (Some(ContextError::DeadlineExceeded), "slow".into())
    );
    let (ctx, _cancel) = root.with_deadline_cause(Instant::now(), "late");
    assert_eq!(
        (ctx.err(), ctx.cause().unwrap().to_string()),
        (Some(ContextError::DeadlineExceeded), "late".into())
    );
}

#[test]
fn a_value_is_found_by_its_type_and_the_nearest_wins() {
    #[derive(Debug, PartialEq)]
    struct User(u8);
    let outer: Context = Context::background().with_value(User(1)).with_value("a trace");
    let (inner, _cancel) = outer.with_value(User(2)).with_cancel();
    let found: Option<&User> = inner.value::<User>();
    assert_eq!((found, outer.value::<User>()), (Some(&User(2)), Some(&User(1))));
    assert_eq!((inner.value::<&str>(), inner.value::<u64>()), (Some(&"a trace"), None));
}

#[test]
fn without_cancel_keeps_the_values_and_drops_the_end() {
    let (ctx, cancel) = Context::background().with_value(7_u8).with_timeout(LONG);
    let free: Context = ctx.without_cancel();
    cancel.cancel();
    assert!(free.err().is_none() && free.deadline().is_none());
    assert_eq!(free.value::<u8>(), Some(&7));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn after_func_runs_as_a_task_unless_it_is_stopped() {
    let (ctx, cancel) = Context::background().with_cancel();
    let (tx, rx) = pirn::channel::bounded::<bool>(2);
    let stopped_tx = tx.clone();
    let stopped: AfterFunc = ctx.after_func(move || stopped_tx.try_send(false).unwrap());
    // Dropping the handle does not stop it.
    drop(ctx.after_func(move || tx.try_send(pirn::task::try_id().is_some()).unwrap()));
    assert!(stopped.stop(), "it kept the function from running");
    assert!(!stopped.stop());
    cancel.cancel();
    assert_eq!(rx.recv().await, Ok(true));
    assert!(rx.recv().await.is_err());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn run_drops_the_future_when_the_context_ends_first() {
    let (ctx, cancel) = Context::background().with_cancel();
    let done: Result<u8, ContextError> = ctx.run(async { 7 }).await;
    assert_eq!(done, Ok(7));
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let mut running = Box::pin(ctx.run(async move {
        let _inside = inside;
        std::future::pending::<()>().await;
    }));
    assert!(poll(&mut running).is_pending());
    cancel.cancel();
    assert_eq!(running.await, Err(ContextError::Canceled));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_signal_cancels_and_the_cause_names_it() {
    let (ctx, _stop): (Context, CancelFunc) = Context::notify(&Context::background(), &[Signal::WINCH]);
    Signal::WINCH.raise();
    ctx.done().await;
    assert_eq!(ctx.err(), Some(ContextError::Canceled));
    assert!(ctx.cause().unwrap().to_string().contains("WINCH"));
}

#[test]
fn a_chain_of_ten_thousand_drops_and_looks_up_without_recursion() {
    let (tx, rx) = mpsc::channel();
    let small = std::thread::Builder::new().stack_size(64 << 10);
    small
        .spawn(move || {
            let (root, cancel) = Context::background().with_value(7_u8).with_cancel();
            let mut cancels = Vec::new();
            let mut ctx = root;
            for n in 0..10_000_u32 {
                let (child, cancel) = ctx.with_value(n).with_cancel();
                cancels.push(cancel);
                ctx = child;
            }
            assert_eq!(ctx.value::<u8>(), Some(&7));
            cancel.cancel();
            assert!(ctx.err().is_some());
            drop((ctx, cancels));
            tx.send(()).unwrap();
        })
        .unwrap();
    rx.recv_timeout(Duration::from_secs(10)).unwrap();
}
