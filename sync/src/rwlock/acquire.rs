//! The futures of a read-write lock, and what dropping them undoes.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::guard::{GiveBack, Held, Holder, ReadGuard, UpgradableReadGuard, WriteGuard};
use super::{ALL, READING, WRITING};
use crate::host::{self, WaitKind};
use crate::permits::{Ticket, Want};

/// Everything but the permit that an upgradable reader has already.
const UPGRADING: Want = Want::new(ALL - 1, WaitKind::RwLockWrite).ahead_of_all();

const AGAIN: &str = "a future of a `RwLock` was polled again after it had been ready";

/// The future of [`RwLock::read`](super::RwLock::read).
#[must_use = "futures do nothing unless awaited"]
pub struct Read<H: Holder>(Taking<H>);

/// The future of [`RwLock::write`](super::RwLock::write).
#[must_use = "futures do nothing unless awaited"]
pub struct Write<H: Holder>(Taking<H>);

/// What reading and writing have in common: a number of permits that are waited for.
struct Taking<H: Holder> {
    lock: Option<H>,
    ticket: Ticket,
}

impl<H: Holder> Taking<H> {
    // Always, so that what a reader wants is a constant in its poll.
    #[inline(always)]
    fn poll(&mut self, want: &Want, context: &mut Context<'_>) -> Poll<H> {
        let lock = self.lock.as_ref().expect(AGAIN);
        // The permits are never closed, so `Err` cannot come.
        let _ = ready!(lock.permits.poll_acquire(want, &mut self.ticket, context));
        Poll::Ready(self.lock.take().expect(AGAIN))
    }
}

impl<H: Holder> Drop for Taking<H> {
    #[inline]
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            lock.permits.cancel(&mut self.ticket);
        }
    }
}

impl<H: Holder> Read<H> {
    #[inline]
    pub(super) fn new(lock: H, ticket: Ticket) -> Self {
        Self(Taking { lock: Some(lock), ticket })
    }
}

impl<H: Holder> Future for Read<H> {
    type Output = ReadGuard<H>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(&READING, context).map(ReadGuard::new)
    }
}

impl<H: Holder> Write<H> {
    #[inline]
    pub(super) fn new(lock: H, ticket: Ticket) -> Self {
        Self(Taking { lock: Some(lock), ticket })
    }
}

impl<H: Holder> Future for Write<H> {
    type Output = WriteGuard<H>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll(&WRITING, context).map(WriteGuard::new)
    }
}

/// The future of [`RwLock::upgradable_read`](super::RwLock::upgradable_read): the slot and a permit, both in
/// one poll or neither (L3).
///
/// ```text
///   in the queue for the slot ───── called, and a permit is free ────────► guard
///      ▲        │ called, but no permit is free: gives the slot back
///      │        ▼
///      │     in the queue for permits ── called, and the slot is free ───► guard
///      └─────── called, but the slot is taken
/// ```
///
/// So while a writer has the lock, each of those who want the slot gets it once, finds no permit, and goes on to the queue
/// for permits. When the writer leaves, the first of them to come gets both, and the others go back to the queue for
/// the slot.
#[must_use = "futures do nothing unless awaited"]
pub struct UpgradableRead<H: Holder> {
    lock: Option<H>,
    /// At most one of the two is queued between polls.
    for_slot: Ticket,
    for_permit: Ticket,
}

impl<H: Holder> UpgradableRead<H> {
    pub(super) fn new(lock: H, at: &'static Location<'static>) -> Self {
        Self { lock: Some(lock), for_slot: Ticket::new(at), for_permit: Ticket::new(at) }
    }
}

impl<H: Holder> Future for UpgradableRead<H> {
    type Output = UpgradableReadGuard<H>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let lock = this.lock.as_ref().expect(AGAIN);
        // First of all: a task that yields gives up no turn, and may still come to it afterwards.
        ready!(host::poll_yield(context));
        if lock.slot.poll_acquire(&READING, &mut this.for_slot, context).is_pending() {
            // A permit is of no use without the slot, and a turn that is not taken would hold up others.
            lock.permits.cancel(&mut this.for_permit);
            return Poll::Pending;
        }
        // If there is no permit the slot goes back, and the next who waits for it is called.
        let slot = GiveBack(&lock.slot);
        let _ = ready!(lock.permits.poll_acquire(&READING, &mut this.for_permit, context));
        std::mem::forget(slot);
        Poll::Ready(UpgradableReadGuard::new(this.lock.take().expect(AGAIN)))
    }
}

impl<H: Holder> Drop for UpgradableRead<H> {
    fn drop(&mut self) {
        if let Some(lock) = &self.lock {
            lock.slot.cancel(&mut self.for_slot);
            lock.permits.cancel(&mut self.for_permit);
        }
    }
}

/// The future of [`UpgradableReadGuard::upgrade`].
#[must_use = "futures do nothing unless awaited"]
pub struct Upgrade<H: Holder> {
    held: Option<Held<H>>,
    ticket: Ticket,
}

impl<H: Holder> Upgrade<H> {
    pub(super) fn new(held: Held<H>, at: &'static Location<'static>) -> Self {
        Self { held: Some(held), ticket: Ticket::new(at) }
    }
}

impl<H: Holder> Future for Upgrade<H> {
    type Output = WriteGuard<H>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let held = this.held.as_ref().expect(AGAIN);
        let _ = ready!(held.lock.permits.poll_acquire(&UPGRADING, &mut this.ticket, context));
        // Taken out of the future first: if the waker of the next who wants the slot panics, nobody will know of the
        // permits, and they go back.
        let mut held = this.held.take().expect(AGAIN);
        held.permits = ALL;
        held.give_back_slot();
        Poll::Ready(WriteGuard::from_held(held))
    }
}

impl<H: Holder> Drop for Upgrade<H> {
    fn drop(&mut self) {
        if let Some(held) = &self.held {
            held.lock.permits.cancel(&mut self.ticket);
        }
    }
}

macro_rules! opaque {
    ($($future:ident)*) => {$(
        impl<H: Holder> fmt::Debug for $future<H> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($future)).finish_non_exhaustive()
            }
        }
    )*};
}

opaque!(Read Write UpgradableRead Upgrade);
