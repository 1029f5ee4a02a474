//! `sieve`: the first 2,000 primes by a chain of tasks, a filter for each prime, with unbuffered channels.

use std::time::Instant;

use crate::chan::Chan;
use crate::contender::{CHANNELS, Contender, on_channel};
use crate::exec::Exec;
use crate::row::{Figure, Measured, Row, Setup, Size};

pub(crate) const ROWS: &[Row] = &[Row {
    name: "sieve",
    figures: &[Figure::less("sieve", "ms")],
    contenders: CHANNELS,
    run: |setup| on_channel!(setup, CrossfireSpsc, sieve),
}];

fn sieve<E: Exec, C: Chan>(setup: Setup) -> Measured {
    let is_std = setup.contender == Contender::Std;
    // The number of primes, and the last of them.
    let (primes, expected) = if is_std { (100, 541) } else { (2_000, 17_389) };
    let (time, last) = E::run(setup.procs, async move {
        let begun = Instant::now();
        let (mut tx, mut numbers) = C::bounded::<u64>(0);
        E::detach(async move {
            for number in 2.. {
                if !C::send(&mut tx, number).await {
                    return;
                }
            }
        });
        let mut last = 0;
        for _ in 0..primes {
            last = C::recv(&mut numbers).await.expect("the numbers do not run out");
            numbers = without_multiples::<E, C>(numbers, last);
        }
        (begun.elapsed(), last)
    });
    assert_eq!(last, expected);
    Measured::new([time.as_secs_f64() * 1e3]).sized(is_std, Size::Smaller)
}

fn without_multiples<E: Exec, C: Chan>(mut numbers: C::Rx<u64>, prime: u64) -> C::Rx<u64> {
    let (mut tx, rest) = C::bounded::<u64>(0);
    E::detach(async move {
        while let Some(number) = C::recv(&mut numbers).await {
            if !number.is_multiple_of(prime) && !C::send(&mut tx, number).await {
                return;
            }
        }
    });
    rest
}
