//! One processor, and a task that would never let go of it: the third task runs all the same. And two processors, of
//! which one is stuck and the other never idle.
//!
//! Delays are measured by order and count, never by a clock: how much the greedy ones did between two turns
//! of the third.

mod common;

use common::{eventually, within};
use pirn::channel::bounded;
use pirn::time::sleep_until;
use pirn::{Builder, JoinHandle, Runtime, spawn, yield_now};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

/// What the greedy tasks share with the third.
#[derive(Default)]
struct Race {
    /// Steps of the greedy ones.
    steps: AtomicUsize,
    over: AtomicBool,
}

impl Race {
    /// A step of a greedy task; false when the race is over.
    fn step(&self) -> bool {
        self.steps.fetch_add(1, Ordering::Relaxed);
        !self.over.load(Ordering::Relaxed)
    }
}

/// Runs the third task beside the greedy ones, for so many turns: the most that they did between two turns.
fn most_steps_between_turns(
    turns: usize,
    greedy: impl FnOnce(&Arc<Race>) -> Vec<JoinHandle<()>> + Send + 'static,
) -> usize {
    let runtime = Builder::new().procs(1).build().unwrap();
    let race = Arc::new(Race::default());
    let shared = race.clone();
    let third = async move {
        let greedy = greedy(&shared);
        let mut most = 0;
        let mut before = None;
        for _ in 0..turns {
            yield_now().await;
            let now = shared.steps.load(Ordering::Relaxed);
            most = most.max(now - before.replace(now).unwrap_or(now));
        }
        shared.over.store(true, Ordering::Relaxed);
        for task in greedy {
            task.await.unwrap();
        }
        most
    };
    let most = runtime.block_on(runtime.spawn(third)).unwrap();
    assert!(race.steps.load(Ordering::Relaxed) > turns, "the greedy ones ran too");
    most
}

#[test]
fn a_ping_pong_pair_leaves_a_third_task_running() {
    within(60, || {
        let most = most_steps_between_turns(200, |race| {
            let (ping, pinged) = bounded::<()>(0);
            let (pong, ponged) = bounded::<()>(0);
            let (one, two) = (race.clone(), race.clone());
            let pings = spawn(async move {
                while one.step() && ping.send(()).await.is_ok() && ponged.recv().await.is_ok() {}
            });
            let pongs = spawn(async move {
                while pinged.recv().await.is_ok() && two.step() && pong.send(()).await.is_ok() {}
            });
            vec![pings, pongs]
        });
        // The run queue is asked before the next slot every 61st time.
        assert!(most <= 200, "{most} messages between two turns");
    });
}

#[test]
fn a_task_on_an_always_ready_channel_leaves_a_third_task_running() {
    within(60, || {
        let most = most_steps_between_turns(20, |race| {
            let (tx, rx) = bounded(1024);
            let race = race.clone();
            let task = spawn(async move {
                while race.step() {
                    tx.send(1).await.unwrap();
                    rx.recv().await.unwrap();
                }
            });
            vec![task]
        });
        // It never waits: only the flag that it has used up its time slice sends it back.
        println!("{most} messages between two turns");
    });
}

#[test]
fn a_self_waking_task_leaves_a_third_task_running() {
    within(60, || {
        let most = most_steps_between_turns(1000, |race| {
            let race = race.clone();
            let task = spawn(poll_fn(move |cx| {
                cx.waker().wake_by_ref();
                if race.step() { Poll::Pending } else { Poll::Ready(()) }
            }));
            vec![task]
        });
        assert!(most <= 2, "{most} polls between two turns: it goes behind the other");
    });
}

#[test]
fn tasks_that_yield_take_turns_strictly() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = order.clone();
        runtime
            .block_on(runtime.spawn(async move {
                let tasks: Vec<_> = (0..5)
                    .map(|n| {
                        let log = log.clone();
                        spawn(async move {
                            for _ in 0..100 {
                                log.lock().unwrap().push(n);
                                yield_now().await;
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }))
            .unwrap();
        let order = order.lock().unwrap();
        let (first, rest) = order.split_at(5);
        assert!((0..5).all(|n| first.contains(&n)));
        assert!(rest.chunks(5).all(|turn| turn == first), "everyone once a turn, in the same order");
    });
}

#[test]
fn what_comes_from_outside_runs_beside_tasks_that_never_sleep() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let race = Arc::new(Race::default());
        let yielders: Vec<_> = (0..3)
            .map(|_| {
                let race = race.clone();
                runtime.spawn(async move {
                    while race.step() {
                        yield_now().await;
                    }
                })
            })
            .collect();
        eventually(|| race.steps.load(Ordering::Relaxed) > 100);
        for _ in 0..100 {
            runtime.block_on(runtime.spawn(async {})).unwrap();
        }
        race.over.store(true, Ordering::Relaxed);
        for task in yielders {
            runtime.block_on(task).unwrap();
        }
    });
}

/// The queue is never empty, and nobody yields: what many tasks wait for in the injector comes in shares, not one by one.
#[test]
fn a_crowd_from_outside_is_served_in_shares_beside_tasks_that_never_sleep() {
    const FROM_OUTSIDE: usize = 2_000;
    const OTHERS: usize = 100;
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let race = Arc::new(Race::default());
        // One wakes all the others, and the last of these wakes it: hardly anything goes through the next slot.
        let (call, called) = bounded(1);
        let (others, calls): (Vec<_>, Vec<_>) = (0..OTHERS).map(|_| bounded(1)).unzip();
        let hub = runtime.spawn({
            let race = race.clone();
            async move {
                while !race.over.load(Ordering::Relaxed) {
                    others.iter().for_each(|other| other.try_send(()).unwrap());
                    called.recv().await.unwrap();
                }
            }
        });
        let others: Vec<_> = calls
            .into_iter()
            .map(|called| {
                let (race, call) = (race.clone(), call.clone());
                runtime.spawn(async move {
                    while called.recv().await.is_ok() {
                        race.step();
                        if race.steps.load(Ordering::Relaxed) % OTHERS == 0 {
                            call.try_send(()).unwrap();
                        }
                    }
                })
            })
            .collect();
        eventually(|| race.steps.load(Ordering::Relaxed) > 100);
        let served = Arc::new(AtomicUsize::new(0));
        let (before, after) = (race.steps.load(Ordering::Relaxed), Arc::new(AtomicUsize::new(0)));
        for _ in 0..FROM_OUTSIDE {
            let (race, served, after) = (race.clone(), served.clone(), after.clone());
            drop(runtime.spawn(async move {
                if served.fetch_add(1, Ordering::Relaxed) + 1 == FROM_OUTSIDE {
                    after.store(race.steps.load(Ordering::Relaxed), Ordering::Relaxed);
                }
            }));
        }
        eventually(|| after.load(Ordering::Relaxed) != 0);
        race.over.store(true, Ordering::Relaxed);
        runtime.block_on(hub).unwrap();
        for task in others {
            runtime.block_on(task).unwrap();
        }
        let beside = after.load(Ordering::Relaxed) - before;
        assert!(beside < 30 * FROM_OUTSIDE, "{beside} steps beside {FROM_OUTSIDE} tasks");
    });
}

#[test]
fn a_timer_is_due_beside_tasks_that_never_sleep() {
    within(60, || {
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        let race = Arc::new(Race::default());
        let beside = greedy_yielder(&runtime, &race);
        for _ in 0..20 {
            runtime
                .block_on(runtime.spawn(pirn::time::sleep(std::time::Duration::from_micros(100))))
                .unwrap();
        }
        race.over.store(true, Ordering::Relaxed);
        runtime.block_on(beside).unwrap();
    });
}

#[test]
fn what_lies_behind_a_stuck_task_is_taken_by_a_processor_that_is_never_idle() {
    within(60, || {
        let runtime = Builder::new().procs(2).sysmon(false).build().unwrap();
        let race = Arc::new(Race::default());
        let beside = [(); 3].map(|()| greedy_yielder(&runtime, &race));
        let stuck = {
            let race = race.clone();
            runtime.spawn(async move {
                // Once the others make progress while this task does not let go, the other processor has them.
                let before = race.steps.load(Ordering::Relaxed);
                while race.steps.load(Ordering::Relaxed) < before + 1_000 {
                    std::thread::yield_now();
                }
                let mut behind: Vec<_> = (0..10).map(|_| spawn(async {})).collect();
                // The last one is to run next here, which nobody takes away but a thief with nothing to do.
                behind.pop();
                while !behind.iter().all(JoinHandle::is_finished) {
                    std::thread::yield_now();
                }
            })
        };
        runtime.block_on(stuck).unwrap();
        race.over.store(true, Ordering::Relaxed);
        beside.into_iter().for_each(|task| runtime.block_on(task).unwrap());
    });
}

fn greedy_yielder(runtime: &Runtime, race: &Arc<Race>) -> JoinHandle<()> {
    let race = race.clone();
    runtime.spawn(async move {
        while race.step() {
            yield_now().await;
        }
    })
}

#[test]
fn tasks_run_between_batches_of_timers_that_are_due_at_once() {
    const TIMERS: usize = 5_000;
    within(60, || {
        let runtime = Builder::new().procs(1).sysmon(false).build().unwrap();
        let handle = runtime.handle().clone();
        let still_pending = runtime.block_on(runtime.spawn(async move {
            let due = Instant::now() + Duration::from_millis(500);
            let sleepers: Vec<_> = (0..TIMERS)
                .map(|_| {
                    let handle = handle.clone();
                    spawn(async move {
                        sleep_until(due).await;
                        handle.metrics().timers
                    })
                })
                .collect();
            while handle.metrics().timers < TIMERS {
                assert!(Instant::now() < due, "too slow to tell anything");
                yield_now().await;
            }
            // All of them are due now, and this task has the only processor.
            std::thread::sleep(due + Duration::from_millis(1) - Instant::now());
            let mut most = 0;
            for sleeper in sleepers {
                most = most.max(sleeper.await.unwrap());
            }
            most
        }));
        assert!(still_pending.unwrap() > TIMERS / 2, "all timers were fired before the first task ran");
    });
}
