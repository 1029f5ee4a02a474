//! No task waits for another task's bad manners: machines that block or compute inside a poll are made up for.
//!
//! Each test has a twin with sysmon switched off, in which the same program stands still: what is tested is
//! the compensation, not luck.

mod common;

use common::{eventually, within};
use pirn::time::sleep;
use pirn::{Builder, Runtime};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

/// A task that waits for another one inside a poll: without compensation it waits for ever. The other one begins
/// its sleep only when this poll has begun, or a machine that is slow to begin would find it over.
fn a_stuck_task_sees_what_others_do(runtime: &Runtime) -> bool {
    let flag = Arc::new(AtomicBool::new(false));
    let seen = flag.clone();
    let (begun, begins) = pirn::channel::oneshot::channel();
    let other = runtime.spawn(async move {
        begins.await.unwrap();
        sleep(Duration::from_millis(1)).await;
        flag.store(true, Ordering::Release);
    });
    let stuck = runtime.spawn(async move {
        begun.send(()).unwrap();
        let end = Instant::now() + Duration::from_secs(2);
        while !seen.load(Ordering::Acquire) {
            if Instant::now() > end {
                return false;
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        true
    });
    runtime.block_on(async {
        let seen = stuck.await.unwrap();
        other.await.unwrap();
        seen
    })
}

#[test]
fn a_stuck_machine_is_made_up_for() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        for _ in 0..10 {
            assert!(a_stuck_task_sees_what_others_do(&runtime));
        }
        assert_eq!(runtime.procs(), 1);
    });
}

#[test]
fn without_sysmon_a_stuck_machine_stops_everything() {
    within(60, || {
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        assert!(!a_stuck_task_sees_what_others_do(&runtime));
    });
}

#[test]
fn wakes_that_a_stuck_task_issues_arrive_before_and_after_compensation() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let (tx, rx) = pirn::channel::unbounded();
        let woken = Arc::new(AtomicUsize::new(0));
        let count = woken.clone();
        let receiver = runtime.spawn(async move {
            while rx.recv().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let stuck = runtime.spawn(async move {
            for n in 1..=5 {
                tx.try_send(n).unwrap();
                let end = Instant::now() + Duration::from_secs(5);
                while woken.load(Ordering::SeqCst) < n && Instant::now() < end {
                    std::thread::sleep(Duration::from_micros(50));
                }
                assert_eq!(woken.load(Ordering::SeqCst), n, "the wake did not arrive");
            }
        });
        runtime.block_on(async {
            stuck.await.unwrap();
            receiver.await.unwrap();
        });
    });
}

/// A waker that blocks whoever wakes it until `open`, and says so.
struct Blocks {
    inside: AtomicUsize,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Blocks {
    fn new() -> Arc<Self> {
        Arc::new(Self { inside: AtomicUsize::new(0), open: Mutex::new(false), opened: Condvar::new() })
    }

    /// Without looking now and then, which would count as computing where a wake-up costs much.
    fn wait(&self) {
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }

    fn is_called(&self) -> bool {
        self.inside.load(Ordering::Acquire) > 0
    }
}

impl Wake for Blocks {
    fn wake(self: Arc<Self>) {
        self.inside.fetch_add(1, Ordering::Release);
        self.wait();
    }
}

/// Opens it when the test is over, in whatever way, so that the runtime can end.
struct Opens(Arc<Blocks>);

impl Drop for Opens {
    fn drop(&mut self) {
        *self.0.open.lock().unwrap() = true;
        self.0.opened.notify_all();
    }
}

/// Sets a timer that will call a waker which blocks.
fn arm(waker: &Arc<Blocks>) -> Pin<Box<pirn::time::Sleep>> {
    let mut timer = Box::pin(sleep(Duration::from_millis(2)));
    let waker = Waker::from(waker.clone());
    assert!(timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    timer
}

#[test]
fn a_waker_that_blocks_on_a_timer_of_a_stuck_processor_does_not_stop_compensation() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let waker = Blocks::new();
        let opens = Opens(waker.clone());
        let stuck = waker.clone();
        runtime.spawn(async move {
            let _timer = arm(&stuck);
            stuck.wait();
        });
        eventually(|| waker.is_called());
        for _ in 0..5 {
            let stuck = waker.clone();
            runtime.spawn(async move { stuck.wait() });
            assert_eq!(runtime.block_on(runtime.spawn(async { 1 })).unwrap(), 1);
        }
        drop(opens);
    });
}

#[test]
fn a_worker_in_a_waker_that_blocks_is_made_up_for() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let waker = Blocks::new();
        let opens = Opens(waker.clone());
        let timer = runtime.block_on(runtime.spawn({
            let waker = waker.clone();
            async move { Some(arm(&waker)) }
        }));
        eventually(|| waker.is_called());
        for _ in 0..5 {
            assert_eq!(runtime.block_on(runtime.spawn(async { 1 })).unwrap(), 1);
        }
        drop(opens);
        drop(timer);
        assert_eq!(runtime.block_on(runtime.spawn(async { 2 })).unwrap(), 2);
    });
}

#[test]
fn at_the_limit_of_threads_timers_of_stuck_processors_fire() {
    within(60, || {
        let runtime = Builder::new().procs(1).max_threads(3).build().unwrap();
        let waker = Blocks::new();
        let opens = Opens(waker.clone());
        let stuck = Arc::new(AtomicUsize::new(0));
        for n in 1..=3 {
            let (blocks, count) = (waker.clone(), stuck.clone());
            runtime.spawn(async move {
                count.fetch_add(1, Ordering::Release);
                blocks.wait();
            });
            eventually(|| stuck.load(Ordering::Acquire) == n);
        }
        assert_eq!(runtime.metrics().threads, 3);
        for _ in 0..5 {
            runtime.block_on(sleep(Duration::from_millis(2)));
        }
        drop(opens);
    });
}

#[test]
fn timers_of_processors_that_compute_fire() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..4 {
            let over = over.clone();
            runtime.spawn(async move {
                while !over.load(Ordering::Acquire) {
                    std::hint::spin_loop();
                }
            });
        }
        // This thread needs no processor to go on, but somebody who looks at its timers.
        for _ in 0..20 {
            runtime.block_on(sleep(Duration::from_millis(2)));
        }
        over.store(true, Ordering::Release);
    });
}
