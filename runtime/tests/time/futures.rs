//! `sleep`, `timeout` and `interval` on a runtime.

use crate::{in_time, ms};
use futures_lite::future::{pending, poll_once};
use pirn::time::{Duration, Instant, MissedTick, interval, sleep, sleep_until, timeout, timeout_at};
use std::sync::{Arc, Mutex};

#[test]
fn a_sleep_in_a_task_is_never_early() {
    in_time(|| {
        pirn::block_on(async {
            let tasks: Vec<_> = (0..200_u64)
                .map(|n| {
                    pirn::spawn(async move {
                        let (start, duration) = (Instant::now(), Duration::from_micros(n * 37));
                        sleep(duration).await;
                        assert!(start.elapsed() >= duration, "{duration:?}");
                        let deadline = Instant::now() + duration;
                        sleep_until(deadline).await;
                        assert!(Instant::now() >= deadline);
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
    });
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    in_time(|| {
        pirn::block_on(async {
            let order = Arc::new(Mutex::new(Vec::new()));
            let start = Instant::now() + ms(10);
            let tasks: Vec<_> = [5, 1, 4, 2, 3]
                .map(|n| {
                    let order = Arc::clone(&order);
                    pirn::spawn(async move {
                        sleep_until(start + ms(40) * n).await;
                        order.lock().unwrap().push(n);
                    })
                })
                .into_iter()
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            assert_eq!(*order.lock().unwrap(), [1, 2, 3, 4, 5]);
        });
    });
}

#[test]
fn zero_completes_without_waiting() {
    in_time(|| {
        pirn::block_on(async {
            assert!(poll_once(sleep(Duration::ZERO)).await.is_some());
            assert!(poll_once(sleep_until(Instant::now())).await.is_some());
            assert!(poll_once(timeout(Duration::ZERO, pending::<()>())).await.unwrap().is_err());
        });
    });
}

#[test]
fn durations_too_large_to_represent_mean_never() {
    in_time(|| {
        pirn::block_on(async {
            assert!(poll_once(sleep(Duration::MAX)).await.is_none());
            assert!(poll_once(sleep(Duration::from_secs(u64::MAX / 2))).await.is_none());
            let centuries = Duration::from_secs(1_000 * 365 * 86_400);
            assert!(poll_once(sleep(centuries)).await.is_none(), "representable, but beyond 2⁶⁴ ns");
            assert_eq!(timeout(Duration::MAX, sleep(ms(1))).await, Ok(()));
            let mut interval = interval(Duration::MAX);
            interval.tick().await;
            assert!(poll_once(interval.tick()).await.is_none());
        });
    });
}

#[test]
fn an_inner_future_that_is_ready_at_the_deadline_wins() {
    in_time(|| {
        pirn::block_on(async {
            for _ in 0..50 {
                let deadline = Instant::now() + Duration::from_micros(300);
                assert_eq!(timeout_at(deadline, sleep_until(deadline)).await, Ok(()));
            }
        });
    });
}

#[test]
fn a_timeout_drops_the_future_that_took_too_long() {
    struct Dropped(Arc<Mutex<bool>>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            *self.0.lock().unwrap() = true;
        }
    }
    in_time(|| {
        pirn::block_on(async {
            let dropped = Arc::new(Mutex::new(false));
            let guard = Dropped(Arc::clone(&dropped));
            let (start, limit) = (Instant::now(), ms(5));
            let slow = async move {
                let _guard = guard;
                pending::<()>().await;
            };
            assert!(timeout(limit, slow).await.is_err());
            assert!(start.elapsed() >= limit && *dropped.lock().unwrap());
        });
    });
}

#[test]
fn an_interval_ticks_at_once_and_then_on_its_grid() {
    in_time(|| {
        pirn::block_on(async {
            let mut interval = interval(ms(4));
            let first = poll_once(interval.tick()).await.expect("the first tick comes at once");
            for _ in 0..10 {
                let due = interval.tick().await;
                assert!(Instant::now() >= due);
                assert_eq!((due - first).as_nanos() % ms(4).as_nanos(), 0);
            }
        });
    });
}

#[test]
fn a_dropped_tick_has_not_happened() {
    in_time(|| {
        pirn::block_on(async {
            let mut interval = interval(ms(3));
            let first = interval.tick().await;
            while timeout(Duration::from_micros(100), interval.tick()).await.is_err() {}
            let third = interval.tick().await;
            assert!(third > first + ms(3), "the cancelled ticks took nothing, the finished one did");
        });
    });
}

#[test]
fn missed_ticks_burst_or_are_skipped_or_delay_the_rest() {
    in_time(|| {
        pirn::block_on(async {
            for behaviour in [MissedTick::Burst, MissedTick::Skip, MissedTick::Delay] {
                let period = ms(10);
                let mut interval = interval(period).missed_tick(behaviour);
                let first = interval.tick().await;
                sleep_until(first + ms(35)).await;
                let second = interval.tick().await;
                let came = Instant::now();
                assert_eq!(second, first + period, "what is late comes first: {behaviour:?}");
                let third = interval.tick().await;
                match behaviour {
                    MissedTick::Burst => assert_eq!(third, second + period),
                    MissedTick::Skip => {
                        assert_eq!((third - first).as_nanos() % period.as_nanos(), 0, "on the grid");
                        assert!(third >= first + ms(40));
                    }
                    MissedTick::Delay => assert!(third >= first + ms(45) && third <= came + period),
                }
            }
        });
    });
}

#[test]
fn the_default_is_to_skip() {
    assert_eq!(MissedTick::default(), MissedTick::Skip);
}

#[test]
#[should_panic(expected = "greater than zero")]
fn a_zero_period_panics() {
    let _ = interval(Duration::ZERO);
}

#[test]
fn a_sleep_can_be_set_anew_in_a_loop() {
    in_time(|| {
        pirn::block_on(async {
            let mut idle = sleep(ms(60_000));
            for _ in 0..20 {
                let deadline = Instant::now() + Duration::from_micros(500);
                idle.reset(deadline);
                (&mut idle).await;
                assert!(Instant::now() >= deadline);
            }
        });
    });
}
