//! Spawning, joining, aborting: what every program starts with.

mod common;

use common::within;
use pirn::{Builder, block_on, spawn, spawn_blocking, yield_now};
use std::time::Instant;

#[test]
fn a_million_spawns_and_joins() {
    within(60, || {
        for procs in [1, 2, 8] {
            let runtime = Builder::new().procs(procs).build().unwrap();
            let start = Instant::now();
            let sum = runtime.block_on(async {
                spawn(async {
                    let mut sum = 0_u64;
                    for batch in 0..100_u64 {
                        let tasks: Vec<_> =
                            (0..10_000_u64).map(|n| spawn(async move { batch + n })).collect();
                        for task in tasks {
                            sum += task.await.unwrap();
                        }
                    }
                    sum
                })
                .await
                .unwrap()
            });
            assert_eq!(sum, 100 * (9_999 * 10_000 / 2) + 10_000 * (99 * 100 / 2));
            eprintln!("{procs} procs: {:?} per task", start.elapsed() / 1_000_000);
        }
    });
}

#[test]
fn yielding_tasks_take_turns() {
    within(60, || {
        let runtime = Builder::new().procs(2).build().unwrap();
        let start = Instant::now();
        runtime.block_on(async {
            let tasks: Vec<_> = (0..1000)
                .map(|_| {
                    spawn(async {
                        for _ in 0..1000 {
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        eprintln!("{:?} per yield", start.elapsed() / 1_000_000);
    });
}

#[test]
fn block_on_inside_a_task_lets_others_run() {
    within(60, || {
        let runtime = Builder::new().procs(1).build().unwrap();
        let answer = runtime.block_on(runtime.spawn(async {
            let inner = spawn(async { 20 });
            block_on(inner).unwrap() + pirn::block_in_place(|| 22)
        }));
        assert_eq!(answer.unwrap(), 42);
    });
}

#[test]
fn a_panic_reaches_the_handle_and_nobody_else() {
    within(60, || {
        let error = block_on(spawn(async { panic!("spilt") })).unwrap_err();
        assert!(error.is_panic());
        assert_eq!(*error.into_panic().downcast::<&str>().unwrap(), "spilt");
        assert_eq!(block_on(spawn_blocking(|| 5)).unwrap(), 5);
    });
}
