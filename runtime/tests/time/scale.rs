//! A million of them.

use crate::{in_time, ms};
use pirn::Builder;
use pirn::time::{Duration, Instant, Sleep, sleep, sleep_until};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

const MILLION: u64 = 1_000_000;

#[test]
fn a_million_sleeps_all_end_and_none_is_early() {
    static ENDED: AtomicUsize = AtomicUsize::new(0);
    in_time(|| {
        pirn::block_on(async {
            let start = Instant::now();
            let tasks: Vec<_> = (0..MILLION)
                .map(|n| {
                    pirn::spawn(async move {
                        // Spread by a multiplicative hash, so that the order of deadlines is not that of making.
                        let deadline =
                            start + Duration::from_nanos(n.wrapping_mul(0x9E37_79B9) % 1_000_000_000);
                        sleep_until(deadline).await;
                        assert!(Instant::now() >= deadline, "early");
                        ENDED.fetch_add(1, Ordering::Relaxed);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(ENDED.load(Ordering::Relaxed), MILLION as usize);
    });
}

fn a_million_pending() -> Vec<Sleep> {
    let mut cx = Context::from_waker(Waker::noop());
    (0..MILLION)
        .map(|n| {
            let mut sleep = sleep(ms(60_000) + Duration::from_micros(n));
            assert!(matches!(Future::poll(Pin::new(&mut sleep), &mut cx), Poll::Pending));
            sleep
        })
        .collect()
}

#[test]
fn cancelling_a_million_pending_sleeps_takes_less_than_half_a_second() {
    in_time(|| {
        pirn::block_on(async {
            // The best of three: the machine may have other things to do.
            let took = (0..3).map(|_| {
                let sleeps = a_million_pending();
                let start = Instant::now();
                drop(sleeps);
                start.elapsed()
            });
            let best = took.min().unwrap();
            assert!(best < ms(500), "{best:?}");
        });
    });
}

#[test]
fn a_million_settings_of_one_timer_leave_one_behind() {
    in_time(|| {
        let runtime = pirn::Builder::new().procs(1).build().unwrap();
        runtime.block_on(async {
            let mut cx = Context::from_waker(Waker::noop());
            let mut idle = sleep(ms(60_000));
            for n in 0..MILLION {
                idle.reset(Instant::now() + ms(60_000) + Duration::from_nanos(n));
                assert!(Pin::new(&mut idle).poll(&mut cx).is_pending());
            }
            assert_eq!(runtime.metrics().timers, 1);
            drop(idle);
            assert_eq!(runtime.metrics().timers, 0);
        });
    });
}

/// Before the first of many equal deadlines fires they are sorted, and that is work like any other: tasks run in between.
#[test]
fn sorting_many_deadlines_holds_no_task_up() {
    struct Fired(AtomicBool);
    impl Wake for Fired {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    in_time(|| {
        // Without the watching thread nobody else sorts them.
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        let yields = runtime.block_on(runtime.spawn(async {
            let due = Instant::now() + ms(1_000);
            let fired = Arc::new(Fired(AtomicBool::new(false)));
            let waker = Waker::from(fired.clone());
            let mut sleeps: Vec<_> = (0..100_000).map(|_| Box::pin(sleep_until(due))).collect();
            for sleep in &mut sleeps {
                assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            while Instant::now() < due {
                pirn::yield_now().await;
            }
            let mut yields = 0;
            while !fired.0.load(Ordering::Relaxed) {
                pirn::yield_now().await;
                yields += 1;
            }
            yields
        }));
        let yields = yields.unwrap();
        assert!(yields > 100, "{yields}");
    });
}
