//! Waiters that are all woken at once: what `broadcast` and `watch` wait with.
//!
//! A state under a lock, and a crowd of waiting tasks beside it. A waiter asks a question of the state; while the
//! answer is "not yet" it stands in the crowd. Whoever changes the state rouses the crowd, and everybody asks again.
//!
//! # Invariants
//! D1. The question is asked and the waiter enlisted in one critical section, and the state is changed and the crowd taken out in
//!     one: so no change falls between the two.
//! D2. A place is *waiting* (with a waker), *woken*, or free; its [`Key`] has one owner, who alone frees it.
//! D3. No waker and no value is cloned, called or dropped with the lock held.

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

/// How many places an empty crowd may keep.
const KEEP: usize = 32;

/// The end of the list of free places.
const NIL: u32 = u32::MAX;

/// Where a waiter stands in its crowd.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key(u32);

#[derive(Debug)]
enum Place {
    Waiting(Waker),
    Woken,
    Free { next: u32 },
}

#[derive(Debug)]
struct Places {
    all: Vec<Place>,
    free: u32,
    used: u32,
}

impl Places {
    fn enter(&mut self, waker: Waker) -> Key {
        self.used += 1;
        let place = Place::Waiting(waker);
        match self.all.get_mut(self.free as usize) {
            Some(free) => match std::mem::replace(free, place) {
                Place::Free { next } => Key(std::mem::replace(&mut self.free, next)),
                _ => unreachable!("D2: the list of free places holds free ones"),
            },
            None => {
                assert!(self.all.len() < NIL as usize, "more than 2³² operations wait on one channel");
                self.all.push(place);
                Key((self.all.len() - 1) as u32)
            }
        }
    }

    fn leave(&mut self, key: Key) -> Place {
        let left = std::mem::replace(&mut self.all[key.0 as usize], Place::Free { next: self.free });
        self.free = key.0;
        self.used -= 1;
        if self.used == 0 && self.all.len() > KEEP {
            (self.all, self.free) = (Vec::new(), NIL);
        }
        left
    }

    fn knows(&self, key: Key, waker: &Waker) -> bool {
        matches!(&self.all[key.0 as usize], Place::Waiting(old) if old.will_wake(waker))
    }

    fn rouse(&mut self, wakes: &mut WakeList) {
        for place in &mut self.all {
            if let Place::Waiting(_) = place {
                if let Place::Waiting(waker) = std::mem::replace(place, Place::Woken) {
                    wakes.push(waker);
                }
            }
        }
    }
}

impl<S> Crowd<S> {
    pub(crate) fn new(state: S) -> Self {
        Self { inner: Mutex::new(Inner { state, places: Places { all: Vec::new(), free: NIL, used: 0 } }) }
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
            let old = key.take().map(|key| inner.places.leave(key));
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
