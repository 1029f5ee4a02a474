//! `idle_cpu`: the processor time of two seconds in which a hundred tasks wait and nothing happens.

use std::thread;
use std::time::Duration;

use crate::chan::{self, Chan};
use crate::contender::{Contender, EXECUTORS};
use crate::exec::{self, Exec};
use crate::process::cpu_time;
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[Row {
    name: "idle_cpu",
    figures: &[Figure::less("idle_cpu", "ms")],
    contenders: EXECUTORS,
    run: |setup| match setup.contender {
        Contender::Pirn => idle::<exec::Pirn, chan::Pirn>(setup),
        Contender::Tokio => idle::<exec::Tokio, chan::Tokio>(setup),
        Contender::Smol => idle::<exec::Smol, chan::AsyncChannel>(setup),
        Contender::Std => idle::<exec::Threads, chan::Crossbeam>(setup),
        other => panic!("{} takes no part in this row", other.name()),
    },
}];

const TASKS: usize = 100;
const TIME: Duration = Duration::from_secs(2);
/// Until all have gone to sleep.
const SETTLING: Duration = Duration::from_millis(300);

fn idle<E: Exec, C: Chan>(setup: Setup) -> Measured {
    let executor = E::start(setup.procs);
    let mut senders = Vec::new();
    let mut tasks = Vec::new();
    for _ in 0..TASKS {
        let (tx, mut rx) = C::bounded::<u64>(1);
        senders.push(tx);
        tasks.push(executor.spawn_from_outside(async move { C::recv(&mut rx).await.is_none() }));
    }
    thread::sleep(SETTLING);
    let before = cpu_time();
    thread::sleep(TIME);
    let used = cpu_time() - before;
    drop(senders);
    let ended = executor.block_on(async {
        let mut ended = 0;
        for task in tasks {
            ended += usize::from(task.await);
        }
        ended
    });
    std::mem::forget(executor);
    assert_eq!(ended, TASKS, "every task was waiting");
    Measured::new([used.as_secs_f64() * 1e3])
}
