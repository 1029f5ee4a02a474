//! `select2`: one consumer of two channels of capacity 16, each with a producer; the figure is one value.

use std::time::Instant;

use crate::chan::Chan;
use crate::contender::{CHANNELS, on_channel};
use crate::exec::Exec;
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[Row {
    name: "select2",
    figures: &[Figure::less("select2", "ns")],
    contenders: CHANNELS,
    run: |setup| on_channel!(setup, CrossfireSpsc, select2),
}];

const CAPACITY: usize = 16;
const VALUES: u64 = 2_000_000;

fn select2<E: Exec, C: Chan>(setup: Setup) -> Measured {
    let (time, sum) = E::run(setup.procs, async move {
        let (tx1, mut rx1) = C::bounded::<u64>(CAPACITY);
        let (tx2, mut rx2) = C::bounded::<u64>(CAPACITY);
        let produce = |mut tx: C::Tx<u64>| {
            E::spawn(async move {
                for value in 0..VALUES / 2 {
                    assert!(C::send(&mut tx, value).await);
                }
                tx
            })
        };
        let begun = Instant::now();
        let producers = [produce(tx1), produce(tx2)];
        let consumer = E::spawn(async move {
            let mut sum = 0;
            for _ in 0..VALUES {
                sum += C::select(&mut rx1, &mut rx2).await.expect("both channels are open");
            }
            sum
        });
        let sum = consumer.await;
        let time = begun.elapsed();
        // The producers keep their ends until here, so that no channel closes while the other is full.
        for producer in producers {
            drop(producer.await);
        }
        (time, sum)
    });
    assert_eq!(sum, (VALUES / 2) * (VALUES / 2 - 1), "every value arrives once");
    Measured::ns_each(time, VALUES)
}
