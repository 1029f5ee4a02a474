//! Changing the number of processors while they run, and what it is at the start.

mod common;

use common::{eventually, within};
use pirn::{Builder, spawn, yield_now};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;

#[test]
fn up_and_down_under_load_loses_no_task() {
    within(120, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..8)
            .map(|_| {
                let (done, over) = (done.clone(), over.clone());
                runtime.spawn(async move {
                    let (tx, rx) = pirn::channel::bounded(4);
                    while !over.load(Ordering::Relaxed) {
                        let children: Vec<_> = (0..20)
                            .map(|n| {
                                let tx = tx.clone();
                                spawn(async move {
                                    yield_now().await;
                                    tx.send(n).await.unwrap();
                                })
                            })
                            .collect();
                        let mut sum = 0;
                        for _ in 0..20 {
                            sum += rx.recv().await.unwrap();
                        }
                        assert_eq!(sum, 190);
                        for child in children {
                            child.await.unwrap();
                        }
                        done.fetch_add(20, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let mut before = 2;
        for n in [8, 1, 3, 1, 2, 16, 1, 5, 4, 1, 2].repeat(5) {
            assert_eq!(runtime.set_procs(n), before);
            assert_eq!(runtime.procs(), n);
            before = n;
            let seen = done.load(Ordering::Relaxed);
            eventually(|| done.load(Ordering::Relaxed) > seen + 100);
        }
        over.store(true, Ordering::Relaxed);
        for load in loads {
            runtime.block_on(load).unwrap();
        }
        assert_eq!(runtime.metrics().live_tasks, 0);
        // Spares are used again: as many processors as there ever were at one time, and those lent.
        assert!(runtime.metrics().procs.len() <= 16 + 8, "{}", runtime.metrics().procs.len());
    });
}

/// How many tasks run at the same time, when many would.
fn at_once(runtime: &pirn::Runtime) -> usize {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let (now, most) = (now.clone(), most.clone());
            runtime.spawn(async move {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(5));
                now.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    most.load(Ordering::SeqCst)
}

#[test]
fn as_many_tasks_run_at_once_as_there_are_processors() {
    within(60, || {
        // Without sysmon, or it would make up for the sleeping tasks.
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        assert_eq!(at_once(&runtime), 1);
        runtime.set_procs(6);
        assert_eq!(at_once(&runtime), 6);
        runtime.set_procs(3);
        assert_eq!(at_once(&runtime), 3);
        runtime.set_procs(1);
        assert_eq!(at_once(&runtime), 1);
    });
}

#[test]
fn a_task_that_resizes_its_own_runtime_goes_on() {
    within(60, || {
        let runtime = Builder::new().procs(4).build().unwrap();
        let task = runtime.spawn(async {
            for n in [1, 7, 2, 1] {
                pirn::set_procs(n);
                assert_eq!(pirn::procs(), n);
                yield_now().await;
                spawn(yield_now()).await.unwrap();
            }
        });
        runtime.block_on(task).unwrap();
        assert_eq!(runtime.procs(), 1);
    });
}

#[test]
fn timers_of_a_processor_that_is_taken_out_of_use_fire() {
    within(60, || {
        let runtime = Builder::new().procs(4).build().unwrap();
        let sleepers: Vec<_> = (0..50)
            .map(|n| runtime.spawn(pirn::time::sleep(std::time::Duration::from_millis(20 + n))))
            .collect();
        runtime.set_procs(1);
        for sleeper in sleepers {
            runtime.block_on(sleeper).unwrap();
        }
    });
}

#[test]
fn with_fewer_processors_more_blocking_jobs_run_and_those_that_queue_are_started() {
    within(60, || {
        // One machine for jobs at first, four afterwards.
        let runtime = Builder::new().procs(4).max_threads(6).build().unwrap();
        let (met, meet) = channel();
        let first = runtime.spawn_blocking(move || meet.recv().unwrap());
        let queued = runtime.spawn_blocking(move || met.send(7).unwrap());
        runtime.set_procs(1);
        runtime.block_on(queued).unwrap();
        assert_eq!(runtime.block_on(first).unwrap(), 7);
    });
}

#[test]
fn with_more_processors_fewer_blocking_jobs_run_once_those_that_have_begun_are_done() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(6).build().unwrap();
        let (started, wait_started) = channel();
        let begun: Vec<_> = (0..4)
            .map(|_| {
                let (leave, wait_leave) = channel::<()>();
                let started = started.clone();
                let job = runtime.spawn_blocking(move || {
                    started.send(()).unwrap();
                    wait_leave.recv().unwrap();
                });
                wait_started.recv().unwrap();
                (leave, job)
            })
            .collect();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let queued: Vec<_> = (0..400)
            .map(|_| {
                let (now, most) = (now.clone(), most.clone());
                runtime.spawn_blocking(move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    (0..10).for_each(|_| std::thread::yield_now());
                    now.fetch_sub(1, Ordering::SeqCst);
                })
            })
            .collect();
        runtime.set_procs(4);
        for (leave, job) in begun {
            leave.send(()).unwrap();
            runtime.block_on(job).unwrap();
        }
        for job in queued {
            runtime.block_on(job).unwrap();
        }
        assert_eq!(most.load(Ordering::SeqCst), 1, "one machine is left to jobs");
    });
}

#[test]
fn zero_processors_are_refused() {
    let error = Builder::new().procs(0).build().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    let runtime = Builder::new().procs(2).build().unwrap();
    let panic = catch_unwind(AssertUnwindSafe(|| runtime.set_procs(0))).unwrap_err();
    assert!(panic.downcast_ref::<&str>().unwrap().contains("at least one processor"));
    assert_eq!(runtime.procs(), 2);
}

#[test]
#[ignore = "a child of the test below: it reads its environment"]
fn child_that_says_procs() {
    match pirn::Runtime::new() {
        Ok(runtime) => println!("procs {}", runtime.procs()),
        Err(error) => println!("error {:?}: {error}", error.kind()),
    }
    let own = Builder::new().procs(3).build().unwrap();
    println!("own {}", own.procs());
}

#[test]
fn the_default_is_what_the_process_may_use_and_pirn_procs_overrides_it() {
    within(60, || {
        let says = |procs: Option<&str>| {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "child_that_says_procs", "--ignored", "--nocapture"]);
            match procs {
                Some(procs) => child.env("PIRN_PROCS", procs),
                None => child.env_remove("PIRN_PROCS"),
            };
            let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
            assert!(said.contains("own 3"), "what the builder says wins: {said}");
            said
        };
        let may_use = std::thread::available_parallelism().unwrap();
        assert!(says(None).contains(&format!("procs {may_use}\n")));
        assert!(says(Some("7")).contains("procs 7\n"));
        assert!(says(Some("0")).contains("error InvalidInput: PIRN_PROCS must be a positive number"));
        assert!(says(Some("many")).contains("error InvalidInput"));
    });
}
