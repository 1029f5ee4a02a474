//! Tests of withholding, and of which processors are left after some stood in for others; that of changing the number on
//! request is in `tests/resize.rs`.

use super::super::stuck::Replaced;
use super::*;
use crate::common::{eventually, within};
use crate::{Builder, Runtime, spawn, yield_now};
use parking_lot::RwLock;
use std::sync::atomic::AtomicBool;

fn two() -> (Runtime, Arc<Shared>) {
    // Nobody else withholds, gives back or lends.
    let runtime = Builder::new().procs(2).sysmon(false).build().unwrap();
    let shared = runtime.handle().shared().clone();
    (runtime, shared)
}

async fn rounds(tasks: usize) {
    let tasks: Vec<_> = (0..tasks)
        .map(|_| {
            spawn(async {
                for _ in 0..100 {
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn what_is_withheld_is_idle_and_what_is_given_back_works() {
    within(60, || {
        let (runtime, shared) = two();
        for _ in 0..20 {
            shared.withhold(1);
            runtime.block_on(rounds(50));
            eventually(|| shared.idle_procs() == 2);
            assert_eq!((shared.withheld(), shared.idle.len(), runtime.procs()), (1, 1, 2));
            shared.withhold(0);
            runtime.block_on(rounds(50));
            eventually(|| shared.idle.len() == 2);
            assert_eq!((shared.withheld(), shared.spares.list.lock().len()), (0, 0));
        }
    });
}

#[test]
fn one_is_left_in_use_whatever_is_asked_for() {
    within(60, || {
        let (runtime, shared) = two();
        shared.withhold(7);
        assert_eq!(shared.withheld(), 1);
        runtime.block_on(rounds(10));
        assert_eq!(runtime.set_procs(1), 2);
        shared.withhold(1);
        assert_eq!(shared.withheld(), 0);
        runtime.block_on(rounds(10));
    });
}

#[test]
fn who_asks_for_another_number_gets_it_whatever_is_withheld() {
    within(60, || {
        let (runtime, shared) = two();
        for procs in [4, 1, 3, 2] {
            shared.withhold(1);
            runtime.set_procs(procs);
            assert_eq!(shared.withheld(), 0);
            runtime.block_on(rounds(20));
            eventually(|| shared.idle.len() == procs);
        }
    });
}

#[test]
fn who_stands_in_for_another_has_its_set_of_the_network() {
    within(60, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        let shared = runtime.handle().shared().clone();
        for round in 1..=3 {
            let (door, inside) = (Arc::new(RwLock::new(())), Arc::new(AtomicUsize::new(0)));
            let closed = door.write();
            // Both get stuck, and then those that stand in for them.
            for stuck in 1..=4 {
                let (opens, enters) = (door.clone(), inside.clone());
                runtime.spawn(async move {
                    enters.fetch_add(1, Ordering::Relaxed);
                    drop(opens.read());
                });
                eventually(|| inside.load(Ordering::Relaxed) == stuck);
            }
            drop(closed);
            let list = shared.roster.list();
            eventually(|| shared.spares.list.lock().len() == list.len() - 2 && shared.idle_procs() == 2);
            let unused: Vec<_> = shared.spares.list.lock().iter().map(|spare| spare.remote.index).collect();
            let used = list.iter().filter(|remote| !unused.contains(&remote.index));
            let mut homes: Vec<_> = used.map(|remote| remote.home()).collect();
            homes.sort_unstable();
            assert_eq!(homes, [0, 1], "round {round}: {unused:?} are not in use");
        }
    });
}

#[test]
fn a_processor_that_is_given_up_with_the_flag_up_takes_its_spare_along() {
    within(60, || {
        let (runtime, shared) = two();
        eventually(|| shared.idle.len() == 2);
        // Its machine was back just before the spare was lent, and has missed the flag.
        let replaced = shared.idle.acquire(false).unwrap();
        assert!(replaced.remote.stuck.replace(Replaced::Blocked, || true));
        let _nobody_searches = shared.idle.release(shared.spare(), false);
        let _nobody_searches = shared.idle.release(replaced, false);
        // The one that was put down last goes.
        runtime.set_procs(1);
        runtime.block_on(rounds(20));
        eventually(|| shared.idle.len() == 1);
    });
}

/// Withheld and given back all the time, under load: nothing is lost and nothing stands still.
#[test]
fn to_and_fro_under_load_loses_no_task() {
    within(60, || {
        let (runtime, shared) = two();
        let over = Arc::new(AtomicBool::new(false));
        let changing = std::thread::spawn({
            let (shared, over) = (shared.clone(), over.clone());
            move || {
                let mut changes = 0;
                while !over.load(Ordering::Relaxed) {
                    shared.withhold(changes % 2);
                    changes += 1;
                    std::thread::yield_now();
                }
                shared.withhold(0);
            }
        });
        for _ in 0..200 {
            runtime.block_on(rounds(20));
        }
        over.store(true, Ordering::Relaxed);
        changing.join().unwrap();
        eventually(|| shared.idle.len() == 2);
    });
}
