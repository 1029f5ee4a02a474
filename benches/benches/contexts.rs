//! What a context costs beside tokio-util's `CancellationToken`, which has neither deadlines nor causes.
//!
//! Each row runs on the calling thread, without a scheduler. A server makes and ends a context for each request, and
//! hardly ever waits for the end of one: that is the first row.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context as Cx, Waker};
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use pirn::Context;
use tokio_util::sync::CancellationToken;

const CHILDREN: usize = 1_000;

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(format!("contexts/{name}"));
    group
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .sample_size(20);
    group
}

/// Waits for as long as one poll takes.
fn wait_a_moment(future: impl Future) {
    assert!(pin!(future).poll(&mut Cx::from_waker(Waker::noop())).is_pending());
}

/// A child is made and ended; nobody has waited for it.
fn in_time(criterion: &mut Criterion) {
    let mut group = group(criterion, "in_time");
    let (root, _cancel) = Context::background().with_cancel();
    group.bench_function("pirn", |bencher| bencher.iter(|| black_box(root.with_cancel())));
    let budget = Duration::from_secs(2);
    group.bench_function("pirn_timeout", |bencher| bencher.iter(|| black_box(root.with_timeout(budget))));
    let root = CancellationToken::new();
    group.bench_function("tokio", |bencher| bencher.iter(|| black_box(root.child_token().drop_guard())));
}

/// The same, but somebody has waited.
fn waited_for(criterion: &mut Criterion) {
    let mut group = group(criterion, "waited_for");
    let (root, _cancel) = Context::background().with_cancel();
    group.bench_function("pirn", |bencher| {
        bencher.iter(|| {
            let (ctx, _cancel) = root.with_cancel();
            wait_a_moment(ctx.done());
        });
    });
    let root = CancellationToken::new();
    group.bench_function("tokio", |bencher| {
        bencher.iter(|| {
            let token = root.child_token();
            let _guard = token.clone().drop_guard();
            wait_a_moment(token.cancelled());
        });
    });
}

/// A child three levels down is asked whether it has ended: it has not.
fn asked(criterion: &mut Criterion) {
    let mut group = group(criterion, "asked");
    let (root, _cancel) = Context::background().with_cancel();
    let (connection, _cancel_connection) = root.with_cancel();
    let (request, _cancel_request) = connection.with_cancel();
    group.bench_function("pirn_unwatched", |bencher| bencher.iter(|| black_box(&request).err()));
    wait_a_moment(request.done());
    group.bench_function("pirn_watched", |bencher| bencher.iter(|| black_box(&request).err()));
    let root = CancellationToken::new();
    let request = root.child_token().child_token();
    group.bench_function("tokio", |bencher| bencher.iter(|| black_box(&request).is_cancelled()));
}

/// One end reaches a thousand children, each of which somebody waits for.
fn end(criterion: &mut Criterion) {
    let mut group = group(criterion, "end_of_1000");
    group.bench_function("pirn", |bencher| {
        let parent = || {
            let (parent, cancel) = Context::background().with_cancel();
            let children: Vec<_> = (0..CHILDREN).map(|_| parent.with_cancel()).collect();
            children.iter().for_each(|(child, _)| wait_a_moment(child.done()));
            (children, cancel)
        };
        bencher.iter_batched(
            parent,
            |(children, cancel)| {
                cancel.cancel();
                (children, cancel)
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("tokio", |bencher| {
        let parent = || {
            let parent = CancellationToken::new();
            let children: Vec<_> = (0..CHILDREN).map(|_| parent.child_token()).collect();
            children.iter().for_each(|child| wait_a_moment(child.cancelled()));
            (children, parent)
        };
        bencher.iter_batched(
            parent,
            |(children, parent)| {
                parent.cancel();
                (children, parent)
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, in_time, waited_for, asked, end);
criterion_main!(benches);
