//! Async channels side by side, on tokio with two workers: time for each value that passes.
//!
//! `cargo bench --bench channel_tasks [-- FILTER]`. A row is `workload/contender`; the throughput column counts values.

#[path = "channel_contenders.rs"]
mod channel_contenders;

use std::time::{Duration, Instant};

use channel_contenders::{AsyncChannel, Contender, Crossfire, Flume, Kanal, Pirn, Tokio};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

/// Values in one round.
const VALUES: usize = 100_000;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

/// `senders` tasks send to `receivers` tasks.
async fn pump<C: Contender>(cap: usize, senders: usize, receivers: usize) -> Duration {
    let (tx, rx) = C::bounded(cap);
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 1..receivers {
        let mut rx = C::another(&rx);
        tasks.push(tokio::spawn(async move { while C::recv(&mut rx).await.is_some() {} }));
    }
    let mut rx = rx;
    tasks.push(tokio::spawn(async move { while C::recv(&mut rx).await.is_some() {} }));
    for _ in 0..senders {
        let tx = tx.clone();
        tasks.push(tokio::spawn(async move {
            for i in 0..VALUES / senders {
                C::send(&tx, i).await;
            }
        }));
    }
    drop(tx);
    for task in tasks {
        task.await.unwrap();
    }
    start.elapsed()
}

/// Two tasks, two channels, one token.
async fn ping_pong<C: Contender>(cap: usize) -> Duration {
    let (there, mut at) = C::bounded(cap);
    let (back, mut home) = C::bounded(cap);
    let start = Instant::now();
    let other = tokio::spawn(async move {
        while let Some(token) = C::recv(&mut at).await {
            C::send(&back, token).await;
        }
    });
    let mine = tokio::spawn(async move {
        for i in 0..VALUES / 2 {
            C::send(&there, i).await;
            C::recv(&mut home).await;
        }
    });
    mine.await.unwrap();
    other.await.unwrap();
    start.elapsed()
}

fn row<C: Contender>(
    c: &mut Criterion,
    runtime: &Runtime,
    name: &str,
    cap: usize,
    senders: usize,
    receivers: usize,
) {
    if receivers > 1 && !C::MANY_RECEIVERS {
        return;
    }
    let cap = if cap == 0 && !C::UNBUFFERED { 1 } else { cap };
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(VALUES as u64));
    group.bench_function(C::NAME, |b| {
        b.iter_custom(|rounds| {
            (0..rounds)
                .map(|_| {
                    runtime
                        .block_on(async { tokio::spawn(pump::<C>(cap, senders, receivers)).await.unwrap() })
                })
                .sum()
        })
    });
}

fn ping_pong_row<C: Contender>(c: &mut Criterion, runtime: &Runtime) {
    let cap = usize::from(!C::UNBUFFERED);
    let mut group = c.benchmark_group("unbuffered_ping_pong");
    group.throughput(Throughput::Elements(VALUES as u64 / 2));
    group.bench_function(C::NAME, |b| {
        b.iter_custom(|rounds| (0..rounds).map(|_| runtime.block_on(ping_pong::<C>(cap))).sum())
    });
}

/// One consumer selects over `n` channels of 16, each with a producer.
async fn select_pirn(n: usize) -> Duration {
    let chans: Vec<_> = (0..n).map(|_| pirn_channel::bounded::<usize>(16)).collect();
    let (txs, rxs): (Vec<_>, Vec<_>) = chans.into_iter().unzip();
    let start = Instant::now();
    for tx in txs {
        tokio::spawn(async move {
            for i in 0..VALUES / n {
                tx.send(i).await.unwrap();
            }
        });
    }
    let (mut open, mut got) = ([true; 8], 0);
    while got < VALUES / n * n {
        macro_rules! choose {
            ($($i:literal)*) => {
                pirn_channel::select! { $(v = rxs[$i].recv(), if open[$i] => match v {
                    Ok(_) => got += 1,
                    Err(_) => open[$i] = false,
                }),* }
            };
        }
        if n == 2 { choose!(0 1) } else { choose!(0 1 2 3 4 5 6 7) }
    }
    start.elapsed()
}

/// The same with tokio's channels and macro.
async fn select_tokio(n: usize) -> Duration {
    let chans: Vec<_> = (0..n).map(|_| tokio::sync::mpsc::channel::<usize>(16)).collect();
    let (txs, mut rxs): (Vec<_>, Vec<_>) = chans.into_iter().unzip();
    let start = Instant::now();
    for tx in txs {
        tokio::spawn(async move {
            for i in 0..VALUES / n {
                tx.send(i).await.unwrap();
            }
        });
    }
    let mut got = 0;
    while got < VALUES / n * n {
        let some = match &mut rxs[..] {
            [a, b] => {
                tokio::select! { v = a.recv(), if !a.is_closed() || !a.is_empty() => v, v = b.recv() => v }
            }
            [a, b, c, d, e, f, g, h] => tokio::select! {
                Some(v) = a.recv() => Some(v), Some(v) = b.recv() => Some(v), Some(v) = c.recv() => Some(v),
                Some(v) = d.recv() => Some(v), Some(v) = e.recv() => Some(v), Some(v) = f.recv() => Some(v),
                Some(v) = g.recv() => Some(v), Some(v) = h.recv() => Some(v), else => None
            },
            _ => unreachable!("2 or 8"),
        };
        got += usize::from(some.is_some());
    }
    start.elapsed()
}

fn selects(c: &mut Criterion, runtime: &Runtime) {
    for n in [2, 8] {
        let mut group = c.benchmark_group(format!("select_{n}"));
        group.throughput(Throughput::Elements((VALUES / n * n) as u64));
        group.bench_function("pirn", |b| {
            b.iter_custom(|rounds| {
                (0..rounds)
                    .map(|_| runtime.block_on(async { tokio::spawn(select_pirn(n)).await.unwrap() }))
                    .sum()
            })
        });
        group.bench_function("tokio", |b| {
            b.iter_custom(|rounds| {
                (0..rounds)
                    .map(|_| runtime.block_on(async { tokio::spawn(select_tokio(n)).await.unwrap() }))
                    .sum()
            })
        });
    }
}

fn oneshots(c: &mut Criterion, runtime: &Runtime) {
    let mut group = c.benchmark_group("oneshot");
    group.throughput(Throughput::Elements(1));
    let _in = runtime.enter();
    group.bench_function("pirn", |b| {
        b.iter(|| {
            let (tx, mut rx) = pirn_channel::oneshot::channel();
            tx.send(1_usize).unwrap();
            rx.try_recv().unwrap()
        })
    });
    group.bench_function("tokio", |b| {
        b.iter(|| {
            let (tx, mut rx) = tokio::sync::oneshot::channel();
            tx.send(1_usize).unwrap();
            rx.try_recv().unwrap()
        })
    });
}

fn all(c: &mut Criterion) {
    let runtime = &runtime();
    macro_rules! each {
        ($row:ident $args:tt: $($contender:ident)*) => { $(each!(@ $row $contender $args);)* };
        (@ $row:ident $contender:ident ($($arg:expr),*)) => { $row::<$contender>(c, runtime $(, $arg)*) };
    }
    each!(row ("spsc_128", 128, 1, 1): Pirn Tokio AsyncChannel Flume Kanal Crossfire);
    each!(row ("mpsc_8_128", 128, 8, 1): Pirn Tokio AsyncChannel Flume Kanal Crossfire);
    each!(row ("mpmc_8x8_128", 128, 8, 8): Pirn Tokio AsyncChannel Flume Kanal Crossfire);
    each!(row ("unbuffered_1x1", 0, 1, 1): Pirn Tokio AsyncChannel Flume Kanal Crossfire);
    each!(row ("unbuffered_8x8", 0, 8, 8): Pirn Tokio AsyncChannel Flume Kanal Crossfire);
    each!(ping_pong_row (): Pirn Tokio AsyncChannel Flume Kanal Crossfire);
    selects(c, runtime);
    oneshots(c, runtime);
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(400));
    targets = all
}
criterion_main!(benches);
