//! Timers and the life of the runtime that serves them.

use crate::{in_time, ms};
use futures_lite::future::{block_on as plainly, poll_once};
use pirn::time::{Instant, sleep, timeout};
use pirn::{Builder, Runtime};

fn runtime(procs: usize) -> Runtime {
    Builder::new().procs(procs).build().unwrap()
}

#[test]
fn timers_are_legal_on_a_plain_thread_under_any_executor() {
    in_time(|| {
        let start = Instant::now();
        plainly(sleep(ms(3)));
        assert!(plainly(timeout(ms(2), sleep(ms(60_000)))).is_err());
        assert!(start.elapsed() >= ms(5));
    });
}

#[test]
fn timers_are_legal_in_a_blocking_job() {
    in_time(|| {
        pirn::block_on(async {
            let job = pirn::spawn_blocking(|| {
                let start = Instant::now();
                pirn::block_on(sleep(ms(3)));
                start.elapsed()
            });
            assert!(job.await.unwrap() >= ms(3));
        });
    });
}

#[test]
fn a_sleep_whose_runtime_is_gone_moves_to_the_one_that_polls_it() {
    in_time(|| {
        let (start, mut moved) = (Instant::now(), Box::pin(sleep(ms(60))));
        let first = runtime(1);
        first.block_on(async {
            assert!(poll_once(&mut moved).await.is_none());
        });
        assert_eq!(first.metrics().timers, 1);
        drop(first);
        let second = runtime(1);
        second.block_on(async {
            assert!(poll_once(&mut moved).await.is_none());
            assert_eq!(second.metrics().timers, 1);
            moved.await;
        });
        assert!(start.elapsed() >= ms(60));
    });
}

#[test]
fn a_sleep_whose_runtime_is_gone_moves_to_the_global_one_on_a_plain_thread() {
    in_time(|| {
        let (start, mut moved) = (Instant::now(), Box::pin(sleep(ms(60))));
        let first = runtime(1);
        first.block_on(async {
            assert!(poll_once(&mut moved).await.is_none());
        });
        drop(first);
        plainly(moved);
        assert!(start.elapsed() >= ms(60));
    });
}

#[test]
fn who_waits_for_a_sleep_while_its_runtime_ends_is_woken_on_time() {
    in_time(|| {
        let (start, mut moved) = (Instant::now(), Box::pin(sleep(ms(80))));
        let first = runtime(1);
        first.block_on(async {
            assert!(poll_once(&mut moved).await.is_none());
        });
        // Parked on the timer of a runtime that goes away meanwhile: it must hear of that, and go on.
        let waiter = std::thread::spawn(move || plainly(moved));
        drop(first);
        waiter.join().unwrap();
        assert!(start.elapsed() >= ms(80));
    });
}

#[test]
fn timers_of_a_processor_whose_machine_is_stuck_still_fire() {
    in_time(|| {
        let runtime = runtime(1);
        let lateness = runtime.block_on(async {
            let sleeper = pirn::spawn(async {
                let deadline = Instant::now() + ms(30);
                pirn::time::sleep_until(deadline).await;
                deadline.elapsed()
            });
            pirn::yield_now().await;
            let stuck = pirn::spawn(async { std::thread::sleep(ms(1_000)) });
            let lateness = sleeper.await.unwrap();
            stuck.await.unwrap();
            lateness
        });
        assert!(lateness < ms(500), "{lateness:?}");
    });
}

#[test]
fn no_timer_is_left_when_nobody_refers_to_it() {
    in_time(|| {
        let runtime = runtime(2);
        runtime.block_on(async {
            let tasks: Vec<_> = (0..200)
                .map(|_| {
                    pirn::spawn(async {
                        for _ in 0..50 {
                            let mut long = Box::pin(sleep(ms(60_000)));
                            assert!(poll_once(&mut long).await.is_none());
                            pirn::yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(runtime.metrics().timers, 0);
    });
}

#[test]
fn timers_of_a_processor_that_was_taken_away_still_fire() {
    in_time(|| {
        let runtime = runtime(4);
        runtime.block_on(async {
            let start = Instant::now();
            let tasks: Vec<_> = (0..400_u64)
                .map(|n| {
                    pirn::spawn(async move {
                        pirn::yield_now().await;
                        sleep(ms(40 + n % 20)).await;
                        start.elapsed()
                    })
                })
                .collect();
            sleep(ms(10)).await;
            runtime.set_procs(1);
            for task in tasks {
                let ended = task.await.unwrap();
                assert!(ended >= ms(40) && ended < ms(5_000), "{ended:?}");
            }
        });
        assert_eq!(runtime.metrics().timers, 0);
    });
}

#[test]
fn a_sleep_may_be_dropped_on_any_thread_at_any_moment() {
    in_time(|| {
        let runtime = runtime(2);
        runtime.block_on(async {
            for round in 0..200_u64 {
                // Due about now, so that dropping and firing meet.
                let mut sleeps = Vec::new();
                for n in 0..20 {
                    let mut sleep = Box::pin(sleep(std::time::Duration::from_micros((n * 13 + round) % 200)));
                    let _ = poll_once(&mut sleep).await;
                    sleeps.push(sleep);
                }
                let half = sleeps.split_off(10);
                let elsewhere = pirn::spawn_blocking(move || drop(half));
                drop(sleeps);
                elsewhere.await.unwrap();
            }
        });
        assert_eq!(runtime.metrics().timers, 0);
    });
}

/// A task that a shutdown has left may take up a processor that was made afterwards.
#[test]
fn timers_of_a_processor_that_was_made_after_the_shutdown_still_fire() {
    in_time(|| {
        let runtime = runtime(1);
        let handle = runtime.handle().clone();
        let (inside, seen) = std::sync::mpsc::channel();
        let (go_on, waits) = std::sync::mpsc::channel();
        let (made, timer) = std::sync::mpsc::channel();
        let task = runtime.spawn(async move {
            inside.send(()).unwrap();
            // Gives its processor away, and takes another one.
            pirn::block_in_place(|| waits.recv()).unwrap();
            made.send(pirn::time::after(ms(20))).unwrap();
        });
        seen.recv().unwrap();
        assert!(!runtime.shutdown_timeout(ms(10)).is_clean());
        handle.set_procs(4);
        go_on.send(()).unwrap();
        timer.recv().unwrap().recv_timeout_blocking(ms(10_000)).unwrap();
        let _ = plainly(task);
    });
}
