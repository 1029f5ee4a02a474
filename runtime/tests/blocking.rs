//! Blocking on purpose: jobs on threads that hold no processor, and tasks that give theirs away.

mod common;

use common::{eventually, within};
use pirn::{Builder, Runtime, block_in_place, block_on, spawn, spawn_blocking, yield_now};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::Duration;

#[test]
fn ten_thousand_jobs_on_sixty_four_threads() {
    within(120, || {
        let runtime = Builder::new().procs(2).max_threads(64).build().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let jobs: Vec<_> = (0..10_000)
            .map(|n| {
                let (now, most) = (now.clone(), most.clone());
                runtime.spawn_blocking(move || {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    now.fetch_sub(1, Ordering::SeqCst);
                    n
                })
            })
            .collect();
        let mut threads = 0;
        let mut sum = 0;
        for job in jobs {
            threads = threads.max(runtime.metrics().threads);
            sum += runtime.block_on(job).unwrap();
        }
        assert_eq!(sum, 10_000 * 9_999 / 2);
        assert!(threads <= 64, "{threads} threads");
        // `max_threads - procs - 1`: two workers, and one to spare.
        let most = most.load(Ordering::SeqCst);
        assert!(most <= 61, "{most} jobs at once");
    });
}

#[test]
fn at_the_limit_jobs_queue_in_order_and_tasks_go_on() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
        let (leave, wait_leave) = channel::<()>();
        let (started, wait_started) = channel();
        let first = runtime.spawn_blocking(move || {
            started.send(()).unwrap();
            wait_leave.recv().unwrap();
        });
        wait_started.recv().unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let queued: Vec<_> = (0..20)
            .map(|n| {
                let order = order.clone();
                runtime.spawn_blocking(move || order.lock().unwrap().push(n))
            })
            .collect();
        for _ in 0..100 {
            runtime.block_on(runtime.spawn(yield_now())).unwrap();
        }
        assert!(order.lock().unwrap().is_empty(), "one thread for jobs, and it is taken");
        leave.send(()).unwrap();
        for job in queued {
            runtime.block_on(job).unwrap();
        }
        runtime.block_on(first).unwrap();
        assert_eq!(*order.lock().unwrap(), (0..20).collect::<Vec<_>>());
    });
}

#[test]
fn a_job_is_aborted_only_before_it_starts() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
        let (leave, wait_leave) = channel::<()>();
        let (started, wait_started) = channel();
        let running = runtime.spawn_blocking(move || {
            started.send(()).unwrap();
            wait_leave.recv().unwrap();
            5
        });
        wait_started.recv().unwrap();
        let ran = Arc::new(AtomicBool::new(false));
        let run = ran.clone();
        let queued = runtime.spawn_blocking(move || run.store(true, Ordering::SeqCst));
        queued.abort();
        running.abort();
        leave.send(()).unwrap();
        assert_eq!(runtime.block_on(running).unwrap(), 5);
        assert!(runtime.block_on(queued).unwrap_err().is_cancelled());
        assert!(!ran.load(Ordering::SeqCst));
    });
}

#[test]
fn a_job_that_panics_hurts_nobody_and_its_thread_serves_on() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
        let jobs: Vec<_> = (0..50)
            .map(|n| runtime.spawn_blocking(move || if n % 2 == 0 { panic!("job {n}") } else { n }))
            .collect();
        for (n, job) in jobs.into_iter().enumerate() {
            match runtime.block_on(job) {
                Ok(got) => assert_eq!(got, n),
                Err(error) => assert!(error.to_string().ends_with(&format!("panicked: job {n}"))),
            }
        }
    });
}

#[test]
fn jobs_may_spawn_block_on_and_start_jobs() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(8).build().unwrap();
        let job = runtime.spawn_blocking(|| {
            let task = spawn(async { 1 });
            let inner = spawn_blocking(|| block_on(async { spawn(async { 20 }).await.unwrap() }));
            block_on(async { task.await.unwrap() + inner.await.unwrap() }) + block_in_place(|| 300)
        });
        assert_eq!(runtime.block_on(job).unwrap(), 321);
    });
}

#[test]
fn tasks_that_block_in_place_all_meet_on_one_processor() {
    within(60, || {
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        let barrier = Arc::new(Barrier::new(20));
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let barrier = barrier.clone();
                runtime.spawn(async move {
                    block_in_place(|| barrier.wait());
                    yield_now().await;
                    n
                })
            })
            .collect();
        let sum: usize = tasks.into_iter().map(|task| runtime.block_on(task).unwrap()).sum();
        assert_eq!(sum, 190);
        assert!(runtime.metrics().procs.iter().map(|proc| proc.handoffs).sum::<u64>() >= 20);
    });
}

#[test]
fn a_block_on_inside_a_block_on_inside_a_task() {
    within(60, || {
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        let (tx, rx) = pirn::channel::bounded::<u32>(0);
        let task = runtime.spawn(async move {
            let feeds = spawn(async move { tx.send(30).await });
            let got =
                block_on(async { block_on(rx.recv()).unwrap() + block_on(spawn(async { 12 })).unwrap() });
            feeds.await.unwrap().unwrap();
            yield_now().await;
            got
        });
        assert_eq!(runtime.block_on(task).unwrap(), 42);
    });
}

#[test]
fn a_panic_inside_block_in_place_leaves_the_processor_in_use() {
    within(60, || {
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        for _ in 0..20 {
            let task = runtime.spawn(async { block_in_place(|| -> () { panic!("in place") }) });
            assert!(runtime.block_on(task).unwrap_err().is_panic());
        }
        assert_eq!(runtime.block_on(runtime.spawn(async { 3 })).unwrap(), 3);
        assert_eq!(runtime.procs(), 1);
    });
}

#[test]
fn threads_that_jobs_needed_serve_again() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        for _ in 0..200 {
            runtime.block_on(runtime.spawn_blocking(|| ())).unwrap();
        }
        eventually(|| runtime.metrics().threads <= 8);
    });
}

/// Has so many jobs run at once.
fn need_threads(runtime: &Runtime, threads: usize) {
    let barrier = Arc::new(Barrier::new(threads));
    let jobs: Vec<_> = (0..threads)
        .map(|_| {
            let barrier = barrier.clone();
            runtime.spawn_blocking(move || {
                barrier.wait();
            })
        })
        .collect();
    jobs.into_iter().for_each(|job| runtime.block_on(job).unwrap());
}

#[test]
fn a_runtime_begins_with_a_thread_for_the_netpoller_and_one_that_is_parked() {
    within(60, || {
        // Many times: the first one may be at rest before its maker has gone on.
        for (procs, threads) in [(1, 1), (2, 2), (8, 2)].repeat(100) {
            // Sysmon would send one more to look where the first gets no core for a while.
            let runtime = Builder::new().procs(procs).sysmon(false).build().unwrap();
            assert_eq!(runtime.metrics().threads, threads);
            runtime.block_on(runtime.spawn(async {})).unwrap();
        }
        let alone = Builder::new().procs(2).max_threads(1).build().unwrap();
        alone.block_on(alone.spawn(async {})).unwrap();
    });
}

#[test]
fn threads_that_nobody_needs_end_but_for_one_more_than_processors() {
    within(60, || {
        let runtime = Builder::new().procs(2).keep_alive(Duration::from_millis(5)).build().unwrap();
        for _ in 0..3 {
            need_threads(&runtime, 20);
            eventually(|| runtime.metrics().threads == 3);
        }
    });
}

#[test]
fn fewer_processors_need_fewer_threads() {
    within(60, || {
        let runtime = Builder::new().procs(8).keep_alive(Duration::from_millis(5)).build().unwrap();
        need_threads(&runtime, 20);
        eventually(|| runtime.metrics().threads == 9);
        runtime.set_procs(1);
        eventually(|| runtime.metrics().threads == 2);
    });
}

/// How often the threads of this name have slept.
fn sleeps(name: &str) -> u64 {
    let mut sum = 0;
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = thread.unwrap().path();
        // A thread may have ended since.
        let read = |file| std::fs::read_to_string(path.join(file)).unwrap_or_default();
        if read("comm").starts_with(name) {
            let status = read("status");
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            sum += line.map_or(0, |count| count.trim().parse().unwrap());
        }
    }
    sum
}

#[test]
fn threads_that_are_kept_sleep_until_they_are_needed() {
    within(60, || {
        let patience = Duration::from_millis(5);
        let runtime = Builder::new().procs(3).thread_name("kept").keep_alive(patience).build().unwrap();
        need_threads(&runtime, 10);
        eventually(|| runtime.metrics().threads == 4);
        // A thread that looks again and again whether it is needed never lets twenty times its patience pass.
        eventually(|| {
            let before = sleeps("kept-");
            std::thread::sleep(20 * patience);
            sleeps("kept-") == before
        });
    });
}
