//! Models of the permits: what they carry, who is served, and what a release may leave to a call.

use std::future::poll_fn;
use std::panic::Location;

use super::*;
use crate::host::WaitKind;
use crate::primitive::{Arc, UnsafeCell, thread};
use crate::{block, models};

struct Guarded<const BARGING: bool> {
    permits: Permits<BARGING>,
    value: UnsafeCell<u32>,
}

impl<const BARGING: bool> Guarded<BARGING> {
    fn new(free: usize) -> Arc<Self> {
        Arc::new(Self { permits: Permits::new(free), value: UnsafeCell::new(0) })
    }

    fn acquire(&self) {
        let (want, mut ticket) = (Want::new(1, WaitKind::Mutex), Ticket::new(Location::caller()));
        block::wait(poll_fn(|context| self.permits.poll_acquire(&want, &mut ticket, context)))
            .expect("never closed");
    }

    fn add_one(&self) {
        // SAFETY: the caller holds the only permit; that is what the model checks.
        self.value.with_mut(|value| unsafe { *value += 1 });
    }
}

#[test]
fn a_permit_carries_what_its_holder_wrote() {
    models::check(3, || {
        let shared = Guarded::<true>::new(1);
        let both = || {
            let shared = Arc::clone(&shared);
            move || {
                if shared.permits.try_take(1) {
                    shared.add_one();
                    shared.permits.release(1);
                }
            }
        };
        let other = thread::spawn(both());
        both()();
        other.join().unwrap();
        assert_eq!(shared.permits.free(), 1);
    });
}

#[test]
fn who_forgets_a_permit_sees_what_its_holder_wrote() {
    models::check(3, || {
        let shared = Guarded::<false>::new(0);
        let holder = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.add_one();
                shared.permits.release(1);
            }
        });
        if shared.permits.forget(1) == 1 {
            shared.add_one();
        }
        holder.join().unwrap();
    });
}

#[test]
fn a_queued_release_carries_what_its_holder_wrote() {
    models::check(3, || {
        let shared = Guarded::<false>::new(0);
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.acquire();
                shared.add_one();
            }
        });
        shared.add_one();
        shared.permits.release(1);
        other.join().unwrap();
    });
}

#[test]
fn whoever_queues_is_served_first_come_first_served_or_barging() {
    fn all_are_served<const BARGING: bool>() {
        let shared = Guarded::<BARGING>::new(1);
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.acquire();
                    shared.add_one();
                    shared.permits.release(1);
                })
            })
            .collect();
        shared.acquire();
        shared.add_one();
        shared.permits.release(1);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert_eq!(shared.permits.free(), 1);
        assert_eq!(shared.permits.word.look().flags(), 0, "P1");
    }
    models::check(2, all_are_served::<true>);
    models::check(2, all_are_served::<false>);
}

#[test]
fn tasks_that_turn_away_from_their_turns_and_wait_anew_are_served() {
    fn turn_away_and_wait_anew<const BARGING: bool>(shared: &Guarded<BARGING>, and_then: impl Fn()) {
        let want = Want::new(1, WaitKind::Mutex);
        let [mut ignored, mut anew] = [(); 2].map(|()| Ticket::new(Location::caller()));
        block::wait(async {
            let begun =
                poll_fn(|context| Poll::Ready(shared.permits.poll_acquire(&want, &mut ignored, context)));
            let begun = begun.await;
            and_then();
            if begun.is_pending() {
                let second = poll_fn(|context| shared.permits.poll_acquire(&want, &mut anew, context));
                second.await.expect("never closed");
            }
        });
        shared.add_one();
        shared.permits.release(1);
        shared.permits.cancel(&mut ignored);
    }
    fn both_are_served<const BARGING: bool>() {
        let shared = Guarded::<BARGING>::new(0);
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || turn_away_and_wait_anew(&shared, || ())
        });
        turn_away_and_wait_anew(&shared, || shared.permits.release(1));
        other.join().unwrap();
        assert_eq!((shared.permits.free(), shared.permits.word.look().flags()), (1, 0));
    }
    for starved in [false, true] {
        models::check_told(starved, false, 3, both_are_served::<true>);
    }
    models::check_told(true, false, 3, both_are_served::<false>);
}

#[test]
fn a_release_that_leaves_it_to_a_call_is_seen_by_the_one_who_was_called() {
    models::check(3, || {
        let shared = Guarded::<true>::new(0);
        let (want, mut ticket) = (Want::new(1, WaitKind::Mutex), Ticket::new(Location::caller()));
        let called = &mut poll_fn(|context| shared.permits.poll_acquire(&want, &mut ticket, context));
        assert!(models::poll_once(called).is_none());
        shared.permits.release(1);
        assert!(shared.permits.word.look().has(CALLED), "P5");
        assert!(shared.permits.try_take(1), "past the called one");
        let holder = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.add_one();
                shared.permits.release(1);
            }
        });
        assert!(block::wait(called).is_ok());
        shared.add_one();
        holder.join().unwrap();
    });
}

#[test]
fn whoever_was_called_and_comes_or_is_cancelled_calls_the_next() {
    fn the_next_is_called(comes: bool) {
        let shared = Guarded::<true>::new(0);
        let want = Want::new(1, WaitKind::Mutex);
        let [mut called, mut behind] = [(); 2].map(|()| Ticket::new(Location::caller()));
        let call_and_take = || {
            shared.permits.release(1);
            assert!(shared.permits.word.look().has(CALLED), "P5");
            assert!(shared.permits.try_take(1), "past the called one");
        };
        // Who has come to a call before is trusted to come again, so that the one behind sleeps on.
        let come = &mut poll_fn(|context| shared.permits.poll_acquire(&want, &mut called, context));
        assert!(models::poll_once(come).is_none());
        call_and_take();
        assert!(models::poll_once(come).is_none());
        let mut called = Some(called);
        let mut others = None;
        block::wait(poll_fn(|context| {
            let polled = shared.permits.poll_acquire(&want, &mut behind, context);
            if let Some(mut called) = called.take() {
                assert!(polled.is_pending());
                call_and_take();
                let [coming, releasing] = [(); 2].map(|()| Arc::clone(&shared));
                others = Some([
                    thread::spawn(move || {
                        if comes {
                            let come = |context: &mut Context<'_>| {
                                coming.permits.poll_acquire(&want, &mut called, context)
                            };
                            block::wait(poll_fn(come)).expect("never closed");
                            coming.permits.release(1);
                        } else {
                            coming.permits.cancel(&mut called);
                        }
                    }),
                    thread::spawn(move || releasing.permits.release(1)),
                ]);
            }
            polled
        }))
        .expect("never closed");
        others.into_iter().flatten().for_each(|other| other.join().unwrap());
    }
    for comes in [false, true] {
        models::check(2, move || the_next_is_called(comes));
    }
}
