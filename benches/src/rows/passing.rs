//! One value that goes round: what it costs to wake the next task and to be put aside oneself.
//!
//! `pingpong`: two tasks and two unbuffered channels; the figure is there and back. `ring`: a thousand tasks in a
//! circle, with channels of capacity 1 between them, and one token; the figure is one hop.

use std::time::Instant;

use crate::chan::Chan;
use crate::contender::{CHANNELS, Contender, on_channel};
use crate::exec::Exec;
use crate::row::{Figure, Measured, Row, Setup};

pub(crate) const ROWS: &[Row] = &[
    Row {
        name: "pingpong",
        figures: &[Figure::less("pingpong", "ns")],
        contenders: CHANNELS,
        run: |setup| on_channel!(setup, CrossfireSpsc, ping_pong),
    },
    Row {
        name: "ring",
        figures: &[Figure::less("ring", "ns")],
        contenders: CHANNELS,
        run: |setup| on_channel!(setup, CrossfireSpsc, ring),
    },
];

fn ping_pong<E: Exec, C: Chan>(setup: Setup) -> Measured {
    let trips: u64 = if setup.contender == Contender::Std { 20_000 } else { 1_000_000 };
    let (time, last) = E::run(setup.procs, async move {
        let (mut ping_tx, mut ping_rx) = C::bounded::<u64>(0);
        let (mut pong_tx, mut pong_rx) = C::bounded::<u64>(0);
        let begun = Instant::now();
        let answers = E::spawn(async move {
            while let Some(number) = C::recv(&mut ping_rx).await {
                if !C::send(&mut pong_tx, number + 1).await {
                    return;
                }
            }
        });
        let asks = E::spawn(async move {
            let mut number = 0;
            for _ in 0..trips {
                assert!(C::send(&mut ping_tx, number).await);
                number = C::recv(&mut pong_rx).await.expect("an answer");
            }
            number
        });
        let last = asks.await;
        answers.await;
        (begun.elapsed(), last)
    });
    assert_eq!(last, trips);
    Measured::ns_each(time, trips)
}

fn ring<E: Exec, C: Chan>(setup: Setup) -> Measured {
    const TASKS: u64 = 1_000;
    let rounds: u64 = if setup.contender == Contender::Std { 50 } else { 1_000 };
    let (time, hops) = E::run(setup.procs, async move {
        let (mut first, mut rx) = C::bounded::<u64>(1);
        let mut tasks = Vec::new();
        for _ in 0..TASKS - 1 {
            let (mut tx, next) = C::bounded::<u64>(1);
            tasks.push(E::spawn(async move {
                while let Some(hops) = C::recv(&mut rx).await {
                    assert!(C::send(&mut tx, hops + 1).await);
                }
            }));
            rx = next;
        }
        let begun = Instant::now();
        let last = E::spawn(async move {
            let mut token = 0;
            for _ in 0..rounds {
                assert!(C::send(&mut first, token).await);
                token = C::recv(&mut rx).await.expect("the token comes round") + 1;
            }
            token
        });
        let hops = last.await;
        let time = begun.elapsed();
        for task in tasks {
            task.await;
        }
        (time, hops)
    });
    assert_eq!(hops, TASKS * rounds);
    Measured::ns_each(time, hops)
}
