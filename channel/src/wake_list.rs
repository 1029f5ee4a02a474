//! Whom to wake once the lock of a channel is released.
//!
//! Waking runs foreign code, which may come back to the very channel that wakes. So under the lock wakers are only collected
//! (H1 and H2 of [`chan`][crate::chan]).

use std::task::Waker;

use pirn_sync::unwind;

/// Those to wake once the lock is released: almost always none or one, so that it costs two words to make and to look at.
#[derive(Debug)]
pub(crate) struct WakeList {
    first: Option<Waker>,
    more: Option<Box<More>>,
}

#[derive(Debug, Default)]
struct More {
    wakers: Vec<Waker>,
}

impl WakeList {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { first: None, more: None }
    }

    #[inline]
    pub(crate) fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.push_more(waker);
        }
    }

    #[cold]
    fn push_more(&mut self, waker: Waker) {
        self.more.get_or_insert_default().wakers.push(waker);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.more.as_ref().map_or(0, |more| more.wakers.len())
    }

    /// Wakes them all in order, whichever panics ([`unwind::wake_all`]).
    #[inline]
    pub(crate) fn wake_all(self) {
        if self.more.is_some() {
            self.wake_each();
        } else if let Some(first) = self.first {
            unwind::step(|| first.wake());
        }
    }

    #[cold]
    fn wake_each(self) {
        unwind::wake_all(self.first.into_iter().chain(self.more.into_iter().flat_map(|more| more.wakers)));
    }
}
