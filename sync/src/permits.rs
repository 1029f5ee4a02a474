//! Permits and the queue for them: the one algorithm under `Mutex`, `Semaphore`, `RwLock` and `Once`.
//!
//! A mutex is one permit, a semaphore is n, a reader takes one of very many and a writer all of them. What
//! differs is the order: a mutex lets newcomers *barge* (whoever runs may take what is free, which is what
//! makes a contended lock fast), the others serve strictly first come, first served.
//!
//! # The problem: a waiter that nobody polls
//! The usual async lock hands its permit over to the first waiter at release. But a future in a queue need
//! not be alive: its task may have polled it once, turned to something else, and be waiting for the very
//! same lock there. The permit then belongs to somebody who never comes, and a correct program hangs (a
//! *futurelock*). So nothing is handed over here. A release makes the permits free, and *calls* those whose
//! turn it is: it wakes them, and for about a millisecond nobody passes them. Whoever has not come by then
//! counts as *absent*; others go past, and only its next poll makes it present again.
//!
//! ```text
//!                release: turn has come            polled in time
//!   waiting ──────────────────────────► called ──────────────────► takes its permits, leaves
//!      ▲  ▲                              │  │
//!      │  └── polled, nothing free ──────┘  │ a millisecond, found by whoever looks next
//!      └───────────── polled ── absent ◄────┘
//! ```
//!
//! A clock that nobody reads revokes nothing. So a release calls one more than it has permits for: that
//! *witness* finds the permits free and untaken, keeps its own task awake, and goes past at the end of the
//! millisecond. In an ordinary queue it is the next one's wake-up, a little early. Who has come to a call
//! before, and has waited for less than a millisecond, is trusted to come again, without a witness: that
//! saves a poll for nothing where a lock changes hands often. (So this much is left of the futurelock: a
//! waiter that is abandoned within a millisecond, after it came to a call in vain, can hold up waiters of
//! *other* tasks until the next operation on the lock, if there is ever one.)
//!
//! # Barging
//! With `BARGING`, calls do not keep newcomers out, until the first in the queue has been waiting for a
//! millisecond ([`patience`](crate::patience)). Then the release *reserves* the permit for it. This is Go's
//! starvation mode, made revocable.
//!
//! # The word
//! ```text
//!   63                                   3        2          1         0
//!   ┌────────────────────────────────────┬────────┬──────────┬─────────┐
//!   │ free permits                       │ CLOSED │ RESERVED │ QUEUED  │
//!   └────────────────────────────────────┴────────┴──────────┴─────────┘
//! ```
//!
//! # Invariants
//! P1. `QUEUED` is set before an entry is queued and cleared only while the queue is empty, both under the
//!     queue's lock. A release that sees it takes that lock; so nobody queues up behind a release that
//!     does not look at the queue.
//! P2. While `RESERVED` is set, permits are taken only under the queue's lock. Without `BARGING` it is set
//!     whenever `QUEUED` is.
//! P3. Permits exist in the word or in the hands of those who took them, nowhere else; an entry in the
//!     queue owns none. So cancelling a wait has nothing to give back but its turn.
//! P4. After every change under the lock, [`settle`](Permits::settle) restores: of those present, each one
//!     for whom the free permits suffice, counted from the front, has been called; and so has a witness,
//!     if it is in doubt whether they come.
//!
//! Who is called, who is absent and who goes before whom is decided on plain data in [`queue`]; this file
//! holds the word.
//!
//! # Orderings
//! | # | access                                  | order   | with | why                                     | weakened, fails in |
//! |---|-----------------------------------------|---------|------|-----------------------------------------|--------------------|
//! | 1 | [`try_take`](Permits::try_take), [`take`](Permits::take): exchange | Acquire | 2, 3 | the taker sees what the last holder wrote | `loom::a_permit_carries_what_its_holder_wrote` |
//! | 2 | [`release`](Permits::release): exchange | Release | 1    |                                         | the same |
//! | 3 | [`settle`](Permits::settle): update     | Release | 1    | 2, when somebody is queued              | `mutex::loom::three_who_want_it_all_get_it` |
//! | 4 | [`close`](Permits::close): or           | Release | 5    | who sees it closed sees what was done before | `once::loom::one_runs_and_all_see_what_it_did` |
//! | 5 | [`is_closed`](Permits::is_closed): load | Acquire | 4    |                                         | `once::loom::one_runs_and_all_see_what_it_did` |
//! | 6 | every other load                        | Relaxed | –    | a guess that an exchange checks, or read under the queue's lock | – |
//! | 7 | flags set or cleared under the lock     | Relaxed | –    | read-modify-writes, which continue the release sequences of 2 and 3; the lock orders the queue itself | – |
//!
//! # Rejected
//! Assigning permits to the waiter at release (tokio): the futurelock above. Waking the first and letting it
//! compete, without calls (async-lock): a later waiter in another task sleeps for ever if the first one is
//! not polled. Collecting permits for a big request one by one: they are then out of everybody's reach, and
//! have to come back on cancel; here they stay in the word, and the queue's order protects the big request.

mod queue;
mod ticket;

use std::task::{Context, Poll, Waker, ready};

use queue::{Ahead, Queue};
pub(crate) use ticket::Ticket;

use crate::host;
use crate::primitive::Mutex;
use crate::primitive::atomic::AtomicUsize;
use crate::primitive::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::primitive::hint;
use crate::wait_list::{Key, Wakers};

const QUEUED: usize = 1;
const RESERVED: usize = 2;
const CLOSED: usize = 4;
const SHIFT: u32 = 3;

/// The most permits that the word can count.
pub(crate) const MAX_PERMITS: usize = usize::MAX >> SHIFT;

/// How often a newcomer looks again before it queues: a holder that runs on another core is soon done.
const SPINS: usize = if cfg!(loom) { 0 } else { 16 };

/// A count of permits and the queue of those who want some.
#[derive(Debug)]
pub(crate) struct Permits<const BARGING: bool> {
    state: AtomicUsize,
    queue: Mutex<Queue>,
}

/// No permit will be given out any more.
#[derive(Debug)]
pub(crate) struct Closed;

fn free_permits(state: usize) -> usize {
    state >> SHIFT
}

impl<const BARGING: bool> Permits<BARGING> {
    crate::const_fn! {
        /// `free` permits and an empty queue. `free` is at most [`MAX_PERMITS`].
        pub(crate) const fn new(free: usize) -> Self {
            Self { state: AtomicUsize::new(free << SHIFT), queue: Mutex::new(Queue::new()) }
        }
    }

    /// The number of free permits at this moment.
    pub(crate) fn free(&self) -> usize {
        free_permits(self.state.load(Relaxed))
    }

    /// Whether [`close`](Self::close) was called; then everything before that call is seen.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.state.load(Acquire) & CLOSED != 0
    }

    /// Takes permits if they are free and no one has a better right to them. Never takes the queue's lock.
    #[inline]
    pub(crate) fn try_take(&self, need: usize) -> bool {
        // A mutex is free when it has its one permit and nobody queues: guessing saves the load.
        let mut state = if BARGING { need << SHIFT } else { self.state.load(Relaxed) };
        while state & (CLOSED | RESERVED) == 0 && free_permits(state) >= need {
            match self.state.compare_exchange_weak(state, state - (need << SHIFT), Acquire, Relaxed) {
                Ok(_) => return true,
                Err(seen) => state = seen,
            }
        }
        false
    }

    /// Takes permits without waiting, also past those who were called and did not come.
    #[inline]
    pub(crate) fn try_acquire(&self, need: usize) -> Result<bool, Closed> {
        if self.try_take(need) {
            return Ok(true);
        }
        let state = self.state.load(Relaxed);
        match state & (CLOSED | RESERVED) {
            0 => Ok(false),
            RESERVED if free_permits(state) >= need => Ok(self.try_take_reserved(need)),
            RESERVED => Ok(false),
            _ => Err(Closed),
        }
    }

    /// Takes permits without waiting and past everybody: for one who holds back everybody else already.
    pub(crate) fn try_take_ahead(&self, need: usize) -> bool {
        let _queue = self.queue.lock();
        self.take(need, 0)
    }

    #[cold]
    fn try_take_reserved(&self, need: usize) -> bool {
        let mut wakers = Wakers::new();
        let mut queue = self.queue.lock();
        let taken = match self.ahead(&mut queue, None) {
            Ahead::Called(reserved) => self.take(need, reserved),
            Ahead::Blocked => false,
        };
        if taken {
            self.settle(&mut queue, 0, &mut wakers);
        }
        drop(queue);
        wakers.wake();
        taken
    }

    /// Polls an attempt. `Ready(Ok)`: the permits are taken. Honours the executor's wish to yield, and says
    /// what is waited for.
    #[inline]
    pub(crate) fn poll_acquire(
        &self,
        ticket: &mut Ticket,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        ready!(host::poll_yield(context));
        if ticket.key.is_none() && !ticket.ahead_of_all && self.try_take(ticket.need) {
            return Poll::Ready(Ok(()));
        }
        self.poll_queued(ticket, context)
    }

    #[cold]
    fn poll_queued(&self, ticket: &mut Ticket, context: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        if ticket.key.is_none() && self.spin(ticket.need) {
            return Poll::Ready(Ok(()));
        }
        let mut spare = None;
        let mut wakers = Wakers::new();
        loop {
            let mut queue = self.queue.lock();
            if self.is_closed() {
                let left = ticket.key.take().map(|key| queue.remove(key));
                drop(queue);
                drop(left);
                return Poll::Ready(Err(Closed));
            }
            let ahead = self.ahead(&mut queue, Some(ticket));
            if let Ahead::Called(reserved) = ahead
                && self.take(ticket.need, reserved)
            {
                let left = ticket.key.take().map(|key| queue.remove(key));
                self.settle(&mut queue, 0, &mut wakers);
                drop(queue);
                drop(left);
                wakers.wake();
                return Poll::Ready(Ok(()));
            }
            if spare.is_none() && !ticket.key.is_some_and(|key| queue.has_waker(key, context.waker())) {
                drop(queue);
                spare = Some(context.waker().clone());
                continue;
            }
            let Some(watch) = self.enqueue(&mut queue, ticket, &ahead, &mut spare) else { continue };
            drop(queue);
            if watch {
                context.waker().wake_by_ref();
            }
            host::waiting_on(ticket.kind, ticket.at);
            return Poll::Pending;
        }
    }

    /// Leaves the queue, if it was ever entered, and lets the others know where that changes whose turn it
    /// is. Wakers are woken and dropped with no lock held.
    #[inline]
    pub(crate) fn cancel(&self, ticket: &mut Ticket) {
        if let Some(key) = ticket.key.take() {
            self.leave(key);
        }
    }

    #[cold]
    fn leave(&self, key: Key) {
        let mut wakers = Wakers::new();
        let mut queue = self.queue.lock();
        let left = queue.remove(key);
        self.settle(&mut queue, 0, &mut wakers);
        drop(queue);
        drop(left);
        wakers.wake();
    }

    /// Gives permits back, or adds new ones. Panics when there would be more than [`MAX_PERMITS`].
    #[inline]
    #[track_caller]
    pub(crate) fn release(&self, count: usize) {
        let mut state = if BARGING { 0 } else { self.state.load(Relaxed) };
        while state & QUEUED == 0 {
            check_sum(state, count);
            match self.state.compare_exchange_weak(state, state + (count << SHIFT), Release, Relaxed) {
                Ok(_) => return,
                Err(seen) => state = seen,
            }
        }
        self.release_queued(count);
    }

    #[cold]
    #[track_caller]
    fn release_queued(&self, count: usize) {
        let mut wakers = Wakers::new();
        let mut queue = self.queue.lock();
        check_sum(self.state.load(Relaxed), count);
        self.settle(&mut queue, count, &mut wakers);
        drop(queue);
        wakers.wake();
    }

    /// Takes up to `count` free permits out of circulation, past any queue; returns how many.
    pub(crate) fn forget(&self, count: usize) -> usize {
        let mut state = self.state.load(Relaxed);
        loop {
            let gone = free_permits(state).min(count);
            // Acquire, as `try_take`: whoever forgets a permit has it for the moment.
            match self.state.compare_exchange_weak(state, state - (gone << SHIFT), Acquire, Relaxed) {
                Ok(_) => return gone,
                Err(seen) => state = seen,
            }
        }
    }

    /// Ends it: every attempt, queued or to come, fails. Permits in use stay in use.
    pub(crate) fn close(&self) {
        let mut wakers = Wakers::new();
        let mut queue = self.queue.lock();
        self.state.fetch_or(CLOSED, Release);
        queue.wake_all(&mut wakers);
        drop(queue);
        wakers.wake();
    }

    fn spin(&self, need: usize) -> bool {
        for _ in 0..SPINS {
            let state = self.state.load(Relaxed);
            if state & (QUEUED | CLOSED) != 0 {
                return false;
            }
            if free_permits(state) >= need && self.try_take(need) {
                return true;
            }
            hint::spin_loop();
        }
        false
    }

    /// Takes `need` permits under the queue's lock if `reserved` others are left.
    fn take(&self, need: usize, reserved: usize) -> bool {
        let mut state = self.state.load(Relaxed);
        while free_permits(state).checked_sub(reserved).is_some_and(|free| free >= need) {
            match self.state.compare_exchange_weak(state, state - (need << SHIFT), Acquire, Relaxed) {
                Ok(_) => return true,
                Err(seen) => state = seen,
            }
        }
        false
    }

    /// Who goes before `ticket`, or before somebody at the end of the queue.
    fn ahead(&self, queue: &mut Queue, ticket: Option<&Ticket>) -> Ahead {
        if BARGING && self.state.load(Relaxed) & RESERVED == 0 {
            return Ahead::Called(0);
        }
        match ticket {
            Some(Ticket { key: None, ahead_of_all: true, .. }) => Ahead::Called(0),
            Some(ticket) => queue.ahead_of(ticket.key),
            None => queue.ahead_of(None),
        }
    }

    /// Goes to the queue, or back to sleep in it. `None`: permits have come, look again. `Some(true)`: the
    /// free permits are kept back for others; it is to look again soon.
    fn enqueue(
        &self,
        queue: &mut Queue,
        ticket: &mut Ticket,
        ahead: &Ahead,
        spare: &mut Option<Waker>,
    ) -> Option<bool> {
        let flags = if BARGING { QUEUED } else { QUEUED | RESERVED };
        let free = free_permits(self.state.fetch_or(flags, Relaxed));
        let watch = match *ahead {
            Ahead::Blocked => false,
            Ahead::Called(reserved) if free >= reserved + ticket.need => return None,
            Ahead::Called(_) => free >= ticket.need,
        };
        let key = *ticket.key.get_or_insert_with(|| queue.push(ticket.need, ticket.ahead_of_all));
        queue.swap_waker(key, spare);
        if watch {
            queue.watch(key);
        } else {
            queue.wait(key);
        }
        Some(watch)
    }

    /// Adds `returned` permits and restores P1, P2 and P4, under the queue's lock.
    fn settle(&self, queue: &mut Queue, returned: usize, wakers: &mut Wakers) {
        let mut state = self.state.load(Relaxed);
        let mut flags = 0;
        if !queue.is_empty() {
            let free = free_permits(state) + returned;
            let starved = free > 0 && state & CLOSED == 0 && queue.call(free, wakers);
            flags = if starved || !BARGING { QUEUED | RESERVED } else { QUEUED };
        }
        let updated = |state: usize| (state & !(QUEUED | RESERVED) | flags) + (returned << SHIFT);
        while let Err(seen) = self.state.compare_exchange_weak(state, updated(state), Release, Relaxed) {
            state = seen;
        }
    }
}

#[track_caller]
fn check_sum(state: usize, count: usize) {
    assert!(
        free_permits(state).checked_add(count).is_some_and(|sum| sum <= MAX_PERMITS),
        "too many permits: a semaphore counts up to {MAX_PERMITS}"
    );
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
