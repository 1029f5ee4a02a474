//! Tests of the table of slots: how much room it takes, and that it gives it back.

use super::*;

/// A task that is never looked at.
fn task() -> RawTask {
    RawTask(NonNull::dangling())
}

fn vacate(slot: NonNull<Slot>) {
    // SAFETY: a taken slot, whose segment is there (L3).
    unsafe { slot.as_ref() }.vacate();
}

#[test]
fn tasks_that_stay_take_one_slot_each_and_half_of_them_again_at_most() {
    let mut slots = Slots::default();
    for live in 1..=20 * SEGMENT {
        slots.put(task(), false);
        assert!(slots.segments.len() * SEGMENT < 2 * live + 2 * SEGMENT, "{live}");
    }
}

#[test]
fn tasks_that_come_and_go_beside_one_that_stays_take_one_segment() {
    let mut slots = Slots::default();
    slots.put(task(), false);
    for _ in 0..10 * SEGMENT {
        vacate(slots.put(task(), false));
    }
    assert_eq!(slots.segments.len(), 1);
}

#[test]
fn the_room_of_a_burst_goes_back_while_others_come_and_go() {
    let mut slots = Slots::default();
    let burst: Vec<_> = (0..20 * SEGMENT).map(|_| slots.put(task(), false)).collect();
    let most = slots.segments.len();
    burst.into_iter().for_each(vacate);
    for _ in 0..4 * most * SEGMENT {
        vacate(slots.put(task(), false));
    }
    assert_eq!(slots.segments.len(), 1, "of {most}");
}

#[test]
fn a_slot_says_whether_its_task_has_a_name() {
    let mut slots = Slots::default();
    let [with, without] = [true, false].map(|named| slots.put(task(), named));
    // SAFETY: taken slots, whose segment is there (L3).
    unsafe {
        assert!(with.as_ref().vacate());
        assert!(!without.as_ref().vacate());
    }
}
