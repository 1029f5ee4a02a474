//! Models of readers against writers, with waits that are dropped or abandoned, and upgrades.

use super::*;
use crate::primitive::{self, thread};
use crate::{block, models};

#[test]
fn readers_see_all_or_nothing_of_a_write() {
    models::check(2, || {
        let lock = primitive::Arc::new(RwLock::new((0, 0)));
        let reading = [(); 2].map(|()| {
            let lock = primitive::Arc::clone(&lock);
            thread::spawn(move || {
                let pair = block::wait(lock.read());
                assert_eq!(pair.0, pair.1);
            })
        });
        let mut pair = block::wait(lock.write());
        pair.0 = 1;
        pair.1 = 1;
        drop(pair);
        reading.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn a_cancelled_writer_lets_the_reader_behind_it_proceed() {
    models::check(3, || {
        let lock = primitive::Arc::new(RwLock::new(()));
        let reader = lock.try_read().unwrap();
        let mut writer = lock.write();
        assert!(models::poll_once(&mut writer).is_none());
        let behind = thread::spawn({
            let lock = primitive::Arc::clone(&lock);
            move || drop(block::wait(lock.read()))
        });
        drop(writer);
        behind.join().unwrap();
        drop(reader);
    });
}

#[test]
fn an_upgrade_meets_a_writer_and_a_reader() {
    models::check(2, || {
        let lock = primitive::Arc::new(RwLock::new(0));
        let upgradable = lock.try_upgradable_read().unwrap();
        let reader = lock.try_read().unwrap();
        let writing = thread::spawn({
            let lock = primitive::Arc::clone(&lock);
            move || *block::wait(lock.write()) += 1
        });
        let upgrade = UpgradableReadGuard::upgrade(upgradable);
        drop(reader);
        let mut guard = block::wait(upgrade);
        assert_eq!(*guard, 0, "nobody wrote in between");
        *guard += 1;
        drop(guard);
        writing.join().unwrap();
        assert_eq!(*lock.try_read().unwrap(), 2);
    });
}

#[test]
fn two_who_upgrade_do_so_one_after_the_other() {
    models::check(3, || {
        let lock = primitive::Arc::new(RwLock::new(0));
        let upgradable = lock.try_upgradable_read().unwrap();
        let other = thread::spawn({
            let lock = primitive::Arc::clone(&lock);
            move || *block::wait(UpgradableReadGuard::upgrade(block::wait(lock.upgradable_read()))) += 1
        });
        *block::wait(UpgradableReadGuard::upgrade(upgradable)) += 1;
        other.join().unwrap();
        assert_eq!(*lock.try_read().unwrap(), 2);
    });
}

#[test]
fn an_abandoned_upgradable_read_stops_no_other() {
    models::check(2, || {
        let lock = primitive::Arc::new(RwLock::new(0));
        let mut writing = lock.try_write().unwrap();
        let mut abandoned = lock.upgradable_read();
        assert!(models::poll_once(&mut abandoned).is_none());
        let other = thread::spawn({
            let lock = primitive::Arc::clone(&lock);
            move || drop(block::wait(lock.upgradable_read()))
        });
        *writing += 1;
        drop(writing);
        assert_eq!(*block::wait(lock.upgradable_read()), 1);
        other.join().unwrap();
        drop(abandoned);
        assert_eq!((lock.slot.free(), lock.permits.free()), (1, ALL));
    });
}

#[test]
fn who_waits_for_the_slot_and_who_writes_are_both_served() {
    models::check(2, || {
        let lock = primitive::Arc::new(RwLock::new(0));
        let upgradable = lock.try_upgradable_read().unwrap();
        let upgrading = thread::spawn({
            let lock = primitive::Arc::clone(&lock);
            move || {
                let upgradable = block::wait(lock.upgradable_read());
                let before = *upgradable;
                let mut writing = block::wait(UpgradableReadGuard::upgrade(upgradable));
                assert_eq!(*writing, before, "nobody wrote in between");
                *writing += 1;
            }
        });
        let writing = thread::spawn({
            let lock = primitive::Arc::clone(&lock);
            move || *block::wait(lock.write()) += 1
        });
        drop(upgradable);
        upgrading.join().unwrap();
        writing.join().unwrap();
        assert_eq!((lock.slot.free(), lock.permits.free(), *lock.try_read().unwrap()), (1, ALL, 2));
    });
}
