//! Tests of the numbers, and of the memory that is given back.

use super::*;

#[test]
fn numbers_stay_put_while_others_come_and_go() {
    let mut slab = Slab::new();
    let kept: Vec<_> = (0..100).map(|n| (slab.insert(n), n)).collect();
    for round in 0..1_000 {
        let other = slab.insert(1_000 + round);
        assert!(kept.iter().all(|&(key, _)| key != other));
        assert_eq!(slab.remove(other), 1_000 + round);
    }
    for (key, n) in kept {
        assert_eq!(slab.get(key), Some(&n));
        assert_eq!(slab.remove(key), n);
    }
    assert_eq!(slab.into_values().count(), 0);
}

#[test]
fn a_single_entry_needs_no_memory_but_the_list_itself() {
    let mut slab = Slab::new();
    for n in 0..3 {
        let only = slab.insert(n);
        assert!(!slab.places.spilled());
        assert_eq!(slab.remove(only), n);
    }
}

#[test]
fn a_burst_gives_its_memory_back_although_one_entry_stays() {
    let mut slab = Slab::new();
    let first = slab.insert(0);
    for order in [|_: &usize| 0, |key: &usize| usize::MAX - key, |key: &usize| key.wrapping_mul(7919) % 1009]
    {
        let mut burst: Vec<_> = (1..100_000).map(|n| slab.insert(n)).collect();
        burst.sort_by_key(order);
        for key in burst {
            slab.remove(key);
        }
        assert!(slab.capacity() <= SMALL, "{} places are still owned", slab.capacity());
    }
    assert_eq!((slab.len(), slab.remove(first)), (1, 0));
}

#[test]
fn a_burst_that_is_drained_leaves_its_memory_to_the_next_and_the_next_gives_it_up() {
    let mut slab = Slab::new();
    let mut drained = |many: usize| {
        (0..many).for_each(|n| assert_eq!(slab.insert(n), n));
        assert!(slab.drain().eq(0..many) && slab.is_empty());
        slab.capacity()
    };
    assert!(drained(100_000) >= 100_000);
    assert!(drained(1) <= SMALL);
}

#[test]
fn a_steady_to_and_fro_never_grows() {
    let mut slab = Slab::new();
    for n in 0..100_000 {
        let key = slab.insert(n);
        slab.remove(key);
    }
    assert!(slab.capacity() <= SMALL, "{} places for one entry at a time", slab.capacity());
}

#[test]
fn numbers_agree_with_a_map_over_random_use() {
    let random = crate::random::Random::new(7);
    let (mut slab, mut model) = (Slab::new(), std::collections::BTreeMap::new());
    for n in 0..20_000 {
        match random.below(1_000) {
            0 => assert!(slab.drain().eq(std::mem::take(&mut model).into_values())),
            // For a while they are more and more, then less and less.
            dice if model.is_empty() || dice < 300 + 400 * (n / 5_000 % 2) => {
                assert!(model.insert(slab.insert(n), n).is_none(), "a number that is in use was given out");
            }
            _ => {
                let nth = random.below(u32::try_from(model.len()).expect("few")) as usize;
                let key = *model.keys().nth(nth).expect("below the length");
                assert_eq!(Some(slab.remove(key)), model.remove(&key));
            }
        }
        assert_eq!(slab.len(), model.len());
        let end = model.keys().next_back().map_or(0, |last| last + 1);
        assert_eq!(slab.places.len(), end, "free places at the end are given up");
    }
    assert!(slab.into_values().eq(model.into_values()));
}
