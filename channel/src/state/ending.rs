//! How a wait that is given up ends, and how a channel does: nothing that somebody was to have is lost.
//!
//! If a waiter that goes away had been given something, that is passed on at once: a value to the next receiver, or back
//! ahead of the buffer; a slot to the next sender. A channel that has closed sends everybody away, in batches (S3). A
//! channel whose last receiver has gone keeps no value.

use super::rare::Hook;
use super::{Leftover, State};
use crate::cargo::Cargo;
use crate::ring::Ring;
use crate::wait_queue::Side;
use crate::waiter::{Party, Waiter};
use crate::wake_list::WakeList;

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
            unsafe { (waiter.exchange(Cargo::Empty), waiter.place(|place| place.number())) };
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
                claimed.hand(number, value, wakes);
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
                    claimed.send_away(wakes);
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
        (self.ring.take(), self.take_hook())
    }
}
