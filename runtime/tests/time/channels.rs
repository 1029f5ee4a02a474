//! `after`, `tick` and `Timer`: timers as channels, with the semantics of Go 1.23.

use crate::{in_time, ms};
use futures_lite::future::{block_on as plainly, poll_once};
use pirn::Builder;
use pirn::channel::TryRecvError;
use pirn::time::{Duration, Instant, Timer, after, sleep, sleep_until, tick, timeout};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn r25_sleep_after_tick_and_timers_that_stop_and_reset() {
    in_time(|| {
        pirn::block_on(async {
            let start = Instant::now();
            sleep(ms(2)).await;
            assert!(after(ms(2)).recv().await.unwrap() >= start + ms(4));
            let ticks = tick(ms(2));
            let first = ticks.recv().await.unwrap();
            assert!(ticks.recv().await.unwrap() >= first + ms(2));
            let timer = Timer::new(ms(60_000));
            assert!(timer.stop() && !timer.stop() && !timer.reset(ms(2)));
            timer.receiver().recv().await.unwrap();
            assert!(!timer.reset(ms(60_000)) && timer.reset(ms(2)));
            timer.receiver().recv().await.unwrap();
        });
    });
}

#[test]
fn after_gives_one_value_then_stays_open_and_silent() {
    in_time(|| {
        pirn::block_on(async {
            let timer = after(ms(2));
            assert_eq!(timer.try_recv(), Err(TryRecvError::Empty));
            timer.recv().await.unwrap();
            assert_eq!(timer.try_recv(), Err(TryRecvError::Empty));
            assert!(timeout(ms(10), timer.recv()).await.is_err());
            assert!(!timer.is_closed());
        });
    });
}

#[test]
fn the_value_is_the_moment_at_which_it_was_due() {
    in_time(|| {
        pirn::block_on(async {
            let before = Instant::now();
            let timer = after(ms(3));
            let made = Instant::now();
            std::thread::sleep(ms(9));
            let due = timer.recv().await.unwrap();
            assert!(before + ms(3) <= due && due <= made + ms(3), "not the moment at which it came");
        });
    });
}

#[test]
fn the_length_is_zero_although_a_due_value_can_be_received() {
    in_time(|| {
        pirn::block_on(async {
            for timer in [after(Duration::ZERO), tick(ms(1))] {
                sleep(ms(5)).await;
                assert_eq!((timer.len(), timer.is_empty()), (0, true));
                assert!(timer.try_recv().is_ok());
            }
            assert_eq!(tick(ms(1)).capacity(), Some(1));
        });
    });
}

#[test]
fn zero_is_due_at_once_and_too_large_never() {
    in_time(|| {
        pirn::block_on(async {
            assert!(after(Duration::ZERO).try_recv().is_ok());
            assert!(Timer::new(Duration::ZERO).receiver().try_recv().is_ok());
            assert!(after(Duration::MAX).try_recv().is_err());
            assert!(tick(Duration::MAX).try_recv().is_err());
            let never = Timer::new(Duration::MAX);
            assert!(never.receiver().try_recv().is_err());
            assert!(never.reset(Duration::ZERO), "it was pending, for ever");
            assert!(never.receiver().try_recv().is_ok());
        });
    });
}

#[test]
fn ticks_that_find_the_channel_full_are_dropped_and_the_grid_stays() {
    in_time(|| {
        pirn::block_on(async {
            let period = ms(4);
            let ticks = tick(period);
            let first = ticks.recv().await.unwrap();
            sleep(ms(22)).await;
            let second = ticks.recv().await.unwrap();
            assert_eq!(second, first + period, "the one that waited");
            let third = ticks.recv().await.unwrap();
            assert!(third >= first + ms(20), "those between were dropped");
            assert_eq!((third - first).as_nanos() % period.as_nanos(), 0);
        });
    });
}

#[test]
fn dropping_the_last_receiver_stops_the_timer_behind() {
    in_time(|| {
        let runtime = Builder::new().procs(1).build().unwrap();
        runtime.block_on(async {
            let receivers = [after(ms(60_000)), tick(ms(60_000)), tick(ms(1))];
            let clones = receivers.clone();
            let timer = Timer::new(ms(60_000));
            let kept = timer.receiver().clone();
            sleep(ms(5)).await;
            drop((receivers, timer));
            assert_eq!(runtime.metrics().timers, 4, "somebody can still receive");
            drop((clones, kept));
            assert_eq!(runtime.metrics().timers, 0);
        });
    });
}

#[test]
fn stop_and_reset_are_true_when_it_was_pending() {
    in_time(|| {
        pirn::block_on(async {
            let timer = Timer::new(ms(60_000));
            assert!(timer.reset(ms(60_000)), "not due");
            assert!(timer.stop(), "not due");
            assert!(!timer.stop(), "stopped");
            assert!(!timer.reset(Duration::ZERO), "stopped");
            assert!(timer.stop(), "due, but not received");
            assert!(!timer.reset(Duration::ZERO));
            timer.receiver().recv().await.unwrap();
            assert!(!timer.stop(), "received");
            assert!(!timer.reset(ms(1)), "received");
            timer.receiver().recv().await.unwrap();
        });
    });
}

#[test]
fn after_stop_or_reset_no_earlier_value_can_be_received() {
    in_time(|| {
        pirn::block_on(async {
            let timer = Timer::new(ms(1));
            sleep(ms(6)).await;
            assert!(timer.stop());
            assert!(timer.receiver().try_recv().is_err());
            assert!(timeout(ms(5), timer.receiver().recv()).await.is_err());
            timer.reset(ms(1));
            sleep(ms(6)).await;
            let start = Instant::now();
            assert!(timer.reset(ms(10)));
            assert!(timer.receiver().recv().await.unwrap() >= start + ms(10), "not the one of 1 ms");
        });
    });
}

#[test]
fn a_waiting_receiver_hears_of_a_reset() {
    in_time(|| {
        pirn::block_on(async {
            let timer = Arc::new(Timer::new(ms(60_000)));
            let receiver = timer.receiver().clone();
            let waiting = pirn::spawn(async move { receiver.recv().await.unwrap() });
            pirn::yield_now().await;
            let start = Instant::now();
            assert!(timer.reset(ms(3)));
            assert!(waiting.await.unwrap() >= start + ms(3));
        });
    });
}

/// Timers that are due at the moment at which they are stopped: each is heard, or was pending, never both.
#[test]
fn a_timer_is_stopped_or_received_but_never_both() {
    static HEARD: AtomicUsize = AtomicUsize::new(0);
    in_time(|| {
        pirn::block_on(async {
            let mut stopped = 0;
            const ROUNDS: usize = 2_000;
            for round in 0..ROUNDS {
                let due = Instant::now() + Duration::from_micros(60 + round as u64 % 40);
                let timer = Timer::new(due.saturating_duration_since(Instant::now()));
                let receiver = timer.receiver().clone();
                let heard = pirn::spawn(async move {
                    receiver.recv().await.unwrap();
                    HEARD.fetch_add(1, Ordering::Relaxed);
                });
                sleep_until(due).await;
                if timer.stop() {
                    stopped += 1;
                    assert!(timer.receiver().try_recv().is_err());
                    pirn::yield_now().await;
                    assert!(!heard.is_finished(), "stopped and received");
                    heard.abort();
                } else {
                    heard.await.unwrap();
                }
            }
            assert_eq!(stopped + HEARD.load(Ordering::Relaxed), ROUNDS);
        });
    });
}

/// Whatever several threads do to one timer, the last setting counts and gives one value.
#[test]
fn a_timer_that_many_reset_at_once_fires_once() {
    in_time(|| {
        pirn::block_on(async {
            for _ in 0..100 {
                let timer = Arc::new(Timer::new(ms(1)));
                let resets: Vec<_> = (0..8_u64)
                    .map(|n| {
                        let timer = Arc::clone(&timer);
                        pirn::spawn(async move {
                            for turn in 0..20 {
                                timer.reset(Duration::from_micros((n * 20 + turn) % 50));
                                pirn::yield_now().await;
                            }
                        })
                    })
                    .collect();
                for reset in resets {
                    reset.await.unwrap();
                }
                timer.receiver().recv().await.unwrap();
                assert!(!timer.stop());
                assert!(timer.receiver().try_recv().is_err());
            }
        });
    });
}

#[test]
fn select_gives_up_after_a_while() {
    in_time(|| {
        pirn::block_on(async {
            let (_sender, silent) = pirn::channel::unbounded::<()>();
            let start = Instant::now();
            let timed_out = pirn::select! {
                _ = silent.recv() => false,
                due = after(ms(3)).recv() => due.is_ok(),
            };
            assert!(timed_out && start.elapsed() >= ms(3));
        });
    });
}

#[test]
fn a_channel_timer_outlives_the_runtime_that_made_it() {
    in_time(|| {
        let first = Builder::new().procs(1).build().unwrap();
        let (start, timer) = first.block_on(async { (Instant::now(), after(ms(50))) });
        drop(first);
        let due = plainly(timer.recv()).unwrap();
        assert!(Instant::now() >= due && due >= start + ms(50));
    });
}

#[test]
fn channel_timers_serve_plain_threads() {
    in_time(|| {
        let start = Instant::now();
        after(ms(2)).recv_blocking().unwrap();
        plainly(after(ms(2)).recv()).unwrap();
        let ticks = tick(ms(2));
        assert_eq!(ticks.iter().take(3).count(), 3);
        assert!(start.elapsed() >= ms(10));
        assert!(plainly(poll_once(ticks.recv())).is_none());
    });
}

#[test]
#[should_panic(expected = "greater than zero")]
fn a_zero_tick_panics() {
    drop(tick(Duration::ZERO));
}
