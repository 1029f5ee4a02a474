//! Tests of the entries' memory: keys, reuse and size.

use super::*;
use std::task::Waker;

#[test]
fn an_entry_takes_forty_bytes() {
    assert_eq!(size_of::<Entry<Waker>>(), 40);
}

#[test]
fn a_key_finds_its_own_entry_and_no_later_one() {
    let mut slab = Slab::new();
    let first = slab.insert(1, "first");
    let index = slab.find(first).unwrap();
    assert_eq!(slab.remove(index), "first");
    let second = slab.insert(2, "second");
    assert_eq!(second.index, first.index, "the freed index is used again");
    assert_eq!(slab.find(first), None);
    assert_eq!(slab.find(second), Some(index));
}

#[test]
fn freed_entries_are_used_before_the_slab_grows() {
    let mut slab = Slab::new();
    let keys: Vec<_> = (0..10).map(|n| slab.insert(n, n)).collect();
    let chunks = slab.chunks.len();
    for &key in &keys[3..7] {
        slab.remove(slab.find(key).unwrap());
    }
    for n in 0..4 {
        slab.insert(n, n);
    }
    assert_eq!((slab.chunks.len(), slab.len()), (chunks, 10));
}

#[test]
fn a_burst_leaves_one_chunk_behind_and_old_keys_stay_dead() {
    let mut slab = Slab::new();
    let keys: Vec<_> = (0..100).map(|n| slab.insert(n, n)).collect();
    for &key in &keys {
        slab.remove(slab.find(key).unwrap());
    }
    assert_eq!((slab.chunks.len(), slab.len()), (1, 0));
    let again: Vec<_> = (0..100).map(|n| slab.insert(n, n)).collect();
    assert!(keys.iter().all(|&key| slab.find(key).is_none()));
    assert!(again.iter().all(|&key| slab.find(key).is_some()));
}

#[test]
fn a_slot_survives_beside_the_number() {
    let mut slab = Slab::new();
    let key = slab.insert(0, ());
    let index = slab.find(key).unwrap();
    slab[index].set_slot(704);
    slab[index].set_slot(3);
    assert_eq!((slab[index].slot(), slab[index].number()), (3, key.number));
}
