//! R29: everything that waits can be made to stop when the context ends, and nothing leaks.

use std::future::{Future, pending};
use std::pin::Pin;
use std::task::Waker;
use std::time::Duration;

use pirn::channel::{bounded, never};
use pirn::{Context, ContextError, ErrGroup, JoinSet, select};

use crate::support::{on_runtime, runtime};

const HOUR: Duration = Duration::from_secs(3_600);

/// A future that has begun to wait for the end of `ctx`, which therefore has its timer.
fn wait_for(ctx: &Context) -> pirn::Done {
    let mut done = ctx.done();
    let mut cx = std::task::Context::from_waker(Waker::noop());
    assert!(Pin::new(&mut done).poll(&mut cx).is_pending());
    done
}

#[test]
fn r29_after_cancellation_the_number_of_live_tasks_returns_to_what_it_was() {
    on_runtime(|| async {
        let handle = pirn::Handle::current();
        let bystander = pirn::spawn(pending::<()>());
        let before = handle.metrics().live_tasks;
        let (ctx, cancel) = Context::background().with_cancel();
        let mut set = JoinSet::new();
        for n in 0..1_000_usize {
            let ctx = ctx.with_value(n);
            set.spawn(async move {
                match n % 4 {
                    0 => ctx.done().await,
                    1 => assert_eq!(ctx.run(pending::<()>()).await, Err(ContextError::Canceled)),
                    2 => assert!(ctx.run(pirn::time::sleep(HOUR)).await.is_err()),
                    _ => {
                        let nothing = never::<()>();
                        select! {
                            _ = nothing.recv() => unreachable!("never"),
                            _ = ctx.done() => {}
                        }
                    }
                }
            });
        }
        while handle.metrics().timers < 250 {
            pirn::yield_now().await;
        }
        assert_eq!(handle.metrics().live_tasks, before + 1_000);
        cancel.cancel();
        while let Some(result) = set.join_next().await {
            result.expect("no panic");
        }
        assert_eq!(handle.metrics().live_tasks, before);
        assert_eq!(handle.metrics().timers, 0);
        bystander.abort();
    });
}

#[test]
fn r29_channels_that_are_full_or_empty_stop_with_the_context() {
    on_runtime(|| async {
        let (parent, cancel) = Context::background().with_cancel();
        let (group, ctx) = ErrGroup::with_context(&parent);
        let (sender, receiver) = bounded::<u32>(1);
        for n in 0..10 {
            let (ctx, sender) = (ctx.clone(), sender.clone());
            group
                .go(async move {
                    loop {
                        select! {
                            sent = sender.send(n) => sent.expect("open"),
                            _ = ctx.done() => return Err(ctx.err().expect("ended")),
                        }
                    }
                })
                .await;
        }
        for _ in 0..100 {
            receiver.recv().await.expect("open");
        }
        cancel.cancel();
        assert_eq!(group.wait().await, Err(ContextError::Canceled));
        assert!(receiver.len() <= 1);
    });
}

#[test]
fn done_in_a_select_leaves_nothing_behind_when_it_loses() {
    on_runtime(|| async {
        let (ctx, _cancel) = Context::background().with_cancel();
        let (sender, receiver) = bounded(1);
        for n in 0..10_000 {
            sender.send(n).await.expect("open");
            let mut done = ctx.done();
            select! {
                got = receiver.recv() => assert_eq!(got, Ok(n)),
                _ = &mut done => unreachable!("live"),
            }
        }
        assert!(ctx.err().is_none());
    });
}

#[test]
fn a_context_that_is_gone_leaves_no_timer() {
    on_runtime(|| async {
        let metrics = || pirn::Handle::current().metrics().timers;
        let kept = Context::background().with_timeout(HOUR);
        let _waits = wait_for(&kept.0);
        assert_eq!(metrics(), 1);
        for n in 0..1_000 {
            // None for those below: the parent's deadline is no later.
            let (child, _cancel) = kept.0.with_timeout(2 * HOUR);
            let (ctx, cancel) = Context::background().with_timeout(HOUR);
            let _wait = (wait_for(&child), wait_for(&ctx));
            assert_eq!(metrics(), 2);
            if n % 2 == 0 {
                cancel.cancel();
            } else {
                cancel.detach();
            }
            drop(ctx);
        }
        assert_eq!(metrics(), 1);
        drop(kept.1);
        assert_eq!(metrics(), 0);
    });
}

#[test]
fn a_deadline_outlives_the_runtime_that_it_was_set_on() {
    crate::support::in_time(|| {
        let first = runtime();
        let (ctx, _cancel) = Context::background().with_timeout(Duration::from_millis(50));
        let (_waits,) = first.block_on(async { (wait_for(&ctx),) });
        assert_eq!(first.handle().metrics().timers, 1);
        drop(first);
        assert!(ctx.err().is_none(), "not early");
        runtime().block_on(ctx.done());
        assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    });
}
