//! How a wait ends that is given up, and how a channel does: nothing that anybody was to have is lost.
//!
//! What a waiter that goes had been given is passed on at once: a value to the next receiver, or back ahead of the buffer, a slot
//! to the next sender. A channel that has closed sends everybody away, in batches (S3), and one whose last receiver has gone
//! keeps no value.

use std::any::Any;

use super::{hand, Hook, Leftover, State};
use crate::ring::Ring;
use crate::wait_queue::Side;
use crate::waiter::{Cargo, Party, Waiter, WakeList};

impl<T> State<T> {
    /// Ends a wait that has come to nothing: takes the waiter off its queue. The party is for the caller to drop.
    ///
    /// # Safety
    /// As for [`WaitQueues::leave`][crate::wait_queue::WaitQueues::leave].
    pub(crate) unsafe fn leave(&mut self, side: Side, waiter: &Waiter<T>) -> Party {
        self.events += 1;
        // SAFETY: the caller's promise, passed on.
        unsafe { self.waiters.leave(side, waiter) }
    }

    /// Ends a wait that has been completed: passes on what it had been given. What is left to drop is returned.
    ///
    /// # Safety
    /// The caller owns the waiter, which has waited here and is linked no more.
    pub(crate) unsafe fn pass_on(&mut self, waiter: &Waiter<T>, wakes: &mut WakeList) -> Cargo<T> {
        self.events += 1;
        waiter.settle();
        // SAFETY: W1: its owner calls; and it was linked (W4).
        let (cargo, number) =
            unsafe { waiter.place(|place, cargo| (std::mem::replace(cargo, Cargo::Empty), place.number())) };
        match cargo {
            Cargo::Handed(value) => match self.give_back(number, value, wakes) {
                Some(value) => Cargo::Handed(value),
                None => Cargo::Empty,
            },
            Cargo::Granted => {
                self.unreserve(wakes);
                Cargo::Empty
            }
            other => other,
        }
    }

    /// Passes a value on whose receive was dropped: to the next receiver, or back ahead of the buffer.
    fn give_back(&mut self, number: u64, value: T, wakes: &mut WakeList) -> Leftover<T> {
        if self.abandoned {
            return Some(value);
        }
        loop {
            if let Some(claimed) = self.waiters.claim_first(Side::Receivers) {
                claimed.complete(wakes, |place, cargo| hand(place, cargo, number, value));
                self.events += 1;
                return None;
            }
            if !self.waiters.flag_busy(Side::Receivers, None) {
                self.ring.give_back(number, value);
                self.high_water = self.high_water.max(self.ring.len());
                self.events += 2;
                return None;
            }
        }
    }

    /// Closes; [`flush`][Self::flush] then empties the queues. False if it was closed before.
    pub(crate) fn close(&mut self) -> bool {
        self.events += 1;
        !std::mem::replace(&mut self.closed, true)
    }

    /// Takes up to `batch` waiters of a closed channel out of the queues (S3). True when none is left.
    pub(crate) fn flush(&mut self, batch: usize, wakes: &mut WakeList) -> bool {
        for side in [Side::Senders, Side::Receivers] {
            loop {
                if wakes.len() >= batch {
                    return false;
                }
                if let Some(claimed) = self.waiters.claim_first(side) {
                    claimed.complete(wakes, |_, _| ());
                } else if !self.waiters.flag_busy(side, None) {
                    break;
                }
            }
        }
        true
    }

    /// The last receiver is gone: nothing is kept from now on. Returns what was buffered, and whom to tell.
    pub(crate) fn abandon(&mut self) -> (Ring<T>, Hook) {
        self.abandoned = true;
        self.close();
        self.dropped += self.ring.len() as u64;
        let hook = self.rare.as_mut().and_then(|rare| rare.on_abandoned.take());
        (self.ring.take(), hook)
    }

    /// Whom to tell when the last receiver goes. Takes `hook` unless it has gone; returns what it replaces.
    pub(crate) fn on_abandoned(&mut self, hook: &mut Hook) -> Hook {
        if self.abandoned {
            return None;
        }
        std::mem::replace(&mut self.rare.get_or_insert_default().on_abandoned, hook.take())
    }

    /// Names the channel; returns the name before.
    pub(crate) fn rename(&mut self, name: std::sync::Arc<str>) -> Option<std::sync::Arc<str>> {
        self.rare.get_or_insert_default().name.replace(name)
    }

    /// Keeps its place in the list of channels that have a name.
    pub(crate) fn set_listed(&mut self, listed: Box<dyn Any + Send>) {
        self.rare.get_or_insert_default().listed = Some(listed);
    }

    pub(crate) fn name(&self) -> Option<std::sync::Arc<str>> {
        self.rare.as_ref().and_then(|rare| rare.name.clone())
    }
}
