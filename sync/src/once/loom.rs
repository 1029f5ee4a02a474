//! Models of the callers of one initialisation: who runs it, and who takes over.

use super::*;
use crate::primitive::{Arc, UnsafeCell, thread};
use crate::{block, models};

struct Made {
    once: Once,
    value: UnsafeCell<u32>,
}

impl Made {
    fn make(&self) {
        // SAFETY: only the one that runs comes here; that is what the model checks.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }

    fn look(&self) {
        // SAFETY: it is done; nobody writes any more.
        self.value.with(|value| assert_eq!(unsafe { *value }, 1));
    }
}

/// What an initialiser that is dropped takes back: by O3 before another one runs.
struct Undone<'a>(&'a Made);

impl Drop for Undone<'_> {
    fn drop(&mut self) {
        // SAFETY: nobody else runs until it is gone; that is what the model checks.
        self.0.value.with_mut(|value| unsafe { *value = 0 });
    }
}

fn made() -> Arc<Made> {
    Arc::new(Made { once: Once::new(), value: UnsafeCell::new(0) })
}

#[test]
fn one_runs_and_all_see_what_it_did() {
    models::check(2, || {
        let made = made();
        let others = [(); 2].map(|()| {
            let made = Arc::clone(&made);
            thread::spawn(move || {
                block::wait(made.once.call_once(|| async { made.make() }));
                made.look();
            })
        });
        if made.once.is_completed() {
            made.look();
        }
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn a_runner_that_is_dropped_hands_the_turn_on() {
    models::check(3, || {
        let made = made();
        let mut dropped = made.once.call_once(|| {
            let undone = Undone(&made);
            async move {
                let _undone = undone;
                std::future::pending::<()>().await;
            }
        });
        assert!(models::poll_once(&mut dropped).is_none());
        let other = thread::spawn({
            let made = Arc::clone(&made);
            move || made.once.call_once_blocking(|| made.make())
        });
        drop(dropped);
        other.join().unwrap();
        made.look();
    });
}
