//! Tests of who has a turn when somebody panics, and of which panic goes on.

use std::cell::RefCell;
use std::panic::panic_any;

use super::*;

/// Panics as it is dropped.
struct Angry;

impl Drop for Angry {
    fn drop(&mut self) {
        panic_any(Angry);
    }
}

/// The number that `body` panicked with, and the items that `step` has had: 0 to 4, of which the odd ones panic.
fn taken(body: impl FnOnce(&dyn Fn(usize))) -> (Option<usize>, Vec<usize>) {
    let had = RefCell::new(Vec::new());
    let step = |n: usize| {
        had.borrow_mut().push(n);
        match n {
            1 => panic_any(n),
            3 => panic_any(Angry),
            _ => {}
        }
    };
    let panicked = catch_unwind(AssertUnwindSafe(|| body(&step))).err();
    (panicked.map(|payload| *payload.downcast().expect("the first")), had.into_inner())
}

#[test]
fn all_have_their_turn_and_the_first_panic_goes_on() {
    let all = (Some(1), vec![0, 1, 2, 3, 4]);
    assert_eq!(taken(|step| each(0..5, step)), all);
    let steps = |step: &dyn Fn(usize)| {
        let mut steps = AllSteps::default();
        (0..5).for_each(|n| steps.take(|| step(n)));
        steps.finish();
    };
    assert_eq!(taken(steps), all);
    assert_eq!(taken(|step| (0..5).for_each(|n| caught(|| step(n)))), (None, all.1));
    assert_eq!(taken(|step| both(|| step(1), || step(3))), (Some(1), vec![1, 3]));
    assert_eq!(taken(|step| both(|| step(0), || step(1))), (Some(1), vec![0, 1]));
}

#[test]
fn where_the_thread_unwinds_already_all_panics_end() {
    /// Does it as it is dropped.
    struct Late<F: FnMut()>(F);
    impl<F: FnMut()> Drop for Late<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    let all = (Some(7), vec![0, 1, 2, 3, 4]);
    let late = |step: &dyn Fn(usize)| {
        let _late = Late(|| each(0..5, step));
        panic_any(7_usize);
    };
    assert_eq!(taken(late), all);
    let late = |step: &dyn Fn(usize)| {
        let _late = Late(|| both(|| step(1), || step(3)));
        panic_any(7_usize);
    };
    assert_eq!(taken(late), (Some(7), vec![1, 3]));
    let late = |step: &dyn Fn(usize)| {
        let _late = Late(|| {
            let mut steps = AllSteps::default();
            (0..5).for_each(|n| steps.take(|| step(n)));
            steps.finish();
        });
        panic_any(7_usize);
    };
    assert_eq!(taken(late), all);
}
