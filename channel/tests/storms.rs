//! Storms: many tasks and threads at once, with drops at every await. Values are conserved and nobody is left asleep.
//!
//! `PIRN_STORM_SECS` says how long each of them blows.

mod storm;

use pirn_channel::{bounded, select};
use storm::{channels, consume, produce, storm, Books};

fn tokio(workers: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(workers).build().unwrap()
}

#[test]
fn storm_of_selecting_tasks_on_tokio() {
    let runtime = tokio(3);
    storm(move |round| {
        let (tasks, n) = (8, 1000);
        let books = Books::new(tasks * n);
        let (txs, rxs) = channels(6);
        runtime.block_on(async {
            let mut handles = Vec::new();
            for task in 0..tasks {
                handles.push(tokio::spawn(produce(txs.clone(), books.clone(), task * n, n)));
                handles.push(tokio::spawn(consume(rxs.clone(), books.clone(), task + 50 + round * 100)));
            }
            drop((txs, rxs));
            for handle in handles {
                handle.await.unwrap();
            }
        });
        books.check();
    });
}

#[test]
fn storm_of_selecting_threads() {
    storm(|round| {
        let (count, n) = (4, 1000);
        let books = Books::new(count * n);
        let (txs, rxs) = channels(5);
        let mut threads = Vec::new();
        for thread in 0..count {
            let (txs, sent) = (txs.clone(), books.clone());
            threads.push(std::thread::spawn(move || smol::block_on(produce(txs, sent, thread * n, n))));
            let (rxs, received) = (rxs.clone(), books.clone());
            let seed = thread + 50 + round * 100;
            threads.push(std::thread::spawn(move || smol::block_on(consume(rxs, received, seed))));
        }
        drop((txs, rxs));
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        books.check();
    });
}

#[test]
fn storm_of_tasks_that_each_select_send_and_receive() {
    let runtime = tokio(2);
    storm(move |_| {
        runtime.block_on(async {
            let (tx, rx) = bounded::<u64>(0);
            let tasks: Vec<_> = (0..44_u64)
                .map(|me| {
                    let (tx, rx) = (tx.clone(), rx.clone());
                    tokio::spawn(async move {
                        select! {
                            r = tx.send(me) => { r.unwrap(); None }
                            v = rx.recv() => { assert_ne!(v, Ok(me), "paired with itself"); v.ok() }
                        }
                    })
                })
                .collect();
            let mut got = Vec::new();
            for task in tasks {
                got.extend(task.await.unwrap());
            }
            got.sort_unstable();
            got.dedup();
            assert_eq!(got.len(), 22);
        });
    });
}
