//! Tests of the wheel: nothing early, nothing late, nothing lost, whatever the order; time is a number.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

impl<T> Wheel<T> {
    /// Asserts W1 to W4 for every list and every entry.
    fn check(&self) {
        let mut total = 0;
        for (number, slot) in self.slots.iter().enumerate() {
            let (mut index, mut prev, mut len, mut earliest) = (slot.head, NIL, 0, NEVER);
            while index != NIL {
                let entry = &self.entries[index];
                assert_eq!((entry.prev, entry.slot()), (prev, number), "links of entry {index}");
                if self.split != Some(number) {
                    assert_eq!(self.place(entry.deadline), number, "W1");
                }
                earliest = earliest.min(entry.deadline);
                len += 1;
                (prev, index) = (index, entry.next);
            }
            assert_eq!((slot.tail, slot.len), (prev, len), "slot {number}");
            assert!(slot.earliest <= earliest, "W3");
            assert!(len > 0 || slot.earliest == NEVER, "W3");
            if number != OVERDUE {
                let bit = self.occupied[number / SLOTS] >> (number % SLOTS) & 1;
                assert_eq!(bit == 1, len > 0, "W4");
            }
            total += len as usize;
        }
        for level in 0..LEVELS {
            assert_eq!(self.levels >> level & 1 == 1, self.occupied[level] != 0, "W4");
        }
        assert_eq!(total, self.len());
    }

    fn expire_all(&mut self, now: u64) -> Vec<T> {
        let mut due = Vec::new();
        while self.expire(now, |value| due.push(value)) {}
        due
    }
}

#[test]
fn nothing_is_early_and_nothing_late_by_a_nanosecond() {
    for deadline in [1, 63, 64, 65, 4095, 4096, 1 << 20, (1 << 36) + 12_345, NEVER - 1] {
        let mut wheel = Wheel::new();
        wheel.insert(deadline, ());
        assert_eq!(wheel.next_deadline(), deadline);
        assert!(wheel.expire_all(deadline - 1).is_empty(), "{deadline}");
        assert_eq!(wheel.next_deadline(), deadline);
        assert_eq!(wheel.expire_all(deadline).len(), 1, "{deadline}");
        assert_eq!((wheel.len(), wheel.next_deadline()), (0, NEVER));
    }
}

#[test]
fn what_is_due_comes_in_the_order_of_deadlines_then_of_insertion() {
    let mut wheel = Wheel::new();
    for n in 0..100_u64 {
        let deadline = 1_000 + (n * 7919) % 50 * 1_000_003;
        wheel.insert(deadline, (deadline, n));
    }
    let due = wheel.expire_all(u64::MAX / 2);
    assert_eq!(due.len(), 100);
    assert!(due.is_sorted());
}

#[test]
fn an_entry_that_is_due_when_it_comes_is_handed_out_at_once() {
    let mut wheel = Wheel::new();
    wheel.expire_all(1_000);
    wheel.insert(5, "long past");
    assert_eq!(wheel.next_deadline(), 5);
    wheel.insert(1_000, "now");
    assert_eq!(wheel.expire_all(1_000), ["long past", "now"]);
}

#[test]
fn a_clock_that_seems_to_go_back_does_no_harm() {
    let mut wheel = Wheel::new();
    wheel.expire_all(4_096);
    wheel.insert(4_100, ());
    assert!(wheel.expire_all(4_000).is_empty());
    wheel.check();
    assert_eq!(wheel.expire_all(4_100).len(), 1);
}

#[test]
fn the_next_deadline_is_exact_while_an_entry_stands_on_a_high_level() {
    let mut wheel = Wheel::new();
    let hour = 3_600_000_000_000;
    wheel.insert(hour + 77, ());
    wheel.insert(hour + 3, ());
    assert_eq!(wheel.next_deadline(), hour + 3);
}

#[test]
fn a_cancelled_earliest_costs_one_look_in_vain() {
    let mut wheel = Wheel::new();
    wheel.insert(9_000, ());
    let key = wheel.insert(8_900, ());
    assert!(wheel.cancel(key).is_some());
    assert_eq!(wheel.next_deadline(), 8_900, "both stood in one slot, which keeps the lower bound");
    assert!(wheel.expire_all(8_900).is_empty());
    assert_eq!(wheel.next_deadline(), 9_000);
}

#[test]
fn a_late_cancel_never_hits_another_timer() {
    let mut wheel = Wheel::new();
    let key = wheel.insert(10, "first");
    assert_eq!(wheel.expire_all(10), ["first"]);
    wheel.insert(20, "second");
    assert_eq!(wheel.cancel(key), None);
    assert_eq!(wheel.expire_all(20), ["second"]);
}

#[test]
fn one_call_moves_a_bounded_number_of_entries() {
    for deadlines in [vec![5_000; 200], (0..200).map(|n| (1 << 30) | (n * 77_777)).collect()] {
        let mut wheel = Wheel::new();
        for &deadline in &deadlines {
            wheel.insert(deadline, ());
        }
        let (mut calls, mut total) = (0, 0);
        loop {
            let before = total;
            let more = wheel.expire(1 << 40, |()| total += 1);
            wheel.check();
            assert!(total - before <= BATCH + FEW as usize);
            calls += 1;
            if !more {
                break;
            }
        }
        assert_eq!(total, 200);
        assert!(calls >= 200 / (BATCH + FEW as usize), "{calls}");
    }
}

#[test]
fn entries_can_come_and_go_while_a_slot_is_being_split() {
    let mut wheel = Wheel::new();
    let keys: Vec<_> = (0..50_u64).map(|n| wheel.insert((1 << 24) + n * 1_000, n)).collect();
    let mut due = Vec::new();
    assert!(wheel.expire(1 << 24, |n| due.push(n)), "the slot is too full for one batch");
    assert!(wheel.split.is_some());
    wheel.check();
    for n in [49, 3, 30] {
        assert_eq!(wheel.cancel(keys[n as usize]), Some(n));
    }
    wheel.insert((1 << 24) + 1, 100);
    wheel.check();
    due.extend(wheel.expire_all((1 << 24) + 3_000));
    wheel.check();
    assert_eq!(due, [0, 100, 1, 2]);
    assert_eq!(wheel.len(), 44);
}

#[test]
fn what_is_put_off_is_neither_early_nor_late() {
    for later in [5_000_000, 5_000_001, 5_000_064, 6_000_000, 1 << 40] {
        let mut wheel = Wheel::new();
        let key = wheel.insert(5_000_000, ());
        wheel.put_off(key, later);
        wheel.check();
        assert!(wheel.next_deadline() <= later);
        assert!(wheel.expire_all(later - 1).is_empty(), "{later}");
        assert_eq!(wheel.next_deadline(), later, "a look in vain makes it exact");
        assert_eq!(wheel.expire_all(later).len(), 1, "{later}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64),
    Cancel(usize),
    PutOff(usize, u64),
    Expire(u64),
    ExpireOnce(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let span = prop_oneof![0_u64..4, 0_u64..200, 0_u64..100_000, (0_u64..40).prop_map(|bits| 1 << bits)];
    let step = prop_oneof![
        6 => span.clone().prop_map(Step::Insert),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => (any::<usize>(), span.clone()).prop_map(|(pick, by)| Step::PutOff(pick, by)),
        1 => span.clone().prop_map(Step::Expire),
        1 => span.prop_map(Step::ExpireOnce),
    ];
    prop::collection::vec(step, 1..200)
}

/// What a sorted map would do, beside the wheel.
#[derive(Default)]
struct Model {
    now: u64,
    pending: BTreeMap<(u64, usize), Key>,
    inserted: Vec<(Key, u64, bool)>,
}

impl Model {
    /// Checks what one call of `expire` handed out.
    fn fired(&mut self, due: &[usize], now: u64) {
        self.now = self.now.max(now);
        for &id in due {
            let (_, deadline, _) = self.inserted[id];
            assert!(deadline <= self.now, "early");
            assert!(self.pending.remove(&(deadline, id)).is_some(), "fired twice, or after a cancel");
        }
        let punctual = due.iter().filter(|&&id| !self.inserted[id].2).map(|&id| self.inserted[id].1);
        assert!(punctual.is_sorted(), "out of order");
    }

    fn earliest(&self) -> u64 {
        self.pending.keys().next().map_or(NEVER, |&(deadline, _)| deadline)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_wheel_does_what_a_sorted_map_would(steps in steps()) {
        let mut wheel = Wheel::new();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Insert(after) => {
                    let (deadline, id) = (model.now + after, model.inserted.len());
                    let key = wheel.insert(deadline, id);
                    model.inserted.push((key, deadline, after == 0));
                    model.pending.insert((deadline, id), key);
                }
                Step::Cancel(pick) if !model.inserted.is_empty() => {
                    let id = pick % model.inserted.len();
                    let (key, deadline, _) = model.inserted[id];
                    let pending = model.pending.remove(&(deadline, id)).is_some();
                    prop_assert_eq!(wheel.cancel(key), pending.then_some(id));
                }
                Step::PutOff(pick, by) if !model.inserted.is_empty() => {
                    let id = pick % model.inserted.len();
                    let (key, deadline, _) = model.inserted[id];
                    let later = deadline.saturating_add(by);
                    wheel.put_off(key, later);
                    if model.pending.remove(&(deadline, id)).is_some() {
                        model.pending.insert((later, id), key);
                        model.inserted[id].1 = later;
                        // What is put off into the past joins those that were overdue when they came.
                        model.inserted[id].2 |= later <= model.now;
                        prop_assert_eq!(wheel.deadline(key), Some(later));
                    } else {
                        prop_assert_eq!(wheel.deadline(key), None);
                    }
                }
                Step::Cancel(_) | Step::PutOff(..) => {}
                Step::Expire(after) => {
                    let now = model.now + after;
                    let due = wheel.expire_all(now);
                    model.fired(&due, now);
                    prop_assert!(model.earliest() > model.now, "something due was left");
                    prop_assert!(wheel.next_deadline() > model.now);
                }
                Step::ExpireOnce(after) => {
                    let (now, mut due) = (model.now + after, Vec::new());
                    wheel.expire(now, |id| due.push(id));
                    model.fired(&due, now);
                }
            }
            wheel.check();
            prop_assert_eq!(wheel.len(), model.pending.len());
            prop_assert!(wheel.next_deadline() <= model.earliest());
        }
    }

    #[test]
    fn without_cancels_the_next_deadline_is_exact(
        deadlines in prop::collection::vec(1_u64..1 << 40, 1..60),
    ) {
        let mut wheel = Wheel::new();
        let mut model: Vec<u64> = deadlines.clone();
        model.sort_unstable();
        for &deadline in &deadlines {
            wheel.insert(deadline, ());
        }
        for window in model.windows(2) {
            prop_assert_eq!(wheel.next_deadline(), window[0]);
            wheel.expire_all(window[0]);
            let next = if window[1] > window[0] { window[1] } else { wheel.next_deadline() };
            prop_assert_eq!(wheel.next_deadline(), next);
        }
    }
}
