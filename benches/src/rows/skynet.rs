//! A tree of tasks with a million leaves, ten children to a node, that adds up the numbers of its leaves.
//!
//! `skynet`: children send their sums through a channel of the parent, with room for ten. `skynet_join`: the parent
//! awaits their handles.

use std::time::{Duration, Instant};

use crate::chan::Chan;
use crate::contender::{CHANNELS, Contender, EXECUTORS, on_channel, on_executor};
use crate::exec::Exec;
use crate::row::{Figure, Measured, Row, Setup, Size};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "skynet",
        figures: &[Figure::less("skynet", "ms")],
        contenders: CHANNELS,
        run: |setup| on_channel!(setup, CrossfireMpsc, skynet),
    },
    Row {
        name: "skynet_join",
        figures: &[Figure::less("skynet_join", "ms")],
        contenders: EXECUTORS,
        run: |setup| on_executor!(setup, skynet_join),
    },
];

const CHILDREN: u64 = 10;
const LEAVES: u64 = 1_000_000;
/// As many threads as there is room for at once.
const LEAVES_OF_THREADS: u64 = 10_000;

fn leaves(setup: Setup) -> u64 {
    if setup.contender == Contender::Std { LEAVES_OF_THREADS } else { LEAVES }
}

/// Checks the sum; a tree of fewer leaves is scaled up to the million.
fn measured(time: Duration, sum: u64, leaves: u64) -> Measured {
    assert_eq!(sum, leaves * (leaves - 1) / 2);
    let milliseconds = time.as_secs_f64() * 1e3 * (LEAVES / leaves) as f64;
    Measured::new([milliseconds]).sized(leaves < LEAVES, Size::PerOperation)
}

fn skynet<E: Exec, C: Chan>(setup: Setup) -> Measured {
    let leaves = leaves(setup);
    let (time, sum) = E::run(setup.procs, async move {
        let begun = Instant::now();
        let (tx, mut rx) = C::bounded::<u64>(1);
        sends_sum::<E, C>(0, leaves, tx);
        let sum = C::recv(&mut rx).await.expect("the sum");
        (begun.elapsed(), sum)
    });
    measured(time, sum, leaves)
}

fn sends_sum<E: Exec, C: Chan>(first: u64, leaves: u64, mut parent: C::Tx<u64>) {
    E::detach(async move {
        let mut sum = 0;
        if leaves == 1 {
            sum = first;
        } else {
            let (tx, mut rx) = C::bounded::<u64>(CHILDREN as usize);
            let share = leaves / CHILDREN;
            for child in 0..CHILDREN {
                sends_sum::<E, C>(first + child * share, share, C::another_tx(&tx));
            }
            for _ in 0..CHILDREN {
                sum += C::recv(&mut rx).await.expect("a child's sum");
            }
        }
        assert!(C::send(&mut parent, sum).await);
    });
}

fn skynet_join<E: Exec>(setup: Setup) -> Measured {
    let leaves = leaves(setup);
    let (time, sum) = E::run(setup.procs, async move {
        let begun = Instant::now();
        let sum = gives_sum::<E>(0, leaves).await;
        (begun.elapsed(), sum)
    });
    measured(time, sum, leaves)
}

fn gives_sum<E: Exec>(first: u64, leaves: u64) -> E::Join<u64> {
    E::spawn(async move {
        if leaves == 1 {
            return first;
        }
        let share = leaves / CHILDREN;
        let children: [_; CHILDREN as usize] =
            std::array::from_fn(|child| gives_sum::<E>(first + child as u64 * share, share));
        let mut sum = 0;
        for child in children {
            sum += child.await;
        }
        sum
    })
}
