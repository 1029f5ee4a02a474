//! `wake_latency`: a plain thread sends the time through a channel to a task that waits for it, while all workers
//! sleep; the figure is how old it is when the task has it, in the median and at the 99th percentile.

use std::thread;
use std::time::{Duration, Instant};

use crate::chan::Chan;
use crate::contender::{CHANNELS, on_channel};
use crate::exec::Exec;
use crate::process::Durations;
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[Row {
    name: "wake_latency",
    figures: &[Figure::less("wake_latency", "us"), Figure::less("wake_latency:p99_us", "us")],
    contenders: CHANNELS,
    run: |setup| on_channel!(setup, CrossfireSpsc, wake_latency),
}];

const SENDS: u64 = 2_000;
/// Between two of them: long enough for every worker to go to sleep.
const PAUSE: Duration = Duration::from_micros(400);

fn wake_latency<E: Exec, C: Chan>(setup: Setup) -> Measured {
    let executor = E::start(setup.procs);
    let (mut tx, mut rx) = C::bounded::<Instant>(16);
    let task = executor.spawn_from_outside(async move {
        let mut ages = Durations::default();
        while let Some(sent) = C::recv(&mut rx).await {
            ages.record(sent.elapsed());
        }
        ages
    });
    for _ in 0..SENDS {
        thread::sleep(PAUSE);
        assert!(C::try_send(&mut tx, Instant::now()), "the task keeps up");
    }
    drop(tx);
    let ages = executor.block_on(task);
    std::mem::forget(executor);
    assert_eq!(ages.count(), SENDS);
    Measured::new(ages.quantiles_us([0.5, 0.99]))
}
