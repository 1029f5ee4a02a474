//! Storms on what gives out permits: `Mutex`, `RwLock`, `Semaphore`, `OnceCell`.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use pirn_sync::{Mutex, OnceCell, RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore};

use crate::executors::everywhere;
use crate::{Dice, Task, linger, perhaps, poll_once, yield_once};

const TASKS: u32 = 8;
const ROUNDS: u32 = 300;

fn storm<Fut>(random: &Dice, task: impl Fn(Dice) -> Fut) -> Vec<Task>
where
    Fut: Future<Output = ()> + Send + 'static,
{
    (0..TASKS).map(|_| Box::pin(task(random.fork())) as Task).collect()
}

#[test]
fn a_mutex_lets_one_in_at_a_time_and_everybody_in_the_end() {
    everywhere(|random| {
        let (mutex, entered) = (Arc::new(Mutex::new(0_u64)), Arc::new(AtomicU64::new(0)));
        let tasks = storm(random, |random| {
            let (mutex, entered) = (Arc::clone(&mutex), Arc::clone(&entered));
            async move {
                for _ in 0..ROUNDS {
                    // Now and then a future that is polled once and never again while this task goes on.
                    let mut abandoned = mutex.lock();
                    if random.below(8) == 0 {
                        drop(poll_once(&mut abandoned).await);
                    }
                    if let Some(mut guard) = perhaps(mutex.lock(), &random).await {
                        let before = *guard;
                        linger(&random).await;
                        *guard = before + 1;
                        entered.fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        let check = move || {
            assert_eq!(*mutex.try_lock().expect("free in the end"), entered.load(Ordering::Relaxed));
        };
        (tasks, Box::new(check))
    });
}

#[test]
fn a_semaphore_gives_out_what_it_has_and_gets_it_all_back() {
    everywhere(|random| {
        const PERMITS: i64 = 4;
        let (semaphore, inside) = (Arc::new(Semaphore::new(4)), Arc::new(AtomicI64::new(0)));
        let tasks = storm(random, |random| {
            let (semaphore, inside) = (Arc::clone(&semaphore), Arc::clone(&inside));
            async move {
                for _ in 0..ROUNDS {
                    let mut abandoned = semaphore.acquire_many(2);
                    if random.below(8) == 0 {
                        drop(poll_once(&mut abandoned).await);
                    }
                    let count = i64::from(1 + random.below(3));
                    if let Some(permit) = perhaps(semaphore.acquire_many(count as usize), &random).await {
                        assert!(inside.fetch_add(count, Ordering::SeqCst) + count <= PERMITS);
                        linger(&random).await;
                        inside.fetch_sub(count, Ordering::SeqCst);
                        drop(permit.unwrap());
                    }
                }
            }
        });
        (tasks, Box::new(move || assert_eq!(semaphore.available_permits(), 4)))
    });
}

#[test]
fn a_rwlock_keeps_readers_from_half_written_values() {
    everywhere(|random| {
        let lock = Arc::new(RwLock::new((0_u64, 0_u64)));
        let tasks = storm(random, |random| {
            let lock = Arc::clone(&lock);
            async move {
                for _ in 0..ROUNDS {
                    match random.below(8) {
                        0 => {
                            let Some(mut pair) = perhaps(lock.write(), &random).await else { continue };
                            pair.0 += 1;
                            linger(&random).await;
                            pair.1 += 1;
                            let pair = RwLockWriteGuard::downgrade(pair);
                            yield_once().await;
                            assert_eq!(pair.0, pair.1);
                        }
                        1 => {
                            let Some(pair) = perhaps(lock.upgradable_read(), &random).await else { continue };
                            let seen = *pair;
                            linger(&random).await;
                            let upgrade = RwLockUpgradableReadGuard::upgrade(pair);
                            let Some(mut pair) = perhaps(upgrade, &random).await else { continue };
                            assert_eq!(*pair, seen, "nobody wrote in between");
                            *pair = (seen.0 + 1, seen.1 + 1);
                        }
                        _ => {
                            let Some(pair) = perhaps(lock.read(), &random).await else { continue };
                            let seen = *pair;
                            linger(&random).await;
                            assert_eq!(*pair, seen);
                            assert_eq!(seen.0, seen.1);
                        }
                    }
                }
            }
        });
        (tasks, Box::new(move || assert!(lock.try_write().is_some(), "free in the end")))
    });
}

#[test]
fn a_once_cell_has_one_value_however_many_fail_to_make_it() {
    everywhere(|random| {
        let cells: Arc<Vec<OnceCell<u64>>> = Arc::new((0..ROUNDS).map(|_| OnceCell::new()).collect());
        let tasks = storm(random, |random| {
            let cells = Arc::clone(&cells);
            async move {
                for cell in cells.iter() {
                    let seen = loop {
                        let value = u64::from(random.below(1000));
                        let made = match random.below(3) {
                            0 => poll_once(&mut cell.get_or_init(pending)).await.map(Ok),
                            1 => Some(cell.get_or_try_init(|| async { Err("not now") }).await),
                            _ => Some(cell.get_or_try_init(|| async { Ok(value) }).await),
                        };
                        if let Some(Ok(made)) = made {
                            break *made;
                        }
                    };
                    assert_eq!(cell.get(), Some(&seen));
                }
            }
        });
        (tasks, Box::new(move || assert!(cells.iter().all(OnceCell::is_initialized))))
    });
}
