//! Models of the count against those who wait for zero, round after round.

use super::*;
use crate::models;
use crate::primitive::{self, UnsafeCell, thread};

struct Work {
    group: WaitGroup,
    value: UnsafeCell<u32>,
}

fn work(things: usize) -> primitive::Arc<Work> {
    let work = Work { group: WaitGroup::new(), value: UnsafeCell::new(0) };
    work.group.add(things);
    primitive::Arc::new(work)
}

impl Work {
    fn do_it(&self) {
        // SAFETY: nobody else touches the value before `done`; that is what the model checks.
        self.value.with_mut(|value| unsafe { *value += 1 });
        self.group.done();
    }
}

#[test]
fn wait_sees_what_was_written_before_done() {
    for awaited in [false, true] {
        models::check(3, move || {
            let work = work(1);
            let mut first = work.group.wait();
            let queued = awaited && models::poll_once(&mut first).is_none();
            assert_eq!(queued, awaited);
            // It is the other thread that waits: `done` looks before its exchange, and would so hide from loom that a
            // look of this thread could come after it.
            let waiting = thread::spawn({
                let work = primitive::Arc::clone(&work);
                move || {
                    if models::poll_once(&mut work.group.wait()).is_some() {
                        // SAFETY: the writer is done.
                        work.value.with(|value| assert_eq!(unsafe { *value }, 1));
                    }
                }
            });
            work.do_it();
            waiting.join().unwrap();
        });
    }
}

#[test]
fn a_queued_wait_sees_what_was_written_before_done() {
    models::check(3, || {
        let work = work(2);
        let doing = thread::spawn({
            let work = primitive::Arc::clone(&work);
            move || work.do_it()
        });
        let other = thread::spawn({
            let work = primitive::Arc::clone(&work);
            move || work.group.done()
        });
        work.group.wait_blocking();
        // SAFETY: the writer is done.
        work.value.with(|value| assert_eq!(unsafe { *value }, 1));
        doing.join().unwrap();
        other.join().unwrap();
    });
}

#[test]
fn a_round_releases_its_own_waiters_only() {
    models::check(3, || {
        let group = WaitGroup::new();
        group.add(1);
        let mut first = group.wait();
        assert!(models::poll_once(&mut first).is_none());
        let ending = thread::spawn({
            let group = group.clone();
            move || group.done()
        });
        group.add(1);
        if group.count() == 1 {
            // A new round, begun while the last `done` of the old one may still be signalling.
            let mut next = group.wait();
            assert!(models::poll_once(&mut next).is_none());
            ending.join().unwrap();
            assert!(models::poll_once(&mut next).is_none());
            group.done();
            assert!(models::poll_once(&mut next).is_some());
        } else {
            ending.join().unwrap();
            group.done();
        }
        assert!(models::poll_once(&mut first).is_some());
        // Relaxed: everybody has come.
        assert_eq!(group.shared.state.load(Relaxed), 0, "G1");
    });
}
