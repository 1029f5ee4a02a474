//! Tests of the cell: one maker, and what follows when it fails, panics or is dropped.

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::block;
use crate::testing::{Task, within_limit};

#[test]
fn of_many_callers_one_makes_the_value() {
    within_limit(|| {
        for _ in 0..200 {
            let (cell, made) = (OnceCell::new(), AtomicU32::new(0));
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let value =
                            block::wait(cell.get_or_init(|| async { made.fetch_add(1, Ordering::Relaxed) }));
                        assert_eq!(*value, 0);
                    });
                }
            });
            assert_eq!(made.into_inner(), 1);
        }
    });
}

#[test]
fn an_initialiser_that_fails_lets_the_next_caller_run() {
    let (cell, go) = (OnceCell::new(), crate::Notify::new());
    let mut first = Task::waiting(cell.get_or_try_init(|| async {
        go.notified().await;
        Err("first")
    }));
    let mut second = Task::waiting(cell.get_or_try_init(|| ready(Ok::<u8, &str>(2))));
    go.notify_one();
    assert_eq!(first.poll(), Some(Err("first")));
    assert_eq!(cell.get(), None);
    assert_eq!(second.run(), Some(Ok(&2)));
    assert_eq!(cell.get_or_try_init_blocking(|| Err("third")), Ok(&2));
    assert_eq!(OnceCell::<u8>::new().get_or_try_init_blocking(|| Err("blocking")), Err("blocking"));
}

#[test]
fn an_initialiser_that_panics_lets_the_next_caller_run() {
    let cell = OnceCell::new();
    for _ in 0..2 {
        let panicked =
            catch_unwind(AssertUnwindSafe(|| block::wait(cell.get_or_init(|| async { panic!("no value") }))));
        assert!(panicked.is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| *cell.get_or_init_blocking(|| panic!("none")))).is_err());
    }
    assert_eq!(*cell.get_or_init_blocking(|| 3), 3);
}

#[test]
fn an_initialiser_that_is_dropped_lets_the_next_caller_run() {
    let cell = OnceCell::new();
    let first = Task::waiting(cell.get_or_init(pending::<u8>));
    let mut second = Task::waiting(cell.get_or_init(|| ready(2)));
    drop(first);
    assert_eq!(second.run(), Some(&2));
}

#[test]
fn an_ignored_waiter_does_not_keep_the_next_caller_from_running() {
    within_limit(|| {
        let cell = OnceCell::new();
        let first = Task::waiting(cell.get_or_init(pending::<u8>));
        let _ignored = Task::waiting(cell.get_or_init(|| ready(2)));
        let mut third = Task::waiting(cell.get_or_init(|| ready(3)));
        drop(first);
        let mut value = None;
        while value.is_none() {
            value = third.run();
        }
        assert_eq!(value, Some(&3));
    });
}

#[test]
fn set_during_an_initialisation_errs_and_gives_the_value_back() {
    let cell = OnceCell::new();
    let first = Task::waiting(cell.get_or_init(pending::<u8>));
    assert_eq!(cell.set(1), Err(SetError::Initializing(1)));
    drop(first);
    assert_eq!(cell.set(2), Ok(()));
    assert_eq!(cell.set(3).unwrap_err().into_inner(), 3);
    assert_eq!(cell.get(), Some(&2));
}

#[test]
fn a_cell_is_emptied_and_filled_by_its_owner() {
    let mut cell = OnceCell::from(1);
    assert!(cell.is_initialized());
    *cell.get_mut().unwrap() = 2;
    assert_eq!(cell.take(), Some(2));
    assert_eq!(cell.take(), None);
    assert_eq!(cell.set(3), Ok(()));
    assert_eq!(format!("{cell:?}"), "OnceCell(Some(3))");
    assert_eq!(cell.into_inner(), Some(3));
}

#[test]
fn whoever_has_got_the_value_finds_it_initialized_and_set() {
    within_limit(|| {
        for _ in 0..500 {
            let cell = OnceCell::new();
            std::thread::scope(|scope| {
                scope.spawn(|| cell.get_or_init_blocking(|| 1));
                while cell.get().is_none() {
                    std::hint::spin_loop();
                }
                assert!(cell.is_initialized());
                assert_eq!(cell.set(2), Err(SetError::AlreadySet(2)));
            });
        }
    });
}
