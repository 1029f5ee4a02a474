//! P, a processor: the right to run tasks, and all that goes with it.
//!
//! A processor is a [`Box`] that moves: a machine that holds it may run tasks; to hand it off is to move the
//! box. What others must reach while its machine is stuck in a poll lies in its [`Remote`] face, shared by
//! all: the `next` slot, the thieves' end of the run queue, the timers, the [`Counters`].
//!
//! # The next slot
//! The task woken last is run first: it is what the task that woke it waits for, and its data are warm. The
//! slot is an atomic pointer so that it can be robbed, but nobody is woken because of it: its owner is about
//! to look there. A thief takes it only if it saw the same task there a while before, and the owner in the same poll
//! ([`Glimpse`]; see [`find_work`](super::find_work)).
//!
//! # Invariants
//! - P1. Only the machine that holds the box pushes to the queue and to `next`.
//! - P2. The slot owns a [`Runnable`]; whoever exchanges the pointer out owns it then.
//!
//! # Orderings
//! | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|
//! | [`Processor::push_next`]: exchange | Release | `rob_next` | the robber sees the task that was put there | `loom::a_task_in_the_slot_is_taken_or_robbed_once` |
//! | [`Remote::rob_next`]: exchange | Acquire | `push_next` | as above | the same |
//! | [`Remote::take_next`]: exchange | Relaxed | – | the owner takes what it put there itself, or what came with the box, through a lock (P1). So it does with what `push_next` displaces | – |
//! | `next`, first look | Relaxed | – | only tells whether to exchange | – |
//! | `home` | Relaxed, written by sysmon alone | – | whoever reads the old number looks once more at a set that is another's by now | – |

use super::counters::Counters;
use super::pace::Pace;
use super::roster::Roster;
use super::stuck::Stuck;
use super::visit::Rounds;
use crate::queue::injector::Injector;
use crate::queue::local::{Local, Thief};
use crate::task::Runnable;
use crate::timer::{Epoch, TimerHome};
use pirn_sync::primitive::atomic::{AtomicPtr, AtomicUsize, Ordering};
use pirn_sync::random::{self, Random};
use std::cell::{Cell, RefCell, RefMut};
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// The part that the holding machine alone uses.
#[derive(Debug)]
pub(crate) struct Processor {
    pub(super) remote: Arc<Remote>,
    pub(super) queue: Local,
    pub(super) random: Random,
    pub(super) tick: Cell<u32>,
    peers: RefCell<Peers>,
}

/// All processors, as last seen by one of them.
#[derive(Debug)]
pub(super) struct Peers {
    version: usize,
    pub(super) list: Arc<[Arc<Remote>]>,
    /// Room for what a thief saw in each `next` slot.
    pub(super) seen: Vec<Glimpse>,
    /// Thorough visits, and those in passing.
    pub(super) visits: Rounds,
    pub(super) passing: Rounds,
    /// When the previous round of thorough visits began, and when this one did.
    pub(super) rounds_began: [u64; 2],
}

/// What lay in a `next` slot at one moment, and which poll its owner was in: to be compared with, never followed. The
/// address alone says little, as the memory of a task that has ended is used for the next one at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glimpse {
    next: usize,
    polls: u64,
}

/// The part that everybody sees.
#[derive(Debug)]
pub(crate) struct Remote {
    pub(super) index: usize,
    /// Its number for the network, which says whose descriptors it hears of first ([`netpoll`](crate::netpoll)).
    home: AtomicUsize,
    next: AtomicPtr<()>,
    pub(super) thief: Thief,
    pub(super) timers: Arc<TimerHome>,
    pub(super) counters: Counters,
    pub(super) pace: Pace,
    pub(super) stuck: Stuck,
}

impl Processor {
    pub(super) fn new(index: usize, epoch: Epoch) -> Box<Self> {
        let queue = Local::new();
        let remote = Arc::new(Remote {
            index,
            home: AtomicUsize::new(index),
            next: AtomicPtr::new(ptr::null_mut()),
            thief: queue.thief(),
            timers: Arc::new(TimerHome::new(epoch)),
            counters: Counters::default(),
            pace: Pace::default(),
            stuck: Stuck::new(),
        });
        Box::new(Self {
            remote,
            queue,
            random: Random::new(random::seed()),
            tick: Cell::new(0),
            peers: RefCell::new(Peers {
                version: usize::MAX,
                list: Arc::new([]),
                seen: Vec::new(),
                visits: Rounds::after(index),
                passing: Rounds::after(index),
                rounds_began: [0; 2],
            }),
        })
    }

    /// A task woken by the one that runs: it is run next, and what lay there goes behind the queue. True if
    /// that made work which another machine could take.
    pub(super) fn push_next(&self, task: Runnable) -> bool {
        let before = self.remote.next.swap(task.into_ptr().as_ptr(), Ordering::Release);
        let Some(displaced) = NonNull::new(before) else { return false };
        // SAFETY: P2: the exchange took it out.
        self.queue.push(unsafe { Runnable::from_ptr(displaced) });
        true
    }

    /// What a machine runs first: the next task, else the first one of the queue, with which a time slice begins.
    #[inline]
    pub(super) fn take_first(&self) -> Option<Runnable> {
        self.remote.take_next().or_else(|| {
            self.remote.counters.new_slice();
            self.queue.pop()
        })
    }

    /// A task that yields: behind everything that is runnable here or in the injector at this moment. True if
    /// that made work which another machine could take.
    pub(super) fn push_last(&self, task: Runnable, injector: &Injector) -> bool {
        let drained = !injector.is_empty();
        if drained {
            injector.drain_into(&self.queue);
        }
        let moved = self.push_next_last();
        self.queue.push(task);
        drained || moved
    }

    /// What lies in `next` goes behind the queue: the time slice is used up, or its task is. True if there was
    /// anything.
    pub(super) fn push_next_last(&self) -> bool {
        let next = self.remote.take_next();
        let moved = next.is_some();
        next.into_iter().for_each(|next| self.queue.push(next));
        moved
    }

    /// All processors. Looked up again only when their number has changed.
    pub(super) fn peers(&self, roster: &Roster) -> RefMut<'_, Peers> {
        let mut peers = self.peers.borrow_mut();
        if let Some((version, list)) = roster.newer_than(peers.version) {
            peers.version = version;
            peers.list = list;
        }
        peers
    }
}

impl Remote {
    /// Takes the next task.
    pub(super) fn take_next(&self) -> Option<Runnable> {
        if self.next.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let taken = NonNull::new(self.next.swap(ptr::null_mut(), Ordering::Relaxed))?;
        // SAFETY: P2: the exchange took it out.
        Some(unsafe { Runnable::from_ptr(taken) })
    }

    /// Takes a share of the queue: one task to run now, the rest into `own`.
    pub(super) fn steal(&self, own: &Local) -> Option<Runnable> {
        self.thief.steal(own, self.pace.share())
    }

    /// Whether something lies in the slot.
    pub(super) fn has_next(&self) -> bool {
        !self.next.load(Ordering::Relaxed).is_null()
    }

    /// A look at the slot, for [`rob_next`](Self::rob_next).
    pub(super) fn glance(&self) -> Glimpse {
        Glimpse { next: self.next.load(Ordering::Relaxed).addr(), polls: self.counters.raw_polls() }
    }

    /// Takes the next task if everything is as it was `seen`.
    pub(super) fn rob_next(&self, seen: Glimpse) -> Option<Runnable> {
        let next = NonNull::new(self.next.load(Ordering::Relaxed))?;
        if next.addr().get() != seen.next || self.counters.raw_polls() != seen.polls {
            return None;
        }
        self.next
            .compare_exchange(next.as_ptr(), ptr::null_mut(), Ordering::Acquire, Ordering::Relaxed)
            .ok()?;
        // SAFETY: P2: the exchange took it out.
        Some(unsafe { Runnable::from_ptr(next) })
    }

    /// Its number for the network.
    pub(super) fn home(&self) -> usize {
        self.home.load(Ordering::Relaxed)
    }

    /// Stands in for `stuck`: the two exchange their numbers for the network. For sysmon alone, so that no two have the same.
    pub(super) fn exchange_homes(&self, stuck: &Self) {
        let own = self.home();
        self.home.store(stuck.home.swap(own, Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn queue_len(&self) -> usize {
        self.thief.len()
    }

    /// Whether a thief would find something; the next slot does not count.
    pub(super) fn has_work(&self) -> bool {
        !self.thief.is_empty()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        drop(self.take_next());
    }
}

#[cfg(all(test, loom))]
mod loom;
