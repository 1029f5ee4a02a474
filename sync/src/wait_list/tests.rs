//! Tests of the list: order, places that are used again, and wakers that panic.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use proptest::prelude::*;

use super::*;

fn drain<T: Copy>(list: &mut WaitList<T>) -> Vec<T> {
    std::iter::from_fn(|| list.take_front().map(|value| *value)).collect()
}

#[test]
fn entries_leave_in_the_order_in_which_they_came() {
    let mut list = WaitList::new();
    for n in 0..5 {
        list.push_back(n);
    }
    list.push_front(9);
    assert_eq!(drain(&mut list), [9, 0, 1, 2, 3, 4]);
    assert!(list.is_empty());
}

#[test]
fn an_entry_leaves_from_the_middle_and_from_both_ends() {
    let mut list = WaitList::new();
    let keys: Vec<Key> = (0..5).map(|n| list.push_back(n)).collect();
    for n in [2, 0, 4] {
        assert_eq!(list.remove(keys[n]), n);
    }
    assert_eq!(drain(&mut list), [1, 3]);
}

#[test]
fn a_taken_entry_keeps_its_value_until_its_owner_fetches_it() {
    let mut list = WaitList::new();
    let key = list.push_back(1);
    *list.take_front().unwrap() = 2;
    assert!(list.is_empty());
    list.push_back(3);
    assert_eq!(list.remove(key), 2);
    assert_eq!(drain(&mut list), [3]);
}

#[test]
fn places_are_used_again_and_given_back_after_a_burst() {
    let mut list = WaitList::new();
    let burst: Vec<Key> = (0..1000).map(|n| list.push_back(n)).collect();
    let last = burst.len() - 1;
    for key in &burst[..last] {
        list.remove(*key);
    }
    for n in 0..100 {
        let key = list.push_back(n);
        list.remove(key);
    }
    assert_eq!(list.places.len(), 1000);
    list.remove(burst[last]);
    assert_eq!(list.places.capacity(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Back(u16),
    Front(u16),
    Take,
    Remove(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => any::<u16>().prop_map(Step::Back),
        1 => any::<u16>().prop_map(Step::Front),
        1 => Just(Step::Take),
        2 => any::<prop::sample::Index>().prop_map(Step::Remove),
    ]
}

proptest! {
    /// Against a deque of (key, value) beside which the taken ones stand in a list.
    #[test]
    fn any_program_does_what_a_deque_does(steps in prop::collection::vec(step(), 0..200)) {
        let mut list = WaitList::new();
        let mut queue = VecDeque::new();
        let mut taken = Vec::new();
        for step in steps {
            match step {
                Step::Back(value) => queue.push_back((list.push_back(value), value)),
                Step::Front(value) => queue.push_front((list.push_front(value), value)),
                Step::Take => {
                    prop_assert_eq!(list.take_front().map(|value| *value), queue.front().map(|entry| entry.1));
                    taken.extend(queue.pop_front());
                }
                Step::Remove(index) => {
                    let all = queue.len() + taken.len();
                    if all > 0 {
                        let at = index.index(all);
                        let (key, value) =
                            if at < queue.len() { queue.remove(at).unwrap() } else { taken.swap_remove(at - queue.len()) };
                        prop_assert_eq!(list.remove(key), value);
                    }
                }
            }
            prop_assert_eq!(list.front(), queue.front().map(|entry| entry.0));
            let mut walk = list.front();
            for entry in &queue {
                prop_assert_eq!(walk, Some(entry.0));
                walk = list.behind(entry.0);
            }
        }
    }
}

struct Counting(AtomicUsize, bool);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        assert!(!self.1, "this waker panics");
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_from_being_woken() {
    let calm = Arc::new(Counting(AtomicUsize::new(0), false));
    let angry = Arc::new(Counting(AtomicUsize::new(0), true));
    for position in 0..5 {
        let mut wakers = Wakers::new();
        for n in 0..5 {
            let waker = if n == position { &angry } else { &calm };
            wakers.push(Some(Waker::from(Arc::clone(waker))));
        }
        assert!(catch_unwind(AssertUnwindSafe(|| wakers.wake())).is_err());
    }
    assert_eq!((calm.0.load(Ordering::Relaxed), angry.0.load(Ordering::Relaxed)), (20, 5));
}

#[test]
fn wakers_that_panic_one_after_the_other_end_no_process() {
    let angry = Arc::new(Counting(AtomicUsize::new(0), true));
    let mut wakers = Wakers::new();
    (0..5).for_each(|_| wakers.push(Some(Waker::from(Arc::clone(&angry)))));
    assert!(catch_unwind(AssertUnwindSafe(|| wakers.wake())).is_err());
    assert_eq!(angry.0.load(Ordering::Relaxed), 5);
}

#[test]
fn a_waker_that_panics_while_another_panic_unwinds_ends_no_process() {
    let angry = Arc::new(Counting(AtomicUsize::new(0), true));
    let mut wakers = Wakers::new();
    (0..5).for_each(|_| wakers.push(Some(Waker::from(Arc::clone(&angry)))));
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _woken_as_it_unwinds = wakers;
        panic!("the first");
    }));
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"the first"));
    assert_eq!(angry.0.load(Ordering::Relaxed), 5);
}

struct Numbered(usize, Arc<std::sync::Mutex<Vec<usize>>>);

impl Wake for Numbered {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

#[test]
fn wakers_are_woken_in_the_order_in_which_they_were_put() {
    let woken = Arc::new(std::sync::Mutex::new(Vec::new()));
    let waker = |n| Some(Waker::from(Arc::new(Numbered(n, Arc::clone(&woken)))));
    let mut wakers = Wakers::new();
    (0..4).for_each(|n| wakers.push(waker(n)));
    wakers.push(None);
    wakers.push_ahead(waker(8));
    wakers.push_ahead(None);
    wakers.push_ahead(waker(9));
    wakers.wake();
    assert_eq!(*woken.lock().unwrap(), [9, 8, 0, 1, 2, 3]);
}
