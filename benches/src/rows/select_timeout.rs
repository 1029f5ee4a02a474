//! Receiving with a limit of a second that is never reached; the figure is one value.
//!
//! `select_timeout`: a new timer for each receive. `select_timeout_reuse`: one timer that is set anew for each. How
//! such a thing is best written differs from crate to crate, so each has a function of its own here: where there is
//! a `timeout` it is used for the first, and a `select!` with a kept sleep for the second.

use std::future::Future;
use std::pin::pin;
use std::time::{Duration, Instant};

use crate::chan::{self, Chan};
use crate::contender::{CHANNELS, Contender};
use crate::exec::{self, Exec};
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "select_timeout",
        figures: &[Figure::less("select_timeout", "ns")],
        contenders: CHANNELS,
        run: fresh,
    },
    Row {
        name: "select_timeout_reuse",
        figures: &[Figure::less("select_timeout_reuse", "ns")],
        contenders: &[
            Contender::Pirn,
            Contender::Tokio,
            Contender::Smol,
            Contender::Go,
            Contender::TokioKanal,
            Contender::TokioFlume,
            Contender::TokioAsyncChannel,
            Contender::TokioCrossfire,
        ],
        run: kept,
    },
];

const CAPACITY: usize = 16;
const VALUES: u64 = 1_000_000;
const LIMIT: Duration = Duration::from_secs(1);
const IN_TIME: &str = "a value comes within the second";

fn fresh(setup: Setup) -> Measured {
    use Contender::*;
    match setup.contender {
        Pirn => stream::<exec::Pirn, chan::Pirn, _>(setup, pirn_fresh),
        Smol => stream::<exec::ParkedSmol, chan::AsyncChannel, _>(setup, smol_fresh),
        Std => stream::<exec::Threads, chan::Crossbeam, _>(setup, std_fresh),
        Tokio => stream::<exec::Tokio, chan::Tokio, _>(setup, tokio_fresh::<chan::Tokio>),
        TokioKanal => stream::<exec::Tokio, chan::Kanal, _>(setup, tokio_fresh::<chan::Kanal>),
        TokioFlume => stream::<exec::Tokio, chan::Flume, _>(setup, tokio_fresh::<chan::Flume>),
        TokioAsyncChannel => {
            stream::<exec::Tokio, chan::AsyncChannel, _>(setup, tokio_fresh::<chan::AsyncChannel>)
        }
        TokioCrossfire => {
            stream::<exec::Tokio, chan::CrossfireSpsc, _>(setup, tokio_fresh::<chan::CrossfireSpsc>)
        }
        StdParkingLot | Go => panic!("takes no part in this row"),
    }
}

fn kept(setup: Setup) -> Measured {
    use Contender::*;
    match setup.contender {
        Pirn => stream::<exec::Pirn, chan::Pirn, _>(setup, pirn_kept),
        Smol => stream::<exec::ParkedSmol, chan::AsyncChannel, _>(setup, smol_kept),
        Tokio => stream::<exec::Tokio, chan::Tokio, _>(setup, tokio_kept::<chan::Tokio>),
        TokioKanal => stream::<exec::Tokio, chan::Kanal, _>(setup, tokio_kept::<chan::Kanal>),
        TokioFlume => stream::<exec::Tokio, chan::Flume, _>(setup, tokio_kept::<chan::Flume>),
        TokioAsyncChannel => {
            stream::<exec::Tokio, chan::AsyncChannel, _>(setup, tokio_kept::<chan::AsyncChannel>)
        }
        TokioCrossfire => {
            stream::<exec::Tokio, chan::CrossfireSpsc, _>(setup, tokio_kept::<chan::CrossfireSpsc>)
        }
        StdParkingLot | Std | Go => panic!("takes no part in this row"),
    }
}

/// One producer, and `consume`, which receives [`VALUES`] values and adds them up.
fn stream<E, C, F>(setup: Setup, consume: fn(C::Rx<u64>) -> F) -> Measured
where
    E: Exec,
    C: Chan,
    F: Future<Output = u64> + Send + 'static,
{
    let (time, sum) = E::run(setup.procs, async move {
        let (mut tx, rx) = C::bounded::<u64>(CAPACITY);
        let begun = Instant::now();
        let producer = E::spawn(async move {
            for value in 0..VALUES {
                assert!(C::send(&mut tx, value).await);
            }
        });
        let sum = E::spawn(consume(rx)).await;
        let time = begun.elapsed();
        producer.await;
        (time, sum)
    });
    assert_eq!(sum, VALUES * (VALUES - 1) / 2, "every value arrives once");
    Measured::ns_each(time, VALUES)
}

async fn pirn_fresh(rx: pirn::channel::Receiver<u64>) -> u64 {
    let mut sum = 0;
    for _ in 0..VALUES {
        sum += pirn::time::timeout(LIMIT, rx.recv()).await.expect(IN_TIME).expect(IN_TIME);
    }
    sum
}

async fn pirn_kept(rx: pirn::channel::Receiver<u64>) -> u64 {
    let mut sleep = pirn::time::sleep(LIMIT);
    let mut sum = 0;
    for _ in 0..VALUES {
        sleep.reset(Instant::now() + LIMIT);
        pirn::select! {
            value = rx.recv() => sum += value.expect(IN_TIME),
            _ = &mut sleep => panic!("{IN_TIME}"),
        }
    }
    sum
}

async fn tokio_fresh<C: Chan>(mut rx: C::Rx<u64>) -> u64 {
    let mut sum = 0;
    for _ in 0..VALUES {
        sum += tokio::time::timeout(LIMIT, C::recv(&mut rx)).await.expect(IN_TIME).expect(IN_TIME);
    }
    sum
}

async fn tokio_kept<C: Chan>(mut rx: C::Rx<u64>) -> u64 {
    let mut sleep = pin!(tokio::time::sleep(LIMIT));
    let mut sum = 0;
    for _ in 0..VALUES {
        sleep.as_mut().reset(tokio::time::Instant::now() + LIMIT);
        tokio::select! {
            value = C::recv(&mut rx) => sum += value.expect(IN_TIME),
            () = &mut sleep => panic!("{IN_TIME}"),
        }
    }
    sum
}

async fn smol_fresh(rx: async_channel::Receiver<u64>) -> u64 {
    let mut sum = 0;
    for _ in 0..VALUES {
        let limit = async {
            async_io::Timer::after(LIMIT).await;
            None
        };
        let value = futures_lite::future::or(async { rx.recv().await.ok() }, limit).await;
        sum += value.expect(IN_TIME);
    }
    sum
}

async fn smol_kept(rx: async_channel::Receiver<u64>) -> u64 {
    let mut timer = async_io::Timer::never();
    let mut sum = 0;
    for _ in 0..VALUES {
        timer.set_after(LIMIT);
        let limit = async {
            (&mut timer).await;
            None
        };
        let value = futures_lite::future::or(async { rx.recv().await.ok() }, limit).await;
        sum += value.expect(IN_TIME);
    }
    sum
}

async fn std_fresh(rx: crossbeam_channel::Receiver<u64>) -> u64 {
    (0..VALUES).map(|_| rx.recv_timeout(LIMIT).expect(IN_TIME)).sum()
}
