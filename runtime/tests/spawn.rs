//! Spawning, joining, aborting: what every program starts with.

mod common;

use common::{eventually, within};
use pirn::{
    Builder, JoinHandle, PanicInfo, UnhandledPanic, block_on, channel, spawn, spawn_blocking, yield_now,
};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Instant;

#[test]
fn a_million_spawns_and_joins() {
    within(60, || {
        for procs in [1, 2, 8] {
            let runtime = Builder::new().procs(procs).build().unwrap();
            let start = Instant::now();
            let sum = runtime.block_on(async {
                spawn(async {
                    let mut sum = 0_u64;
                    for batch in 0..100_u64 {
                        let tasks: Vec<_> =
                            (0..10_000_u64).map(|n| spawn(async move { batch + n })).collect();
                        for task in tasks {
                            sum += task.await.unwrap();
                        }
                    }
                    sum
                })
                .await
                .unwrap()
            });
            assert_eq!(sum, 100 * (9_999 * 10_000 / 2) + 10_000 * (99 * 100 / 2));
            eprintln!("{procs} procs: {:?} per task", start.elapsed() / 1_000_000);
        }
    });
}

#[test]
fn yielding_tasks_take_turns() {
    within(60, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        let start = Instant::now();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..1000)
                .map(|_| {
                    spawn(async {
                        for _ in 0..1000 {
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        eprintln!("{:?} per yield", start.elapsed() / 1_000_000);
    });
}

#[test]
fn block_on_inside_a_task_lets_others_run() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let answer = runtime.block_on(runtime.spawn(async {
            let inner = spawn(async { 20 });
            block_on(inner).unwrap() + pirn::block_in_place(|| 22)
        }));
        assert_eq!(answer.unwrap(), 42);
    });
}

#[test]
fn a_panic_reaches_the_handle_and_nobody_else() {
    within(60, || {
        let error = block_on(spawn(async { panic!("spilt") })).unwrap_err();
        assert!(error.is_panic());
        assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "spilt");
        assert_eq!(block_on(spawn_blocking(|| 5)).unwrap(), 5);
    });
}

/// Two tasks poll each other's handle, and end by themselves; nothing of theirs may stay, for they hold their runtime.
fn tasks_that_have_waited_for_each_other(taken: bool) {
    type Shared = Arc<Mutex<JoinHandle<()>>>;

    let kept = Arc::new(());
    let left = Arc::downgrade(&kept);
    let callback = move |_: &PanicInfo| {
        let _lives_as_long_as_the_runtime = &kept;
    };
    let callback = UnhandledPanic::Callback(Arc::new(callback));
    let runtime = Builder::new().procs(1).on_unhandled_panic(callback).build().unwrap();
    runtime.block_on(async {
        let (polled, was_polled) = channel::bounded(2);
        let (end, ends) = channel::bounded::<()>(1);
        let member = || {
            let (tell, other) = channel::oneshot::channel::<Shared>();
            let (polled, ends) = (polled.clone(), ends.clone());
            let task = spawn(async move {
                let other = other.await.unwrap();
                poll_fn(|cx| {
                    assert!(Pin::new(&mut *other.lock().unwrap()).poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                polled.send(()).await.unwrap();
                let _ = ends.recv().await;
            });
            (tell, Arc::new(Mutex::new(task)))
        };
        let ((tell_first, first), (tell_second, second)) = (member(), member());
        assert!(tell_first.send(second.clone()).is_ok() && tell_second.send(first.clone()).is_ok());
        was_polled.recv().await.unwrap();
        was_polled.recv().await.unwrap();
        drop(end);
        for task in [first, second] {
            while !task.lock().unwrap().is_finished() {
                yield_now().await;
            }
            if taken {
                poll_fn(|cx| Pin::new(&mut *task.lock().unwrap()).poll(cx)).await.unwrap();
            }
        }
    });
    drop(runtime);
    eventually(|| left.upgrade().is_none());
}

#[test]
fn tasks_that_have_waited_for_each_other_are_freed_with_their_handles() {
    within(60, || {
        tasks_that_have_waited_for_each_other(false);
        tasks_that_have_waited_for_each_other(true);
    });
}
