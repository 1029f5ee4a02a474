//! What primitives cost when many want them at once: 8 tasks on 2 workers, or 8 threads.
//!
//! The async primitives all run on the same scheduler (tokio's, two workers), so that a row compares the
//! primitives; `pirn_on_pirn` runs ours on ours. Each figure is the wall time of one operation, all tasks
//! taken together.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use pirn::sync;
use smol::lock as async_lock;

const TASKS: u64 = 8;

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("sync_contended/{name}"));
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1)).sample_size(10);
    group
}

/// Times `TASKS` tokio tasks that share `rounds` rounds of what `task` makes for them.
fn on_tokio<Fut>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, task: impl Fn(u64) -> Fut)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let start = Instant::now();
            let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(task(rounds.div_ceil(TASKS)))).collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
            start.elapsed()
        });
    });
}

/// The same on pirn.
fn on_pirn<Fut>(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, task: impl Fn(u64) -> Fut)
where
    Fut: Future<Output = ()> + Send + 'static,
{
    let runtime = pirn::Builder::new().procs(2).build().unwrap();
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let start = Instant::now();
            let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(task(rounds.div_ceil(TASKS)))).collect();
            runtime.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
            start.elapsed()
        });
    });
}

/// The same with threads.
fn on_threads(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, thread: impl Fn(u64) + Sync) {
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|rounds| {
            let start = Instant::now();
            std::thread::scope(|scope| {
                for _ in 0..TASKS {
                    scope.spawn(|| thread(rounds.div_ceil(TASKS)));
                }
            });
            start.elapsed()
        });
    });
}

/// A task that runs `$each` again and again with `$shared` in reach.
macro_rules! task {
    ($shared:expr, |$name:ident| $each:expr) => {{
        let shared = Arc::new($shared);
        move |rounds| {
            let $name = Arc::clone(&shared);
            async move {
                for _ in 0..rounds {
                    $each;
                }
            }
        }
    }};
}

fn mutex(criterion: &mut Criterion) {
    let mut group = group(criterion, "mutex_tasks");
    on_pirn(&mut group, "pirn_on_pirn", task!(sync::Mutex::new(0), |lock| *lock.lock().await += 1));
    on_tokio(&mut group, "pirn", task!(sync::Mutex::new(0), |lock| *lock.lock().await += 1));
    on_tokio(&mut group, "tokio", task!(tokio::sync::Mutex::new(0), |lock| *lock.lock().await += 1));
    on_tokio(&mut group, "async_lock", task!(async_lock::Mutex::new(0), |lock| *lock.lock().await += 1));
    on_tokio(&mut group, "parking_lot", task!(parking_lot::Mutex::new(0), |lock| *lock.lock() += 1));
}

fn mutex_held_across_a_yield(criterion: &mut Criterion) {
    let mut group = group(criterion, "mutex_held_across_yield");
    let yields = tokio::task::yield_now;
    let held = task!(sync::Mutex::new(0), |lock| {
        let mut guard = lock.lock().await;
        yields().await;
        *guard += 1;
    });
    on_tokio(&mut group, "pirn", held);
    let held = task!(tokio::sync::Mutex::new(0), |lock| {
        let mut guard = lock.lock().await;
        yields().await;
        *guard += 1;
    });
    on_tokio(&mut group, "tokio", held);
    let held = task!(async_lock::Mutex::new(0), |lock| {
        let mut guard = lock.lock().await;
        yields().await;
        *guard += 1;
    });
    on_tokio(&mut group, "async_lock", held);
}

fn mutex_threads(criterion: &mut Criterion) {
    let mut group = group(criterion, "mutex_threads");
    let lock = sync::Mutex::new(0_u64);
    on_threads(&mut group, "pirn", |rounds| (0..rounds).for_each(|_| *lock.lock_blocking() += 1));
    let lock = parking_lot::Mutex::new(0_u64);
    on_threads(&mut group, "parking_lot", |rounds| (0..rounds).for_each(|_| *lock.lock() += 1));
    let lock = std::sync::Mutex::new(0_u64);
    on_threads(&mut group, "std", |rounds| (0..rounds).for_each(|_| *lock.lock().unwrap() += 1));
    let lock = async_lock::Mutex::new(0_u64);
    on_threads(&mut group, "async_lock", |rounds| (0..rounds).for_each(|_| *lock.lock_blocking() += 1));
}

/// 99 reads to a write.
macro_rules! read_mostly {
    ($lock:expr) => {{
        let shared = Arc::new($lock);
        move |rounds| {
            let lock = Arc::clone(&shared);
            async move {
                let mut sum = 0;
                for n in 0..rounds {
                    match n % 100 {
                        0 => *lock.write().await += 1_u64,
                        _ => sum += *lock.read().await,
                    }
                }
                std::hint::black_box(sum);
            }
        }
    }};
}

fn rwlock(criterion: &mut Criterion) {
    let mut group = group(criterion, "rwlock_read_mostly");
    on_pirn(&mut group, "pirn_on_pirn", read_mostly!(sync::RwLock::new(0)));
    on_tokio(&mut group, "pirn", read_mostly!(sync::RwLock::new(0)));
    on_tokio(&mut group, "tokio", read_mostly!(tokio::sync::RwLock::new(0)));
    on_tokio(&mut group, "async_lock", read_mostly!(async_lock::RwLock::new(0)));
}

fn semaphore(criterion: &mut Criterion) {
    let mut group = group(criterion, "semaphore_of_3");
    on_pirn(&mut group, "pirn_on_pirn", task!(sync::Semaphore::new(3), |at| drop(at.acquire().await)));
    on_tokio(&mut group, "pirn", task!(sync::Semaphore::new(3), |at| drop(at.acquire().await)));
    on_tokio(&mut group, "tokio", task!(tokio::sync::Semaphore::new(3), |at| drop(at.acquire().await)));
    on_tokio(&mut group, "async_lock", task!(async_lock::Semaphore::new(3), |at| drop(at.acquire().await)));
}

fn semaphore_held(criterion: &mut Criterion) {
    let mut group = group(criterion, "semaphore_of_3_held_across_yield");
    let yields = tokio::task::yield_now;
    let held = task!(sync::Semaphore::new(3), |at| {
        let permit = at.acquire().await;
        yields().await;
        drop(permit);
    });
    on_tokio(&mut group, "pirn", held);
    let held = task!(tokio::sync::Semaphore::new(3), |at| {
        let permit = at.acquire().await;
        yields().await;
        drop(permit);
    });
    on_tokio(&mut group, "tokio", held);
    let held = task!(async_lock::Semaphore::new(3), |at| {
        let permit = at.acquire().await;
        yields().await;
        drop(permit);
    });
    on_tokio(&mut group, "async_lock", held);
}

fn wait_group(criterion: &mut Criterion) {
    let mut group = group(criterion, "wait_group_per_task");
    let runtime = tokio();
    group.bench_function("pirn", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let start = Instant::now();
                let tasks = sync::WaitGroup::new();
                for _ in 0..rounds {
                    let guard = tasks.guard();
                    tokio::spawn(async move { drop(guard) });
                }
                tasks.wait().await;
                start.elapsed()
            })
        });
    });
    let pirn = pirn::Builder::new().procs(2).build().unwrap();
    group.bench_function("pirn_on_pirn", |bencher| {
        bencher.iter_custom(|rounds| {
            pirn.block_on(async {
                let start = Instant::now();
                let tasks = sync::WaitGroup::new();
                for _ in 0..rounds {
                    let guard = tasks.guard();
                    pirn::spawn(async move { drop(guard) });
                }
                tasks.wait().await;
                start.elapsed()
            })
        });
    });
    group.bench_function("tokio_join_set", |bencher| {
        bencher.iter_custom(|rounds| {
            runtime.block_on(async {
                let start = Instant::now();
                let mut tasks = tokio::task::JoinSet::new();
                for _ in 0..rounds {
                    tasks.spawn(async {});
                }
                while tasks.join_next().await.is_some() {}
                start.elapsed()
            })
        });
    });
}

criterion_group!(
    benches,
    mutex,
    mutex_held_across_a_yield,
    mutex_threads,
    rwlock,
    semaphore,
    semaphore_held,
    wait_group
);
criterion_main!(benches);
