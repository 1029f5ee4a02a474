//! `fib`: fork and join. Fibonacci's 27th number by the definition, each call a task: some 830,000 of them.

use std::time::Instant;

use crate::contender::{Contender, EXECUTORS, on_executor};
use crate::exec::Exec;
use crate::row::{Figure, Measured, Row, Setup, Size};

pub(crate) const ROWS: &[Row] = &[Row {
    name: "fib",
    figures: &[Figure::less("fib", "ms")],
    contenders: EXECUTORS,
    run: |setup| on_executor!(setup, fib),
}];

const N: u64 = 27;
/// Threads start fewer.
const N_OF_THREADS: u64 = 14;

fn fib<E: Exec>(setup: Setup) -> Measured {
    let is_std = setup.contender == Contender::Std;
    let n = if is_std { N_OF_THREADS } else { N };
    let (time, number) = E::run(setup.procs, async move {
        let begun = Instant::now();
        let number = call::<E>(n).await;
        (begun.elapsed(), number)
    });
    assert_eq!(number, fibonacci(n));
    let milliseconds = time.as_secs_f64() * 1e3 * calls(N) as f64 / calls(n) as f64;
    Measured::new([milliseconds]).sized(is_std, Size::PerOperation)
}

fn call<E: Exec>(n: u64) -> E::Join<u64> {
    E::spawn(async move {
        if n < 2 {
            return n;
        }
        let (one, other) = (call::<E>(n - 1), call::<E>(n - 2));
        one.await + other.await
    })
}

fn fibonacci(n: u64) -> u64 {
    (0..n).fold((0, 1), |(this, next), _| (next, this + next)).0
}

/// How many calls the definition makes.
fn calls(n: u64) -> u64 {
    2 * fibonacci(n + 1) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_calls_is_that_of_the_definition() {
        fn count(n: u64) -> u64 {
            if n < 2 { 1 } else { 1 + count(n - 1) + count(n - 2) }
        }
        assert!((0..15).all(|n| calls(n) == count(n)));
        assert_eq!(fibonacci(N), 196_418);
    }
}
