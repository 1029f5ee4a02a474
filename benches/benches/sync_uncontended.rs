//! What a primitive costs when nobody else wants it: the price of every lock that is taken "just in case".
//!
//! Each row runs in a future on the calling thread, without a scheduler, so that it measures the primitive
//! and nothing else. std's and parking_lot's locks stand beside the async ones as the floor.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use pirn::sync;
use smol::lock as async_lock;

/// Times `$each` in a loop inside one future.
macro_rules! row {
    ($group:expr, $name:expr, $each:expr) => {
        $group.bench_function($name, |bencher| {
            bencher.iter_custom(|rounds| {
                smol::future::block_on(async {
                    let start = Instant::now();
                    for _ in 0..rounds {
                        black_box($each);
                    }
                    start.elapsed()
                })
            });
        });
    };
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("sync_uncontended/{name}"));
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20);
    group
}

fn mutex(criterion: &mut Criterion) {
    let mut group = group(criterion, "mutex");
    let lock = sync::Mutex::new(0_u64);
    row!(group, "pirn", *lock.lock().await += 1);
    row!(group, "pirn_blocking", *lock.lock_blocking() += 1);
    let lock = tokio::sync::Mutex::new(0_u64);
    row!(group, "tokio", *lock.lock().await += 1);
    let lock = async_lock::Mutex::new(0_u64);
    row!(group, "async_lock", *lock.lock().await += 1);
    let lock = parking_lot::Mutex::new(0_u64);
    row!(group, "parking_lot", *lock.lock() += 1);
    let lock = std::sync::Mutex::new(0_u64);
    row!(group, "std", *lock.lock().unwrap() += 1);
}

fn rwlock_read(criterion: &mut Criterion) {
    let mut group = group(criterion, "rwlock_read");
    let lock = sync::RwLock::new(0_u64);
    row!(group, "pirn", *lock.read().await);
    let lock = tokio::sync::RwLock::new(0_u64);
    row!(group, "tokio", *lock.read().await);
    let lock = async_lock::RwLock::new(0_u64);
    row!(group, "async_lock", *lock.read().await);
    let lock = parking_lot::RwLock::new(0_u64);
    row!(group, "parking_lot", *lock.read());
    let lock = std::sync::RwLock::new(0_u64);
    row!(group, "std", *lock.read().unwrap());
}

fn rwlock_write(criterion: &mut Criterion) {
    let mut group = group(criterion, "rwlock_write");
    let lock = sync::RwLock::new(0_u64);
    row!(group, "pirn", *lock.write().await += 1);
    let lock = tokio::sync::RwLock::new(0_u64);
    row!(group, "tokio", *lock.write().await += 1);
    let lock = async_lock::RwLock::new(0_u64);
    row!(group, "async_lock", *lock.write().await += 1);
    let lock = parking_lot::RwLock::new(0_u64);
    row!(group, "parking_lot", *lock.write() += 1);
}

fn semaphore(criterion: &mut Criterion) {
    let mut group = group(criterion, "semaphore");
    let semaphore = sync::Semaphore::new(4);
    row!(group, "pirn", drop(semaphore.acquire().await));
    let semaphore = tokio::sync::Semaphore::new(4);
    row!(group, "tokio", drop(semaphore.acquire().await));
    let semaphore = async_lock::Semaphore::new(4);
    row!(group, "async_lock", drop(semaphore.acquire().await));
}

fn notify(criterion: &mut Criterion) {
    let mut group = group(criterion, "notify_stored");
    let notify = sync::Notify::new();
    row!(group, "pirn", {
        notify.notify_one();
        notify.notified().await
    });
    let notify = tokio::sync::Notify::new();
    row!(group, "tokio", {
        notify.notify_one();
        notify.notified().await
    });
}

fn once_cell(criterion: &mut Criterion) {
    let mut group = group(criterion, "once_cell_made");
    let cell = sync::OnceCell::from(1);
    row!(group, "pirn", cell.get_or_init(|| async { 1 }).await);
    let cell = tokio::sync::OnceCell::from(1);
    row!(group, "tokio", cell.get_or_init(|| async { 1 }).await);
    let cell = async_lock::OnceCell::from(1);
    row!(group, "async_lock", cell.get_or_init(|| async { 1 }).await);
}

criterion_group!(benches, mutex, rwlock_read, rwlock_write, semaphore, notify, once_cell);
criterion_main!(benches);
