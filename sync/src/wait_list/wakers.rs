//! Wakers on their way out of a lock.
//!
//! Waking runs foreign code, which may come back to the very primitive that wakes. So whoever takes entries off a list,
//! under its primitive's lock, only collects their wakers, and wakes them when the lock is released.

use std::task::Waker;

use crate::unwind;

/// Wakers, in the order in which they are to be woken.
///
/// Declare it before the lock's guard and call [`wake`](Self::wake) after the guard is gone. Two fit
/// without an allocation, which is what one release of a lock needs. Whichever panics, all are woken
/// ([`unwind::wake_all`]).
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    near: [Option<Waker>; 2],
    far: Vec<Waker>,
}

impl Wakers {
    /// Room for two, without an allocation.
    pub(crate) const fn new() -> Self {
        Self { near: [None, None], far: Vec::new() }
    }

    /// Adds a waker, if there is one, behind the others.
    pub(crate) fn push(&mut self, waker: Option<Waker>) {
        let Some(waker) = waker else { return };
        match self.near.iter_mut().find(|place| place.is_none()) {
            Some(place) if self.far.is_empty() => *place = Some(waker),
            _ => self.far.push(waker),
        }
    }

    /// Adds a waker, if there is one, ahead of the others.
    pub(crate) fn push_ahead(&mut self, waker: Option<Waker>) {
        if waker.is_none() {
            return;
        }
        let first = std::mem::replace(&mut self.near[0], waker);
        let second = std::mem::replace(&mut self.near[1], first);
        self.far.splice(0..0, second);
    }

    /// Wakes all of them, in order.
    pub(crate) fn wake(self) {
        drop(self);
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        if self.near[0].is_none() {
            return;
        }
        let near = std::mem::take(&mut self.near).into_iter().flatten();
        unwind::wake_all(near.chain(std::mem::take(&mut self.far)));
    }
}
