//! Models of readers against writers, with waits that are dropped and an upgrade.

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
