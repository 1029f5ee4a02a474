//! Storms on what tells its waiters something: `Cond`, `Notify`, `WaitGroup`, `Barrier`, `SingleFlight`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pirn_sync::{Barrier, Cond, Mutex, Notify, SingleFlight, WaitGroup};

use crate::executors::everywhere;
use crate::{Task, linger, perhaps, yield_once};

const ITEMS: u64 = 600;
const CONSUMERS: u32 = 4;

#[test]
fn a_cond_loses_no_signal_when_waits_are_dropped() {
    everywhere(|random| {
        struct Shared {
            queue: Mutex<(VecDeque<u64>, bool)>,
            filled: Cond,
            taken: AtomicU64,
        }
        let shared =
            Arc::new(Shared { queue: Mutex::default(), filled: Cond::new(), taken: AtomicU64::new(0) });
        let mut tasks: Vec<Task> = Vec::new();
        for _ in 0..CONSUMERS {
            let (shared, random) = (Arc::clone(&shared), random.fork());
            tasks.push(Box::pin(async move {
                loop {
                    let queue = shared.queue.lock().await;
                    let wait = shared.filled.wait_while(queue, |(items, over)| items.is_empty() && !*over);
                    let Some(mut queue) = perhaps(wait, &random).await else { continue };
                    match queue.0.pop_front() {
                        Some(item) => shared.taken.fetch_add(item, Ordering::Relaxed),
                        None => return,
                    };
                    drop(queue);
                    linger(&random).await;
                }
            }));
        }
        let (producer, random) = (Arc::clone(&shared), random.fork());
        tasks.push(Box::pin(async move {
            for item in 1..=ITEMS {
                producer.queue.lock().await.0.push_back(item);
                producer.filled.notify_one();
                linger(&random).await;
            }
            producer.queue.lock().await.1 = true;
            producer.filled.notify_all();
        }));
        (tasks, Box::new(move || assert_eq!(shared.taken.load(Ordering::Relaxed), ITEMS * (ITEMS + 1) / 2)))
    });
}

#[test]
fn a_notify_leaves_nobody_asleep_beside_work_when_waits_are_dropped() {
    everywhere(|random| {
        struct Shared {
            work: AtomicU64,
            over: AtomicBool,
            notify: Notify,
            taken: AtomicU64,
        }
        impl Shared {
            fn take(&self) -> bool {
                self.work.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |work| work.checked_sub(1)).is_ok()
            }
        }
        let shared = Arc::new(Shared {
            work: AtomicU64::new(0),
            over: AtomicBool::new(false),
            notify: Notify::new(),
            taken: AtomicU64::new(0),
        });
        let mut tasks: Vec<Task> = Vec::new();
        for _ in 0..CONSUMERS {
            let (shared, random) = (Arc::clone(&shared), random.fork());
            tasks.push(Box::pin(async move {
                loop {
                    if shared.take() {
                        shared.taken.fetch_add(1, Ordering::Relaxed);
                        continue;
                    }
                    if shared.over.load(Ordering::SeqCst) {
                        // Whoever leaves wakes the next one, which leaves too.
                        shared.notify.notify_one();
                        return;
                    }
                    perhaps(shared.notify.notified(), &random).await;
                }
            }));
        }
        let (producer, random) = (Arc::clone(&shared), random.fork());
        tasks.push(Box::pin(async move {
            for _ in 0..ITEMS {
                producer.work.fetch_add(1, Ordering::SeqCst);
                producer.notify.notify_one();
                linger(&random).await;
            }
            producer.over.store(true, Ordering::SeqCst);
            producer.notify.notify_one();
        }));
        (tasks, Box::new(move || assert_eq!(shared.taken.load(Ordering::Relaxed), ITEMS)))
    });
}

#[test]
fn a_wait_group_and_a_barrier_keep_step_over_many_rounds() {
    everywhere(|random| {
        const WORKERS: u64 = 6;
        const ROUNDS: u64 = 100;
        struct Shared {
            barrier: Barrier,
            leaders: AtomicU64,
            steps: AtomicU64,
            group: WaitGroup,
        }
        let shared = Arc::new(Shared {
            barrier: Barrier::new(WORKERS as usize),
            leaders: AtomicU64::new(0),
            steps: AtomicU64::new(0),
            group: WaitGroup::new(),
        });
        let mut tasks: Vec<Task> = Vec::new();
        for _ in 0..WORKERS {
            let (shared, random) = (Arc::clone(&shared), random.fork());
            let guard = shared.group.guard();
            tasks.push(Box::pin(async move {
                for round in 1..=ROUNDS {
                    shared.steps.fetch_add(1, Ordering::Relaxed);
                    linger(&random).await;
                    if shared.barrier.wait().await.is_leader() {
                        shared.leaders.fetch_add(1, Ordering::Relaxed);
                    }
                    assert!(shared.steps.load(Ordering::Relaxed) >= round * WORKERS);
                    // A second time, so that nobody begins the next round while others look at this one.
                    shared.barrier.wait().await;
                }
                drop(guard);
            }));
        }
        let waiting = Arc::clone(&shared);
        tasks.push(Box::pin(async move {
            waiting.group.wait().await;
            assert_eq!(waiting.steps.load(Ordering::Relaxed), ROUNDS * WORKERS);
        }));
        (tasks, Box::new(move || assert_eq!(shared.leaders.load(Ordering::Relaxed), ROUNDS)))
    });
}

#[test]
fn a_single_flight_answers_everybody_when_leaders_are_dropped() {
    everywhere(|random| {
        let group = Arc::new(SingleFlight::<u32, u32>::new());
        let tasks = (0..8)
            .map(|_| {
                let (group, random) = (Arc::clone(&group), random.fork());
                Box::pin(async move {
                    for round in 0..300 {
                        let key = round % 3;
                        let call = group.run(key, || async move {
                            yield_once().await;
                            key
                        });
                        if let Some(value) = perhaps(call, &random).await {
                            assert_eq!(value, key);
                        }
                    }
                }) as Task
            })
            .collect();
        (tasks, Box::new(move || assert!(group.is_empty())))
    });
}
