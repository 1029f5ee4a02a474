//! One channel: the lock, the counts of its handles, and how it closes. How operations wait on it is in [`wait`][crate::wait].
//!
//! # Problem
//! A channel is shared by futures that may be dropped at any await, threads that block, and selects that look at it.
//! Everything that is decided about a value is decided under one lock, over the plain data of
//! [`state`][crate::state]; this file is the only one that takes that lock.
//!
//! ```text
//!   future ── poll ──► lock · look · enlist · unlock ── Pending
//!   partner ─────────► lock · claim · move the value · unlock · wake
//!   future ── poll ──► lock · take the cargo · unlock ── Ready
//!   future ── drop ──► lock · dismiss (pass on) · unlock · wake
//! ```
//!
//! # Invariants
//! H1. No waker and no value is cloned, called or dropped while the lock is held: each function moves them out and lets
//!     go of the lock first. So they may use this channel, and may panic, without harm.
//! H2. The parties in a [`WakeList`] are woken after the lock is released and before the function returns. If a waker
//!     panics, all others are woken, and the panic goes on to the caller, unless the thread unwinds already. What the
//!     caller did has happened: a value that it sent has arrived. But a value that it was receiving is dropped in the
//!     unwinding, like whatever a panicking function would have returned. To keep it would be to keep quiet about the
//!     panic.
//! H3. A channel closes once: by `close`, by its last sender, or by its last receiver.
//! H4. `hint` says, without the lock, what may be possible. Every critical section brings it up to date at its end; so
//!     under the lock it is exact.
//!     - Whoever reads that something is impossible needs no lock. It was impossible when that hint was stored; and
//!       whoever has been told of a later change sees the hint of that change.
//!     - Whoever is about to go away with nothing looks once more, behind a fence (row 4).
//!     - A close brings the hint up to date *before* it completes the first waiter. That waiter may go on without the
//!       lock while the section still runs, and only the hint tells it why its wait is over.
//! H5. Where nobody waits and the channel is open, a send or a receive touches the buffer and nothing else: there is
//!     nobody to wake, and what is possible afterwards follows from the buffer alone. Nearly every operation is of that
//!     kind, and takes a short way; the others go by [`put`][State::put] and [`take`][State::take].
//! H6. Where the hint rules an operation out, there is also nobody to meet and nobody to tell: the other side's queue is
//!     empty, or no value may pass between the two. So whoever finds that under the lock only enlists, and adds one
//!     waiter to the hint.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|---|
//! | 1 | counts, up | `Relaxed` | – | a new handle is made from one that exists | – |
//! | 2 | counts, down | `AcqRel` | 2 | what every other handle did is done before the channel closes | argued: closing takes the lock |
//! | 3 | `hint` | `Relaxed` | – | advice without the lock, and exact under it, which then orders it; who was let go by a close sees its store by 1 of [`waiter`][crate::waiter] (H4) | – |
//! | 4 | [`look_again`][Chan::look_again]: fence | `SeqCst` | itself, and those of [`frame`][crate::select::frame] and [`oneshot`][crate::oneshot] | of two that each send, and then look for what the other has sent, one finds it, as under a common lock; likewise of two that receive, and then look for room | `loom::of_two_that_send_and_look_one_finds`, `loom::of_two_that_receive_and_look_for_room_one_finds` |
//! | 5 | [`upgrade`][Chan::upgrade] | `Relaxed` | – | counts only; the lock orders everything else | – |
//!
//! # Rejected
//! A lock-free ring with the lock only for waiters: hand-off, claims, values that come back and the exact order of both queues
//! then need a second protocol between ring and queues.

use std::panic::RefUnwindSafe;

use pirn_sync::primitive::atomic::{fence, AtomicU8, AtomicUsize, Ordering};
use pirn_sync::primitive::Arc;

use crate::error::{TryRecvError, TrySendError};
use crate::lock::Lock;
use crate::state::{way_on, State, CONCERNS_OTHERS, MAY_PUT, MAY_TAKE, UNBOUNDED};
use crate::wait_queue::Side;
use crate::wake_list::WakeList;

/// How many waiters a close wakes per turn of the lock.
const CLOSE_BATCH: usize = 64;

/// What a look without the lock has seen.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// It can be done with the buffer alone.
    Quiet,
    /// It may concern others.
    ConcernsOthers,
}

/// One channel; its handles share it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Chan<T> {
    /// What could be done at the end of the last critical section: see invariant H4.
    hint: AtomicU8,
    pub(crate) state: Lock<State<T>>,
    pub(crate) senders: AtomicUsize,
    pub(crate) receivers: AtomicUsize,
    /// A channel that is never ready and never closes.
    pub(crate) never: bool,
}

// Whatever panics does so with the lock released and the state whole (H1).
impl<T> RefUnwindSafe for Chan<T> {}

impl<T> Chan<T> {
    pub(crate) fn new(cap: usize, pull: bool, never: bool) -> Arc<Self> {
        let state = State::new(cap, pull);
        Arc::new(Self {
            hint: AtomicU8::new(state.hint()),
            state: Lock::new(state),
            senders: AtomicUsize::new(usize::from(!never)),
            receivers: AtomicUsize::new(1),
            never,
        })
    }

    /// Runs `f` under the lock, then wakes whom it says.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State<T>, &mut WakeList) -> R) -> R {
        let mut wakes = WakeList::new();
        let result = self.locked(|state| f(state, &mut wakes));
        wakes.wake_all();
        result
    }

    /// Runs `f` under the lock, and keeps the hint true.
    #[inline]
    pub(crate) fn locked<R>(&self, f: impl FnOnce(&mut State<T>) -> R) -> R {
        self.state.with(|state| {
            let result = f(state);
            self.tell(state.hint());
            result
        })
    }

    pub(crate) fn capacity(&self) -> Option<usize> {
        let cap = self.with(|state, _| state.cap());
        (cap != UNBOUNDED).then_some(cap)
    }

    // --- without waiting -------------------------------------------------------------------------------------

    #[inline]
    pub(crate) fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.look(MAY_PUT).or_else(|| self.look_again(MAY_PUT)) {
            Some(look) => self.send_after(look, value),
            None => Err(TrySendError::Full(value)),
        }
    }

    /// As [`try_send`](Self::try_send) with one look, for a caller that does not go away when there is no room.
    #[inline]
    pub(crate) fn send_at_once(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.look(MAY_PUT) {
            Some(look) => self.send_after(look, value),
            None => Err(TrySendError::Full(value)),
        }
    }

    #[inline]
    pub(crate) fn try_recv(&self) -> Result<T, TryRecvError> {
        self.recv_at_once().or_else(|none| match none {
            TryRecvError::Empty => self.look_again(MAY_TAKE).map_or(Err(none), |look| self.recv_after(look)),
            TryRecvError::Closed => Err(none),
        })
    }

    /// As [`try_recv`](Self::try_recv) with one look, for a caller that does not go away when there is nothing.
    #[inline]
    pub(crate) fn recv_at_once(&self) -> Result<T, TryRecvError> {
        self.look(MAY_TAKE).map_or(Err(TryRecvError::Empty), |look| self.recv_after(look))
    }

    /// Looks whether `what` may be possible, and how; if not, it was impossible a moment ago.
    #[inline]
    pub(crate) fn look(&self, what: u8) -> Option<Look> {
        let hint = self.hint.load(Ordering::Relaxed);
        (hint & what != 0).then_some(if hint & CONCERNS_OTHERS == 0 {
            Look::Quiet
        } else {
            Look::ConcernsOthers
        })
    }

    /// A look that is later than all that this thread has done, for a caller that goes away when there is nothing.
    #[cold]
    fn look_again(&self, what: u8) -> Option<Look> {
        fence(Ordering::SeqCst);
        self.look(what)
    }

    /// Sends if it can: by the short way if `look` has seen that, and else under the rules.
    #[inline]
    pub(crate) fn send_after(&self, look: Look, mut value: T) -> Result<(), TrySendError<T>> {
        if let Look::Quiet = look {
            match self.send_quietly(value) {
                Ok(()) => return Ok(()),
                Err(back) => value = back,
            }
        }
        self.with(|state, wakes| state.put(value, None, wakes))
    }

    /// Receives if it can: by the short way if `look` has seen that, and else under the rules.
    #[inline]
    pub(crate) fn recv_after(&self, look: Look) -> Result<T, TryRecvError> {
        if let Look::Quiet = look {
            if let Some(value) = self.recv_quietly() {
                return Ok(value);
            }
        }
        self.with(|state, wakes| state.take(wakes))
    }

    /// Sends into the buffer if there is room and nobody waits (H5). Otherwise the value comes back.
    #[inline]
    fn send_quietly(&self, value: T) -> Result<(), T> {
        self.state.with(|state| {
            if !self.is_quiet(MAY_PUT) {
                return Err(value);
            }
            state.store(value);
            self.tell_quietly(state);
            Ok(())
        })
    }

    /// Receives from the buffer if there is a value and nobody waits (H5).
    #[inline]
    fn recv_quietly(&self) -> Option<T> {
        self.state.with(|state| {
            if !self.is_quiet(MAY_TAKE) {
                return None;
            }
            let value = state.ring.pop_front();
            self.tell_quietly(state);
            value
        })
    }

    /// Under the lock: whether `what` is possible, and concerns nobody else.
    #[inline]
    fn is_quiet(&self, what: u8) -> bool {
        self.hint.load(Ordering::Relaxed) & (what | CONCERNS_OTHERS) == what
    }

    #[inline]
    fn tell_quietly(&self, state: &State<T>) {
        debug_assert_eq!(state.quiet_hint(), state.hint(), "H5: somebody else is concerned");
        self.tell(state.quiet_hint());
    }

    #[inline]
    fn tell(&self, hint: u8) {
        // Looked at by others all the time, so written only where it changes.
        if self.hint.load(Ordering::Relaxed) != hint {
            self.hint.store(hint, Ordering::Relaxed);
        }
    }

    // --- waiting ---------------------------------------------------------------------------------------------

    /// Has `enlist` put a waiter into the queue of `side` if it cannot go on (H6); false, and nothing is done, if it may.
    #[inline]
    pub(crate) fn wait(&self, side: Side, enlist: impl FnOnce(&mut State<T>)) -> bool {
        self.state.with(|state| {
            let hint = self.hint.load(Ordering::Relaxed);
            debug_assert_eq!(hint, state.hint(), "H4: the hint is exact under the lock");
            if hint & way_on(side) != 0 {
                return false;
            }
            enlist(state);
            self.tell(hint | state.hint_of_a_waiter(side));
            debug_assert_eq!(
                hint | state.hint_of_a_waiter(side),
                state.hint(),
                "H6: nothing else has changed"
            );
            true
        })
    }

    // --- closing ---------------------------------------------------------------------------------------------

    /// Closes; true if this call did it.
    pub(crate) fn close(&self) -> bool {
        if self.never {
            return false;
        }
        let mut wakes = WakeList::new();
        let (closed, mut done, waiting) = self.locked(|state| {
            let closed = state.close();
            // Before anybody is let go (H4).
            self.tell(state.hint());
            (closed, state.flush(CLOSE_BATCH, &mut wakes), state.take_waiting_for_close())
        });
        waiting.for_each(|waker| wakes.push(waker));
        let mut waking = FinishClose { chan: self, done: false };
        while !done {
            wakes.wake_all();
            wakes = WakeList::new();
            done = self.locked(|state| state.flush(CLOSE_BATCH, &mut wakes));
        }
        waking.done = true;
        wakes.wake_all();
        closed
    }

    /// One sender fewer; the last one closes.
    pub(crate) fn drop_sender(&self) {
        if self.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.close();
        }
    }

    /// One receiver fewer; the last one closes and drops what is buffered.
    pub(crate) fn drop_receiver(&self) {
        if self.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Locals are dropped in reverse order, in an unwinding too. So the senders are let go before the values are
            // dropped, which runs anybody's code: it may panic, and may wait for one of the senders.
            let (_rest, hook) = self.with(|state, _| state.abandon());
            let _closing = CloseOnDrop(self);
            if let Some(hook) = hook {
                hook();
            }
        }
    }

    /// Makes a strong handle out of a weak one, unless the last strong one is gone.
    pub(crate) fn upgrade(count: &AtomicUsize) -> bool {
        let mut now = count.load(Ordering::Relaxed);
        while now != 0 {
            match count.compare_exchange_weak(now, now + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(other) => now = other,
            }
        }
        false
    }
}

/// Goes on with a close whose waker panicked.
struct FinishClose<'a, T> {
    chan: &'a Chan<T>,
    done: bool,
}

impl<T> Drop for FinishClose<'_, T> {
    fn drop(&mut self) {
        while !self.done {
            let mut wakes = WakeList::new();
            self.done = self.chan.locked(|state| state.flush(CLOSE_BATCH, &mut wakes));
            // This thread unwinds, so a second panic goes no further.
            wakes.wake_all();
        }
    }
}

struct CloseOnDrop<'a, T>(&'a Chan<T>);

impl<T> Drop for CloseOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(all(test, loom))]
mod loom;
