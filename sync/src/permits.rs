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
//! A clock that nobody reads revokes nothing. So a release that calls one calls a second: that *witness*
//! finds the permits free and untaken, keeps its own task awake, and goes past at the end of the millisecond.
//! In an ordinary queue that costs little: the next one is woken a little early. A waiter that has come to a call
//! before, and has waited for less than a millisecond, is trusted to come again and gets no witness; where a lock
//! changes hands often that saves a poll for nothing.
//!
//! A witness may be abandoned as well, while its task waits for the same lock anew; and so may the waiter that it is
//! to watch. But such a task goes to sleep *behind an entry of its own that was called*. So it is known not to come
//! for that entry, at least not with this wake-up, and another witness is called before it sleeps. Moreover,
//! whoever goes to sleep, or tries in vain, looks whether those who were called have come in time.
//!
//! This much is left of the futurelock. Waiters of other tasks are held up, until another wait finds that a call has
//! lapsed, in two cases:
//! - The one who was called and its witness both belong to tasks (or to parts of tasks with wakers of their own) that
//!   do not wait for this lock any more, or only take it in passing.
//! - The one who was called has no witness, and is abandoned within a millisecond after it came to a call in vain.
//!
//! # Barging
//! With `BARGING`, calls do not keep newcomers out, until somebody who is about to be called has been waiting
//! for a millisecond ([`patience`](crate::patience)). Then the release *reserves* the permit for it. This is
//! Go's starvation mode, made revocable.
//!
//! Whoever is called finds the permit taken as often as not. So nobody else is called while somebody is on
//! the way: the flag `CALLED` says so, and a release that sees it is done with one exchange, as if nobody
//! queued. Every 64th release looks at the queue all the same, so that a call which nobody answers is noticed.
//!
//! # Invariants
//! P1. `QUEUED` is set before an entry is queued and cleared only while the queue is empty, both under the
//!     queue's lock. A release that sees it, without a sign that there is nothing to do (P2, P5), takes that
//!     lock; so nobody queues up behind a release that does not look at the queue.
//! P2. While `RESERVED` is set, permits are taken only under the queue's lock, and whoever gives some back
//!     looks at the queue; with `BARGING` it takes the lock first, lest somebody take them in between. Without
//!     `BARGING` it is set whenever `QUEUED` is, except when all who queue have been called and there is
//!     plenty beside what they want: readers who come then need not wait until all others have come. Whoever
//!     wants more than one permit still goes to the queue.
//! P3. Permits exist in the word or in the hands of those who took them, nowhere else; an entry in the
//!     queue owns none. So cancelling a wait has nothing to give back but its turn.
//! P4. After every change under the lock, [`settle`](Permits::settle) restores: of those present, each one
//!     for whom the free permits suffice, counted from the front, has been called; and so has a witness,
//!     if it is in doubt whether they come.
//! P5. With `BARGING`: while `CALLED` is set, somebody has been called and has not come. Whoever comes, is
//!     cancelled, or turns out to be deaf, has it cleared in the same exchange that tells whether a permit is
//!     free: so a release that left the permit to the call is seen then, and a later one looks at the queue.
//! P6. There never are more than [`MAX_PERMITS`], free and in use together: whoever adds new ones sees to it.
//!     So whoever gives back need not check a sum.
//!
//! Who is called, who is absent and who goes before whom is decided on plain data in [`queue`], of which [`waiter`] is
//! one entry, and [`crowd`] what it keeps of many who have been called; the word, and every ordering, stand in [`word`];
//! what an attempt does that does not succeed at once, in [`attempt`], and how long it spins before it queues, in [`spin`].
//!
//! # Rejected
//! Assigning permits to the waiter at release (tokio): the futurelock above. Waking the first and letting it
//! compete, without calls (async-lock): a later waiter in another task sleeps for ever if the first one is
//! not polled. Collecting permits for a big request one by one: they are then out of everybody's reach, and
//! have to come back on cancel; here they stay in the word, and the queue's order protects the big request.
//! With barging, making the permit free first and looking at the queue afterwards: whoever spins takes it in
//! between, again and again, and the one who starves is never reserved for.

mod attempt;
mod crowd;
mod queue;
mod spin;
mod ticket;
mod waiter;
mod word;

use std::panic::RefUnwindSafe;
use std::sync::atomic::AtomicBool; // not loom's: the hint decides nothing
use std::task::{Context, Poll};

use queue::{Ahead, Queue};
use spin::Luck;
pub(crate) use ticket::{Ticket, Want};
use waiter::Now;
pub(crate) use word::MAX_PERMITS;
use word::{ASLEEP, CALLED, CLOSED, QUEUED, RESERVED, Seen, Word};

use crate::host;
use crate::primitive::atomic::AtomicU8;
use crate::primitive::atomic::Ordering::Relaxed;
use crate::primitive::{Mutex, MutexGuard, hint};
use crate::wait_list::Wakers;

/// After so many releases that relied on a call, one looks at what has become of it.
const TRUST: u8 = 64;

/// How often the queue's lock is tried before it is waited for, and the longest pause in between, as a power of
/// two: about a microsecond in all.
const LOCK_TURNS: u32 = if cfg!(loom) { 0 } else { 8 };
const LONGEST_TURN: u32 = 5;

/// More than there can be threads that take one each between two looks at the queue.
const PLENTY: usize = MAX_PERMITS / 2;

/// A count of permits and the queue of those who want some.
///
/// The word comes last, next to what the permits are for: a lock that goes from one core to another takes a single cache
/// line along with it, if its value is small.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Permits<const BARGING: bool> {
    queue: Mutex<Queue>,
    luck: Luck,
    /// How many releases have left it to a call: written without care, it only has to grow.
    trusted: AtomicU8,
    /// Whether somebody queues: a hint for those who would otherwise guess, written under the queue's lock and read without
    /// order. It has a byte of its own, since a load of the word holds up the exchange that follows.
    queues: AtomicBool,
    word: Word,
}

// Whatever panics, wakers alone, does so with the lock released and everything in its place.
impl<const BARGING: bool> RefUnwindSafe for Permits<BARGING> {}

/// Permits on the way to their owner; dropped, they go back.
struct Taken<'a, const BARGING: bool> {
    permits: &'a Permits<BARGING>,
    count: usize,
}

impl<const BARGING: bool> Drop for Taken<'_, BARGING> {
    #[cold]
    fn drop(&mut self) {
        self.permits.release(self.count);
    }
}

/// No permit will be given out any more.
#[derive(Debug)]
pub(crate) struct Closed;

impl<const BARGING: bool> Permits<BARGING> {
    crate::const_fn! {
        /// `free` permits and an empty queue. `free` is at most [`MAX_PERMITS`].
        pub(crate) const fn new(free: usize) -> Self {
            Self {
                queue: Mutex::new(Queue::new()),
                luck: Luck::new(),
                trusted: AtomicU8::new(0),
                queues: AtomicBool::new(false),
                word: Word::new(free),
            }
        }
    }

    /// The number of free permits at this moment.
    pub(crate) fn free(&self) -> usize {
        self.word.look().free()
    }

    /// Whether [`close`](Self::close) was called; then everything before that call is seen.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.word.is_closed()
    }

    /// Takes permits if they are free and no one has a better right to them. Never takes the queue's lock.
    #[inline]
    pub(crate) fn try_take(&self, need: usize) -> bool {
        match BARGING {
            // A mutex is free when it has its one permit and nobody queues: guessing saves the load.
            true if !self.queues.load(Relaxed) => self.word.try_take_idle(need, Self::keep_out(need)),
            true => self.try_take_beside_queue(need),
            false => self.word.try_take(need, Self::keep_out(need), self.word.look()),
        }
    }

    /// Says whether somebody queues. Under the queue's lock.
    fn hint_at_queue(&self, queues: bool) {
        // Relaxed: who reads it too late guesses wrong, or looks for nothing.
        self.queues.store(queues, Relaxed);
    }

    #[cold]
    fn try_take_beside_queue(&self, need: usize) -> bool {
        self.word.try_take(need, Self::keep_out(need), self.word.look())
    }

    /// The flags that send somebody who comes for so many permits to the queue.
    const fn keep_out(need: usize) -> usize {
        match BARGING || need == 1 {
            true => CLOSED | RESERVED,
            false => CLOSED | RESERVED | QUEUED, // P2: there is plenty for those who want one
        }
    }

    /// Takes permits without waiting, also past those who were called and did not come.
    #[inline]
    pub(crate) fn try_acquire(&self, need: usize) -> Result<bool, Closed> {
        if self.try_take(need) {
            return Ok(true);
        }
        if self.is_closed() {
            return Err(Closed);
        }
        let seen = self.word.look();
        match seen.has(RESERVED | QUEUED) && seen.free() >= need {
            true => self.try_take_reserved(need),
            false => Ok(false),
        }
    }

    /// Takes permits without waiting and past everybody: for one who holds back everybody else already.
    pub(crate) fn try_take_ahead(&self, need: usize) -> bool {
        let _queue = self.lock_queue();
        self.word.take(need, 0)
    }

    #[cold]
    fn try_take_reserved(&self, need: usize) -> Result<bool, Closed> {
        let mut wakers = Wakers::new();
        let mut queue = self.lock_queue();
        if self.is_closed() {
            return Err(Closed);
        }
        let mut now = Now::default();
        let taken = match self.ahead(&mut queue, None, false, &mut now) {
            Ahead::Called(reserved) => self.word.take(need, reserved),
            Ahead::Blocked => false,
        };
        if taken || queue.is_due(self.word.look().free(), &mut now) {
            self.settle(&mut queue, 0, &mut wakers);
        }
        drop(queue);
        match taken {
            true => self.hand_out(need, || wakers.wake()),
            false => wakers.wake(),
        }
        Ok(taken)
    }

    /// Does what is left to do before whoever has just taken `count` permits can be told: waking and dropping
    /// wakers, which is foreign code. If it panics, nobody will know of the permits, and they go back.
    fn hand_out(&self, count: usize, code: impl FnOnce()) {
        let taken = Taken { permits: self, count };
        code();
        std::mem::forget(taken);
    }

    /// Polls an attempt. `Ready(Ok)`: the permits are taken. Honours the executor's wish to yield, and says
    /// what is waited for.
    #[inline]
    pub(crate) fn poll_acquire(
        &self,
        want: &Want,
        ticket: &mut Ticket,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let unqueued = ticket.key.is_none() && !want.ahead_of_all;
        if unqueued && !host::should_yield() && self.try_take(want.need) {
            return Poll::Ready(Ok(()));
        }
        self.poll_patiently(want, ticket, context)
    }

    /// Leaves the queue, if it was ever entered, and lets the others know where that changes whose turn it
    /// is. Wakers are woken and dropped with no lock held.
    #[inline]
    pub(crate) fn cancel(&self, ticket: &mut Ticket) {
        if ticket.key.is_some() {
            self.leave(ticket);
        }
    }

    #[cold]
    fn leave(&self, ticket: &mut Ticket) {
        let Some(key) = ticket.key.take() else { return };
        let mut wakers = Wakers::new();
        let mut queue = self.lock_queue();
        let left = queue.remove(key);
        self.settle(&mut queue, 0, &mut wakers);
        drop(queue);
        drop(left);
        wakers.wake();
    }

    /// Gives permits back, or adds new ones (P6).
    #[inline]
    pub(crate) fn release(&self, count: usize) {
        if BARGING {
            // As in `try_take`: a mutex that is given back has no permit, and mostly nobody queues.
            if self.queues.load(Relaxed) {
                self.release_beside_queue(count, self.word.look());
            } else if let Err(seen) = self.word.give_back(count, QUEUED, Seen::idle(0)) {
                self.release_beside_queue(count, seen); // P1
            }
        } else if self.word.add(count).has(RESERVED) {
            self.release_queued(0); // P2
        }
    }

    #[cold]
    fn release_beside_queue(&self, count: usize, seen: Seen) {
        // P1: nobody queues. P5: it is left to a call.
        let needs_no_look = |seen: Seen| !seen.has(QUEUED) || seen.has(CALLED) && !seen.has(RESERVED);
        let trusts = {
            // Relaxed, and no read-modify-write: some may go uncounted.
            let trusted = self.trusted.load(Relaxed).wrapping_add(1);
            self.trusted.store(trusted, Relaxed);
            !trusted.is_multiple_of(TRUST)
        };
        if !trusts || self.word.give_back_while(count, seen, needs_no_look).is_err() {
            self.release_queued(count);
        }
    }

    #[cold]
    fn release_queued(&self, count: usize) {
        let mut wakers = Wakers::new();
        let mut queue = self.lock_queue();
        self.settle(&mut queue, count, &mut wakers);
        drop(queue);
        wakers.wake();
    }

    /// Takes up to `count` free permits out of circulation, past any queue; returns how many.
    pub(crate) fn forget(&self, count: usize) -> usize {
        self.word.forget(count)
    }

    /// Ends it: every attempt, queued or to come, fails. Permits in use stay in use.
    pub(crate) fn close(&self) {
        let mut wakers = Wakers::new();
        let mut queue = self.lock_queue();
        self.word.close();
        queue.wake_all(&mut wakers);
        drop(queue);
        wakers.wake();
    }

    /// Takes the queue's lock. It is held for less time than a switch of threads takes, so whoever finds it taken spins for
    /// longer than the lock itself would, which soon puts the thread to sleep.
    fn lock_queue(&self) -> MutexGuard<'_, Queue> {
        for turn in 0..LOCK_TURNS {
            if let Some(queue) = self.queue.try_lock() {
                return queue;
            }
            (0..1_u32 << turn.min(LONGEST_TURN)).for_each(|_| hint::spin_loop());
        }
        self.queue.lock()
    }

    /// Adds `returned` permits and restores P1, P2, P4 and P5, under the queue's lock.
    fn settle(&self, queue: &mut Queue, returned: usize, wakers: &mut Wakers) {
        let mut now = Now::default();
        let mut seen = self.word.look();
        loop {
            let free = seen.free() + returned;
            let asleep = match BARGING || queue.all_spin() {
                true => 0,
                false => ASLEEP,
            };
            let flags = match () {
                () if queue.is_empty() => 0,
                () if BARGING && (free == 0 || seen.has(CLOSED)) => QUEUED,
                () if seen.has(CLOSED) => QUEUED | RESERVED | asleep,
                () => {
                    let call = queue.call(free, wakers, &mut now);
                    match BARGING {
                        true if !call.anybody => QUEUED,
                        true if !call.first_starved => QUEUED | CALLED,
                        false if call.all_entitled && call.left >= PLENTY => QUEUED | asleep,
                        _ => QUEUED | RESERVED | asleep,
                    }
                }
            };
            match self.word.set_flags(seen, flags, returned) {
                Ok(()) => return self.hint_at_queue(flags & QUEUED != 0),
                Err(other) => seen = other,
            }
        }
    }
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
