//! `ErrGroup`: the first error counts, a panic is not lost, and nothing is left behind.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context as Cx, Poll, Wake, Waker};

use pirn::{Context, ContextError, Done, ErrGroup, UnhandledPanic};

use crate::support::{Alive, in_time, message, no_task_is_left, on_runtime, runtime};

#[test]
fn a_group_whose_tasks_all_succeed_is_ok_and_ends_its_context() {
    on_runtime(|| async {
        let (group, ctx) = ErrGroup::<String>::with_context(&Context::background());
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let count = Arc::clone(&count);
            group
                .go(async move {
                    count.fetch_add(1, Ordering::Relaxed);
                    Ok(())
                })
                .await;
        }
        assert!(ctx.err().is_none());
        assert_eq!(group.wait().await, Ok(()));
        assert_eq!((count.load(Ordering::Relaxed), ctx.err()), (100, Some(ContextError::Canceled)));
    });
}

#[test]
fn the_first_error_cancels_the_context_and_is_what_wait_returns() {
    on_runtime(|| async {
        let (group, ctx) = ErrGroup::with_context(&Context::background());
        for n in 0..10 {
            let ctx = ctx.clone();
            group
                .go(async move {
                    ctx.done().await;
                    Err(format!("late {n}"))
                })
                .await;
        }
        group.go(async { Err("first".to_owned()) }).await;
        ctx.done().await;
        assert_eq!(group.wait().await, Err("first".to_owned()), "nobody had to be in `wait` for the cancel");
    });
}

#[test]
fn without_a_context_an_error_stops_nobody() {
    on_runtime(|| async {
        let group = ErrGroup::new();
        group.go(async { Err("first") }).await;
        let ended = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&ended);
        group
            .go(async move {
                for _ in 0..100 {
                    pirn::yield_now().await;
                }
                other.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
            .await;
        assert_eq!(group.wait().await, Err("first"));
        assert_eq!(ended.load(Ordering::Relaxed), 1, "wait waits for all");
    });
}

#[test]
fn a_panic_cancels_like_an_error_and_is_resumed_in_wait_after_all_have_ended() {
    in_time(|| {
        let runtime = runtime();
        let alive = Alive::default();
        let ended = alive.clone();
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async move {
                let (group, ctx) = ErrGroup::with_context(&Context::background());
                let (guard, other) = (alive.guard(), ctx.clone());
                group
                    .go(async move {
                        let _guard = guard;
                        other.done().await;
                        pirn::yield_now().await;
                        Err("an error that comes after the panic")
                    })
                    .await;
                group.go(async { panic!("no tea") }).await;
                ctx.done().await;
                group.wait().await
            })
        }));
        assert_eq!(message(&*result.expect_err("resumed")), "no tea");
        assert_eq!(ended.count(), 0, "all had ended");
        no_task_is_left(&runtime);
    });
}

#[test]
fn a_destructor_that_panics_is_a_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    on_runtime(|| async {
        let (group, ctx) = ErrGroup::<()>::with_context(&Context::background());
        group
            .go({
                let bomb = Bomb;
                std::future::poll_fn(move |_| {
                    let _held = &bomb;
                    std::task::Poll::Ready(Ok(()))
                })
            })
            .await;
        ctx.done().await;
        let wait = pirn::spawn(group.wait()).await;
        assert_eq!(message(&*wait.expect_err("resumed").into_panic()), "in drop");
    });
}

/// Waits for a context's end, and panics when it hears of it.
struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("a waker's");
    }
}

fn wait_and_panic(ctx: &Context) -> Done {
    let mut done = ctx.done();
    let waker = Waker::from(Arc::new(PanickingWaker));
    assert!(pin!(&mut done).poll(&mut Cx::from_waker(&waker)).is_pending());
    done
}

#[test]
fn the_panic_of_a_waker_that_hears_of_an_error_is_reported_when_nobody_waits() {
    in_time(|| {
        let (tells, told) = channel();
        let tells = Mutex::new(tells);
        let runtime = pirn::Builder::new()
            .procs(2)
            .on_unhandled_panic(UnhandledPanic::Callback(Arc::new(move |info| {
                tells.lock().unwrap().send(info.error().to_string()).unwrap();
            })))
            .build()
            .unwrap();
        runtime.block_on(async {
            let (group, ctx) = ErrGroup::with_context(&Context::background());
            let _waits = wait_and_panic(&ctx);
            group.go(async { Err("first") }).await;
            no_task_is_left(&runtime);
            // It may join those that have ended, but not this one.
            group.go(async { Ok(()) }).await;
            drop(group);
        });
        assert!(told.recv().unwrap().ends_with("panicked: a waker's"));
    });
}

#[test]
fn the_panic_of_a_waker_does_not_take_the_place_of_a_tasks_own() {
    on_runtime(|| async {
        let (group, ctx) = ErrGroup::<()>::with_context(&Context::background());
        let _waits = wait_and_panic(&ctx);
        group.go(async { panic!("no tea") }).await;
        let wait = pirn::spawn(group.wait()).await;
        assert_eq!(message(&*wait.expect_err("resumed").into_panic()), "no tea");
    });
}

#[test]
fn the_limit_bounds_how_many_run_at_once() {
    on_runtime(|| async {
        let group = ErrGroup::<()>::new().limit(3);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for _ in 0..100 {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            group
                .go(async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    for _ in 0..5 {
                        pirn::yield_now().await;
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                })
                .await;
        }
        assert_eq!(group.wait().await, Ok(()));
        assert_eq!(most.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn a_go_dropped_while_it_waits_never_starts_its_future() {
    on_runtime(|| async {
        let (group, ctx) = ErrGroup::<()>::with_context(&Context::background());
        let group = group.limit(1);
        let until = ctx.clone();
        group
            .go(async move {
                until.done().await;
                Ok(())
            })
            .await;
        let alive = Alive::default();
        {
            let guard = alive.guard();
            let mut waiting = pin!(group.go(async move {
                let _guard = guard;
                unreachable!("it was started")
            }));
            assert!(waiting.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_pending());
            assert_eq!(alive.count(), 1);
        }
        assert_eq!(alive.count(), 0);
        let refused = group.try_go(async { Ok(()) });
        assert!(refused.is_err(), "all slots are taken, and the future comes back");
        drop(group);
        assert_eq!(ctx.err(), Some(ContextError::Canceled), "dropping the group cancels");
    });
}

#[test]
fn try_go_starts_when_there_is_a_slot() {
    on_runtime(|| async {
        let group = ErrGroup::<&str>::new().limit(1);
        assert!(group.try_go(async { Err("it ran") }).is_ok());
        assert_eq!(group.wait().await, Err("it ran"));
        let none = ErrGroup::<&str>::new().limit(0);
        assert!(none.try_go(async { Ok(()) }).is_err(), "no slot, ever");
        assert!(ErrGroup::<&str>::new().try_go(async { Ok(()) }).is_ok(), "no limit");
    });
}

#[test]
fn dropping_the_group_or_its_wait_aborts_the_tasks_and_cancels() {
    // `on_runtime` sees that no task is left.
    on_runtime(|| async {
        let (group, first) = ErrGroup::<()>::with_context(&Context::background());
        group.go(pending()).await;
        drop(group);
        let (group, second) = ErrGroup::<()>::with_context(&Context::background());
        group.go(pending()).await;
        let mut wait = Box::pin(group.wait());
        assert!(wait.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_pending());
        assert!(second.err().is_none());
        drop(wait);
        assert_eq!([first, second].map(|ctx| ctx.err()), [Some(ContextError::Canceled); 2]);
    });
}

#[test]
fn the_parents_end_reaches_the_group_and_never_the_reverse() {
    on_runtime(|| async {
        let (parent, cancel) = Context::background().with_cancel();
        let (group, ctx) = ErrGroup::with_context(&parent);
        group.go(async { Err("first") }).await;
        ctx.done().await;
        assert!(parent.err().is_none());
        assert_eq!(group.wait().await, Err("first"));

        let (group, ctx) = ErrGroup::with_context(&parent);
        group.go(async move { ctx.run(pending::<()>()).await }).await;
        cancel.cancel();
        assert_eq!(group.wait().await, Err(ContextError::Canceled));
    });
}

#[test]
fn a_group_that_runs_for_long_does_not_grow() {
    on_runtime(|| async {
        let group = ErrGroup::<()>::new().limit(4);
        for _ in 0..10_000 {
            group.go(async { Ok(()) }).await;
        }
        let debug = format!("{group:?}");
        let members: usize =
            debug.chars().filter(char::is_ascii_digit).collect::<String>().parse().expect("a count");
        assert!(members < 100, "{debug}");
        assert_eq!(group.wait().await, Ok(()));
    });
}

#[test]
fn wait_says_so_when_the_runtime_was_shut_down_under_it() {
    in_time(|| {
        let runtime = runtime();
        let group = runtime.block_on(async {
            let group = ErrGroup::<()>::new();
            group.go(pending()).await;
            group
        });
        drop(runtime);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            futures_lite::future::block_on(group.wait())
        }));
        let panic = result.expect_err("neither Ok nor an error");
        assert!(message(&*panic).contains("shutdown"), "{}", message(&*panic));
    });
}

/// What `go` spawns is cancelled at once, and no later `go` forgets that.
#[test]
fn wait_says_so_when_the_runtime_had_shut_down_before() {
    in_time(|| {
        let (begins, begun) = channel();
        let (goes_on, go_on) = channel();
        let runtime = runtime();
        let job = runtime.spawn_blocking(move || {
            begins.send(()).unwrap();
            go_on.recv().unwrap();
            futures_lite::future::block_on(async {
                let group = ErrGroup::<()>::new();
                for _ in 0..3 {
                    group.go(async { Ok(()) }).await;
                }
                group.wait().await
            })
        });
        begun.recv().unwrap();
        runtime.shutdown_background();
        goes_on.send(()).unwrap();
        let ended = futures_lite::future::block_on(job).expect_err("neither Ok nor an error");
        assert!(message(&*ended.into_panic()).contains("shutdown"));
    });
}

/// A task gives its slot back before it has ended, so the next one may end, and panic, before it.
#[test]
fn the_first_panic_is_resumed_although_its_task_ends_after_the_second_one() {
    struct Panics<P: FnMut(), D: FnMut()> {
        poll: P,
        drop: D,
    }
    impl<P: FnMut() + Unpin, D: FnMut() + Unpin> Future for Panics<P, D> {
        type Output = Result<(), ()>;

        fn poll(mut self: Pin<&mut Self>, _cx: &mut Cx<'_>) -> Poll<Self::Output> {
            (self.poll)();
            unreachable!("it panics")
        }
    }
    impl<P: FnMut(), D: FnMut()> Drop for Panics<P, D> {
        fn drop(&mut self) {
            (self.drop)();
        }
    }
    in_time(|| {
        let runtime = pirn::Builder::new().procs(2).build().unwrap();
        runtime.block_on(async {
            let group = ErrGroup::new();
            let (panicked, first_has_panicked) = channel();
            let (ends, second_ends) = channel();
            let first = Panics {
                poll: || panic!("first"),
                drop: move || {
                    panicked.send(()).unwrap();
                    second_ends.recv().unwrap();
                },
            };
            let second = Panics {
                poll: move || {
                    first_has_panicked.recv().unwrap();
                    panic!("second")
                },
                drop: move || ends.send(()).unwrap(),
            };
            group.go(first).await;
            group.go(second).await;
            let Err(ended) = pirn::spawn(group.wait()).await else { panic!("a panic was lost") };
            assert_eq!(message(&*ended.into_panic()), "first");
        });
    });
}

/// What is left over is user code as well: a panic in its destructor must not take the place of the first one, nor meet it.
#[test]
fn what_panics_as_it_is_dropped_does_not_replace_the_first_panic() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    async fn is_first<E: Send + 'static>(group: ErrGroup<E>) {
        group.go(async { panic!("first") }).await;
        group.go(async { std::panic::panic_any(PanicsInDrop) }).await;
        let Err(ended) = pirn::spawn(group.wait()).await else { panic!("a panic was lost") };
        assert_eq!(message(&*ended.into_panic()), "first");
    }
    in_time(|| {
        // One processor and one slot: a task has ended when the next one begins.
        let runtime = pirn::Builder::new().procs(1).build().unwrap();
        runtime.block_on(async {
            is_first(ErrGroup::<()>::new().limit(1)).await;
            let group = ErrGroup::new().limit(1);
            group.go(async { Err(PanicsInDrop) }).await;
            is_first(group).await;
        });
    });
}

/// What a panic carries is user code as well: here its destructor uses the group.
#[test]
fn what_a_second_panic_carries_may_use_the_group_as_it_is_dropped() {
    struct Carried(Arc<ErrGroup<()>>);
    impl Drop for Carried {
        fn drop(&mut self) {
            assert!(self.0.try_go(async { Ok(()) }).is_ok());
        }
    }
    struct Bomb(Option<Carried>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::panic_any(self.0.take().expect("dropped once"));
        }
    }
    in_time(|| {
        let (begins, begun) = channel();
        let (goes_on, go_on) = channel();
        let runtime = runtime();
        let job = runtime.spawn_blocking(move || {
            begins.send(()).unwrap();
            go_on.recv().unwrap();
            let group = Arc::new(ErrGroup::new());
            for _ in 0..3 {
                let bomb = Bomb(Some(Carried(Arc::clone(&group))));
                let started = group.try_go(async move {
                    let _held = bomb;
                    Ok(())
                });
                assert!(started.is_ok());
            }
        });
        begun.recv().unwrap();
        runtime.shutdown_background();
        goes_on.send(()).unwrap();
        futures_lite::future::block_on(job).unwrap();
    });
}

#[test]
fn a_limit_may_be_as_large_as_can_be() {
    on_runtime(|| async {
        let group = ErrGroup::<()>::new().limit(usize::MAX);
        group.go(async { Ok(()) }).await;
        assert!(group.try_go(async { Ok(()) }).is_ok());
        assert_eq!(group.wait().await, Ok(()));
    });
}

#[test]
#[should_panic(expected = "`limit` must be called before the group's first task")]
fn limit_after_the_first_task_panics() {
    in_time(|| {
        runtime().block_on(async {
            let group = ErrGroup::<()>::new();
            group.go(std::future::pending()).await;
            let _ = group.limit(3);
        });
    });
}

#[test]
#[should_panic(expected = "`limit` must be called before the group's first task")]
fn limit_after_a_task_that_has_gone_panics() {
    in_time(|| {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        handle.block_on(async move {
            // What is spawned from here on has ended at once, and nothing of it stays in the group.
            drop(runtime);
            let group = ErrGroup::<()>::new();
            group.go(pending()).await;
            let _ = group.limit(3);
        });
    });
}
