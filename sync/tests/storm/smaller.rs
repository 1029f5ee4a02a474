//! Storms on the smaller primitives: `Once`, `Pool` and `Counter`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pirn_sync::atomic::Counter;
use pirn_sync::{Once, Pool};

use crate::executors::everywhere;
use crate::{Task, linger, perhaps, yield_once};

const TASKS: u32 = 8;
const ROUNDS: usize = 300;

#[test]
fn a_once_runs_one_at_a_time_until_one_has_run() {
    everywhere(|random| {
        #[derive(Default)]
        struct Shared {
            once: Once,
            running: AtomicBool,
            finished: AtomicU64,
        }
        let all: Arc<Vec<Arc<Shared>>> = Arc::new((0..ROUNDS).map(|_| Arc::default()).collect());
        let tasks = (0..TASKS).map(|_| {
            let (all, random) = (Arc::clone(&all), random.fork());
            Box::pin(async move {
                for shared in all.iter() {
                    while !shared.once.is_completed() {
                        let own = Arc::clone(shared);
                        let call = shared.once.call_once(move || async move {
                            assert!(!own.running.swap(true, Ordering::SeqCst), "one at a time");
                            let _running = Lowered(&own.running);
                            yield_once().await;
                            own.finished.fetch_add(1, Ordering::SeqCst);
                        });
                        // Dropped half-way, it lets the next caller run.
                        let _ = perhaps(call, &random).await;
                    }
                }
            }) as Task
        });
        let check = {
            let all = Arc::clone(&all);
            move || assert!(all.iter().all(|shared| shared.finished.load(Ordering::SeqCst) == 1))
        };
        (tasks.collect(), Box::new(check))
    });
}

/// Lowers a flag when it is dropped.
struct Lowered<'a>(&'a AtomicBool);

impl Drop for Lowered<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[test]
fn a_pool_lends_each_value_to_one_and_a_counter_counts_them_all() {
    everywhere(|random| {
        let made = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&made);
        let pool = Arc::new(Pool::new(move || {
            counting.fetch_add(1, Ordering::Relaxed);
            Vec::<u32>::new()
        }));
        let lent = Arc::new(Counter::new());
        let tasks = (0..TASKS).map(|own| {
            let (pool, lent, random) = (Arc::clone(&pool), Arc::clone(&lent), random.fork());
            Box::pin(async move {
                for _ in 0..ROUNDS {
                    let mut value = pool.get();
                    value.clear();
                    value.push(own);
                    linger(&random).await;
                    assert_eq!(*value, [own], "nobody else has it");
                    lent.add(1);
                }
            }) as Task
        });
        let tasks = tasks.collect();
        let check = move || {
            assert_eq!(lent.get(), i64::from(TASKS) * ROUNDS as i64);
            assert!(made.load(Ordering::Relaxed) <= u64::from(TASKS), "values are used again");
        };
        (tasks, Box::new(check))
    });
}
