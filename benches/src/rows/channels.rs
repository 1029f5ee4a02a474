//! Values through one channel, as fast as it takes them; the figure is one value.
//!
//! `chan_spsc_128`, `chan_mpsc_8`, `chan_mpmc_8x8`: capacity 128 and 1, 8 and 8 senders, with 1, 1 and 8 receivers.
//! `chan_mpmc_unbuf`: 8 and 8 without a buffer (capacity 1, where a crate has no such channel).

use std::time::Instant;

use crate::chan::Chan;
use crate::contender::{CHANNELS, Contender, SHARED_CHANNELS, on_channel};
use crate::exec::Exec;
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "chan_spsc_128",
        figures: &[Figure::less("chan_spsc_128", "ns")],
        contenders: CHANNELS,
        run: |setup| on_channel!(setup, CrossfireSpsc, spsc),
    },
    Row {
        name: "chan_mpsc_8",
        figures: &[Figure::less("chan_mpsc_8", "ns")],
        contenders: CHANNELS,
        run: |setup| on_channel!(setup, CrossfireMpsc, mpsc),
    },
    Row {
        name: "chan_mpmc_8x8",
        figures: &[Figure::less("chan_mpmc_8x8", "ns")],
        contenders: SHARED_CHANNELS,
        run: |setup| on_channel!(setup, CrossfireMpmc, mpmc),
    },
    Row {
        name: "chan_mpmc_unbuf",
        figures: &[Figure::less("chan_mpmc_unbuf", "ns")],
        contenders: SHARED_CHANNELS,
        run: |setup| on_channel!(setup, CrossfireMpmc, mpmc_unbuffered),
    },
];

const MANY: u64 = 8;

fn spsc<E: Exec, C: Chan>(setup: Setup) -> Measured {
    flood::<E, C>(setup, Shape { senders: 1, receivers: 1, cap: 128, values: 4_000_000 })
}

fn mpsc<E: Exec, C: Chan>(setup: Setup) -> Measured {
    flood::<E, C>(setup, Shape { senders: MANY, receivers: 1, cap: 128, values: 4_000_000 })
}

fn mpmc<E: Exec, C: Chan>(setup: Setup) -> Measured {
    flood::<E, C>(setup, Shape { senders: MANY, receivers: MANY, cap: 128, values: 4_000_000 })
}

fn mpmc_unbuffered<E: Exec, C: Chan>(setup: Setup) -> Measured {
    let values = if setup.contender == Contender::Std { 400_000 } else { 2_000_000 };
    flood::<E, C>(setup, Shape { senders: MANY, receivers: MANY, cap: 0, values })
}

#[derive(Clone, Copy)]
struct Shape {
    senders: u64,
    receivers: u64,
    cap: usize,
    values: u64,
}

/// The ends as a list: the ones that were made, and as many more as asked for.
fn ends<T>(first: T, count: u64, another: impl Fn(&T) -> T) -> Vec<T> {
    let mut ends = vec![first];
    for _ in 1..count {
        ends.push(another(&ends[0]));
    }
    ends
}

fn flood<E: Exec, C: Chan>(setup: Setup, shape: Shape) -> Measured {
    let (time, count, sum) = E::run(setup.procs, async move {
        let (tx, rx) = C::bounded::<u64>(shape.cap);
        let begun = Instant::now();
        let receive = |mut rx: C::Rx<u64>| {
            E::spawn(async move {
                let (mut count, mut sum) = (0, 0);
                while let Some(value) = C::recv(&mut rx).await {
                    count += 1;
                    sum += value;
                }
                (count, sum)
            })
        };
        let receivers: Vec<_> = ends(rx, shape.receivers, C::another_rx).into_iter().map(receive).collect();
        let share = shape.values / shape.senders;
        let send = |(index, mut tx): (usize, C::Tx<u64>)| {
            let first = index as u64 * share;
            E::spawn(async move {
                for value in first..first + share {
                    assert!(C::send(&mut tx, value).await);
                }
            })
        };
        let senders: Vec<_> =
            ends(tx, shape.senders, C::another_tx).into_iter().enumerate().map(send).collect();
        for sender in senders {
            sender.await;
        }
        let (mut count, mut sum) = (0, 0);
        for receiver in receivers {
            let (its_count, its_sum) = receiver.await;
            count += its_count;
            sum += its_sum;
        }
        (begun.elapsed(), count, sum)
    });
    assert_eq!(count, shape.values, "every value arrives once");
    assert_eq!(sum, shape.values * (shape.values - 1) / 2);
    Measured::ns_each(time, shape.values)
}
