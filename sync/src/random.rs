//! The random seam: the one source of random numbers for victims, branches and jitter.
//!
//! [`Random`] is a xorshift64* generator (Vigna, "An experimental exploration of Marsaglia's xorshift
//! generators, scrambled", 2016): eight bytes of state, three shifts and a multiplication, far better than
//! scheduling needs. Its seeds come from [`seed`], so that a deterministic mode can replay a schedule from
//! one number. It is no source of secrets.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};

/// A small generator; one per processor or per thread, never shared.
#[derive(Debug)]
pub struct Random(Cell<u64>);

impl Random {
    /// A generator that starts from `seed`.
    pub const fn new(seed: u64) -> Self {
        // Zero is the one state that xorshift never leaves.
        Self(Cell::new(if seed == 0 { 0x9E37_79B9_7F4A_7C15 } else { seed }))
    }

    /// The next 32 random bits.
    #[inline]
    pub fn next_u32(&self) -> u32 {
        let mut x = self.0.get();
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0.set(x);
        (x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32
    }

    /// A number below `n`, uniform up to a bias of `n / 2³²`. Panics if `n` is 0.
    ///
    /// Lemire's multiplication instead of a division ("Fast Random Integer Generation in an Interval", 2019).
    #[inline]
    pub fn below(&self, n: u32) -> u32 {
        assert!(n > 0, "no number is below 0");
        ((u64::from(self.next_u32()) * u64::from(n)) >> 32) as u32
    }
}

/// A fresh seed, different for every call.
pub fn seed() -> u64 {
    // std keys its hashers from the system's entropy once per thread and counts upwards from there.
    RandomState::new().hash_one(0)
}

thread_local!(static RANDOM: Random = Random::new(seed()));

/// A number below `n` from this thread's generator. Panics if `n` is 0.
#[inline]
pub fn below(n: u32) -> u32 {
    RANDOM.with(|random| random.below(n))
}

/// Several small numbers for one turn of this thread's generator, as a random order needs them.
///
/// A random word times `n` has the number in its upper half. The lower half is again a random word, less the bits that the
/// number has used up (Brackett-Rozinsky and Lemire, "Batched Ranged Random Integer Generation", 2024).
#[derive(Debug)]
pub struct Batch {
    word: u32,
    /// Among how many outcomes the numbers from this word have chosen.
    spent: u32,
}

impl Batch {
    /// How many outcomes one word decides among: the last number of a word is then biased by 2⁻¹² at most.
    const ENOUGH: u32 = 1 << 20;

    /// A batch that asks the generator when it is asked first.
    #[inline]
    pub const fn new() -> Self {
        Self { word: 0, spent: Self::ENOUGH }
    }

    /// A number below `n`, which is not 0.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        debug_assert!(n > 0, "no number is below 0");
        self.spent = self.spent.saturating_mul(n);
        if self.spent >= Self::ENOUGH {
            self.word = RANDOM.with(Random::next_u32);
            self.spent = n;
        }
        let product = u64::from(self.word) * u64::from(n);
        self.word = product as u32;
        (product >> 32) as u32
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let (a, b) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| a.next_u32() == b.next_u32()));
    }

    #[test]
    fn numbers_below_n_are_uniform() {
        let random = Random::new(42);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[random.below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_500..10_500).contains(&count)), "{counts:?}");
    }

    #[test]
    fn the_orders_from_a_batch_are_uniform() {
        let mut counts = [0_u32; 24];
        for _ in 0..240_000 {
            let (mut batch, mut order) = (Batch::new(), 0);
            for n in (1..=4).rev() {
                order = order * n + batch.below(n);
            }
            counts[order as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_400..10_600).contains(&count)), "{counts:?}");
    }

    #[test]
    fn a_long_batch_takes_new_words() {
        let (mut batch, mut counts) = (Batch::new(), [0_u32; 10]);
        for _ in 0..100_000 {
            counts[batch.below(10) as usize] += 1;
        }
        assert!(counts.iter().all(|&count| (9_400..10_600).contains(&count)), "{counts:?}");
    }

    #[test]
    fn zero_is_a_legal_seed() {
        let random = Random::new(0);
        assert_ne!(random.next_u32(), random.next_u32());
    }
}
