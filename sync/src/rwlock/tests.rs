//! The rules of the read-write lock: who reads beside whom, who goes first, and what a dropped wait gives back.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::testing::{Task, Touch, begins_to_wait, panics_at, touchy, within_limit};
use crate::{clock, patience};

const LONG: Duration = Duration::from_millis(5);

#[test]
fn r20_readers_share_and_writers_do_not() {
    let lock = RwLock::new(1);
    let readers = [lock.try_read().unwrap(), lock.try_read().unwrap()];
    assert!(lock.try_write().is_none());
    drop(readers);
    let writer = lock.try_write().unwrap();
    assert!(lock.try_read().is_none());
    assert!(lock.try_write().is_none());
    drop(writer);
    assert_eq!(lock.into_inner(), 1);
}

#[test]
fn r20_a_waiting_writer_holds_back_new_readers() {
    let lock = RwLock::new(());
    let reader = lock.try_read().unwrap();
    let mut writer = Task::waiting(lock.write());
    assert!(lock.try_read().is_none());
    let mut late = Task::waiting(lock.read());
    std::thread::sleep(LONG);
    assert!(late.run().is_none());
    drop(reader);
    let writing = writer.run().expect("the writer's turn");
    assert!(late.run().is_none());
    drop(writing);
    assert!(late.run().is_some());
}

#[test]
fn r20_readers_are_not_starved_by_writers() {
    let lock = RwLock::new(());
    let first = lock.try_write().unwrap();
    let mut readers = [(); 3].map(|()| Task::waiting(lock.read()));
    let mut second = Task::waiting(lock.write());
    drop(first);
    assert!(lock.try_write().is_none());
    let reading = readers.each_mut().map(|reader| reader.run().expect("all readers together"));
    assert!(second.run().is_none());
    drop(reading);
    assert!(second.run().is_some());
}

#[test]
fn a_writer_goes_past_readers_on_their_way_until_they_have_waited_for_long() {
    let lock = RwLock::new(());
    let first = lock.try_write().unwrap();
    let mut readers = [(); 3].map(|()| Task::waiting(lock.read()));
    drop(first);
    let second = Task::new(lock.write()).poll().expect("nobody reads yet");
    assert!(readers.iter_mut().all(|reader| reader.poll().is_none()));
    std::thread::sleep(LONG);
    let released = clock::now();
    drop(second);
    let third = Task::new(lock.write()).poll();
    assert!(third.is_none() || patience::has_lapsed(released, clock::now()), "their turn");
    drop(third);
    assert!(readers.iter_mut().all(|reader| reader.run().is_some()));
}

#[test]
fn a_cancelled_writer_lets_the_readers_behind_it_proceed() {
    let lock = RwLock::new(());
    let _reader = lock.try_read().unwrap();
    let writer = Task::waiting(lock.write());
    let mut readers = [(); 2].map(|()| Task::waiting(lock.read()));
    drop(writer);
    assert!(readers.iter_mut().all(|reader| reader.wakes() == 1 && reader.run().is_some()));
}

#[test]
fn a_waiter_that_was_polled_once_and_then_ignored_does_not_stop_a_second_one_in_the_same_task() {
    within_limit(|| {
        for held in [Duration::ZERO, LONG] {
            let lock = RwLock::new(());
            let guard = lock.try_write().unwrap();
            block::wait(async {
                let mut ignored = pin!(lock.write());
                begins_to_wait(ignored.as_mut()).await;
                let mut second = pin!(lock.read());
                begins_to_wait(second.as_mut()).await;
                std::thread::sleep(held);
                drop(guard);
                drop(second.await);
                drop(lock.write().await);
            });
        }
    });
}

#[test]
fn a_downgrade_lets_no_writer_in_between() {
    let lock = RwLock::new(1);
    let writing = lock.try_write().unwrap();
    let mut writer = Task::waiting(lock.write());
    let reading = RwLockWriteGuard::downgrade(writing);
    assert!(writer.run().is_none());
    assert_eq!(*reading, 1);
    drop(reading);
    assert!(writer.run().is_some());
}

#[test]
fn a_downgrade_lets_the_readers_in_who_wait_first() {
    let lock = RwLock::new(1);
    let writing = lock.try_write().unwrap();
    let mut reader = Task::waiting(lock.read());
    let _reading = RwLockWriteGuard::downgrade(writing);
    assert!(reader.run().is_some());
}

#[test]
fn one_upgradable_reader_stands_beside_the_readers() {
    let lock = RwLock::new(0);
    let upgradable = lock.try_upgradable_read().unwrap();
    assert!(lock.try_upgradable_read().is_none());
    let mut second = Task::waiting(lock.upgradable_read());
    let reader = lock.try_read().unwrap();
    let upgradable = RwLockUpgradableReadGuard::try_upgrade(upgradable).unwrap_err();
    drop(reader);
    let mut writing = RwLockUpgradableReadGuard::try_upgrade(upgradable).unwrap();
    *writing = 1;
    assert!(second.run().is_none(), "it could have the slot, but not the permit");
    drop(writing);
    assert_eq!(*second.run().unwrap(), 1);
}

#[test]
fn an_upgrade_goes_before_every_waiting_writer() {
    let lock = RwLock::new(0);
    let upgradable = lock.try_upgradable_read().unwrap();
    let reader = lock.try_read().unwrap();
    let mut writer = Task::waiting(lock.write());
    let mut upgrade = Task::waiting(RwLockUpgradableReadGuard::upgrade(upgradable));
    drop(reader);
    let mut writing = upgrade.run().expect("its turn");
    assert!(writer.run().is_none());
    *writing = 1;
    drop(writing);
    assert_eq!(*writer.run().unwrap(), 1);
}

#[test]
fn a_dropped_upgrade_gives_everything_back() {
    let lock = RwLock::new(());
    let upgradable = lock.try_upgradable_read().unwrap();
    let reader = lock.try_read().unwrap();
    drop(Task::waiting(RwLockUpgradableReadGuard::upgrade(upgradable)));
    drop(reader);
    assert!(lock.try_upgradable_read().is_some());
    assert!(lock.try_write().is_some());
}

#[test]
fn a_waiting_upgradable_read_holds_neither_the_slot_nor_a_permit() {
    let lock = RwLock::new(());
    let writer = lock.try_write().unwrap();
    let waiting = Task::waiting(lock.upgradable_read());
    assert_eq!((lock.slot.free(), lock.permits.free()), (1, 0));
    drop(writer);
    assert!(lock.try_upgradable_read().is_some());
    drop(waiting);
    let upgradable = lock.try_upgradable_read().unwrap();
    let waiting = Task::waiting(lock.upgradable_read());
    assert!(RwLockUpgradableReadGuard::try_upgrade(upgradable).is_ok());
    drop(waiting);
    assert!(lock.try_write().is_some());
}

#[test]
fn an_upgradable_read_stands_in_one_queue_at_most() {
    let lock = RwLock::new(());
    let writer = lock.try_write().unwrap();
    let mut waiting = [(); 2].map(|()| Task::waiting(lock.upgradable_read()));
    drop(writer);
    let reading = waiting[0].run().expect("its turn");
    assert!(waiting[1].run().is_none(), "it waits for the slot");
    drop(reading);
    assert!(lock.try_write().is_some(), "and for nothing else");
}

#[test]
fn a_dropped_upgradable_read_leaves_the_queue_for_the_slot() {
    let lock = RwLock::new(());
    let upgradable = lock.try_upgradable_read().unwrap();
    drop(Task::waiting(lock.upgradable_read()));
    drop(upgradable);
    assert!(lock.try_upgradable_read().is_some());
}

#[test]
fn an_upgradable_read_that_is_tried_in_vain_keeps_no_slot() {
    let lock = RwLock::new(());
    let writer = lock.try_write().unwrap();
    assert!(lock.try_upgradable_read().is_none());
    drop(writer);
    assert!(lock.try_upgradable_read().is_some());
}

#[test]
fn an_upgradable_read_that_nobody_polls_any_more_stops_no_other() {
    within_limit(|| {
        for held in [Duration::ZERO, LONG] {
            let lock = RwLock::new(0);
            let writer = lock.try_write().unwrap();
            let mut abandoned = [(); 2].map(|()| Task::waiting(lock.upgradable_read()));
            std::thread::sleep(held);
            drop(writer);
            let upgradable = lock.try_upgradable_read().expect("nobody has the slot");
            drop(block::wait(UpgradableReadGuard::upgrade(upgradable)));
            drop(lock.upgradable_read_blocking());
            drop(lock.write_blocking());
            assert!(abandoned[1].run().is_some(), "it has only lost its turn");
        }
    });
}

#[test]
fn upgradable_reads_that_wait_for_a_writer_are_served_one_after_the_other() {
    let lock = RwLock::new(());
    let writer = lock.try_write().unwrap();
    let mut waiting = [(); 3].map(|()| Task::waiting(lock.upgradable_read()));
    let mut late = Task::waiting(lock.write());
    drop(writer);
    let reading = waiting[0].run().expect("its turn");
    assert!(late.run().is_none());
    assert!(waiting[1..].iter_mut().all(|other| other.run().is_none()), "one at a time");
    drop(reading);
    let writing = late.run().expect("its turn, before those who want the slot");
    assert!(waiting[1..].iter_mut().all(|other| other.run().is_none()));
    drop(writing);
    let reading = waiting[1].run().expect("its turn");
    assert!(waiting[2].run().is_none());
    drop(reading);
    assert!(waiting[2].wakes() > 0 && waiting[2].run().is_some());
}

#[test]
fn an_upgradable_reader_that_downgrades_lets_another_be_it() {
    let lock = RwLock::new(());
    let reading = UpgradableReadGuard::downgrade(lock.try_upgradable_read().unwrap());
    assert!(lock.try_upgradable_read().is_some());
    drop(reading);
    assert!(lock.try_write().is_some());
}

#[test]
fn r24_a_write_happens_before_a_later_read() {
    within_limit(|| {
        let lock = RwLock::new((0_u64, 0_u64));
        let stop = AtomicBool::new(false);
        let seen = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        let pair = lock.read_blocking();
                        assert_eq!(pair.0, pair.1);
                        seen.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            for n in 1..=2000 {
                let mut pair = lock.write_blocking();
                pair.0 = n;
                pair.1 = n;
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(lock.into_inner(), (2000, 2000));
    });
}

#[test]
fn owned_guards_keep_the_lock_alive() {
    let lock = Arc::new(RwLock::new(1));
    let upgradable = block::wait(Arc::clone(&lock).upgradable_read_owned());
    let reading = block::wait(Arc::clone(&lock).read_owned());
    drop(reading);
    let mut writing = block::wait(UpgradableReadGuard::upgrade(upgradable));
    let late = Task::waiting(Arc::clone(&lock).write_owned());
    drop(lock);
    *writing += 1;
    drop(late);
    assert_eq!(*writing, 2);
}

#[test]
fn mapped_guards_hold_the_lock() {
    let lock = RwLock::new((1, 2));
    let part = RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.1);
    assert!(lock.try_read().is_some() && lock.try_write().is_none());
    let part = MappedRwLockReadGuard::map(part, |number| number);
    assert!(lock.try_read().is_some() && lock.try_write().is_none());
    assert_eq!((*part, format!("{part} {part:?}")), (2, "2 2".to_owned()));
    drop(part);
    let mut part = RwLockWriteGuard::map(lock.try_write().unwrap(), |pair| &mut pair.0);
    *part += 10;
    assert!(lock.try_read().is_none());
    let mut part = MappedRwLockWriteGuard::map(part, |number| number);
    *part += 10;
    assert!(lock.try_read().is_none());
    assert_eq!((*part, format!("{part} {part:?}")), (21, "21 21".to_owned()));
    drop(part);
    assert_eq!(*lock.try_write().unwrap(), (21, 2));
}

#[test]
fn a_part_that_is_not_there_gives_the_guard_back() {
    let lock = RwLock::new((1, None::<u8>));
    let guard = RwLockReadGuard::try_map(lock.try_read().unwrap(), |pair| pair.1.as_ref()).unwrap_err();
    assert!(lock.try_read().is_some() && lock.try_write().is_none());
    let part = RwLockReadGuard::try_map(guard, |pair| Some(&pair.0)).unwrap();
    assert!(lock.try_read().is_some() && lock.try_write().is_none());
    drop(part);
    let guard = RwLockWriteGuard::try_map(lock.try_write().unwrap(), |pair| pair.1.as_mut()).unwrap_err();
    assert!(lock.try_read().is_none());
    let part = RwLockWriteGuard::try_map(guard, |pair| Some(&mut pair.0)).unwrap();
    assert!(lock.try_read().is_none());
    drop(part);
    assert!(lock.try_write().is_some());
}

#[test]
fn the_drop_of_a_mapped_guard_lets_those_in_who_wait() {
    let lock = RwLock::new((1, 2));
    let part = RwLockReadGuard::map(lock.try_read().unwrap(), |pair| &pair.0);
    let mut writer = Task::waiting(lock.write());
    drop(part);
    let part = RwLockWriteGuard::map(writer.run().expect("the writer's turn"), |pair| &mut pair.0);
    let mut readers = [(); 3].map(|()| Task::waiting(lock.read()));
    drop(part);
    let reading = readers.each_mut().map(|reader| reader.run().expect("all readers together"));
    assert!(lock.try_write().is_none());
    drop(reading);
    // What panics while a guard is narrowed drops it.
    let narrowed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        RwLockWriteGuard::map(lock.try_write().unwrap(), |_| -> &mut u8 { panic!("no such part") })
    }));
    assert!(narrowed.is_err() && lock.try_write().is_some());
}

#[test]
fn debug_never_waits() {
    let lock = RwLock::new(7);
    assert_eq!(format!("{lock:?}"), "RwLock { value: 7 }");
    let _guard = lock.try_write().unwrap();
    assert_eq!(format!("{lock:?}"), "RwLock { value: <locked> }");
}

#[test]
fn guards_are_send_where_the_content_is_and_sync_where_it_is() {
    fn send<T: Send>() {}
    fn sync<T: Sync>() {}
    send::<RwLockReadGuard<'static, u8>>();
    sync::<RwLockWriteGuard<'static, u8>>();
    send::<OwnedRwLockWriteGuard<u8>>();
    send::<Read<&'static RwLock<u8>>>();
    sync::<RwLock<u8>>();
    send::<MappedRwLockReadGuard<'static, u8>>();
    sync::<MappedRwLockReadGuard<'static, u8>>();
    send::<MappedRwLockWriteGuard<'static, std::cell::Cell<u8>>>();
    sync::<MappedRwLockWriteGuard<'static, u8>>();
}

#[test]
fn a_mapped_read_guard_may_be_taken_for_one_that_lives_shorter() {
    fn shorter<'a>(
        guard: MappedRwLockReadGuard<'static, &'static str>,
    ) -> MappedRwLockReadGuard<'a, &'a str> {
        guard
    }
    static LOCK: RwLock<(&str, u8)> = RwLock::new(("a name", 1));
    let guard = RwLockReadGuard::map(LOCK.try_read().unwrap(), |pair| &pair.0);
    assert_eq!(*shorter(guard), "a name");
}

#[test]
fn a_waker_that_panics_keeps_no_slot() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("this waker panics");
        }
    }
    let lock = RwLock::new(());
    let reader = lock.try_upgradable_read().unwrap();
    let mut writer = Box::pin(lock.write());
    let waker = std::task::Waker::from(Arc::new(Panics));
    assert!(writer.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
    let dropped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(reader)));
    assert!(dropped.is_err());
    drop(writer);
    assert!(lock.try_upgradable_read().is_some());
}

#[test]
fn a_waker_that_panics_as_an_upgrade_gives_its_slot_back_costs_no_permit() {
    let lock = RwLock::new(());
    let reader = lock.try_upgradable_read().unwrap();
    let mut next = Task::new(lock.upgradable_read()).with_waker(touchy());
    assert!(next.poll().is_none());
    let mut upgrade = Task::new(RwLockUpgradableReadGuard::upgrade(reader));
    panics_at(Touch::Wake, || upgrade.run());
    assert!(lock.try_write().is_some(), "nobody has been told of the permits");
}
