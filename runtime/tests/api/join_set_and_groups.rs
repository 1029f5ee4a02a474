//! *Running*, its groups: `JoinSet`, `ErrGroup`, `Supervisor`.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use pirn::task::{ErrGroup, JoinSet, Supervisor, SupervisorError};
use pirn::{AbortHandle, Context, ContextError, JoinError, go};

use crate::{error, panic_of, poll, send_sync, unpin, until};

#[test]
fn the_types_are_as_free_as_they_can_be() {
    send_sync::<JoinSet<u8>>();
    unpin::<JoinSet<u8>>();
    send_sync::<ErrGroup<String>>();
    send_sync::<Supervisor>();
    send_sync::<pirn::task::JoinNext<'static, u8>>();
    send_sync::<pirn::task::JoinAll<u8>>();
    unpin::<pirn::task::JoinAll<std::marker::PhantomPinned>>();
    send_sync::<pirn::task::Shutdown<'static, u8>>();
    send_sync::<pirn::task::Wait<String>>();
    send_sync::<pirn::task::Go<'static, String, std::future::Ready<Result<(), String>>>>();
    send_sync::<SupervisorError>();
    error::<SupervisorError>();
    let _: fn(pirn::JoinSet<u8>) -> JoinSet<u8> = |set| set;
    let _: fn(pirn::ErrGroup<u8>) -> ErrGroup<u8> = |group| group;
    let _: fn(pirn::Supervisor) -> Supervisor = |supervisor| supervisor;
    let _: fn(pirn::SupervisorError) -> SupervisorError = |error| error;
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_join_set_gives_results_as_they_come() {
    let mut set: JoinSet<u32> = JoinSet::new();
    assert!(set.is_empty() && set.try_join_next().is_none());
    assert!(set.join_next().await.is_none());
    for n in 1..=3 {
        let _: AbortHandle = set.spawn(async move { n });
    }
    assert_eq!(set.len(), 3);
    let mut sum = 0;
    let next: Option<Result<u32, JoinError>> = set.join_next().await;
    sum += next.unwrap().unwrap();
    while !set.is_empty() {
        match set.try_join_next() {
            Some(result) => sum += result.unwrap(),
            None => pirn::yield_now().await,
        }
    }
    assert_eq!(sum, 6);
    set.spawn(async { 7 });
    let all: Vec<u32> = set.join_all().await;
    assert_eq!(all, [7]);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn join_next_dropped_loses_nothing() {
    let mut set = JoinSet::new();
    let (tx, rx) = pirn::channel::oneshot::channel::<u8>();
    set.spawn(async move { rx.await.unwrap() });
    {
        let next = set.join_next();
        let mut next = std::pin::pin!(next);
        assert!(poll(&mut next).is_pending());
    }
    tx.send(7).unwrap();
    assert_eq!(set.join_next().await.unwrap().unwrap(), 7);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn abort_all_cancels_and_shutdown_waits_until_the_futures_are_dropped() {
    let mut set = JoinSet::new();
    let held = Arc::new(());
    for _ in 0..3 {
        let inside = Arc::clone(&held);
        set.spawn(async move {
            let _inside = inside;
            pending::<()>().await;
        });
    }
    set.abort_all();
    assert!(set.join_next().await.unwrap().unwrap_err().is_cancelled());
    set.shutdown().await;
    assert_eq!((set.len(), Arc::strong_count(&held)), (0, 1));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn dropping_a_join_set_aborts_its_tasks() {
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let mut set = JoinSet::new();
    set.spawn(async move {
        let _inside = inside;
        pending::<()>().await;
    });
    drop(set);
    until(|| Arc::strong_count(&held) == 1).await;
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn an_err_group_without_errors_is_ok() {
    let group: ErrGroup<String> = ErrGroup::new();
    group.go(async { Ok(()) }).await;
    let result: Result<(), String> = group.wait().await;
    assert_eq!(result, Ok(()));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn the_first_error_cancels_the_context_and_is_the_answer() {
    let (group, ctx): (ErrGroup<&str>, Context) = ErrGroup::with_context(&Context::background());
    let inner = ctx.clone();
    group
        .go(async move {
            inner.done().await;
            Err("second")
        })
        .await;
    group.go(async { Err("first") }).await;
    assert_eq!(group.wait().await, Err("first"));
    assert_eq!(ctx.err(), Some(ContextError::Canceled));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_group_s_wait_cancels_its_context() {
    let (group, ctx) = ErrGroup::<()>::with_context(&Context::background());
    assert!(ctx.err().is_none());
    group.wait().await.unwrap();
    assert!(ctx.err().is_some());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_group_s_panic_is_resumed_after_all_have_ended() {
    let (group, ctx) = ErrGroup::<()>::with_context(&Context::background());
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    group
        .go(async move {
            ctx.done().await;
            drop(inside);
            Ok(())
        })
        .await;
    group.go(async { panic!("a bad member") }).await;
    let waiter = pirn::spawn(async move { group.wait().await });
    let error = waiter.await.unwrap_err();
    assert!(error.is_panic() && error.to_string().contains("a bad member"));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_group_s_limit_makes_go_wait_and_try_go_fail() {
    let group: ErrGroup<()> = ErrGroup::new().limit(1);
    let (tx, rx) = pirn::channel::oneshot::channel::<()>();
    group.go(async move { rx.await.map_err(drop) }).await;
    let started = Arc::new(AtomicUsize::new(0));
    let job = |count: &Arc<AtomicUsize>| {
        let count = Arc::clone(count);
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(())
        }
    };
    // Dropped while it waits, it never starts the future.
    {
        let mut waiting = Box::pin(group.go(job(&started)));
        assert!(poll(&mut waiting).is_pending());
    }
    let refused = group.try_go(job(&started));
    assert_eq!(refused.err().unwrap().await, Ok(()), "the future comes back");
    assert_eq!(started.load(Ordering::SeqCst), 1);
    tx.send(()).unwrap();
    group.go(job(&started)).await;
    group.wait().await.unwrap();
    assert_eq!(started.load(Ordering::SeqCst), 2);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn dropping_a_group_aborts_its_tasks() {
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let group = ErrGroup::<()>::new();
    assert!(
        group
            .try_go(async move {
                let _inside = inside;
                pending().await
            })
            .is_ok()
    );
    drop(group);
    until(|| Arc::strong_count(&held) == 1).await;
}

fn supervisor() -> Supervisor {
    let moment = Duration::from_micros(10);
    Supervisor::new("api").max_restarts(3, Duration::from_secs(60)).backoff(moment, 2 * moment)
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_supervisor_restarts_what_errs_or_panics_until_it_is_ok() {
    let mut run = 0;
    let factory = move || {
        run += 1;
        async move {
            match run {
                1 => Err("not yet"),
                2 => panic!("nor now"),
                _ => Ok(()),
            }
        }
    };
    let result: Result<(), SupervisorError> = supervisor().run(Context::background(), factory).await;
    assert_eq!(result, Ok(()));
    let ctx = Context::background();
    assert_eq!(supervisor().run(&ctx, || async { Ok::<(), String>(()) }).await, Ok(()));
    assert!(ctx.err().is_none());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_supervisor_gives_up_after_too_many_restarts() {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let factory = move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { Err::<(), _>("broken") }
    };
    match supervisor().run(Context::background(), factory).await {
        Err(SupervisorError::TooManyRestarts { last }) => assert!(last.to_string().contains("broken")),
        other => panic!("{other:?}"),
    }
    assert_eq!(runs.load(Ordering::SeqCst), 4, "one run and three restarts");
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn the_context_s_end_aborts_the_supervised_task() {
    let (ctx, cancel) = Context::background().with_cancel();
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let factory = move || {
        let inside = Arc::clone(&inside);
        async move {
            let _inside = inside;
            pending::<Result<(), String>>().await
        }
    };
    go!({ cancel.cancel() });
    assert_eq!(supervisor().run(ctx, factory).await, Err(SupervisorError::Canceled));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn dropping_a_supervisor_s_run_aborts_the_task() {
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let factory = move || {
        let inside = Arc::clone(&inside);
        async move {
            let _inside = inside;
            pending::<Result<(), String>>().await
        }
    };
    let mut running = Box::pin(supervisor().run(Context::background(), factory));
    std::future::poll_fn(|cx| {
        assert!(running.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    drop(running);
    until(|| Arc::strong_count(&held) == 1).await;
}

#[test]
fn a_backoff_the_wrong_way_round_panics() {
    panic_of(|| Supervisor::new("api").backoff(Duration::from_secs(2), Duration::from_secs(1)));
}
