//! `Runtime::scope`, whose tasks may borrow, and the async `scope`, whose tasks own.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context as Cx, Wake, Waker};

use pirn::channel::bounded;
use pirn::task::scope;
use pirn::{Context, Runtime, UnhandledPanic};

use crate::support::{Alive, in_time, message, no_task_is_left, on_runtime, runtime};

/// Runs a test of a blocking scope, from outside all tasks.
fn with_runtime(body: impl FnOnce(&Runtime) + Send + 'static) {
    in_time(|| {
        let runtime = runtime();
        body(&runtime);
        no_task_is_left(&runtime);
    });
}

#[test]
fn tasks_borrow_from_the_caller_and_the_scope_waits_for_all() {
    with_runtime(|runtime| {
        let numbers: Vec<usize> = (0..1_000).collect();
        let sum = AtomicUsize::new(0);
        let answer = runtime.scope(|scope| {
            for chunk in numbers.chunks(10) {
                let sum = &sum;
                scope.spawn(async move {
                    for n in chunk {
                        pirn::yield_now().await;
                        sum.fetch_add(*n, Ordering::Relaxed);
                    }
                });
            }
            7
        });
        assert_eq!((answer, sum.into_inner()), (7, 999 * 1_000 / 2));
    });
}

#[test]
fn a_task_may_write_to_what_it_borrows_and_return_a_borrow() {
    with_runtime(|runtime| {
        let (mut left, mut right) = (vec![1], vec![2]);
        let longest = String::from("longest");
        let words = [longest.as_str(), "word"];
        runtime.scope(|scope| {
            scope.spawn(async { left.push(10) });
            scope.spawn(async { right.push(20) });
            let found = scope.spawn(async { words.iter().max_by_key(|word| word.len()).copied() });
            assert_eq!(found.join_blocking().expect("no panic"), Some("longest"));
            let awaited = scope.spawn(async { &longest });
            assert_eq!(runtime.block_on(awaited).expect("no panic"), "longest");
        });
        assert_eq!((left, right), (vec![1, 10], vec![2, 20]));
    });
}

#[test]
fn tasks_of_a_scope_spawn_others_into_it() {
    with_runtime(|runtime| {
        let count = AtomicUsize::new(0);
        runtime.scope(|scope| {
            for _ in 0..10 {
                scope.spawn(async {
                    pirn::yield_now().await;
                    for _ in 0..10 {
                        scope.spawn(async {
                            pirn::yield_now().await;
                            count.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 100);
    });
}

#[test]
fn a_scope_works_inside_a_task_of_its_own_runtime_although_it_has_one_processor() {
    in_time(|| {
        let runtime = Arc::new(pirn::Builder::new().procs(1).build().expect("a runtime"));
        let inner = Arc::clone(&runtime);
        let task = runtime.spawn(async move {
            let text = String::from("borrowed");
            inner.scope(|scope| {
                let task = scope.spawn(async {
                    pirn::yield_now().await;
                    text.len()
                });
                task.join_blocking().expect("no panic")
            })
        });
        assert_eq!(runtime.block_on(task).expect("no panic"), 8);
    });
}

#[test]
fn a_panic_in_the_body_aborts_the_tasks_waits_for_them_and_goes_on() {
    with_runtime(|runtime| {
        let alive = Alive::default();
        let borrowed = String::from("borrowed");
        let panic = catch_unwind(AssertUnwindSafe(|| {
            runtime.scope(|scope| {
                for _ in 0..100 {
                    let (guard, text) = (alive.guard(), borrowed.as_str());
                    scope.spawn(async move {
                        pending::<()>().await;
                        drop(guard);
                        assert_eq!(text, "never reached");
                    });
                }
                panic!("in the body");
            })
        }));
        assert_eq!(message(&*panic.expect_err("it goes on")), "in the body");
        assert_eq!(alive.count(), 0, "every future is dropped before the panic leaves the scope");
    });
}

#[test]
fn a_panic_in_a_task_leaves_the_others_alone_and_fails_the_scope_unless_joined() {
    with_runtime(|runtime| {
        let ended = AtomicBool::new(false);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            runtime.scope(|scope| {
                scope.spawn(async { panic!("in a task") });
                scope.spawn(async {
                    for _ in 0..100 {
                        pirn::yield_now().await;
                    }
                    ended.store(true, Ordering::Relaxed);
                });
            });
        }));
        assert_eq!(message(&*panic.expect_err("nobody joined it")), "a task of the scope panicked");
        assert!(ended.load(Ordering::Relaxed));

        let error = runtime.scope(|scope| scope.spawn(async { panic!("in a task") }).join_blocking());
        assert!(error.expect_err("joined").is_panic());
    });
}

#[test]
fn an_aborted_task_is_cancelled_and_dropped() {
    with_runtime(|runtime| {
        let text = String::from("borrowed");
        runtime.scope(|scope| {
            let task = scope.spawn(async {
                pending::<()>().await;
                text.len()
            });
            assert!(!task.is_finished());
            task.abort();
            assert!(task.join_blocking().expect_err("aborted").is_cancelled());
        });
    });
}

/// Opens a scope, and joins a task in it, as it is dropped.
struct Scopes(Runtime);

impl Drop for Scopes {
    fn drop(&mut self) {
        let word = String::from("weft");
        let length = self.0.scope(|scope| scope.spawn(async { word.len() }).join_blocking());
        assert_eq!(length.expect("it did not panic"), 4);
    }
}

#[test]
fn a_scope_works_in_the_destructor_of_a_thread_local() {
    thread_local!(static LAST: RefCell<Option<Scopes>> = const { RefCell::new(None) });
    in_time(|| {
        let ending = std::thread::spawn(|| {
            // Whatever the thread has blocked with so far is gone by then: what is made first is dropped last.
            LAST.set(Some(Scopes(runtime())));
            drop(Scopes(runtime()));
        });
        ending.join().expect("its destructors do not panic");
    });
}

#[test]
fn the_scope_waits_for_destructors_that_take_their_time() {
    struct Slow<'a>(&'a AtomicUsize);
    impl Drop for Slow<'_> {
        fn drop(&mut self) {
            std::thread::sleep(std::time::Duration::from_millis(20));
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    with_runtime(|runtime| {
        let dropped = AtomicUsize::new(0);
        runtime.scope(|scope| {
            for aborted in [false, true] {
                let slow = Slow(&dropped);
                let task = scope.spawn(async move {
                    if aborted {
                        pending::<()>().await;
                    }
                    drop(slow);
                });
                if aborted {
                    task.abort();
                }
            }
        });
        assert_eq!(dropped.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn a_destructor_that_panics_does_not_let_a_task_outlive_its_scope() {
    struct Bomb<'a>(&'a AtomicBool);
    impl Drop for Bomb<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
            panic!("in drop");
        }
    }
    with_runtime(|runtime| {
        let dropped = AtomicBool::new(false);
        let _ = catch_unwind(AssertUnwindSafe(|| {
            runtime.scope(|scope| {
                let bomb = Bomb(&dropped);
                scope
                    .spawn(async move {
                        pending::<()>().await;
                        drop(bomb);
                    })
                    .abort();
            });
        }));
        assert!(dropped.load(Ordering::SeqCst), "by the scope's end at the latest");
    });
}

/// Panics as it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

#[test]
fn a_joined_panic_of_a_destructor_does_not_excuse_the_panic_of_another_task() {
    with_runtime(|runtime| {
        let panic = catch_unwind(AssertUnwindSafe(|| {
            runtime.scope(|scope| {
                let first = scope.spawn(async { panic!("in a task") });
                while !first.is_finished() {
                    std::thread::yield_now();
                }
                drop(first);
                let bomb = Bomb;
                let second = scope.spawn(async move {
                    pending::<()>().await;
                    drop(bomb);
                });
                second.abort();
                assert!(second.join_blocking().expect_err("aborted").is_panic());
            })
        }));
        assert_eq!(message(&*panic.expect_err("nobody joined the first")), "a task of the scope panicked");
    });
}

#[test]
fn the_panic_of_a_destructor_fails_the_scope_unless_joined() {
    with_runtime(|runtime| {
        let spawn_and_abort = |join: bool| {
            catch_unwind(AssertUnwindSafe(|| {
                runtime.scope(|scope| {
                    let bomb = Bomb;
                    let task = scope.spawn(async move {
                        pending::<()>().await;
                        drop(bomb);
                    });
                    task.abort();
                    if join {
                        assert!(task.join_blocking().expect_err("aborted").is_panic());
                    }
                });
            }))
        };
        let panic = spawn_and_abort(false).expect_err("nobody joined it");
        assert_eq!(message(&*panic), "a task of the scope panicked");
        assert!(spawn_and_abort(true).is_ok());
    });
}

#[test]
fn a_scope_whose_runtime_is_shut_down_meanwhile_returns_when_its_tasks_are_dropped() {
    in_time(|| {
        let runtime = pirn::Builder::new()
            .procs(2)
            .on_unhandled_panic(UnhandledPanic::Shutdown)
            .build()
            .expect("a runtime");
        let alive = Alive::default();
        let text = String::from("borrowed");
        runtime.scope(|scope| {
            let endless = || {
                let (guard, text) = (alive.guard(), &text);
                async move {
                    pending::<()>().await;
                    drop(guard);
                    text.len()
                }
            };
            let first = scope.spawn(endless());
            drop(runtime.spawn(async { panic!("unhandled: it shuts the runtime down") }));
            assert!(first.join_blocking().expect_err("dropped by the shutdown").is_cancelled());
            let refused = scope.spawn(endless());
            assert!(refused.join_blocking().expect_err("no longer accepted").is_cancelled());
        });
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn many_scopes_at_once_leave_no_borrow_behind() {
    in_time(|| {
        let runtime = runtime();
        std::thread::scope(|threads| {
            for thread in 0..4_usize {
                let runtime = &runtime;
                threads.spawn(move || {
                    for round in 0..200 {
                        let data = Box::new(Mutex::new(thread * 1_000 + round));
                        let before = *data.lock().expect("no panic");
                        runtime.scope(|scope| {
                            for n in 0..8 {
                                let data = &data;
                                let task = scope.spawn(async move {
                                    if n % 2 == 0 {
                                        pirn::yield_now().await;
                                    }
                                    *data.lock().expect("no panic") += 1;
                                });
                                if n % 4 == 3 {
                                    task.abort();
                                }
                            }
                        });
                        let after = data.into_inner().expect("no panic");
                        assert!((before + 6..=before + 8).contains(&after), "{before} {after}");
                    }
                });
            }
        });
        no_task_is_left(&runtime);
    });
}

#[test]
fn an_async_scope_is_over_when_its_tasks_are() {
    on_runtime(|| async {
        let alive = Alive::default();
        let inside = alive.clone();
        let answer = scope(|scope| async move {
            for _ in 0..100 {
                let (guard, others) = (inside.guard(), scope.clone());
                scope.spawn(async move {
                    pirn::yield_now().await;
                    let own = guard;
                    others.spawn(async move {
                        pirn::yield_now().await;
                        drop(own);
                    });
                });
            }
            7
        })
        .await;
        assert_eq!((answer, alive.count()), (7, 0));
    });
}

#[test]
fn a_waker_that_panics_is_no_panic_of_the_task_that_wakes_it() {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("this waker panics");
        }
    }
    on_runtime(|| async {
        let (sender, receiver) = bounded::<()>(1);
        let mut spawned = None;
        let mut future = Box::pin(scope(|scope| {
            spawned = Some(scope.spawn(async move { receiver.recv().await.is_err() }));
            async {}
        }));
        let waker = Waker::from(Arc::new(Panics));
        assert!(future.as_mut().poll(&mut Cx::from_waker(&waker)).is_pending());
        drop(sender);
        assert!(spawned.expect("spawned at once").await.expect("it did not panic"));
        future.await;
    });
}

#[test]
fn an_async_scope_that_is_dropped_aborts_its_tasks() {
    // `on_runtime` sees that no task is left.
    on_runtime(|| async {
        let mut future = Box::pin(scope(|scope| async move {
            for _ in 0..10 {
                scope.spawn(pending::<()>());
            }
            pending::<()>().await;
        }));
        assert!(future.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_pending());
    });
}

#[test]
fn an_async_scope_whose_closure_panics_aborts_what_it_has_spawned() {
    // `on_runtime` sees that no task is left.
    on_runtime(|| async {
        let panics = catch_unwind(AssertUnwindSafe(|| {
            scope(|scope| -> std::future::Ready<()> {
                scope.spawn(pending::<()>());
                panic!("before there is a body")
            })
        }));
        assert!(panics.is_err());
    });
}

#[test]
fn a_panic_in_a_task_of_an_async_scope_fails_it_unless_awaited() {
    on_runtime(|| async {
        let joined = scope(|scope| async move { scope.spawn(async { panic!("in a task") }).await.is_err() });
        assert!(joined.await);
        let unjoined = pirn::spawn(scope(|scope| async move {
            scope.spawn(async { panic!("in a task") });
        }));
        let panic = unjoined.await.expect_err("the scope panics").into_panic();
        assert!(message(&*panic).starts_with("a task of the scope at "), "{}", message(&*panic));
    });
}

#[test]
fn a_task_scope_used_after_its_scopes_end_gets_its_tasks_cancelled() {
    on_runtime(|| async {
        let escaped = scope(|scope| async move { scope }).await;
        let task = escaped.spawn(pending::<()>());
        assert!(task.await.expect_err("the scope is over").is_cancelled());
    });
}

#[test]
fn an_async_scope_ends_with_its_context_when_run_under_it() {
    on_runtime(|| async {
        let (ctx, cancel) = Context::background().with_cancel();
        let mut run = pin!(ctx.run(scope(|scope| async move {
            scope.spawn(pending::<()>());
        })));
        assert!(run.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_pending());
        cancel.cancel();
        assert!(run.await.is_err());
    });
}
