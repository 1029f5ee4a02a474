//! Tests of the flights: one for each key, its value to all, and who takes over when the leader is gone.

use std::future::{pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::testing::{Task, within_limit};
use crate::{Notify, block};

#[test]
fn one_flight_per_key_and_all_get_its_value() {
    let (group, go) = (SingleFlight::new(), Notify::new());
    let mut leader = Task::waiting(group.run("a", || async {
        go.notified().await;
        1
    }));
    let mut others = [(); 2].map(|()| Task::waiting(group.run("a", || async { unreachable!() })));
    let mut elsewhere = Task::new(group.run("b", || ready(2)));
    assert_eq!(elsewhere.poll(), Some(2));
    go.notify_one();
    assert_eq!(leader.poll(), Some(1));
    assert_eq!(others.each_mut().map(Task::poll), [Some(1), Some(1)]);
}

#[test]
fn who_asks_after_the_value_came_fetches_anew() {
    let group = SingleFlight::new();
    let mut late = None;
    for n in 0..3 {
        assert_eq!(block::wait(group.run("a", || ready(n))), n);
        late = Some(group.run("a", || ready(9)));
    }
    assert_eq!(block::wait(late.unwrap()), 9);
    assert!(group.is_empty());
}

#[test]
fn an_error_goes_to_all_who_asked() {
    let (group, go) = (SingleFlight::new(), Notify::new());
    let mut leader = Task::waiting(group.run(1, || async {
        go.notified().await;
        Err::<u8, &str>("down")
    }));
    let mut other = Task::waiting(group.run(1, || ready(Ok(1))));
    go.notify_one();
    assert_eq!((leader.poll(), other.poll()), (Some(Err("down")), Some(Err("down"))));
}

#[test]
fn a_leader_that_panics_hands_over() {
    let (group, go) = (SingleFlight::new(), Notify::new());
    let mut leader = Task::waiting(group.run(1, || async {
        go.notified().await;
        panic!("no value")
    }));
    let mut other = Task::waiting(group.run(1, || ready(2)));
    go.notify_one();
    assert!(catch_unwind(AssertUnwindSafe(|| leader.poll())).is_err());
    drop(leader);
    assert_eq!(other.run(), Some(2));
}

#[test]
fn a_dropped_leader_hands_over() {
    let group = SingleFlight::new();
    let leader = Task::waiting(group.run(1, pending::<u8>));
    let mut second = Task::waiting(group.run(1, || ready(2)));
    let mut third = Task::waiting(group.run(1, || ready(3)));
    drop(leader);
    assert_eq!(second.run(), Some(2));
    assert_eq!(third.run(), Some(2));
}

#[test]
fn those_who_leave_without_a_value_leave_nothing_behind() {
    let group = SingleFlight::new();
    let all = [(); 3].map(|()| Task::new(group.run(1, pending::<u8>)));
    assert_eq!(group.len(), 0, "it asks from its first poll on");
    let mut all = all;
    all.iter_mut().for_each(|task| assert!(task.poll().is_none()));
    assert_eq!((group.len(), group.is_empty()), (1, false));
    drop(all);
    assert!(group.is_empty());
}

#[test]
fn a_storm_of_callers_leaves_nothing_behind() {
    within_limit(|| {
        let (group, flights) = (SingleFlight::new(), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (group, flights) = (&group, &flights);
                scope.spawn(move || {
                    for n in 0..2000 {
                        let key = n % 7;
                        let call = group.run(key, || async move {
                            flights.fetch_add(1, Ordering::Relaxed);
                            std::thread::yield_now();
                            key
                        });
                        if (n + thread) % 5 == 0 {
                            let _ = Task::new(call).poll();
                        } else {
                            assert_eq!(block::wait(call), key);
                        }
                    }
                });
            }
        });
        assert!(group.is_empty());
        assert!(flights.into_inner() <= 8000);
    });
}

/// A key that can be told to panic when it is hashed.
#[derive(PartialEq, Eq)]
struct Touchy<'a>(Ignored<'a>);

struct Ignored<'a>(&'a AtomicBool);

impl PartialEq for Ignored<'_> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Ignored<'_> {}

impl Hash for Touchy<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        assert!(!self.0.0.load(Ordering::Relaxed), "this key cannot be hashed now");
        1.hash(state);
    }
}

#[test]
fn a_hasher_that_panics_when_the_value_comes_keeps_nobody_waiting() {
    let (touchy, go) = (AtomicBool::new(false), Notify::new());
    let group = SingleFlight::new();
    let key = || Touchy(Ignored(&touchy));
    let mut leader = Task::waiting(group.run(key(), || async {
        go.notified().await;
        1
    }));
    let mut other = Task::waiting(group.run(key(), || ready(2)));
    go.notify_one();
    touchy.store(true, Ordering::Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(|| leader.poll())).is_err());
    touchy.store(false, Ordering::Relaxed);
    assert_eq!(other.run(), Some(1));
}

/// A key whose destructor asks the group for something.
struct Asks(std::sync::Weak<SingleFlight<Asks, u8>>);

impl PartialEq for Asks {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Asks {}

impl Hash for Asks {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        1.hash(state);
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        self.0.upgrade().map(|group| group.len());
    }
}

#[test]
fn keys_are_dropped_without_the_lock() {
    within_limit(|| {
        let group = Arc::new(SingleFlight::new());
        let key = || Asks(Arc::downgrade(&group));
        let all = [(); 2].map(|()| Task::waiting(group.run(key(), pending)));
        // The first one's key is the map's.
        all.into_iter().for_each(drop);
        assert!(group.is_empty());
    });
}

struct PanicsWhenDropped;

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        panic!("a destructor");
    }
}

#[test]
fn a_leader_whose_future_panics_when_it_is_dropped_leaves_nothing_behind() {
    let group = SingleFlight::new();
    let leader = Task::waiting(group.run(1, || async {
        let _held = PanicsWhenDropped;
        pending::<u8>().await
    }));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(leader))).is_err());
    assert!(group.is_empty());
}
