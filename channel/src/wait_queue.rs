//! The waiters of one channel: two first-in-first-out queues threaded through the futures that wait.
//!
//! ```text
//!   receivers  head ──► [R1] ⇄ [R2] ⇄ [R3] ◄── tail        each in the future of a task or on the stack of a thread
//!   senders    head ──► [S1] ◄── tail
//! ```
//! A linked list because a waiter leaves from the middle when its future is dropped or its select goes elsewhere.
//!
//! # Invariants
//! Q1. A linked waiter is alive and where it was when it was linked (W3 of [`waiter`][crate::waiter]); all links are between
//!     linked waiters, and are followed only under the lock, which a `&mut` to these queues stands for.
//! Q2. A waiter is linked in at most one queue; queues are in order of arrival.
//! Q3. Whether a waiter waits for a slot alone does not change while it is linked: what it comes to is written when it has left
//!     the queue. So `may_offer` needs to be brought up to date only when a sender comes, or after a search in vain.
//!
//! # Rejected
//! *A slab of nodes in the channel, and its index in the future*: all safe code, and futures that may move. A task that waits then cost
//! some 60 bytes beyond its future, more than the rest of its bookkeeping had left of the hundred that a task may cost, and
//! every wait copied a node in and out.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use crate::cargo::{Cargo, Kind};
use crate::claim::{Attempt, Claim, Flag};
use crate::waiter::{Link, Party, Place, Waiter};
use crate::wake_list::WakeList;

/// Which of the two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Those who wait to send, or for a slot.
    Senders,
    /// Those who wait to receive.
    Receivers,
}

#[derive(Debug)]
struct Ends<T> {
    head: Link<T>,
    tail: Link<T>,
}

/// All waiters of one channel.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct WaitQueues<T> {
    receivers: Ends<T>,
    senders: Ends<T>,
    /// False only if all senders wait for a slot alone.
    may_offer: bool,
}

// SAFETY: pointers to waiters, whose content may be sent to whoever holds the lock (Q1); nothing else.
unsafe impl<T: Send> Send for WaitQueues<T> {}

/// A waiter that was just taken off its queue, to be completed before the lock is released.
#[must_use]
pub(crate) struct Claimed<'q, T> {
    waiter: NonNull<Waiter<T>>,
    locked: PhantomData<&'q mut WaitQueues<T>>,
}

impl<T> Claimed<'_, T> {
    /// What it carries.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        // SAFETY: under the lock, and still LINKED to its owner (W1).
        unsafe { self.waiter().kind() }
    }

    /// Gives a receiver its value, and has it woken.
    #[inline]
    pub(crate) fn hand(self, number: u64, value: T, wakes: &mut WakeList) {
        // SAFETY: as above.
        unsafe { self.waiter().place(|place| place.set_number(number)) };
        // It had nothing before: dropping that calls nobody (W5).
        drop(self.complete(Cargo::Handed(value), wakes));
    }

    /// Gives it what it carries from now on, and has its party woken. What it carried is returned.
    #[inline]
    pub(crate) fn complete(self, cargo: Cargo<T>, wakes: &mut WakeList) -> Cargo<T> {
        // SAFETY: as above.
        let before = unsafe { self.waiter().exchange(cargo) };
        self.send_away(wakes);
        before
    }

    /// Leaves it what it carries, and has its party woken.
    #[inline]
    pub(crate) fn send_away(self, wakes: &mut WakeList) {
        let waiter = self.waiter();
        // SAFETY: as above.
        let party = unsafe { waiter.place(|place| std::mem::replace(&mut place.party, Party::NOBODY)) };
        let waker = match party {
            Party::Plain(waker) => Some(waker),
            // SAFETY: the claim lives as long as a waiter of its select is linked (F3), and this one was claimed by us.
            Party::Select(claim) => claim.and_then(|claim| unsafe { claim.as_ref().take_waker() }),
        };
        waiter.release(true);
        if let Some(waker) = waker {
            wakes.push(waker);
        }
    }

    #[inline]
    fn waiter(&self) -> &Waiter<T> {
        // SAFETY: Q1: it was linked a moment ago, and its owner cannot have left since: that takes the lock.
        unsafe { self.waiter.as_ref() }
    }
}

impl<T> WaitQueues<T> {
    pub(crate) const fn new() -> Self {
        let (receivers, senders) = (Ends { head: None, tail: None }, Ends { head: None, tail: None });
        Self { receivers, senders, may_offer: false }
    }

    #[inline]
    fn ends(&mut self, side: Side) -> &mut Ends<T> {
        match side {
            Side::Senders => &mut self.senders,
            Side::Receivers => &mut self.receivers,
        }
    }

    #[inline]
    fn head(&self, side: Side) -> Link<T> {
        match side {
            Side::Senders => self.senders.head,
            Side::Receivers => self.receivers.head,
        }
    }

    /// Whether nobody is linked on `side`.
    #[inline]
    pub(crate) fn is_empty(&self, side: Side) -> bool {
        self.head(side).is_none()
    }

    /// Whether a sender may be linked that offers a value. It saves a search past all who wait for a slot alone.
    #[inline]
    pub(crate) fn may_offer(&self) -> bool {
        self.may_offer
    }

    /// After a search for an offer in vain: finds out whether there is any, so that none is searched for before one comes.
    #[cold]
    pub(crate) fn note_offers(&mut self) {
        let mut at = self.senders.head;
        self.may_offer = false;
        while let (Some(pointer), false) = (at, self.may_offer) {
            // SAFETY: Q1, and W1: linked, and under the lock.
            unsafe {
                let waiter = pointer.as_ref();
                (at, self.may_offer) = (waiter.place(|place| place.next), waiter.kind() != Kind::Slot);
            }
        }
    }

    /// Puts a waiter at the end of a queue.
    ///
    /// # Safety
    /// The waiter is idle and this channel's (W2), and from now on W3 holds for it.
    pub(crate) unsafe fn push(&mut self, side: Side, waiter: &Waiter<T>, party: Party, case: u32) {
        let ends = self.ends(side);
        let tail = ends.tail.replace(NonNull::from(waiter));
        match tail {
            None => ends.head = Some(NonNull::from(waiter)),
            // SAFETY: Q1, and W1: under the lock.
            Some(tail) => unsafe { tail.as_ref().place(|place| place.next = Some(NonNull::from(waiter))) },
        }
        // SAFETY: it is idle, so it is still its owner's, who calls (W1).
        unsafe {
            waiter.node(|node| node.place = MaybeUninit::new(Place { prev: tail, next: None, party }));
            if side == Side::Senders {
                self.may_offer |= waiter.kind() != Kind::Slot;
            }
        }
        waiter.link(case);
    }

    /// Takes a linked waiter out of its queue, wherever it stands. Its stage stays LINKED, so that it is touched under the lock
    /// alone (W1), until the caller releases or settles it.
    ///
    /// # Safety
    /// It is linked, in this queue.
    #[inline]
    unsafe fn unlink(&mut self, side: Side, waiter: &Waiter<T>) {
        // SAFETY: W1: linked, and under the lock; so are its neighbours (Q1).
        unsafe {
            let (prev, next) = waiter.place(|place| (place.prev, place.next));
            match prev {
                None => self.ends(side).head = next,
                Some(prev) => prev.as_ref().place(|place| place.next = next),
            }
            match next {
                None => self.ends(side).tail = prev,
                Some(next) => next.as_ref().place(|place| place.prev = prev),
            }
        }
    }

    /// The owner leaves: its waiter is idle again. Returns the party, whose waker must not be dropped under the lock.
    ///
    /// # Safety
    /// The caller owns the waiter, which belongs to this queue if it is linked at all (W2).
    pub(crate) unsafe fn leave(&mut self, side: Side, waiter: &Waiter<T>) -> Party {
        let linked = waiter.is_linked();
        if linked {
            // SAFETY: linked, and here, by the caller's promise.
            unsafe { self.unlink(side, waiter) };
        }
        waiter.settle();
        if !linked {
            return Party::NOBODY;
        }
        // SAFETY: W1, W4: it was linked until now, and the caller owns it.
        unsafe { waiter.place(|place| std::mem::replace(&mut place.party, Party::NOBODY)) }
    }

    /// Claims the first waiter of `side` that is not busy, and takes it off its queue.
    ///
    /// A select that is busy keeps its place and is passed by; one that was claimed elsewhere is taken out as well.
    #[inline]
    pub(crate) fn claim_first(&mut self, side: Side) -> Option<Claimed<'_, T>> {
        self.claim(side, false)
    }

    /// The same for the first sender that offers a value, passing by those who wait for a slot.
    #[inline]
    pub(crate) fn claim_offer(&mut self) -> Option<Claimed<'_, T>> {
        self.claim(Side::Senders, true)
    }

    #[inline]
    fn claim(&mut self, side: Side, only_offers: bool) -> Option<Claimed<'_, T>> {
        let mut at = self.head(side);
        while let Some(pointer) = at {
            // SAFETY: Q1.
            let waiter = unsafe { pointer.as_ref() };
            let try_it = |place: &mut Place<T>| {
                let attempt = match &place.party {
                    // SAFETY: W1, as below.
                    _ if only_offers && unsafe { waiter.kind() } != Kind::Offer => Attempt::Busy,
                    // SAFETY: the claim lives as long as a waiter of its select is linked (F3).
                    Party::Select(Some(claim)) => unsafe { claim.as_ref() }.try_claim(waiter.case()),
                    _ => Attempt::Won,
                };
                (place.next, attempt)
            };
            // SAFETY: W1: linked, and under the lock.
            let (next, attempt) = unsafe { waiter.place(try_it) };
            if attempt != Attempt::Busy {
                // SAFETY: it was found in this queue.
                unsafe { self.unlink(side, waiter) };
                if attempt == Attempt::Won {
                    return Some(Claimed { waiter: pointer, locked: PhantomData });
                }
                waiter.release(false);
            }
            at = next;
        }
        None
    }

    /// Flags every busy select on `side` but `me` (C4 of [`claim`][crate::claim]). True if one of them has begun to wait
    /// meanwhile: then claim again.
    pub(crate) fn flag_busy(&self, side: Side, me: Option<&Claim>) -> bool {
        let mut at = self.head(side);
        while let Some(pointer) = at {
            // SAFETY: Q1, and W1: linked, and under the lock.
            let (next, claim) = unsafe { pointer.as_ref().place(|place| (place.next, place.party.claim())) };
            // SAFETY: the claim lives as long as a waiter of its select is linked (F3).
            let claim = claim.map(|claim| unsafe { claim.as_ref() });
            if let Some(claim) = claim.filter(|claim| !me.is_some_and(|me| ptr::eq(me, *claim))) {
                if claim.flag() == Flag::Waiting {
                    return true;
                }
            }
            at = next;
        }
        false
    }

    /// Has everybody woken who waits to receive, for a pull: plain waiters are done, selects stay and look again.
    pub(crate) fn rouse_receivers(&mut self, wakes: &mut WakeList) {
        let mut at = self.head(Side::Receivers);
        while let Some(pointer) = at {
            // SAFETY: Q1.
            let waiter = unsafe { pointer.as_ref() };
            // SAFETY: W1: linked, and under the lock.
            let (next, claim) = unsafe { waiter.place(|place| (place.next, place.party.claim())) };
            match claim {
                Some(claim) => {
                    // SAFETY: the claim lives as long as a waiter of its select is linked (F3).
                    let claim = unsafe { claim.as_ref() };
                    claim.rouse().into_iter().for_each(|waker| wakes.push(waker));
                }
                None => {
                    // SAFETY: it was found in this queue.
                    unsafe { self.unlink(Side::Receivers, waiter) };
                    Claimed { waiter: pointer, locked: PhantomData }.send_away(wakes);
                }
            }
            at = next;
        }
    }
}
