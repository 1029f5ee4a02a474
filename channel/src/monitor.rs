//! A state under a lock, and those who wait for it to change: what `broadcast` and `watch` wait with.
//!
//! It is Hoare's monitor ("Monitors: An Operating System Structuring Concept", 1974) with a single condition, in the
//! form that Lampson and Redell gave it for Mesa. A waiter asks a question of the state; while the answer is "not yet"
//! it stands among the waiters. Whoever changes the state wakes all of them, and everybody asks again.
//!
//! ```text
//!   round 7:   [ waiting | free | waiting | free | waiting ]      a key is a round and a place in a slab
//!      change ──► everybody is woken, and no place is left: round 8 begins with an empty slab
//! ```
//!
//! # Invariants
//! D1. The question is asked and the waiter enlisted in one critical section, and the state is changed and the waiters taken out in
//!     one: so no change falls between the two.
//! D2. A [`Key`] of the present round names a waiting place, which its one owner frees. A key of an earlier round names
//!     nothing any more: its owner has been woken.
//! D3. No waker and no value is cloned, called or dropped with the lock held.
//! D4. A change costs nothing for waiters that have gone: it looks once at each place that was taken since the last
//!     change, and the [`Slab`] gives up what it no longer needs.

use std::panic::RefUnwindSafe;
use std::task::{Context, Poll, Waker};

use pirn_sync::primitive::{Mutex, MutexGuard};
use pirn_sync::slab::Slab;

use crate::wake_list::WakeList;

/// A state, and those who wait for it to change.
#[derive(Debug)]
pub(crate) struct Monitor<S> {
    inner: Mutex<Inner<S>>,
}

#[derive(Debug)]
struct Inner<S> {
    state: S,
    waiters: Waiters,
}

/// Where a waiter stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    round: u64,
    place: usize,
}

#[derive(Debug)]
struct Waiters {
    wakers: Slab<Waker>,
    /// How many times everybody was woken.
    round: u64,
}

impl Waiters {
    fn enter(&mut self, waker: Waker) -> Key {
        Key { round: self.round, place: self.wakers.insert(waker) }
    }

    /// Frees the place, unless its owner has been woken. The waker is for the caller to drop.
    fn leave(&mut self, key: Key) -> Option<Waker> {
        (key.round == self.round).then(|| self.wakers.remove(key.place))
    }

    fn knows(&self, key: Key, waker: &Waker) -> bool {
        key.round == self.round && self.wakers.get(key.place).is_some_and(|old| old.will_wake(waker))
    }

    fn rouse(&mut self, wakes: &mut WakeList) {
        if !self.wakers.is_empty() {
            self.wakers.drain().for_each(|waker| wakes.push(waker));
            self.round += 1;
        }
    }
}

// Whatever panics does so with the lock released and everything in its place (D3).
impl<S> RefUnwindSafe for Monitor<S> {}

impl<S> Monitor<S> {
    pub(crate) fn new(state: S) -> Self {
        let waiters = Waiters { wakers: Slab::new(), round: 0 };
        Self { inner: Mutex::new(Inner { state, waiters }) }
    }

    /// Reads or changes the state without telling anybody.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut S) -> R) -> R {
        f(&mut self.lock().state)
    }

    /// Changes the state; if `f` says so, everybody who waits asks again.
    pub(crate) fn change<R>(&self, f: impl FnOnce(&mut S) -> (R, bool)) -> R {
        let mut wakes = WakeList::new();
        let result = {
            let mut inner = self.lock();
            let (result, rouse) = f(&mut inner.state);
            if rouse {
                inner.waiters.rouse(&mut wakes);
            }
            result
        };
        wakes.wake_all();
        result
    }

    /// Asks; stands among the waiters while the answer is `None`.
    pub(crate) fn poll<R>(
        &self,
        key: &mut Option<Key>,
        cx: &mut Context<'_>,
        mut ask: impl FnMut(&mut S) -> Option<R>,
    ) -> Poll<R> {
        {
            let mut inner = self.lock();
            if let Some(answer) = ask(&mut inner.state) {
                return Poll::Ready(answer);
            }
            if key.is_some_and(|key| inner.waiters.knows(key, cx.waker())) {
                return Poll::Pending;
            }
        }
        let waker = cx.waker().clone();
        let (answer, old) = {
            let mut inner = self.lock();
            let old = key.take().and_then(|key| inner.waiters.leave(key));
            match ask(&mut inner.state) {
                Some(answer) => (Some(answer), (old, Some(waker))),
                None => {
                    *key = Some(inner.waiters.enter(waker));
                    (None, (old, None))
                }
            }
        };
        drop(old);
        answer.map_or(Poll::Pending, Poll::Ready)
    }

    /// Waits no more.
    pub(crate) fn leave(&self, key: &mut Option<Key>) {
        if let Some(key) = key.take() {
            let left = self.lock().waiters.leave(key);
            drop(left);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<S>> {
        self.inner.lock()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Nobody;

    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn keys_agree_with_a_map_over_random_use() {
        let random = pirn_sync::random::Random::new(7);
        let mut waiters = Waiters { wakers: Slab::new(), round: 0 };
        let (mut waiting, mut woken) = (BTreeMap::new(), Vec::new());
        for n in 0..50_000 {
            match random.below(1000) {
                0 => {
                    let mut wakes = WakeList::new();
                    waiters.rouse(&mut wakes);
                    assert_eq!(wakes.len(), waiting.len(), "everybody is woken");
                    woken.extend(std::mem::take(&mut waiting).into_values().map(|(key, _)| key));
                }
                // For a while they are more and more, then less and less.
                dice if waiting.is_empty() || dice < 300 + 400 * (n / 5000 % 2) => {
                    let waker = Waker::from(Arc::new(Nobody));
                    let key = waiters.enter(waker.clone());
                    assert!(waiting.insert(key.place, (key, waker)).is_none(), "a place was given out twice");
                }
                _ => {
                    let nth = random.below(u32::try_from(waiting.len()).expect("few")) as usize;
                    let place = *waiting.keys().nth(nth).expect("below the length");
                    let (key, waker) = waiting.remove(&place).expect("it is there");
                    assert!(waiters.knows(key, &waker));
                    assert!(waiters.leave(key).is_some_and(|left| left.will_wake(&waker)));
                }
            }
        }
        assert!(woken.into_iter().all(|key| waiters.leave(key).is_none()), "a woken key names nothing");
    }
}
