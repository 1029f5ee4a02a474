//! Waiters that are all woken at once: what `broadcast` and `watch` wait with.
//!
//! A state under a lock, and a crowd of waiting tasks beside it. A waiter asks a question of the state; while the
//! answer is "not yet" it stands in the crowd. Whoever changes the state rouses the crowd, and everybody asks again.
//!
//! ```text
//!   round 7:   [ waiting | free | waiting | free | waiting ]      a key is a round and a place
//!                           │                ▲
//!                           └── the chain ───┘                    the last place is never free
//!      change ──► everybody is woken, and no place is left: round 8 begins with an empty list
//! ```
//!
//! # Invariants
//! D1. The question is asked and the waiter enlisted in one critical section, and the state is changed and the crowd taken out in
//!     one: so no change falls between the two.
//! D2. A [`Key`] of the present round has one owner, and its place is waiting until that one frees it. A key of an earlier round
//!     names nothing any more: its owner has been woken.
//! D3. No waker and no value is cloned, called or dropped with the lock held.
//! D4. Every free place is in the chain once, and the last place is never free: free places at the end are given up at once, and
//!     the memory that has become too much. So neither the size of the list nor what a change costs is paid for a crowd that has
//!     gone: a change looks at each place that was taken since the last one once.

use std::panic::RefUnwindSafe;
use std::task::{Context, Poll, Waker};

use pirn_sync::primitive::{Mutex, MutexGuard};

use crate::waiter::WakeList;

/// A state, and those who wait for it to change.
#[derive(Debug)]
pub(crate) struct Crowd<S> {
    inner: Mutex<Inner<S>>,
}

#[derive(Debug)]
struct Inner<S> {
    state: S,
    places: Places,
}

/// A list with room for no more than this is never shrunk.
const SMALL: usize = 32;

/// The end of the chain of free places.
const NIL: u32 = u32::MAX;

/// Where a waiter stands in its crowd.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    round: u64,
    place: u32,
}

#[derive(Debug)]
enum Place {
    Waiting(Waker),
    Free { before: u32, after: u32 },
}

#[derive(Debug)]
struct Places {
    all: Vec<Place>,
    first_free: u32,
    /// How many times everybody was woken.
    round: u64,
}

impl Places {
    fn enter(&mut self, waker: Waker) -> Key {
        let mut place = self.first_free;
        if place == NIL {
            assert!(self.all.len() < NIL as usize, "more than 2³² operations wait on one channel");
            place = self.all.len() as u32;
            self.all.push(Place::Waiting(waker));
        } else {
            self.unchain(place);
            self.all[place as usize] = Place::Waiting(waker);
        }
        Key { round: self.round, place }
    }

    /// Frees the place, unless its owner has been woken. The waker is for the caller to drop.
    fn leave(&mut self, key: Key) -> Option<Waker> {
        if key.round != self.round {
            return None;
        }
        let freed = Place::Free { before: NIL, after: self.first_free };
        let Place::Waiting(waker) = std::mem::replace(&mut self.all[key.place as usize], freed) else {
            unreachable!("D2: a place is freed once")
        };
        if let Some(Place::Free { before, .. }) = self.all.get_mut(self.first_free as usize) {
            *before = key.place;
        }
        self.first_free = key.place;
        while let Some(Place::Free { .. }) = self.all.last() {
            self.unchain(self.all.len() as u32 - 1);
            self.all.pop();
        }
        self.shrink();
        Some(waker)
    }

    fn knows(&self, key: Key, waker: &Waker) -> bool {
        key.round == self.round
            && matches!(&self.all[key.place as usize], Place::Waiting(old) if old.will_wake(waker))
    }

    fn rouse(&mut self, wakes: &mut WakeList) {
        if self.all.is_empty() {
            return;
        }
        self.shrink();
        for place in self.all.drain(..) {
            if let Place::Waiting(waker) = place {
                wakes.push(waker);
            }
        }
        self.first_free = NIL;
        self.round += 1;
    }

    /// Takes the free place out of the chain.
    fn unchain(&mut self, place: u32) {
        let Place::Free { before, after } = self.all[place as usize] else {
            unreachable!("D4: only free places are chained")
        };
        match self.all.get_mut(before as usize) {
            Some(Place::Free { after: link, .. }) => *link = after,
            _ => self.first_free = after,
        }
        if let Some(Place::Free { before: link, .. }) = self.all.get_mut(after as usize) {
            *link = before;
        }
    }

    /// Gives up the memory that is too much for those who wait.
    fn shrink(&mut self) {
        if self.all.capacity() > SMALL && self.all.len() < self.all.capacity() / 4 {
            self.all.shrink_to(2 * self.all.len());
        }
    }
}

// Whatever panics does so with the lock released and everything in its place (D3).
impl<S> RefUnwindSafe for Crowd<S> {}

impl<S> Crowd<S> {
    pub(crate) fn new(state: S) -> Self {
        let places = Places { all: Vec::new(), first_free: NIL, round: 0 };
        Self { inner: Mutex::new(Inner { state, places }) }
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
                inner.places.rouse(&mut wakes);
            }
            result
        };
        wakes.wake_all();
        result
    }

    /// Asks; stands in the crowd while the answer is `None`.
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
            if key.is_some_and(|key| inner.places.knows(key, cx.waker())) {
                return Poll::Pending;
            }
        }
        let waker = cx.waker().clone();
        let (answer, old) = {
            let mut inner = self.lock();
            let old = key.take().and_then(|key| inner.places.leave(key));
            match ask(&mut inner.state) {
                Some(answer) => (Some(answer), (old, Some(waker))),
                None => {
                    *key = Some(inner.places.enter(waker));
                    (None, (old, None))
                }
            }
        };
        drop(old);
        answer.map_or(Poll::Pending, Poll::Ready)
    }

    /// Leaves the crowd.
    pub(crate) fn leave(&self, key: &mut Option<Key>) {
        if let Some(key) = key.take() {
            let left = self.lock().places.leave(key);
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
        let mut places = Places { all: Vec::new(), first_free: NIL, round: 0 };
        let (mut waiting, mut woken) = (BTreeMap::new(), Vec::new());
        for n in 0..50_000 {
            match random.below(1000) {
                0 => {
                    let mut wakes = WakeList::new();
                    places.rouse(&mut wakes);
                    assert_eq!(wakes.len(), waiting.len(), "everybody is woken");
                    woken.extend(std::mem::take(&mut waiting).into_values().map(|(key, _)| key));
                }
                // For a while they are more and more, then less and less.
                dice if waiting.is_empty() || dice < 300 + 400 * (n / 5000 % 2) => {
                    let waker = Waker::from(Arc::new(Nobody));
                    let key = places.enter(waker.clone());
                    assert!(waiting.insert(key.place, (key, waker)).is_none(), "a place was given out twice");
                }
                _ => {
                    let nth = random.below(u32::try_from(waiting.len()).expect("few")) as usize;
                    let place = *waiting.keys().nth(nth).expect("below the length");
                    let (key, waker) = waiting.remove(&place).expect("it is there");
                    assert!(places.knows(key, &waker));
                    assert!(places.leave(key).is_some_and(|left| left.will_wake(&waker)));
                }
            }
            let last = waiting.keys().next_back().map_or(0, |last| *last as usize + 1);
            assert_eq!(places.all.len(), last, "free places at the end are given up");
        }
        assert!(woken.into_iter().all(|key| places.leave(key).is_none()), "a woken key names nothing");
    }
}
