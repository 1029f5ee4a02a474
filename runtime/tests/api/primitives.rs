//! *Primitives*: `pirn::sync`.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use pirn::go;
use pirn::sync::atomic::{AtomicCell, AtomicU64, Counter};
use pirn::sync::{
    AcquireError, Barrier, BarrierWaitResult, Cond, Lock, Mutex, MutexGuard, Notify, Once, OnceCell,
    OwnedMutexGuard, Pool, RwLock, RwLockReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit,
    SingleFlight, TryAcquireError, WaitGroup, WaitGuard,
};

use crate::{error, owned, panic_of, poll, send, send_sync};

static NUMBER: Mutex<u64> = Mutex::new(7);
static CHANGED: Cond = Cond::new();

#[test]
fn the_types_are_as_free_as_their_content() {
    send_sync::<Mutex<Cell<u8>>>();
    send_sync::<RwLock<u8>>();
    send_sync::<Cond>();
    send_sync::<WaitGroup>();
    send_sync::<WaitGuard>();
    owned::<WaitGuard>();
    send_sync::<Once>();
    send_sync::<OnceCell<u8>>();
    send_sync::<Semaphore>();
    send_sync::<Barrier>();
    send_sync::<Notify>();
    send_sync::<SingleFlight<u8, u8>>();
    send_sync::<Pool<u8>>();
    send_sync::<Counter>();
    // Guards cross an `.await`.
    send::<MutexGuard<'static, Cell<u8>>>();
    send_sync::<MutexGuard<'static, u8>>();
    send_sync::<RwLockReadGuard<'static, u8>>();
    send_sync::<RwLockWriteGuard<'static, u8>>();
    send_sync::<Lock<'static, u8>>();
    send_sync::<pirn::sync::LockOwned<u8>>();
    send_sync::<OwnedMutexGuard<u8>>();
    send_sync::<pirn::sync::MappedMutexGuard<'static, u8>>();
    send_sync::<pirn::sync::MappedRwLockReadGuard<'static, u8>>();
    send_sync::<pirn::sync::MappedRwLockWriteGuard<'static, u8>>();
    send_sync::<pirn::sync::OwnedRwLockReadGuard<u8>>();
    send_sync::<pirn::sync::OwnedRwLockWriteGuard<u8>>();
    send_sync::<pirn::sync::Read<&'static RwLock<u8>>>();
    send_sync::<pirn::sync::Write<&'static RwLock<u8>>>();
    send_sync::<pirn::sync::CondWait<'static, 'static, u8>>();
    send_sync::<pirn::sync::WaitGroupWait<'static>>();
    send_sync::<pirn::sync::BarrierWait<'static>>();
    send_sync::<pirn::sync::Notified<'static>>();
    send_sync::<pirn::sync::Acquire<'static>>();
    send_sync::<SemaphorePermit<'static>>();
    send_sync::<pirn::sync::OwnedSemaphorePermit>();
    send_sync::<pirn::sync::PoolGuard<'static, u8>>();
    error::<TryAcquireError>();
    error::<AcquireError>();
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_mutex_is_locked_in_every_way() {
    let locking: Lock<'_, u64> = NUMBER.lock();
    let guard: MutexGuard<'_, u64> = locking.await;
    assert!(NUMBER.try_lock().is_none());
    drop(guard);
    assert_eq!(NUMBER.try_lock().map(|n| *n), Some(7));
    assert_eq!(*NUMBER.lock_blocking(), 7);

    let mut mutex = Mutex::new(1);
    *mutex.get_mut() += 1;
    let mutex = Arc::new(mutex);
    let mut guard: OwnedMutexGuard<u64> = Arc::clone(&mutex).lock_owned().await;
    *guard += 1;
    let task = pirn::spawn(async move { drop(guard) });
    task.await.unwrap();
    assert_eq!(Arc::into_inner(mutex).unwrap().into_inner(), 3);

    let pair = Mutex::new((1, 2));
    *MutexGuard::map(pair.lock().await, |pair| &mut pair.1) += 1;
    assert_eq!(pair.into_inner(), (1, 3));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_panic_does_not_poison() {
    let mutex = Arc::new(Mutex::new(0));
    let inside = Arc::clone(&mutex);
    let task = pirn::spawn(async move {
        let _guard = inside.lock().await;
        panic!("with the lock held");
    });
    assert!(task.await.is_err());
    assert_eq!(*mutex.lock().await, 0);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_read_write_lock_is_locked_in_every_way() {
    let lock = Arc::new(RwLock::new(1));
    {
        let one: RwLockReadGuard<'_, i32> = lock.read().await;
        let two = lock.try_read().unwrap();
        assert_eq!(*one + *two, 2);
        assert!(lock.try_write().is_none());
    }
    let mut write: RwLockWriteGuard<'_, i32> = lock.write().await;
    *write = 2;
    assert!(lock.try_read().is_none());
    let read: RwLockReadGuard<'_, i32> = RwLockWriteGuard::downgrade(write);
    assert_eq!((*read, lock.try_read().map(|n| *n)), (2, Some(2)));
    drop(read);
    {
        let upgradable = lock.upgradable_read().await;
        assert_eq!((*upgradable, lock.try_read().map(|n| *n)), (2, Some(2)));
    }
    assert_eq!(*lock.read_blocking(), 2);
    *lock.write_blocking() = 3;
    assert_eq!(*Arc::clone(&lock).read_owned().await, 3);
    *Arc::clone(&lock).write_owned().await = 4;
    let owned = Arc::clone(&lock).upgradable_read_owned().await;
    assert_eq!(*owned, 4);
    drop(owned);
    assert_eq!(Arc::into_inner(lock).unwrap().into_inner(), 4);
}

#[test]
fn a_waiting_writer_holds_back_new_readers() {
    let lock = RwLock::new(());
    let reading = lock.try_read().unwrap();
    let mut writing = lock.write();
    assert!(poll(&mut writing).is_pending());
    assert!(lock.try_read().is_none());
    drop(reading);
    assert!(poll(&mut writing).is_ready());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_cond_waits_while_the_condition_is_true() {
    let shared = Arc::new((Mutex::new(0), Cond::new()));
    let other = Arc::clone(&shared);
    go!({
        *other.0.lock().await = 1;
        other.1.notify_all();
    });
    let guard: MutexGuard<'_, i32> = shared.1.wait_while(shared.0.lock().await, |n: &mut i32| *n == 0).await;
    assert_eq!(*guard, 1);
    drop(guard);
    CHANGED.notify_one();
    CHANGED.notify_all();
}

#[test]
fn a_dropped_wait_passes_its_signal_on_and_leaves_the_mutex_free() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let mut first = Box::pin(cond.wait(mutex.try_lock().unwrap()));
    assert!(poll(&mut first).is_pending());
    let mut second = Box::pin(cond.wait(mutex.try_lock().expect("the first poll unlocked it")));
    assert!(poll(&mut second).is_pending());
    cond.notify_one();
    drop(first);
    let guard = match poll(&mut second) {
        Poll::Ready(guard) => guard,
        Poll::Pending => panic!("the signal was not passed on"),
    };
    drop(guard);
    assert!(mutex.try_lock().is_some());
}

#[test]
fn a_cond_s_blocking_twins_wait_too() {
    let (mutex, cond) = (Mutex::new(0), Cond::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            *mutex.lock_blocking() = 1;
            cond.notify_one();
        });
        let guard = cond.wait_while_blocking(mutex.lock_blocking(), |n| *n == 0);
        assert_eq!(*guard, 1);
    });
    std::thread::scope(|scope| {
        let mut guard = mutex.lock_blocking();
        scope.spawn(|| {
            *mutex.lock_blocking() = 2;
            cond.notify_one();
        });
        while *guard == 1 {
            guard = cond.wait_blocking(guard);
        }
    });
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_wait_group_counts_to_zero() {
    let group: WaitGroup = WaitGroup::new();
    group.wait().await;
    group.add(2);
    let other = group.clone();
    go!({
        other.done();
        other.done();
    });
    group.wait().await;
    let guard: WaitGuard = group.guard();
    assert_eq!(group.count(), 1);
    go!({ drop(guard) });
    group.wait_blocking();
    assert_eq!(group.count(), 0);
    panic_of(|| group.done());
}

#[test]
fn waiters_released_at_zero_stay_released() {
    let group = WaitGroup::new();
    let guard = group.guard();
    let mut waiting = group.wait();
    assert!(poll(&mut waiting).is_pending());
    drop(guard);
    group.add(1);
    assert!(poll(&mut waiting).is_ready());
    group.done();
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn once_is_once_and_a_panic_counts_as_done() {
    let once = Once::new();
    assert!(!once.is_completed());
    let runs = AtomicUsize::new(0);
    let run = || assert_eq!(runs.fetch_add(1, Ordering::Relaxed), 0, "it ran twice");
    once.call_once(|| async { run() }).await;
    once.call_once(|| async { run() }).await;
    once.call_once_blocking(run);
    assert!(once.is_completed() && runs.load(Ordering::Relaxed) == 1);

    let once = Once::new();
    panic_of(|| once.call_once_blocking(|| panic!("half-way")));
    assert!(once.is_completed());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_once_cell_is_initialised_by_the_first_that_can() {
    let cell: OnceCell<u8> = OnceCell::new();
    assert_eq!(cell.get(), None);
    let failed: Result<&u8, &str> = cell.get_or_try_init(|| async { Err("not yet") }).await;
    assert_eq!(failed, Err("not yet"));
    panic_of(|| cell.get_or_init_blocking(|| panic!("nor now")));
    {
        let mut cancelled = Box::pin(cell.get_or_init(std::future::pending));
        assert!(poll(&mut cancelled).is_pending());
        assert_eq!(cell.set(1).unwrap_err().into_inner(), 1, "`set` during an initialisation errs");
    }
    let value: &u8 = cell.get_or_init(|| async { 7 }).await;
    assert_eq!((*value, cell.get()), (7, Some(&7)));
    assert_eq!(cell.get_or_try_init_blocking(|| Err(())), Ok(&7));
    assert!(cell.set(8).is_err());
    let other = OnceCell::new();
    other.set(1).unwrap();
    assert_eq!(other.get(), Some(&1));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_semaphore_gives_permits_in_every_way() {
    let semaphore = Arc::new(Semaphore::new(2));
    let one: Result<SemaphorePermit<'_>, AcquireError> = semaphore.acquire().await;
    let one = one.unwrap();
    assert_eq!(semaphore.available_permits(), 1);
    let two = Arc::clone(&semaphore).acquire_owned().await.unwrap();
    let none: Result<SemaphorePermit<'_>, TryAcquireError> = semaphore.try_acquire();
    assert_eq!(none.err(), Some(TryAcquireError::NoPermits));
    drop((one, two));
    drop(semaphore.acquire_many(2).await.unwrap());
    drop(semaphore.acquire_blocking().unwrap());
    drop(semaphore.acquire_many_blocking(2).unwrap());
    semaphore.add_permits(1);
    semaphore.forget(2);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_semaphore_is_a_queue() {
    let semaphore = Semaphore::new(1);
    let mut big = semaphore.acquire_many(2);
    assert!(poll(&mut big).is_pending(), "more than the total waits");
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::NoPermits), "none passes the queue");
    semaphore.add_permits(1);
    assert!(matches!(poll(&mut big), Poll::Ready(Ok(_))));
}

#[test]
fn a_closed_semaphore_wakes_all_and_revokes_nothing() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire().unwrap();
    let mut waiting = semaphore.acquire();
    assert!(poll(&mut waiting).is_pending());
    semaphore.close();
    assert!(matches!(poll(&mut waiting), Poll::Ready(Err(AcquireError { .. }))));
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::Closed));
    drop(held);
}

#[test]
fn too_many_permits_panic() {
    let semaphore = Semaphore::new(1);
    panic_of(|| semaphore.add_permits(usize::MAX));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_barrier_has_one_leader() {
    let barrier = Arc::new(Barrier::new(2));
    let other = Arc::clone(&barrier);
    let task = pirn::spawn(async move { other.wait().await.is_leader() });
    let here: BarrierWaitResult = barrier.wait().await;
    assert_ne!(here.is_leader(), task.await.unwrap());
    assert!(Barrier::new(0).wait().await.is_leader(), "0 acts as 1");
    assert!(Barrier::new(1).wait_blocking().is_leader());
}

#[test]
fn a_dropped_wait_takes_its_arrival_back() {
    let barrier = Barrier::new(2);
    let mut first = barrier.wait();
    assert!(poll(&mut first).is_pending());
    drop(first);
    assert!(poll(&mut barrier.wait()).is_pending());
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_notify_stores_one_permit() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_one();
    notify.notified().await;
    let mut first = Box::pin(notify.notified());
    let mut second = Box::pin(notify.notified());
    assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
    notify.notify_one();
    drop(first);
    assert!(poll(&mut second).is_ready(), "a dropped waiter passes on a `notify_one`");
    let mut third = Box::pin(notify.notified());
    third.enable();
    notify.notify_waiters();
    assert!(poll(&mut third).is_ready());
    assert!(poll(&mut Box::pin(notify.notified())).is_pending(), "`notify_waiters` stores nothing");
    notify.notify_one();
    notify.notified_blocking();
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn single_flight_shares_one_answer() {
    let flights: Arc<SingleFlight<&str, u8>> = Arc::new(SingleFlight::new());
    let (tx, rx) = pirn::channel::oneshot::channel::<u8>();
    let mut leader = Box::pin(flights.run("key", || async move { rx.await.unwrap() }));
    assert!(poll(&mut leader).is_pending());
    let mut follower = Box::pin(flights.run("key", || async { unreachable!("somebody is about it") }));
    assert!(poll(&mut follower).is_pending());
    tx.send(7).unwrap();
    assert_eq!((leader.await, follower.await), (7, 7));
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_leader_that_panics_hands_over() {
    let flights: Arc<SingleFlight<u8, u8>> = Arc::new(SingleFlight::new());
    let (tx, rx) = pirn::channel::oneshot::channel::<u8>();
    let group = Arc::clone(&flights);
    let mut leader =
        Box::pin(async move { group.run(1, || async { rx.await.expect("no value came") }).await });
    assert!(poll(&mut leader).is_pending());
    let mut follower = Box::pin(flights.run(1, || async { 7 }));
    assert!(poll(&mut follower).is_pending());
    drop(tx);
    assert!(pirn::spawn(leader).await.unwrap_err().is_panic());
    assert_eq!(follower.await, 7);
}

#[pirn::test(procs = 2, timeout = "10s")]
async fn a_leader_that_is_dropped_hands_over() {
    let flights: SingleFlight<u8, u8> = SingleFlight::new();
    let mut leader = Box::pin(flights.run(1, std::future::pending));
    let mut follower = Box::pin(flights.run(1, || async { 7 }));
    assert!(poll(&mut leader).is_pending() && poll(&mut follower).is_pending());
    drop(leader);
    let value: u8 = follower.await;
    assert_eq!(value, 7);
}

#[test]
fn a_pool_gives_its_values_out_again() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let pool: Pool<Vec<u8>> = Pool::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
        Vec::new()
    });
    pool.get().push(1);
    assert_eq!((pool.get().len(), made.load(Ordering::Relaxed)), (1, 1));
}

#[test]
fn the_atomics_are_std_s_and_more() {
    static HITS: Counter = Counter::new();
    HITS.add(3);
    HITS.add(-1);
    let sum: i64 = HITS.get();
    assert_eq!(sum, 2);
    let cell = AtomicCell::new((1_u8, 2_u8));
    assert_eq!(cell.swap((3, 4)), (1, 2));
    let std: std::sync::atomic::AtomicU64 = AtomicU64::new(1);
    assert_eq!(std.load(pirn::sync::atomic::Ordering::Relaxed), 1);
}
