//! A model of a blocked thread against those who wake it.

use std::future::poll_fn;

use super::*;
use crate::models;
use crate::primitive;
use crate::primitive::atomic::Ordering::Relaxed;

#[test]
fn a_poll_sees_what_was_done_before_each_wake() {
    models::check(2, || {
        let done = primitive::Arc::new([(); 2].map(|()| AtomicBool::new(false)));
        let mut waking = None;
        // Whoever overlooks one of the two sleeps for ever: each of them wakes once.
        wait(poll_fn(|context| {
            waking.get_or_insert_with(|| {
                [0, 1].map(|n| {
                    let (done, waker) = (primitive::Arc::clone(&done), context.waker().clone());
                    thread::spawn(move || {
                        // Relaxed: the wake is to carry it.
                        done[n].store(true, Relaxed);
                        waker.wake();
                    })
                })
            });
            match done.iter().all(|done| done.load(Relaxed)) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
        waking.into_iter().flatten().for_each(|waking| waking.join().unwrap());
    });
}
