//! Blocking channels side by side, between OS threads: time for each value that passes.

use std::thread;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Values in one round.
const VALUES: usize = 100_000;

fn pump<Tx: Clone + Send + 'static, Rx: Send + 'static>(
    (tx, rx): (Tx, Rx),
    senders: usize,
    send: fn(&Tx, usize),
    drain: fn(Rx),
) -> Duration {
    let start = Instant::now();
    let receiver = thread::spawn(move || drain(rx));
    for _ in 0..senders {
        let tx = tx.clone();
        thread::spawn(move || (0..VALUES / senders).for_each(|i| send(&tx, i)));
    }
    drop(tx);
    receiver.join().unwrap();
    start.elapsed()
}

fn all(c: &mut Criterion) {
    for (name, cap, senders) in
        [("threads_spsc_128", 128, 1), ("threads_mpsc_8_128", 128, 8), ("threads_unbuffered", 0, 1)]
    {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(VALUES as u64));
        macro_rules! contender {
            ($name:literal, $make:expr, $send:expr) => {
                group.bench_function($name, |b| {
                    b.iter_custom(|rounds| {
                        (0..rounds).map(|_| pump($make, senders, $send, |rx| for _ in rx {})).sum()
                    })
                });
            };
        }
        contender!("pirn", pirn_channel::bounded(cap), |tx, i| tx.send_blocking(i).unwrap());
        contender!("std", std::sync::mpsc::sync_channel(cap), |tx, i| tx.send(i).unwrap());
        contender!("crossbeam", crossbeam_channel::bounded(cap), |tx, i| tx.send(i).unwrap());
        contender!("kanal", kanal::bounded(cap), |tx: &kanal::Sender<usize>, i| tx.send(i).unwrap());
        contender!("flume", flume::bounded(cap), |tx, i| tx.send(i).unwrap());
    }
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
