//! `mem_idle`: a million tasks that wait on one channel. The figure is the resident memory of each; a second one is
//! the time from the first spawn until the last task has gone home, after the channel was closed.
//!
//! tokio's own channel has one receiver, so its tasks wait on its `watch` channel.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::chan::{self, Chan};
use crate::contender::{CHANNELS, Contender};
use crate::exec::{self, Exec};
use crate::process::resident_bytes;
use crate::row::{Figure, Measured, Row, Setup, Size};

pub(crate) const ROWS: &[Row] = &[Row {
    name: "mem_idle",
    figures: &[Figure::less("mem_idle", "B"), Figure::less("mem_idle:spawn_release_ms", "ms")],
    contenders: CHANNELS,
    run: mem_idle,
}];

const TASKS: u64 = 1_000_000;
/// As many threads as there is room for at once.
const THREADS: u64 = 5_000;

fn mem_idle(setup: Setup) -> Measured {
    use Contender::*;
    match setup.contender {
        Pirn => on_channel::<exec::Pirn, chan::Pirn>(setup),
        Smol => on_channel::<exec::Smol, chan::AsyncChannel>(setup),
        Std => on_channel::<exec::Threads, chan::Crossbeam>(setup),
        TokioKanal => on_channel::<exec::Tokio, chan::Kanal>(setup),
        TokioFlume => on_channel::<exec::Tokio, chan::Flume>(setup),
        TokioAsyncChannel => on_channel::<exec::Tokio, chan::AsyncChannel>(setup),
        TokioCrossfire => on_channel::<exec::Tokio, chan::CrossfireMpmc>(setup),
        Tokio => {
            let (tx, rx) = tokio::sync::watch::channel(0_u64);
            crowd::<exec::Tokio, _, _>(setup, tx, move || {
                let mut rx = rx.clone();
                async move {
                    arrive();
                    leave(rx.changed().await.is_err());
                }
            })
        }
        StdParkingLot | Go => panic!("takes no part in this row"),
    }
}

fn on_channel<E: Exec, C: Chan>(setup: Setup) -> Measured {
    let (tx, rx) = C::bounded::<u64>(1);
    crowd::<E, _, _>(setup, tx, move || {
        let mut rx = C::another_rx(&rx);
        async move {
            arrive();
            leave(C::recv(&mut rx).await.is_none());
        }
    })
}

/// How many tasks have begun, and how many have seen the channel close. Statics, because a counter in each task
/// would be part of what is measured; and Relaxed, because they are read until they are full, and publish nothing.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
static LEFT: AtomicU64 = AtomicU64::new(0);

fn arrive() {
    ARRIVED.fetch_add(1, Ordering::Relaxed);
}

fn leave(closed: bool) {
    LEFT.fetch_add(u64::from(closed), Ordering::Relaxed);
}

/// Starts tasks that `task` makes, which [`arrive`], wait until `gate` is dropped, and [`leave`].
fn crowd<E, G, F>(setup: Setup, gate: G, task: impl Fn() -> F + Send + 'static) -> Measured
where
    E: Exec,
    G: Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let is_std = setup.contender == Contender::Std;
    let tasks = if is_std { THREADS } else { TASKS };
    let (bytes, time) = E::run(setup.procs, async move {
        let before = resident_bytes();
        let begun = Instant::now();
        (0..tasks).for_each(|_| E::detach(task()));
        until_full::<E>(&ARRIVED, tasks).await;
        let spawned = begun.elapsed();
        // The last that arrived may not be asleep yet.
        E::sleep(Duration::from_millis(100)).await;
        let bytes = resident_bytes().saturating_sub(before);
        let begun = Instant::now();
        drop(gate);
        until_full::<E>(&LEFT, tasks).await;
        (bytes, spawned + begun.elapsed())
    });
    assert_eq!(LEFT.load(Ordering::Relaxed), tasks, "every task has seen the channel close");
    Measured::new([bytes as f64 / tasks as f64, time.as_secs_f64() * 1e3 * (TASKS / tasks) as f64])
        .sized(is_std, Size::PerOperation)
}

async fn until_full<E: Exec>(counter: &AtomicU64, full: u64) {
    while counter.load(Ordering::Relaxed) < full {
        E::sleep(Duration::from_millis(1)).await;
    }
}
