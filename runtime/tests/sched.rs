//! The scheduler at work: it sleeps when there is nothing to do, leaves no processor idle while a task waits,
//! and lets user code call back into it from anywhere.

mod common;

use common::{eventually, within};
use pirn::time::sleep;
use pirn::{Builder, Runtime, block_on, spawn, yield_now};
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().unwrap()
}

/// The CPU time of this process.
fn cpu_time() -> Duration {
    // Fields 14 and 15, in ticks of 10 ms, are too coarse; the process's CPU clock counts nanoseconds.
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is room for the answer.
    let got = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(got, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[test]
#[ignore = "a child of the test below: it measures its whole process"]
fn child_that_idles() {
    let runtime = runtime(2);
    let (_tx, rx) = pirn::channel::bounded::<()>(1);
    for n in 0..100 {
        let rx = rx.clone();
        let _detached = runtime.spawn(async move {
            match n % 3 {
                0 => drop(rx.recv().await),
                1 => sleep(Duration::from_secs(3600)).await,
                _ => pending().await,
            }
        });
    }
    // Sysmon and the searchers come to rest first.
    thread::sleep(Duration::from_millis(500));
    let before = cpu_time();
    thread::sleep(Duration::from_secs(2));
    let used = cpu_time() - before;
    println!("an idle runtime with 100 parked tasks used {used:?} of CPU time in 2 s");
    assert!(used < Duration::from_millis(5), "{used:?}");
}

#[test]
fn an_idle_runtime_uses_no_cpu() {
    within(60, || {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_idles", "--ignored", "--nocapture"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout);
        println!("{said}");
        assert!(child.status.success() && said.contains("1 passed"), "{said}");
    });
}

/// Two tasks end up in one processor's queue, with the other asleep: one is woken by the other, which then
/// only yields. They must run at the same time nevertheless.
#[test]
fn tasks_that_yield_are_shared_out_to_idle_processors() {
    within(60, || {
        let runtime = runtime(2);
        let inside = Arc::new(AtomicUsize::new(0));
        let together = Arc::new(AtomicBool::new(false));
        let (tx, rx) = pirn::channel::bounded::<()>(1);
        // Computes a little in each poll, and notes whether the other does so at the same time.
        let busy = |inside: Arc<AtomicUsize>, together: Arc<AtomicBool>| async move {
            while !together.load(Ordering::SeqCst) {
                inside.fetch_add(1, Ordering::SeqCst);
                let end = Instant::now() + Duration::from_micros(500);
                while Instant::now() < end {
                    if inside.load(Ordering::SeqCst) == 2 {
                        together.store(true, Ordering::SeqCst);
                    }
                }
                inside.fetch_sub(1, Ordering::SeqCst);
                yield_now().await;
            }
        };
        let second = {
            let busy = busy(inside.clone(), together.clone());
            runtime.spawn(async move {
                rx.recv().await.unwrap();
                busy.await;
            })
        };
        let id = second.id();
        let handle = runtime.handle().clone();
        eventually(|| handle.dump().iter().any(|task| task.id == id && task.waiting_on.is_some()));
        let first = runtime.spawn(async move {
            tx.send(()).await.unwrap();
            busy(inside, together).await;
        });
        runtime.block_on(first).unwrap();
        runtime.block_on(second).unwrap();
    });
}

#[test]
fn a_burst_from_one_task_is_shared_out() {
    within(60, || {
        let runtime = runtime(4);
        let threads = Arc::new(Mutex::new(std::collections::HashSet::new()));
        let seen = threads.clone();
        runtime
            .block_on(runtime.spawn(async move {
                let tasks: Vec<_> = (0..400)
                    .map(|_| {
                        let seen = seen.clone();
                        spawn(async move {
                            seen.lock().unwrap().insert(thread::current().id());
                            let end = Instant::now() + Duration::from_micros(200);
                            while Instant::now() < end {
                                std::hint::spin_loop();
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }))
            .unwrap();
        assert!(threads.lock().unwrap().len() >= 2);
    });
}

/// A waker of the user's that blocks: the machine that calls it gives its processor away in the midst of
/// firing timers. Afterwards sysmon must still tell a machine that is inside a poll from one that is not.
#[test]
fn a_waker_may_block_and_stuck_machines_are_made_up_for_afterwards() {
    struct Blocks(AtomicUsize);
    impl Wake for Blocks {
        fn wake(self: Arc<Self>) {
            assert_eq!(block_on(async { spawn(async { 5 }).await.unwrap() }), 5);
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    within(60, || {
        let runtime = runtime(1);
        for round in 1..=4 {
            let blocks = Arc::new(Blocks(AtomicUsize::new(0)));
            let waker = Waker::from(blocks.clone());
            let mut slept = Box::pin(sleep(Duration::from_millis(2)));
            let asleep = runtime
                .block_on(async { slept.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() });
            assert!(asleep);
            // While the machine is busy, so that it is the worker's loop that fires the timer.
            let over = Arc::new(AtomicBool::new(false));
            let seen = over.clone();
            let busy = runtime.spawn(async move {
                while !seen.load(Ordering::SeqCst) {
                    yield_now().await;
                }
            });
            eventually(|| blocks.0.load(Ordering::SeqCst) == 1);
            over.store(true, Ordering::SeqCst);
            runtime.block_on(busy).unwrap();

            let flag = Arc::new(AtomicBool::new(false));
            let seen = flag.clone();
            let (started, wait) = std::sync::mpsc::channel();
            let stuck = runtime.spawn(async move {
                started.send(()).unwrap();
                let end = Instant::now() + Duration::from_secs(5);
                while !seen.load(Ordering::SeqCst) && Instant::now() < end {
                    thread::sleep(Duration::from_micros(100));
                }
                seen.load(Ordering::SeqCst)
            });
            wait.recv().unwrap();
            let helps = runtime.spawn(async move { flag.store(true, Ordering::SeqCst) });
            assert!(runtime.block_on(stuck).unwrap(), "round {round}: nobody made up for the stuck machine");
            runtime.block_on(helps).unwrap();
        }
    });
}

#[test]
fn destructors_and_wakers_call_back_into_the_runtime() {
    struct SpawnsAndBlocks(Arc<AtomicUsize>);
    impl SpawnsAndBlocks {
        fn call(&self) {
            let count = self.0.clone();
            drop(spawn(async move {
                count.fetch_add(1, Ordering::SeqCst);
            }));
            block_on(async { spawn(async {}).await.unwrap() });
        }
    }
    impl Drop for SpawnsAndBlocks {
        fn drop(&mut self) {
            self.call();
        }
    }
    impl Wake for SpawnsAndBlocks {
        fn wake(self: Arc<Self>) {
            self.call();
        }
    }
    within(60, || {
        for procs in [1, 2] {
            let runtime = runtime(procs);
            let count = Arc::new(AtomicUsize::new(0));
            for n in 0..50 {
                let guard = SpawnsAndBlocks(count.clone());
                // Dropped by a finished poll, by an abort, as an output, and as the waker of a handle.
                let mut task = runtime.spawn(async move {
                    match n % 3 {
                        0 => drop(guard),
                        1 => return Some(guard),
                        _ => {
                            let _guard = guard;
                            pending::<()>().await;
                        }
                    }
                    None
                });
                let waker = Waker::from(Arc::new(SpawnsAndBlocks(count.clone())));
                let polled = pin!(&mut task).poll(&mut Context::from_waker(&waker));
                drop(waker);
                if n % 3 == 2 {
                    task.abort();
                }
                let ended = matches!(polled, Poll::Ready(_));
                if !ended && n % 2 == 0 {
                    runtime.block_on(async { task.await.is_ok() });
                }
            }
            // Each guard once, each waker once as it is dropped, and those that were woken once more.
            eventually(|| count.load(Ordering::SeqCst) >= 100 && runtime.metrics().live_tasks == 0);
        }
    });
}

#[test]
fn a_future_may_be_woken_from_its_own_destructor() {
    struct WakesItself(Arc<Mutex<Option<Waker>>>);
    impl Future for WakesItself {
        type Output = ();
        fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
            *self.0.lock().unwrap() = Some(cx.waker().clone());
            Poll::Pending
        }
    }
    impl Drop for WakesItself {
        fn drop(&mut self) {
            let waker = self.0.lock().unwrap().take();
            if let Some(waker) = waker {
                waker.wake_by_ref();
                waker.wake();
            }
        }
    }
    within(60, || {
        for procs in [1, 2] {
            let runtime = runtime(procs);
            for _ in 0..200 {
                let task = runtime.spawn(WakesItself(Arc::default()));
                runtime.block_on(runtime.spawn(yield_now())).unwrap();
                task.abort();
                assert!(runtime.block_on(task).unwrap_err().is_cancelled());
            }
            assert_eq!(runtime.metrics().live_tasks, 0);
        }
    });
}

#[test]
fn wakes_from_other_threads_all_arrive() {
    within(60, || {
        let runtime = runtime(2);
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let (given, left) = (wakers.clone(), Arc::new(AtomicUsize::new(2000)));
        let count = left.clone();
        let task = runtime.spawn(poll_fn(move |cx| {
            if count.load(Ordering::SeqCst) == 0 {
                return Poll::Ready(());
            }
            given.lock().unwrap().push(cx.waker().clone());
            Poll::Pending
        }));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let (wakers, left) = (wakers.clone(), left.clone());
                thread::spawn(move || {
                    while left.load(Ordering::SeqCst) > 0 {
                        let waker = wakers.lock().unwrap().pop();
                        let Some(waker) = waker else {
                            thread::yield_now();
                            continue;
                        };
                        let fewer = |left: usize| left.checked_sub(1);
                        let _ = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer);
                        waker.wake();
                    }
                })
            })
            .collect();
        // The last wake finds the count at zero, or the next poll does.
        runtime.block_on(task).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
