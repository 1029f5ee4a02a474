//! `JoinSet`: results in the order in which tasks end, none lost, all aborted with the set.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context as Cx, Poll, Waker};

use futures_lite::future::poll_once;
use pirn::JoinSet;
use pirn::channel::bounded;

use crate::support::{Alive, on_runtime};

#[test]
fn join_next_gives_every_result_and_then_none() {
    on_runtime(|| async {
        let mut set = JoinSet::new();
        for n in 0..1_000_u32 {
            set.spawn(async move {
                if n % 3 == 0 {
                    pirn::yield_now().await;
                }
                n
            });
        }
        assert_eq!(set.len(), 1_000);
        let mut seen = Vec::new();
        while let Some(result) = set.join_next().await {
            seen.push(result.expect("no panic"));
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..1_000) && set.is_empty());
        assert!(set.join_next().await.is_none(), "again");
    });
}

#[test]
fn join_next_gives_results_in_the_order_in_which_tasks_end() {
    on_runtime(|| async {
        let mut set = JoinSet::new();
        let senders: Vec<_> = (0..8)
            .map(|n| {
                let (sender, receiver) = bounded::<()>(1);
                set.spawn(async move {
                    receiver.recv().await.expect("sent");
                    n
                });
                (n, sender)
            })
            .collect();
        for (n, sender) in senders.into_iter().rev() {
            sender.try_send(()).expect("the task waits");
            assert_eq!(set.join_next().await.expect("one ends").expect("no panic"), n);
        }
    });
}

#[test]
fn results_that_lie_there_come_in_the_order_in_which_their_tasks_ended() {
    on_runtime(|| async {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut set = JoinSet::new();
            let tasks: Vec<_> = (0..3)
                .map(|n| {
                    let (sender, receiver) = bounded::<()>(1);
                    let task = set.spawn(async move {
                        receiver.recv().await.expect("sent");
                        n
                    });
                    (sender, task)
                })
                .collect();
            for n in order {
                tasks[n].0.try_send(()).expect("the task waits");
                while !tasks[n].1.is_finished() {
                    pirn::yield_now().await;
                }
                // Its waker follows its end by a moment: another task's turn later it has been called.
                pirn::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            for n in order {
                assert_eq!(set.join_next().await.expect("one").expect("no panic"), n);
            }
        }
    });
}

#[test]
fn a_join_next_that_is_dropped_loses_nothing() {
    on_runtime(|| async {
        let mut set = JoinSet::new();
        let (sender, receiver) = bounded(1);
        set.spawn(async move { receiver.recv().await.expect("sent") });
        for _ in 0..3 {
            let mut next = pin!(set.join_next());
            assert!(next.as_mut().poll(&mut Cx::from_waker(Waker::noop())).is_pending());
        }
        sender.try_send(7).expect("the task waits");
        assert_eq!(set.join_next().await.expect("one").expect("no panic"), 7);
    });
}

#[test]
fn join_all_gives_every_output_in_the_order_in_which_tasks_ended() {
    on_runtime(|| async {
        assert!(JoinSet::<u8>::new().join_all().await.is_empty());
        let mut set = JoinSet::new();
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..8).map(|_| bounded::<()>(1)).unzip();
        for (n, receiver) in receivers.into_iter().enumerate() {
            set.spawn(async move {
                receiver.recv().await.expect("sent");
                n
            });
        }
        let mut all = set.join_all();
        for sender in senders.into_iter().rev() {
            assert!(poll_once(&mut all).await.is_none(), "one has not ended");
            sender.try_send(()).expect("the task waits");
            // Its waker follows its end by a moment: another task's turn later it has been called.
            pirn::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        assert!(all.await.into_iter().eq((0..8).rev()));
    });
}

#[test]
fn join_all_resumes_a_panic_and_aborts_who_is_left() {
    on_runtime(|| async {
        let mut set = JoinSet::new();
        let (sender, receiver) = bounded::<()>(1);
        set.spawn(async move {
            let _sender = sender;
            pending::<()>().await;
        });
        set.spawn(async { std::panic::resume_unwind(Box::new("no tea")) });
        let mut all = set.join_all();
        let panic = poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut all).poll(cx)));
            polled.map_or_else(Poll::Ready, |polled| polled.map(|_| unreachable!("one panicked")))
        });
        assert_eq!(panic.await.downcast_ref::<&str>(), Some(&"no tea"));
        assert!(receiver.recv().await.is_err(), "the other is gone, though the future still is there");
        drop(all);
    });
}

#[test]
#[should_panic(expected = "was cancelled")]
fn join_all_panics_where_a_member_was_cancelled() {
    on_runtime(|| async {
        let mut set = JoinSet::new();
        set.spawn(pending::<()>()).abort();
        set.join_all().await;
    });
}

#[test]
fn a_join_all_that_is_dropped_aborts_its_tasks() {
    // `on_runtime` sees that none is left.
    on_runtime(|| async {
        let mut set = JoinSet::new();
        set.spawn(async {});
        set.spawn(pending::<()>());
        let mut all = set.join_all();
        assert!(poll_once(&mut all).await.is_none());
    });
}

#[test]
fn try_join_next_takes_what_has_ended_and_never_waits() {
    on_runtime(|| async {
        let mut set = JoinSet::new();
        assert!(set.try_join_next().is_none());
        let (sender, receiver) = bounded(1);
        let task = set.spawn(async move { receiver.recv().await.expect("sent") });
        assert!(set.try_join_next().is_none());
        sender.try_send("now").expect("the task waits");
        while !task.is_finished() {
            pirn::yield_now().await;
        }
        let result = loop {
            // The hint follows the end by a moment.
            if let Some(result) = set.try_join_next() {
                break result;
            }
            pirn::yield_now().await;
        };
        assert_eq!(result.expect("no panic"), "now");
    });
}

#[test]
fn a_panic_and_an_abort_are_results_like_others() {
    on_runtime(|| async {
        let mut set = JoinSet::new();
        set.spawn(async { panic!("no tea") });
        let error = set.join_next().await.expect("one").expect_err("it panicked");
        assert!(error.is_panic() && error.to_string().contains("no tea"), "{error}");
        let abort = set.spawn(pending());
        set.spawn(pending::<()>());
        abort.abort();
        assert!(set.join_next().await.expect("one").expect_err("aborted").is_cancelled());
        assert_eq!(set.len(), 1);
    });
}

#[test]
fn abort_all_leaves_the_tasks_to_be_joined() {
    on_runtime(|| async {
        let (mut set, alive) = (JoinSet::new(), Alive::default());
        for _ in 0..10 {
            let guard = alive.guard();
            set.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
        }
        set.abort_all();
        let mut joined = 0;
        while let Some(result) = set.join_next().await {
            assert!(result.expect_err("aborted").is_cancelled());
            joined += 1;
        }
        assert_eq!((joined, alive.count()), (10, 0));
    });
}

#[test]
fn shutdown_waits_until_every_future_is_dropped() {
    on_runtime(|| async {
        let (mut set, alive) = (JoinSet::new(), Alive::default());
        for n in 0..100 {
            let guard = alive.guard();
            set.spawn(async move {
                let _guard = guard;
                if n % 2 == 0 {
                    pending::<()>().await;
                }
            });
        }
        set.shutdown().await;
        assert_eq!((alive.count(), set.len()), (0, 0));
        set.spawn(async {});
        assert!(set.join_next().await.is_some(), "the set goes on");
    });
}

#[test]
fn dropping_the_set_aborts_its_tasks() {
    // `on_runtime` sees that none is left.
    on_runtime(|| async {
        let mut set = JoinSet::new();
        for _ in 0..100 {
            set.spawn(pending::<()>());
        }
    });
}

#[test]
fn blocking_jobs_and_tasks_of_another_runtime_are_members_too() {
    on_runtime(|| async {
        let other = pirn::Builder::new().procs(1).build().expect("a runtime");
        let mut set = JoinSet::new();
        set.spawn_blocking(|| 1);
        set.spawn_on(async { 2 }, other.handle());
        set.adopt(pirn::spawn(async { 3 }));
        let mut sum = 0;
        while let Some(result) = set.join_next().await {
            sum += result.expect("no panic");
        }
        assert_eq!(sum, 6);
    });
}

#[test]
#[should_panic(expected = "a JoinHandle was adopted after it had returned the task's output")]
fn a_handle_that_has_given_its_output_is_not_adopted() {
    on_runtime(|| async {
        let mut handle = pirn::spawn(async { 3 });
        assert_eq!((&mut handle).await.expect("no panic"), 3);
        JoinSet::new().adopt(handle);
    });
}
