//! The public surface, name by name: what a program may rely on compiles here and does what it says.
#![cfg(not(loom))]

use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use pirn_sync::atomic::{AtomicCell, AtomicU64, Counter, Ordering};
use pirn_sync::block::wait;
use pirn_sync::{
    AcquireError, Barrier, BarrierWaitResult, Cond, MappedMutexGuard, MappedRwLockReadGuard,
    MappedRwLockWriteGuard, Mutex, MutexGuard, Notify, Once, OnceCell, OwnedMutexGuard, OwnedRwLockReadGuard,
    OwnedRwLockUpgradableReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, Pool, PoolGuard, RwLock,
    RwLockReadGuard, RwLockUpgradableReadGuard, RwLockWriteGuard, Semaphore, SemaphorePermit, SetError,
    SingleFlight, TryAcquireError, WaitGroup, WaitGuard,
};

static MUTEX: Mutex<u8> = Mutex::new(0);
static COND: Cond = Cond::new();
static LOCK: RwLock<u8> = RwLock::new(0);
static SEMAPHORE: Semaphore = Semaphore::new(3);
static NOTIFY: Notify = Notify::new();
static ONCE: Once = Once::new();
static CELL: OnceCell<u8> = OnceCell::new();
static BARRIER: Barrier = Barrier::new(0);
static COUNTER: Counter = Counter::new();

#[test]
fn a_mutex_in_all_ways() {
    wait(async {
        let guard: MutexGuard<'_, u8> = MUTEX.lock().await;
        assert!(MUTEX.try_lock().is_none());
        drop(guard);
        drop(MUTEX.lock_blocking());
        let mut mutex = Arc::new(Mutex::new((1, 2)));
        let owned: OwnedMutexGuard<(i32, i32)> = Arc::clone(&mutex).lock_owned().await;
        assert!(Arc::clone(&mutex).try_lock_owned().is_none());
        drop(owned);
        let mapped: MappedMutexGuard<'_, i32> = MutexGuard::map(mutex.lock().await, |pair| &mut pair.1);
        assert_eq!(*mapped, 2);
        drop(mapped);
        Arc::get_mut(&mut mutex).unwrap().get_mut().0 = 3;
        assert_eq!(Arc::into_inner(mutex).unwrap().into_inner(), (3, 2));
    });
}

#[test]
fn a_rwlock_in_all_ways() {
    wait(async {
        let read: RwLockReadGuard<'_, u8> = LOCK.read().await;
        assert!(LOCK.try_write().is_none());
        drop((read, LOCK.try_read().unwrap(), LOCK.read_blocking()));
        let write: RwLockWriteGuard<'_, u8> = LOCK.write().await;
        drop(RwLockWriteGuard::downgrade(write));
        let part: MappedRwLockReadGuard<'_, u8> = RwLockReadGuard::map(LOCK.read().await, |value| value);
        drop(part);
        let part: MappedRwLockWriteGuard<'_, u8> = RwLockWriteGuard::map(LOCK.write().await, |value| value);
        drop(part);
        drop(LOCK.write_blocking());
        drop(LOCK.try_write().unwrap());
        let upgradable: RwLockUpgradableReadGuard<'_, u8> = LOCK.upgradable_read().await;
        assert!(LOCK.try_upgradable_read().is_none());
        drop(RwLockUpgradableReadGuard::upgrade(upgradable).await);
        drop(RwLockUpgradableReadGuard::try_upgrade(LOCK.upgradable_read_blocking()).unwrap());
        drop(RwLockUpgradableReadGuard::downgrade(LOCK.try_upgradable_read().unwrap()));
    });
}

#[test]
fn a_rwlock_owned_in_all_ways() {
    wait(async {
        let mut lock = Arc::new(RwLock::new(1));
        let read: OwnedRwLockReadGuard<i32> = Arc::clone(&lock).read_owned().await;
        drop((read, Arc::clone(&lock).try_read_owned().unwrap()));
        let write: OwnedRwLockWriteGuard<i32> = Arc::clone(&lock).write_owned().await;
        drop(OwnedRwLockWriteGuard::downgrade(write));
        drop(Arc::clone(&lock).try_write_owned().unwrap());
        let upgradable: OwnedRwLockUpgradableReadGuard<i32> = Arc::clone(&lock).upgradable_read_owned().await;
        assert!(Arc::clone(&lock).try_upgradable_read_owned().is_none());
        drop(OwnedRwLockUpgradableReadGuard::upgrade(upgradable).await);
        drop(Arc::clone(&lock).try_upgradable_read_owned().unwrap());
        *Arc::get_mut(&mut lock).unwrap().get_mut() += 1;
        assert_eq!(Arc::into_inner(lock).unwrap().into_inner(), 2);
    });
}

#[test]
fn a_cond_in_all_ways() {
    wait(async {
        let mut guard = MUTEX.lock().await;
        *guard = 1;
        let guard = COND.wait_while(guard, |value: &mut u8| *value == 0).await;
        let guard: MutexGuard<'static, u8> = COND.wait_while_blocking(guard, |value| *value == 0);
        COND.notify_one();
        COND.notify_all();
        drop(COND.wait(guard));
        assert!(MUTEX.try_lock().is_some(), "a dropped wait leaves the mutex free");
        let _blocking: fn(&Cond, MutexGuard<'static, u8>) -> MutexGuard<'static, u8> = Cond::wait_blocking;
    });
}

#[test]
fn a_semaphore_in_all_ways() {
    wait(async {
        let permit: Result<SemaphorePermit<'_>, AcquireError> = SEMAPHORE.acquire().await;
        drop((permit, SEMAPHORE.acquire_many(2).await));
        drop((SEMAPHORE.acquire_blocking(), SEMAPHORE.acquire_many_blocking(2)));
        drop((SEMAPHORE.try_acquire(), SEMAPHORE.try_acquire_many(2)));
        SEMAPHORE.try_acquire().unwrap().forget();
        SEMAPHORE.add_permits(1);
        assert_eq!((SEMAPHORE.available_permits(), SEMAPHORE.forget(1)), (3, 1));
        let owned = Arc::new(Semaphore::new(2));
        let permit: OwnedSemaphorePermit = Arc::clone(&owned).acquire_owned().await.unwrap();
        drop((permit, Arc::clone(&owned).acquire_many_owned(1).await));
        drop((Arc::clone(&owned).try_acquire_owned(), Arc::clone(&owned).try_acquire_many_owned(2)));
        let all = owned.try_acquire_many(2).unwrap();
        assert_eq!(owned.try_acquire().unwrap_err(), TryAcquireError::NoPermits);
        owned.close();
        assert_eq!((owned.is_closed(), all.permits()), (true, 2));
        assert_eq!(owned.try_acquire().unwrap_err(), TryAcquireError::Closed);
    });
}

#[test]
fn what_waits_for_an_event_in_all_ways() {
    wait(async {
        let group: WaitGroup = WaitGroup::new();
        group.add(1);
        let guard: WaitGuard = group.clone().guard();
        assert_eq!(group.count(), 2);
        group.done();
        drop(guard);
        group.wait().await;
        group.wait_blocking();
        let result: BarrierWaitResult = BARRIER.wait().await;
        assert!(result.is_leader() && BARRIER.wait_blocking().is_leader());
        NOTIFY.notify_one();
        NOTIFY.notified().await;
        let mut notified = NOTIFY.notified();
        assert!(!notified.enable());
        NOTIFY.notify_waiters();
        notified.await;
        NOTIFY.notify_one();
        NOTIFY.notified_blocking();
    });
}

#[test]
fn what_is_made_once_in_all_ways() {
    wait(async {
        ONCE.call_once(|| async {}).await;
        ONCE.call_once_blocking(|| unreachable!());
        assert!(ONCE.is_completed());
        assert_eq!(CELL.get_or_try_init(|| async { Err("not now") }).await, Err("not now"));
        assert_eq!(CELL.get_or_try_init_blocking(|| Err("not now")), Err("not now"));
        assert_eq!(CELL.get_or_init(|| async { 1 }).await, &1);
        assert_eq!((CELL.get_or_init_blocking(|| 2), CELL.get()), (&1, Some(&1)));
        assert_eq!(CELL.set(2), Err(SetError::AlreadySet(2)));
        let flights: SingleFlight<&str, u8> = SingleFlight::new();
        assert_eq!(flights.run("key", || async { 1 }).await, 1);
    });
}

#[test]
fn what_never_waits_in_all_ways() {
    let pool: Pool<Vec<u8>> = Pool::new(Vec::new);
    let guard: PoolGuard<'_, Vec<u8>> = pool.get();
    drop(guard);
    COUNTER.add(-2);
    assert_eq!(COUNTER.get(), -2);
    let (cell, number) = (AtomicCell::new(1), AtomicU64::new(1));
    cell.store(2);
    number.fetch_add(1, Ordering::Relaxed);
    assert_eq!((cell.load(), number.into_inner()), (2, 2));
}

#[test]
fn what_holds_no_value_of_the_users_goes_across_panics() {
    fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + std::fmt::Debug>() {}
    check::<(Cond, Notify, Barrier, Once, OnceCell<u8>)>();
    check::<(Semaphore, SemaphorePermit<'_>, OwnedSemaphorePermit)>();
    check::<(WaitGroup, WaitGuard)>();
    let group = WaitGroup::new();
    let panicked = std::panic::catch_unwind(|| {
        let _guard = group.guard();
        panic!("the task's own fault");
    });
    assert!(panicked.is_err());
    group.wait_blocking();
}

#[test]
fn errors_say_what_happened_and_what_to_do() {
    let closed = Semaphore::new(0);
    closed.close();
    let set = OnceCell::from(1);
    let cases = [
        (
            closed.acquire_blocking().unwrap_err().to_string(),
            "the semaphore is closed: stop the work that it guards",
        ),
        (
            closed.try_acquire().unwrap_err().to_string(),
            "the semaphore is closed: stop the work that it guards",
        ),
        (
            TryAcquireError::NoPermits.to_string(),
            "too few permits are free: try again later, or wait with `acquire`",
        ),
        (set.set(2).unwrap_err().to_string(), "the cell has a value already: read it with `get`"),
        (
            SetError::Initializing(1).to_string(),
            "the cell is being initialised: wait for its value with `get_or_init`",
        ),
    ];
    for (said, expected) in cases {
        assert_eq!(said, expected);
    }
}

#[test]
fn guards_show_the_value_and_primitives_their_state() {
    let (mutex, lock) = (Arc::new(Mutex::new(7)), RwLock::new(8));
    let guard = mutex.try_lock().unwrap();
    assert_eq!(format!("{guard:?} {guard}"), "7 7");
    assert_eq!(format!("{:?}", MutexGuard::map(guard, |value| value)), "7");
    assert_eq!(format!("{:?}", Arc::clone(&mutex).try_lock_owned().unwrap()), "7");
    assert_eq!(format!("{:?} {:?}", lock.try_read().unwrap(), lock.try_upgradable_read().unwrap()), "8 8");
    assert_eq!(format!("{:?}", lock.try_write().unwrap()), "8");
    let (semaphore, group, once) = (Semaphore::new(2), WaitGroup::new(), Once::new());
    let permit = semaphore.try_acquire().unwrap();
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available: 1, closed: false }");
    assert_eq!(format!("{permit:?}"), "SemaphorePermit { permits: 1, .. }");
    semaphore.close();
    assert_eq!(format!("{semaphore:?}"), "Semaphore { available: 1, closed: true }");
    group.add(3);
    assert_eq!(format!("{group:?} {once:?}"), "WaitGroup { count: 3 } Once { completed: false }");
}
