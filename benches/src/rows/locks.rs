//! Locks; the figure is one time of taking and giving back.
//!
//! `mutex_contended`: 8 tasks add to one number 200,000 times each. `mutex_uncontended`: one task does.
//! `rwlock_read`: 8 tasks read one number 200,000 times each, and nobody writes.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use crate::contender::{Contender, LOCKS};
use crate::exec::{self, Exec};
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "mutex_contended",
        figures: &[Figure::less("mutex_contended", "ns")],
        contenders: LOCKS,
        run: |setup| with_lock(setup, Work { tasks: 8, rounds: 200_000, writes: true }),
    },
    Row {
        name: "mutex_uncontended",
        figures: &[Figure::less("mutex_uncontended", "ns")],
        contenders: LOCKS,
        run: |setup| with_lock(setup, Work { tasks: 1, rounds: 10_000_000, writes: true }),
    },
    Row {
        name: "rwlock_read",
        figures: &[Figure::less("rwlock_read", "ns")],
        contenders: LOCKS,
        run: |setup| with_lock(setup, Work { tasks: 8, rounds: 200_000, writes: false }),
    },
];

#[derive(Clone, Copy)]
struct Work {
    tasks: u64,
    rounds: u64,
    writes: bool,
}

/// A number behind a mutex, and one behind a reader-writer lock.
trait Locks: Default + Send + Sync + 'static {
    fn add(&self) -> impl Future<Output = ()> + Send;
    fn read(&self) -> impl Future<Output = u64> + Send;
    /// The number behind the mutex, once nobody else has it.
    fn into_sum(self) -> u64;
}

/// Expands to [`Locks`] on a crate's two types.
macro_rules! locks {
    ($name:ident, $mutex:ty, $rwlock:ty, |$lock:ident| $locked:expr, |$shared:ident| $read:expr,
     |$inner:ident| $sum:expr) => {
        #[derive(Default)]
        struct $name {
            sum: $mutex,
            constant: $rwlock,
        }

        impl Locks for $name {
            async fn add(&self) {
                let $lock = &self.sum;
                *$locked += 1;
            }

            async fn read(&self) -> u64 {
                let $shared = &self.constant;
                *$read
            }

            fn into_sum(self) -> u64 {
                let $inner = self.sum.into_inner();
                $sum
            }
        }
    };
}

locks!(
    PirnLocks,
    pirn::sync::Mutex<u64>,
    pirn::sync::RwLock<u64>,
    |mutex| mutex.lock().await,
    |rwlock| rwlock.read().await,
    |sum| sum
);
locks!(
    TokioLocks,
    tokio::sync::Mutex<u64>,
    tokio::sync::RwLock<u64>,
    |mutex| mutex.lock().await,
    |rwlock| rwlock.read().await,
    |sum| sum
);
locks!(
    SmolLocks,
    async_lock::Mutex<u64>,
    async_lock::RwLock<u64>,
    |mutex| mutex.lock().await,
    |rwlock| rwlock.read().await,
    |sum| sum
);
locks!(
    StdLocks,
    std::sync::Mutex<u64>,
    std::sync::RwLock<u64>,
    |mutex| mutex.lock().expect("not poisoned"),
    |rwlock| rwlock.read().expect("not poisoned"),
    |sum| sum.expect("not poisoned")
);
locks!(
    ParkingLot,
    parking_lot::Mutex<u64>,
    parking_lot::RwLock<u64>,
    |mutex| mutex.lock(),
    |rwlock| rwlock.read(),
    |sum| sum
);

fn with_lock(setup: Setup, work: Work) -> Measured {
    match setup.contender {
        Contender::Pirn => share::<exec::Pirn, PirnLocks>(setup, work),
        Contender::Tokio => share::<exec::Tokio, TokioLocks>(setup, work),
        Contender::Smol => share::<exec::ParkedSmol, SmolLocks>(setup, work),
        Contender::Std => share::<exec::Threads, StdLocks>(setup, work),
        Contender::StdParkingLot => share::<exec::Threads, ParkingLot>(setup, work),
        other => panic!("{} takes no part in this row", other.name()),
    }
}

fn share<E: Exec, L: Locks>(setup: Setup, work: Work) -> Measured {
    let operations = work.tasks * work.rounds;
    let (time, added, read) = E::run(setup.procs, async move {
        let locks = Arc::new(L::default());
        let task = || {
            let locks = Arc::clone(&locks);
            E::spawn(async move {
                let mut read = 0;
                for _ in 0..work.rounds {
                    if work.writes {
                        locks.add().await;
                    } else {
                        read += 1 + locks.read().await;
                    }
                }
                read
            })
        };
        let begun = Instant::now();
        let tasks: Vec<_> = (0..work.tasks).map(|_| task()).collect();
        let mut read = 0;
        for task in tasks {
            read += task.await;
        }
        let time = begun.elapsed();
        // A task's memory may outlive its end by a moment.
        while Arc::strong_count(&locks) > 1 {
            E::yield_now().await;
        }
        (time, Arc::into_inner(locks).expect("nobody else has it").into_sum(), read)
    });
    let done = if work.writes { added } else { read };
    assert_eq!(done, operations, "no addition is lost, and nothing else is read than was written");
    Measured::ns_each(time, operations)
}
