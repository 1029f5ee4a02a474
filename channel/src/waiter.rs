//! One waiting operation: whom to wake, and what it carries. It lies inside the future that waits.
//!
//! ```text
//!             waits                    done
//!   receive   Empty ──────────────►    Handed(value)   or Empty: look again (closed, or a pull)
//!   send      Offer(value) ───────►    Sent            or Offer(value): closed, have it back
//!   reserve   Slot ───────────────►    Granted         or Slot: closed
//! ```
//! A task that waits on a channel costs nothing beyond its own future: no node is allocated, and none is copied. The price is
//! that such a future must not move while it waits, so it is not `Unpin`, and that partners reach it through a pointer.
//!
//! # Who may touch the node
//! ```text
//!               push, by the owner                 complete, by a partner
//!      IDLE ───────────────────────► LINKED ───────────────────────────────► DONE
//!       ▲  ▲                        │      │  a select that was claimed elsewhere
//!       │  └── leave, by the owner ─┘      └───────────────────────────────► OUT
//!       └──────────────────── settle, by the owner ◄──────────────────────────┘
//! ```
//! # Invariants
//! W1. While the stage is LINKED the node is touched only under the lock of its channel. In every other stage it is its
//!     owner's alone. The owner makes it LINKED under the lock; whoever takes it off the queue stores the new stage last of all.
//! W2. A waiter is linked in the queues of one channel only: the one that its [`Op`][crate::wait::Op] names.
//! W3. A linked waiter neither moves nor is freed: it is pinned, and its owner takes it off the queue before it is dropped.
//! W4. The [`Place`] is initialised when the waiter is linked, and looked at only after that; its party is taken out before or
//!     as the waiter leaves.
//! W5. Neither a waker nor a value is dropped, cloned or called under the lock: both leave it with the caller.
//! W6. The value is there if and only if the kind says so. They belong together, and to whom the node does (W1).
//!
//! # Why the place is left uninitialised
//! An operation that need not wait never writes it. A fresh future is moved, and to copy half a cache line that has just been
//! written in parts costs as much as the lock. The place comes last, behind the value: beside the stage, which begins as a
//! constant, the compiler would write the bytes of both at once.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|---|
//! | 1 | [`release`][Waiter::release]: store | `Release` | 2 | what the partner did to the node is done, and a close has told the hint | `hand_over_against_a_poll_that_nobody_woke` |
//! | 2 | [`is_mine`][Waiter::is_mine]: load | `Acquire` | 1 | the owner goes on without the lock | as 1 |
//! | 3 | the owner's own stores and looks; the case | `Relaxed` | – | made by the owner, or under the lock | – |

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::mem::{needs_drop, MaybeUninit};
use std::ptr::{self, NonNull};
use std::task::Waker;

use pirn_sync::primitive::atomic::{AtomicU32, AtomicU8, Ordering};
use pirn_sync::primitive::UnsafeCell;

use crate::cargo::{Cargo, Kind};
use crate::claim::Claim;

const IDLE: u8 = 0;
const LINKED: u8 = 1;
const DONE: u8 = 2;
const OUT: u8 = 3;

/// A waiting operation.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Waiter<T> {
    stage: AtomicU8,
    /// What it carries, and which case of its select it is. Here both fill what alignment would leave empty.
    kind: Cell<Kind>,
    case: AtomicU32,
    node: UnsafeCell<Node<T>>,
    _pinned: PhantomPinned,
}

/// What a waiter and its neighbours know of it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Node<T> {
    value: MaybeUninit<T>,
    pub(crate) place: MaybeUninit<Place<T>>,
}

/// Where a waiter stands, and for whom.
#[derive(Debug)]
pub(crate) struct Place<T> {
    pub(crate) prev: Link<T>,
    pub(crate) next: Link<T>,
    pub(crate) party: Party,
}

/// A neighbour in a queue.
pub(crate) type Link<T> = Option<NonNull<Waiter<T>>>;

/// Who is to be woken when a waiter is done.
#[derive(Debug)]
pub(crate) enum Party {
    /// A single operation.
    Plain(Waker),
    /// One case of a select, which is completed only by whoever claims it. `None` for nobody: not yet, or no more.
    Select(Option<NonNull<Claim>>),
}

impl Party {
    pub(crate) const NOBODY: Self = Self::Select(None);

    /// The claim of the select whose case it is.
    pub(crate) fn claim(&self) -> Option<NonNull<Claim>> {
        match self {
            Self::Select(claim) => *claim,
            Self::Plain(_) => None,
        }
    }
}

// SAFETY: what it holds are values of T, a waker, and pointers that are followed only as W1 says.
unsafe impl<T: Send> Send for Waiter<T> {}
// SAFETY: a shared reference gives nothing away but the stage: the node and the kind are reached through `unsafe` alone,
// under W1.
unsafe impl<T: Send> Sync for Waiter<T> {}

impl<T> Waiter<T> {
    /// A waiter that stands in no queue.
    #[inline]
    pub(crate) fn new(cargo: Cargo<T>) -> Self {
        let mut node = Node { value: MaybeUninit::uninit(), place: MaybeUninit::uninit() };
        let kind = Cell::new(cargo.store(&mut node.value));
        let (stage, case) = (AtomicU8::new(IDLE), AtomicU32::new(0));
        Self { stage, kind, case, node: UnsafeCell::new(node), _pinned: PhantomPinned }
    }

    /// Whether it has begun to wait and has not been settled. For the owner.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.stage.load(Ordering::Relaxed) != IDLE
    }

    /// Whether it stands in no queue, so that the node is its owner's without the lock.
    #[inline]
    pub(crate) fn is_mine(&self) -> bool {
        self.stage.load(Ordering::Acquire) != LINKED
    }

    /// Whether it stands in a queue. Under the lock.
    #[inline]
    pub(crate) fn is_linked(&self) -> bool {
        // Relaxed: every change to and from LINKED is made under the lock.
        self.stage.load(Ordering::Relaxed) == LINKED
    }

    /// The owner, under the lock: it stands in a queue from now on, as this case of its select.
    pub(crate) fn link(&self, case: u32) {
        // Relaxed, both: partners come under the lock, and the owner knows it.
        self.case.store(case, Ordering::Relaxed);
        self.stage.store(LINKED, Ordering::Relaxed);
    }

    /// Which case of its select it is. Under the lock, while it is linked.
    #[inline]
    pub(crate) fn case(&self) -> u32 {
        // Relaxed: it was written under the lock.
        self.case.load(Ordering::Relaxed)
    }

    /// A partner, as the very last thing that it does to this waiter: it is the owner's again.
    #[inline]
    pub(crate) fn release(&self, done: bool) {
        self.stage.store(if done { DONE } else { OUT }, Ordering::Release);
    }

    /// The owner: the wait is over.
    #[inline]
    pub(crate) fn settle(&self) {
        // Relaxed: nobody else knows this waiter any more.
        self.stage.store(IDLE, Ordering::Relaxed);
    }

    /// What it carries.
    ///
    /// # Safety
    /// As for [`node`][Self::node].
    #[inline]
    pub(crate) unsafe fn kind(&self) -> Kind {
        self.kind.get()
    }

    /// Exchanges what it carries.
    ///
    /// # Safety
    /// As for [`node`][Self::node].
    #[inline]
    pub(crate) unsafe fn exchange(&self, cargo: Cargo<T>) -> Cargo<T> {
        // SAFETY: the caller's promise, and W6.
        unsafe {
            self.node(|node| {
                let before = Cargo::load(self.kind.get(), &node.value);
                self.kind.set(cargo.store(&mut node.value));
                before
            })
        }
    }

    /// Lends out its place.
    ///
    /// # Safety
    /// As for [`node`][Self::node]; and the waiter is linked, or was and has not been linked since (W4).
    #[inline]
    pub(crate) unsafe fn place<R>(&self, f: impl FnOnce(&mut Place<T>) -> R) -> R {
        // SAFETY: by the caller's promise, and W4.
        unsafe { self.node(|node| f(node.place.assume_init_mut())) }
    }

    /// Lends out the node.
    ///
    /// # Safety
    /// W1: the caller holds the lock of its channel, or is the owner and the waiter is not linked.
    #[inline]
    pub(crate) unsafe fn node<R>(&self, f: impl FnOnce(&mut Node<T>) -> R) -> R {
        // SAFETY: exclusive, by the caller's promise.
        self.node.with_mut(|node| f(unsafe { &mut *node }))
    }
}

impl<T> Drop for Waiter<T> {
    #[inline]
    fn drop(&mut self) {
        if needs_drop::<T>() {
            // SAFETY: W1: whoever drops it is its owner, and it is not linked (W3).
            drop(unsafe { self.exchange(Cargo::Empty) });
        }
    }
}

impl<T> Place<T> {
    /// The number of a value that was handed over. It lies where the links were, which a waiter that is done needs no more.
    pub(crate) fn number(&self) -> u64 {
        let half = |link: Link<T>| link.map_or(0, |link| link.addr().get() as u64);
        half(self.prev) << 32 | half(self.next)
    }

    pub(crate) fn set_number(&mut self, number: u64) {
        let half = |half: u64| NonNull::new(ptr::without_provenance_mut(half as u32 as usize));
        (self.prev, self.next) = (half(number >> 32), half(number));
    }
}
