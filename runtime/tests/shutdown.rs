//! Shutting down: nothing outlives it unnoticed, every handle resolves, and nobody waits who must not.

#![allow(clippy::async_yields_async, reason = "the handle is what is wanted")]

mod common;

use common::{eventually, within};
use pirn::time::sleep;
use pirn::{Builder, Handle, LeftKind, Runtime, UnhandledPanic, block_on, spawn, yield_now};
use std::cell::RefCell;
use std::fs;
use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(3600);

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().unwrap()
}

#[test]
fn every_future_is_dropped_and_every_handle_resolves() {
    within(60, || {
        for procs in [1, 2, 4] {
            let runtime = runtime(procs);
            let alive = Arc::new(());
            let (tx, rx) = pirn::channel::bounded::<()>(1);
            let mut handles = Vec::new();
            for n in 0..300 {
                let (alive, rx) = (alive.clone(), rx.clone());
                handles.push(runtime.spawn(async move {
                    let _alive = alive;
                    match n % 4 {
                        0 => sleep(LONG).await,
                        1 => drop(rx.recv().await),
                        2 => pending().await,
                        _ => loop {
                            yield_now().await;
                        },
                    }
                }));
            }
            let report = runtime.shutdown_timeout(Duration::from_secs(30));
            assert!(report.is_clean(), "{report}");
            assert_eq!(Arc::strong_count(&alive), 1);
            for handle in handles {
                assert!(block_on(handle).unwrap_err().is_cancelled());
            }
            drop(tx);
        }
    });
}

#[test]
fn a_task_inside_a_poll_is_waited_for_by_drop() {
    within(60, || {
        let runtime = runtime(1);
        let (started, wait) = channel();
        let ended = Arc::new(AtomicUsize::new(0));
        let end = ended.clone();
        let task = runtime.spawn(async move {
            started.send(()).unwrap();
            thread::sleep(Duration::from_millis(1500));
            end.store(1, Ordering::SeqCst);
        });
        wait.recv().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        assert!(block_on(task).is_ok(), "an output that the poll in progress produces wins");
        assert_eq!(handle.metrics().live_tasks, 0);
    });
}

#[test]
fn the_threads_are_waited_for_after_the_tasks() {
    /// Threads of this process whose name begins so.
    fn threads(name: &str) -> usize {
        let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
        tasks
            .filter(|task| {
                fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.starts_with(name))
            })
            .count()
    }
    within(60, || {
        let runtime = Builder::new().procs(1).thread_name("waited").build().unwrap();
        let (started, wait) = channel();
        let _detached = runtime.spawn(async move {
            started.send(()).unwrap();
            // Longer than a drop is patient with blocking jobs.
            thread::sleep(Duration::from_millis(1200));
        });
        let (job_started, wait_job) = channel();
        let ended = Arc::new(AtomicUsize::new(0));
        let end = ended.clone();
        let _job = runtime.spawn_blocking(move || {
            job_started.send(()).unwrap();
            thread::sleep(Duration::from_millis(1500));
            end.store(1, Ordering::SeqCst);
        });
        wait.recv().unwrap();
        wait_job.recv().unwrap();
        drop(runtime);
        assert_eq!(ended.load(Ordering::SeqCst), 1, "the job has a second from when the tasks are gone");
        eventually(|| threads("waited") == 0);
    });
}

#[test]
fn tasks_that_block_on_others_at_the_limit_of_threads_end_with_their_runtime() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
        let blocked = Arc::new(AtomicUsize::new(0));
        let seen = blocked.clone();
        // All of them are queued before the first one runs, so that nobody comes to what they wait for.
        let parents = runtime.spawn(async move {
            let parent = |_| {
                let blocked = blocked.clone();
                spawn(async move {
                    let child = spawn(async {});
                    blocked.fetch_add(1, Ordering::SeqCst);
                    block_on(child)
                })
            };
            (0..3).map(parent).collect::<Vec<_>>()
        });
        let parents = runtime.block_on(parents).unwrap();
        eventually(|| seen.load(Ordering::SeqCst) == 3);
        drop(runtime);
        for parent in parents {
            let child = block_on(parent).expect("its poll went on, and has its output");
            assert!(child.unwrap_err().is_cancelled());
        }
    });
}

#[test]
fn the_thread_that_a_closing_runtime_is_given_is_not_kept_by_a_task_that_blocks() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
        // To abort them takes longer than to start a thread.
        let idle = runtime.spawn(async { (0..200_000).map(|_| spawn(pending::<()>())).collect::<Vec<_>>() });
        let _idle = runtime.block_on(idle).unwrap();
        let (tx, rx) = pirn::channel::bounded::<()>(1);
        let blocked = Arc::new(AtomicUsize::new(0));
        let wait = || {
            let (rx, blocked) = (rx.clone(), blocked.clone());
            runtime.spawn(async move {
                blocked.fetch_add(1, Ordering::SeqCst);
                block_on(rx.recv())
            })
        };
        let _three = [(); 3].map(|()| wait());
        eventually(|| blocked.load(Ordering::SeqCst) == 3);
        let last = wait();
        // All of them wait for this one to go.
        let _sender = runtime.spawn(async move { drop(tx) });
        drop(runtime);
        assert!(block_on(last).unwrap_err().is_cancelled());
    });
}

#[test]
fn a_runtime_that_may_have_any_number_of_threads_has_one_more_at_its_end() {
    within(60, || {
        // Whether its machine is made up for before the end or after it has begun is a matter of luck.
        for _ in 0..16 {
            let runtime = Builder::new().procs(1).max_threads(usize::MAX).build().unwrap();
            let (started, wait) = channel();
            let (leave, wait_leave) = channel::<()>();
            let waits = runtime.spawn(pending::<()>());
            let stuck = runtime.spawn(async move {
                started.send(()).unwrap();
                let _ = wait_leave.recv();
            });
            wait.recv().unwrap();
            let report = runtime.shutdown_timeout(Duration::from_millis(300));
            assert_eq!(report.left().len(), 1, "{report}");
            drop(leave);
            assert!(block_on(waits).unwrap_err().is_cancelled());
            block_on(stuck).unwrap();
        }
    });
}

/// A task that blocks until it is told to end, and others that wait, so that its machine is made up for.
#[test]
fn a_stuck_task_is_reported_and_resolves_when_it_comes_back() {
    within(60, || {
        for again in [false, true] {
            let runtime = runtime(1);
            let alive = Arc::new(());
            let (started, wait) = channel();
            let (leave, wait_leave) = channel::<()>();
            let held = alive.clone();
            let stuck = runtime.spawn(async move {
                let _held = held;
                started.send(()).unwrap();
                wait_leave.recv().unwrap();
                if again {
                    yield_now().await;
                } else {
                    pending::<()>().await;
                }
            });
            wait.recv().unwrap();
            let others: Vec<_> = (0..10)
                .map(|_| {
                    let alive = alive.clone();
                    runtime.spawn(async move {
                        let _alive = alive;
                        pending::<()>().await;
                    })
                })
                .collect();
            let line = line!() + 1;
            let named =
                runtime.block_on(async { pirn::task::Builder::new().name("deaf").spawn(pending::<()>()) });
            // Made up for: the others are dropped though the only machine is stuck.
            let report = runtime.shutdown_timeout(Duration::from_millis(500));
            assert_eq!(report.left().len(), 1, "{report}");
            let left = &report.left()[0];
            assert_eq!((left.kind, left.name.as_deref()), (LeftKind::Task, None));
            assert!(left.spawned_at.file().ends_with("shutdown.rs") && left.spawned_at.line() < line);
            assert!(left.age >= Duration::from_millis(400) && left.age < Duration::from_secs(50));
            for other in others {
                assert!(block_on(other).unwrap_err().is_cancelled());
            }
            assert!(block_on(named).unwrap_err().is_cancelled());
            leave.send(()).unwrap();
            assert!(block_on(stuck).unwrap_err().is_cancelled(), "it was aborted; it ends when it can");
            assert_eq!(Arc::strong_count(&alive), 1);
        }
    });
}

#[test]
fn tasks_that_wait_are_dropped_without_a_limit_of_time_too_though_a_poll_is_stuck() {
    within(60, || {
        // Whether sysmon has started another machine by then is a matter of luck.
        for _ in 0..32 {
            let runtime = runtime(1);
            let waits = runtime.spawn(pending::<()>());
            let (end, ends) = channel::<()>();
            let (started, starts) = channel();
            let ends = Mutex::new(ends);
            let stuck = runtime.spawn(async move {
                started.send(()).unwrap();
                let _ = ends.lock().unwrap().recv();
            });
            starts.recv().unwrap();
            let report = runtime.shutdown_timeout(Duration::ZERO);
            assert!(!report.is_clean());
            assert!(block_on(waits).unwrap_err().is_cancelled());
            end.send(()).unwrap();
            block_on(stuck).unwrap();
        }
    });
}

#[test]
fn tasks_that_lie_behind_a_stuck_poll_are_dropped_without_a_limit_of_time_too() {
    within(60, || {
        // Whether sysmon has sent another machine for them by then is a matter of luck.
        for _ in 0..32 {
            let runtime = runtime(1);
            let (end, ends) = channel::<()>();
            let (started, starts) = channel();
            let ends = Mutex::new(ends);
            let stuck = runtime.spawn(async move {
                // The last one lies in the next slot, the others in the queue of this machine's processor.
                started.send([(); 3].map(|()| spawn(pending::<()>()))).unwrap();
                let _ = ends.lock().unwrap().recv();
            });
            let behind = starts.recv().unwrap();
            let report = runtime.shutdown_timeout(Duration::ZERO);
            assert!(!report.is_clean());
            for task in behind {
                assert!(block_on(task).unwrap_err().is_cancelled());
            }
            end.send(()).unwrap();
            block_on(stuck).unwrap();
        }
    });
}

#[test]
fn spawns_that_race_with_a_shutdown_without_time_do_not_wait_for_a_stuck_poll() {
    within(60, || {
        // Who is admitted just before the end and queues just after it is a matter of luck, one in some thousands.
        for _ in 0..4000 {
            let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
            let handle = runtime.handle().clone();
            let (end, ends) = channel::<()>();
            let (started, starts) = channel();
            let stuck = runtime.spawn(async move {
                started.send(()).unwrap();
                let _ = ends.recv();
            });
            starts.recv().unwrap();
            let together = Arc::new(Barrier::new(4));
            let spawners: Vec<_> = (0..3)
                .map(|_| {
                    let (handle, together) = (handle.clone(), together.clone());
                    thread::spawn(move || {
                        together.wait();
                        (0..6).map(|_| handle.spawn(pending::<()>())).collect::<Vec<_>>()
                    })
                })
                .collect();
            together.wait();
            let _report = runtime.shutdown_timeout(Duration::ZERO);
            for task in spawners.into_iter().flat_map(|spawner| spawner.join().unwrap()) {
                assert!(block_on(task).unwrap_err().is_cancelled());
            }
            drop(end);
            block_on(stuck).unwrap();
        }
    });
}

#[test]
fn blocking_jobs_that_run_are_left_and_those_that_queue_are_cancelled() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
        let (started, wait) = channel();
        let (leave, wait_leave) = channel::<()>();
        let running = runtime.block_on(async {
            pirn::task::Builder::new().name("archive").spawn_blocking(move || {
                started.send(()).unwrap();
                wait_leave.recv().unwrap();
                42
            })
        });
        wait.recv().unwrap();
        let queued: Vec<_> = (0..5).map(|n| runtime.spawn_blocking(move || n)).collect();
        let start = Instant::now();
        let report = runtime.shutdown_timeout(Duration::from_millis(50));
        assert!(start.elapsed() < Duration::from_secs(20));
        assert_eq!(report.left().len(), 1, "{report}");
        assert_eq!(report.left()[0].kind, LeftKind::Blocking);
        assert_eq!(report.left()[0].name.as_deref(), Some("archive"));
        assert!(report.to_string().contains("blocking job archive, spawned at"), "{report}");
        for job in queued {
            assert!(block_on(job).unwrap_err().is_cancelled());
        }
        assert!(!running.is_finished());
        leave.send(()).unwrap();
        assert_eq!(block_on(running).unwrap(), 42, "a job that was left resolves its handle at its end");
    });
}

#[test]
fn a_blocking_job_that_comes_with_the_shutdown_does_not_wait_for_one_that_is_left() {
    within(60, || {
        // Who is admitted just before the end and queues just after it is a matter of luck.
        for _ in 0..60 {
            // Three threads leave one for jobs.
            let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
            let (end, ends) = channel::<()>();
            let (started, starts) = channel();
            let left = runtime.spawn_blocking(move || {
                started.send(()).unwrap();
                let _ = ends.recv();
            });
            starts.recv().unwrap();
            let (spawned, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
            let spawners: Vec<_> = (0..2)
                .map(|_| {
                    let (handle, spawned, enough) =
                        (runtime.handle().clone(), spawned.clone(), enough.clone());
                    thread::spawn(move || {
                        let mut jobs = Vec::new();
                        while !enough.load(Ordering::Relaxed) {
                            jobs.push(handle.spawn_blocking(|| ()));
                            spawned.fetch_add(1, Ordering::Relaxed);
                        }
                        jobs
                    })
                })
                .collect();
            eventually(|| spawned.load(Ordering::Relaxed) > 100);
            let report = runtime.shutdown_timeout(Duration::ZERO);
            assert!(!report.is_clean());
            enough.store(true, Ordering::Relaxed);
            // Any of them may have had to cancel what another one has pushed.
            let jobs: Vec<_> = spawners.into_iter().flat_map(|spawner| spawner.join().unwrap()).collect();
            assert!(jobs.iter().all(|job| job.is_finished()), "a job waits for the one that was left");
            end.send(()).unwrap();
            block_on(left).unwrap();
        }
    });
}

#[test]
fn drop_waits_for_a_blocking_job_a_second_at_most() {
    within(60, || {
        let runtime = runtime(1);
        let (started, wait) = channel();
        let (leave, wait_leave) = channel::<()>();
        let job = runtime.spawn_blocking(move || {
            started.send(()).unwrap();
            wait_leave.recv().unwrap();
        });
        wait.recv().unwrap();
        let start = Instant::now();
        drop(runtime);
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(20), "{took:?}");
        leave.send(()).unwrap();
        block_on(job).unwrap();
    });
}

#[test]
fn drop_waits_for_the_thread_of_a_blocking_job_that_is_over() {
    /// Keeps the thread that drops it until the runtime shuts down, and a while longer.
    struct Output(Handle);
    impl Drop for Output {
        fn drop(&mut self) {
            while block_on(self.0.spawn(async {})).is_ok() {}
            thread::sleep(Duration::from_millis(20));
        }
    }
    thread_local!(static KEPT: RefCell<Option<Arc<()>>> = const { RefCell::new(None) });
    within(60, || {
        let alive = Arc::new(());
        let runtime = runtime(1);
        let handle = runtime.handle().clone();
        let (dropped, handle_is_dropped) = channel();
        let (over, wait) = channel();
        let kept = alive.clone();
        drop(runtime.spawn_blocking(move || {
            // So that the output is dropped on this thread.
            handle_is_dropped.recv().unwrap();
            KEPT.set(Some(kept));
            over.send(()).unwrap();
            Output(handle)
        }));
        dropped.send(()).unwrap();
        wait.recv().unwrap();
        drop(runtime);
        assert_eq!(Arc::strong_count(&alive), 1, "the thread is gone, with what it kept");
    });
}

#[test]
fn a_late_spawn_handle_or_waker_finds_a_closed_runtime() {
    within(60, || {
        let runtime = runtime(2);
        let handle = runtime.handle().clone();
        let kept = Arc::new(Mutex::new(None::<Waker>));
        let keep = kept.clone();
        let task = runtime.spawn(poll_fn(move |cx| {
            *keep.lock().unwrap() = Some(cx.waker().clone());
            Poll::<()>::Pending
        }));
        let abort = task.abort_handle();
        eventually(|| kept.lock().unwrap().is_some());
        drop(runtime);
        let waker = kept.lock().unwrap().take().unwrap();
        waker.wake_by_ref();
        waker.wake();
        abort.abort();
        assert!(task.is_finished());
        assert!(block_on(task).unwrap_err().is_cancelled());

        let alive = Arc::new(());
        let held = alive.clone();
        let late = handle.spawn(async move { drop(held) });
        assert_eq!(Arc::strong_count(&alive), 1, "the future is dropped at once");
        assert!(block_on(late).unwrap_err().is_cancelled());
        assert!(block_on(handle.spawn_blocking(|| 1)).unwrap_err().is_cancelled());
        let panic = catch_unwind(AssertUnwindSafe(|| handle.block_on(async {}))).unwrap_err();
        assert!(panic.downcast_ref::<&str>().unwrap().contains("has been shut down"));
        assert_eq!((handle.metrics().threads, handle.metrics().live_tasks), (0, 0));
        assert!(handle.dump().is_empty());
        assert_eq!(handle.set_procs(3), 2, "without effect, but no crash");
    });
}

#[test]
fn spawns_that_race_with_a_shutdown_run_or_are_cancelled() {
    within(60, || {
        for _ in 0..50 {
            let runtime = runtime(2);
            let alive = Arc::new(());
            let spawners: Vec<_> = (0..2)
                .map(|_| {
                    let (handle, alive) = (runtime.handle().clone(), alive.clone());
                    thread::spawn(move || {
                        let spawn = |_| {
                            let alive = alive.clone();
                            handle.spawn(async move {
                                yield_now().await;
                                drop(alive);
                            })
                        };
                        (0..200).map(spawn).collect::<Vec<_>>()
                    })
                })
                .collect();
            drop(runtime);
            for spawner in spawners {
                for task in spawner.join().unwrap() {
                    if let Err(error) = block_on(task) {
                        assert!(error.is_cancelled());
                    }
                }
            }
            assert_eq!(Arc::strong_count(&alive), 1);
        }
    });
}

#[test]
fn a_runtime_dropped_inside_one_of_its_own_tasks_goes_down_without_waiting() {
    within(60, || {
        let own = Arc::new(Mutex::new(None));
        let runtime = runtime(2);
        let handle = runtime.handle().clone();
        let alive = Arc::new(());
        let (held, slot) = (alive.clone(), own.clone());
        let other = runtime.spawn(async move {
            let _held = held;
            pending::<()>().await;
        });
        let task = runtime.spawn(async move {
            while slot.lock().unwrap().is_none() {
                yield_now().await;
            }
            drop(slot.lock().unwrap().take());
            7
        });
        *own.lock().unwrap() = Some(runtime);
        assert_eq!(block_on(task).unwrap(), 7);
        assert!(block_on(other).unwrap_err().is_cancelled());
        eventually(|| Arc::strong_count(&alive) == 1 && handle.metrics().threads == 0);
    });
}

#[test]
fn a_runtime_dropped_inside_its_own_task_below_another_runtimes_block_on() {
    within(60, || {
        let (inner, outer) = (runtime(1), runtime(1));
        let handle = outer.handle().clone();
        let (tx, rx) = channel::<Runtime>();
        let task = outer.spawn(async move {
            let outer = rx.recv().unwrap();
            inner.block_on(async move { drop(outer) });
            drop(inner);
            8
        });
        tx.send(outer).unwrap();
        assert_eq!(block_on(task).unwrap(), 8);
        eventually(|| handle.metrics().threads == 0);
    });
}

#[test]
fn a_runtime_dropped_by_a_task_of_another_or_by_a_job_of_its_own() {
    within(60, || {
        let (one, two) = (runtime(1), runtime(1));
        let left = two.spawn(pending::<()>());
        one.block_on(one.spawn(async move { drop(two) })).unwrap();
        assert!(block_on(left).unwrap_err().is_cancelled());

        let three = runtime(1);
        let handle = three.handle().clone();
        let job = handle.spawn_blocking(move || drop(three));
        block_on(job).unwrap();
        eventually(|| handle.metrics().threads == 0);
    });
}

#[test]
fn a_runtime_dropped_by_a_thread_local_of_its_own_machine() {
    thread_local!(static KEPT: RefCell<Option<Arc<Runtime>>> = const { RefCell::new(None) });
    within(60, || {
        // Who comes first, the destructor or the thread that ends the runtime, is a matter of luck.
        for _ in 0..32 {
            let builder = Builder::new().procs(2).on_unhandled_panic(UnhandledPanic::Shutdown);
            let runtime = Arc::new(builder.build().unwrap());
            let (handle, kept) = (runtime.handle().clone(), runtime.clone());
            block_on(runtime.spawn(async move { KEPT.set(Some(kept)) })).unwrap();
            let last = Arc::downgrade(&runtime);
            drop(runtime);
            drop(
                handle.spawn(async { resume_unwind(Box::new("the runtime ends, and its threads with it")) }),
            );
            eventually(|| last.strong_count() == 0 && handle.metrics().threads == 0);
        }
    });
}

#[test]
fn a_runtime_dropped_by_the_destructor_of_its_own_tasks_future() {
    within(60, || {
        let runtime = runtime(1);
        let handle = runtime.handle().clone();
        let slot = Arc::new(Mutex::new(None));
        let held = slot.clone();
        struct DropsIt(Arc<Mutex<Option<Runtime>>>);
        impl Drop for DropsIt {
            fn drop(&mut self) {
                drop(self.0.lock().unwrap().take());
            }
        }
        let drops_it = DropsIt(held);
        let task = runtime.spawn(async move {
            let _drops_it = drops_it;
            pending::<()>().await;
        });
        *slot.lock().unwrap() = Some(runtime);
        task.abort();
        assert!(block_on(task).unwrap_err().is_cancelled());
        eventually(|| handle.metrics().threads == 0);
    });
}

#[test]
fn a_block_on_in_progress_goes_on_after_the_shutdown() {
    within(60, || {
        let runtime = runtime(1);
        let handle = runtime.handle().clone();
        let (inside, wait) = channel();
        let (tx, rx) = pirn::channel::bounded::<u32>(1);
        let thread = thread::spawn(move || {
            handle.block_on(async move {
                inside.send(()).unwrap();
                let value = rx.recv().await.unwrap();
                assert!(spawn(async {}).await.unwrap_err().is_cancelled());
                value
            })
        });
        wait.recv().unwrap();
        drop(runtime);
        tx.send_blocking(9).unwrap();
        assert_eq!(thread.join().unwrap(), 9);
    });
}

/// What the system says this process has.
fn resources() -> (usize, usize, usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let field = |name: &str| -> usize {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (field("Threads:"), fs::read_dir("/proc/self/fd").unwrap().count(), field("VmRSS:"))
}

#[test]
#[ignore = "a child of the test below: it counts what the whole process has"]
fn child_of_runtimes_by_the_hundred() {
    let round = || {
        for n in 0..300 {
            let runtime = runtime(1 + n % 3);
            let waits = runtime.spawn(pending::<()>());
            let sleeps = runtime.spawn(sleep(LONG));
            runtime.block_on(async { spawn(async { yield_now().await }).await.unwrap() });
            runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
            match n % 3 {
                0 => drop(runtime),
                1 => assert!(runtime.shutdown_timeout(Duration::from_secs(30)).is_clean()),
                _ => runtime.shutdown_background(),
            }
            for handle in [waits, sleeps] {
                assert!(futures_lite::future::block_on(handle).unwrap_err().is_cancelled());
            }
        }
    };
    let (threads, descriptors, _) = resources();
    round();
    eventually(|| resources().0 == threads && resources().1 == descriptors);
    let (_, _, after_one) = resources();
    round();
    round();
    eventually(|| resources().0 == threads && resources().1 == descriptors);
    let (_, _, after_three) = resources();
    println!("resident after 300 runtimes {after_one} KiB, after 900 {after_three} KiB");
    // A runtime that stayed would be 4 KiB at least; a stack alone is more.
    assert!(after_three < after_one + 1000, "{after_one} KiB, then {after_three} KiB");
}

#[test]
fn runtimes_by_the_hundred_leak_no_thread_no_descriptor_and_no_memory() {
    within(120, || {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_of_runtimes_by_the_hundred", "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
        assert!(said.contains("1 passed"), "{said}");
    });
}

#[test]
#[ignore = "runs in a process of its own, which the next test starts"]
fn child_of_a_runtime_that_is_traced() {
    let (threads, ..) = resources();
    drop(runtime(1));
    let limit = Instant::now() + Duration::from_secs(20);
    while resources().0 > threads {
        assert!(Instant::now() < limit, "the thread that prints is left");
        thread::yield_now();
    }
}

#[test]
fn a_runtime_that_is_traced_leaves_no_thread() {
    within(60, || {
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_of_a_runtime_that_is_traced", "--ignored", "--nocapture"])
            .env("PIRN_TRACE", "sched=3600000")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
        assert!(said.contains("1 passed"), "{said}");
    });
}

#[test]
#[ignore = "runs in processes of its own, which the next test starts"]
fn child_of_a_runtime_that_fails_to_start() {
    // No address space has room for a stack of the default size here: the machines start, the thread that
    // prints does not.
    let (threads, ..) = resources();
    let error = Builder::new().procs(2).sysmon(false).thread_stack_size(1 << 18).build().unwrap_err();
    let limit = Instant::now() + Duration::from_secs(20);
    while resources().0 > threads {
        assert!(Instant::now() < limit, "threads are left after {error}");
        thread::yield_now();
    }
}

#[test]
fn a_runtime_that_fails_to_start_leaves_no_thread() {
    within(120, || {
        for (name, value) in [("PIRN_TRACE", "sched=1000"), ("PIRN_DUMP", "1")] {
            let child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "child_of_a_runtime_that_fails_to_start", "--ignored", "--nocapture"])
                // On the main thread, since no other can be had.
                .arg("--test-threads=1")
                .env("RUST_MIN_STACK", (1_u64 << 60).to_string())
                .env(name, value)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&child.stdout);
            assert!(child.status.success(), "{name}: {said}{}", String::from_utf8_lossy(&child.stderr));
            assert!(said.contains("1 passed"), "{said}");
        }
    });
}
