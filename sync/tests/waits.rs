//! What an executor is told as a leaf begins to wait: what it waits on, and the line of the user's that began it.
#![cfg(not(loom))]

use std::future::{Future, pending};
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use pirn_sync::host::{WaitKind, take_wait};
use pirn_sync::{
    Barrier, Cond, Mutex, Notify, Once, OnceCell, RwLock, RwLockUpgradableReadGuard, Semaphore, SingleFlight,
    WaitGroup,
};

/// `future` has to wait, and says that it does so as `kind`, since line `line` of this file.
#[track_caller]
fn says(future: impl Future, (kind, line): (WaitKind, u32)) {
    assert!(pin!(future).poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let wait = take_wait().expect("it has said that it waits");
    assert_eq!((wait.kind, wait.at.file(), wait.at.line()), (kind, file!(), line));
}

#[track_caller]
fn here() -> u32 {
    Location::caller().line()
}

#[test]
fn locks_say_what_is_waited_on_and_where() {
    let mutex = Arc::new(Mutex::new(()));
    let _guard = mutex.try_lock().unwrap();
    says(mutex.lock(), (WaitKind::Mutex, here()));
    says(Arc::clone(&mutex).lock_owned(), (WaitKind::Mutex, here()));

    let lock = Arc::new(RwLock::new(()));
    let reader = lock.try_read().unwrap();
    says(lock.write(), (WaitKind::RwLockWrite, here()));
    says(Arc::clone(&lock).write_owned(), (WaitKind::RwLockWrite, here()));
    let upgradable = lock.try_upgradable_read().unwrap();
    says(lock.upgradable_read(), (WaitKind::RwLockRead, here()));
    says(Arc::clone(&lock).upgradable_read_owned(), (WaitKind::RwLockRead, here()));
    says(RwLockUpgradableReadGuard::upgrade(upgradable), (WaitKind::RwLockWrite, here()));
    drop(reader);
    let _writer = lock.try_write().unwrap();
    says(lock.read(), (WaitKind::RwLockRead, here()));
    says(Arc::clone(&lock).read_owned(), (WaitKind::RwLockRead, here()));

    let semaphore = Arc::new(Semaphore::new(0));
    says(semaphore.acquire(), (WaitKind::Semaphore, here()));
    says(semaphore.acquire_many(2), (WaitKind::Semaphore, here()));
    says(Arc::clone(&semaphore).acquire_owned(), (WaitKind::Semaphore, here()));
    says(Arc::clone(&semaphore).acquire_many_owned(2), (WaitKind::Semaphore, here()));
}

#[test]
fn who_waits_to_be_told_says_of_what_and_where() {
    says(Notify::new().notified(), (WaitKind::Notify, here()));
    says(Barrier::new(2).wait(), (WaitKind::Barrier, here()));
    let group = WaitGroup::new();
    group.add(1);
    says(group.wait(), (WaitKind::WaitGroup, here()));

    let (mutex, cond) = (Mutex::new(()), Cond::new());
    says(cond.wait(mutex.try_lock().unwrap()), (WaitKind::Cond, here()));
    says(cond.wait_while(mutex.try_lock().unwrap(), |()| true), (WaitKind::Cond, here()));
    let (told, line) = (cond.wait(mutex.try_lock().unwrap()), here());
    let mut told = pin!(told);
    says(told.as_mut(), (WaitKind::Cond, line));
    cond.notify_one();
    let _guard = mutex.try_lock().unwrap();
    says(told, (WaitKind::Mutex, line));
}

#[test]
fn who_waits_for_an_initialisation_says_so_and_where() {
    let (once, cell, flights) = (Once::new(), OnceCell::<u8>::new(), SingleFlight::<_, u8>::new());
    let poll = |future: std::pin::Pin<&mut dyn Future<Output = ()>>| {
        assert!(future.poll(&mut Context::from_waker(Waker::noop())).is_pending());
    };
    let mut makers = pin!(async {
        let cell = async { _ = cell.get_or_init(pending).await };
        let flight = async { _ = flights.run(1, pending).await };
        let (mut once, mut cell, mut flight) =
            (pin!(once.call_once(pending::<()>)), pin!(cell), pin!(flight));
        std::future::poll_fn(|cx| {
            assert!(once.as_mut().poll(cx).is_pending() && cell.as_mut().poll(cx).is_pending());
            flight.as_mut().poll(cx)
        })
        .await;
    });
    poll(makers.as_mut());
    take_wait();
    says(once.call_once(pending::<()>), (WaitKind::Once, here()));
    says(cell.get_or_init(pending), (WaitKind::Once, here()));
    says(cell.get_or_try_init(pending::<Result<u8, ()>>), (WaitKind::Once, here()));
    says(flights.run(1, pending), (WaitKind::Once, here()));
}
