//! A task whose awaits are always ready, alone or among others: it can be aborted, shut down, cancelled and timed out all
//! the same, though no task waits for its processor, and though its poll has no end of its own.

mod common;

use common::within;
use pirn::context::Context;
use pirn::sync::Semaphore;
use pirn::time::{interval, sleep, timeout};
use pirn::{Builder, spawn, yield_now};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_millis(30);

/// Never ends, and never has to wait.
async fn busy(begun: Arc<AtomicBool>) {
    let permit = Semaphore::new(1);
    loop {
        drop(permit.acquire().await.unwrap());
        begun.store(true, Ordering::Relaxed);
    }
}

fn is_set(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

async fn until(flag: &AtomicBool) {
    while !is_set(flag) {
        yield_now().await;
    }
}

/// Runs it alone, and among tasks that always want the processor.
fn alone_and_among_others<F: Future<Output = ()> + Send + 'static>(body: fn() -> F) {
    for others in [0, 8] {
        within(60, move || {
            let runtime = Builder::new().procs(2).build().unwrap();
            for _ in 0..others {
                runtime.spawn(async {
                    loop {
                        yield_now().await;
                    }
                });
            }
            runtime.block_on(runtime.spawn(body())).unwrap();
        });
    }
}

#[test]
fn it_can_be_aborted() {
    alone_and_among_others(|| async {
        let begun = Arc::new(AtomicBool::new(false));
        let task = spawn(busy(begun.clone()));
        until(&begun).await;
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn it_does_not_hold_up_a_shutdown() {
    within(60, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        let begun = Arc::new(AtomicBool::new(false));
        runtime.spawn(busy(begun.clone()));
        while !is_set(&begun) {
            std::thread::yield_now();
        }
        drop(runtime);
    });
}

#[test]
fn it_runs_out_of_time() {
    alone_and_among_others(|| async {
        assert!(timeout(LIMIT, busy(Arc::default())).await.is_err());
    });
}

#[test]
fn its_context_ends_it() {
    alone_and_among_others(|| async {
        let (context, _cancel) = Context::background().with_timeout(LIMIT);
        assert!(context.run(busy(Arc::default())).await.is_err());
    });
}

/// It is asked to yield, and comes back to no one but the other executor.
#[test]
fn another_executor_inside_a_task_goes_on() {
    alone_and_among_others(|| async {
        futures_lite::future::block_on(async {
            let end = Instant::now() + LIMIT;
            while Instant::now() < end {}
            drop(Semaphore::new(1).acquire().await.unwrap());
        });
    });
}

#[test]
fn a_sleep_and_an_interval_that_are_polled_after_it_are_ready() {
    alone_and_among_others(|| async {
        let mut busy = pin!(busy(Arc::default()));
        let (mut sleep, mut interval) = (sleep(LIMIT), interval(LIMIT));
        let mut ticks = 0;
        poll_fn(|cx| {
            assert!(busy.as_mut().poll(cx).is_pending());
            Pin::new(&mut sleep).poll(cx)
        })
        .await;
        while ticks < 3 {
            let mut tick = pin!(interval.tick());
            poll_fn(|cx| {
                assert!(busy.as_mut().poll(cx).is_pending());
                tick.as_mut().poll(cx).map(drop)
            })
            .await;
            ticks += 1;
        }
    });
}
