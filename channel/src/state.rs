//! What stands under a channel's lock, and the rules by which values move: no lock, no waking, plain data.
//!
//! # Problem
//! Three places hold values: senders that wait, the buffer, and receivers that wait. Every operation moves values
//! between them so that afterwards nobody waits who could go on.
//!
//! ```text
//!                       ┌──────────────── direct hand-off ────────────────┐
//!   waiting senders ──► │ refill ──► [ returned | buffer ] ──► take       ▼
//!   S1 S2 S3            │                    ▲                      waiting receivers
//!   put ────────────────┴────────────────────┘                      R1 R2
//! ```
//!
//! # Invariants, whenever the lock is free
//! S1. If a receiver can be claimed (it waits, and is no busy select), the ring is empty and no value is offered by a
//!     sender that can be claimed.
//! S2. If a sender can be claimed, there is no free slot, `len + reserved ≥ cap`, or the channel is closed.
//! S3. A closed channel lets nobody in, and its close sends away everybody who waits. It goes through the queues in
//!     batches; until it is through, nobody else takes a value from a waiting sender, or gives one a slot.
//! S4. A busy select that was passed by while something was left for it is flagged (C4 of [`claim`][crate::claim]), so it
//!     looks before it waits: S1–S3 then hold for it as well.
//! S5. `len` never exceeds the capacity to an observer: a value that came back counts as buffered, and while such
//!     values exceed the slots no sender is let in.
//!
//! Every function returns the parties to wake in a [`WakeList`] and every value or waker that must be dropped to its
//! caller, who has to release the lock first.
//!
//! How waits and channels end stands in [`ending`], what only few channels have in [`rare`].

mod ending;
mod rare;

use rare::Rare;

use crate::cargo::{Cargo, Kind};
use crate::claim::Claim;
use crate::error::{TryRecvError, TrySendError};
use crate::ring::Ring;
use crate::wait_queue::{Side, WaitQueues};
use crate::waiter::{Party, Waiter};
use crate::wake_list::WakeList;

/// The capacity of a channel without bound.
pub(crate) const UNBOUNDED: usize = usize::MAX;

/// A receive that does not wait may succeed, or find the channel closed.
pub(crate) const MAY_TAKE: u8 = 1;
/// A send that does not wait may succeed, or find the channel closed.
pub(crate) const MAY_PUT: u8 = 2;
/// Somebody waits, or the channel is closed: an operation may concern others. While it is clear, what may be done is done
/// with the buffer alone.
pub(crate) const CONCERNS_OTHERS: u8 = 4;

/// The bit without which an operation on `side` cannot go on.
pub(crate) const fn way_on(side: Side) -> u8 {
    match side {
        Side::Senders => MAY_PUT,
        Side::Receivers => MAY_TAKE,
    }
}

/// Everything under the lock of one channel. What every operation touches comes first, close together.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct State<T> {
    closed: bool,
    /// No receiver is left: nothing may be kept for one.
    abandoned: bool,
    /// Values are never handed over, only pulled.
    pull: bool,
    pub(crate) ring: Ring<T>,
    /// How many values were sent: also the number of the next hand-off.
    pub(crate) sent: u64,
    cap: usize,
    reserved: usize,
    pub(crate) high_water: usize,
    pub(crate) waiters: WaitQueues<T>,
    /// Counts the events beside sending and taking that may make a case ready or not.
    events: u64,
    /// How many values were dropped in the buffer because nobody was left to receive them.
    dropped: u64,
    rare: Option<Box<Rare>>,
}

/// A value that cannot be kept, and has to be dropped after the lock is released.
pub(crate) type Leftover<T> = Option<T>;

impl<T> State<T> {
    pub(crate) const fn new(cap: usize, pull: bool) -> Self {
        Self {
            ring: Ring::new(),
            waiters: WaitQueues::new(),
            cap,
            reserved: 0,
            sent: 0,
            high_water: 0,
            events: 0,
            dropped: 0,
            closed: false,
            abandoned: false,
            pull,
            rare: None,
        }
    }

    pub(crate) fn cap(&self) -> usize {
        self.cap
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// What is possible now.
    #[inline]
    pub(crate) fn hint(&self) -> u8 {
        if self.closed {
            return MAY_TAKE | MAY_PUT | CONCERNS_OTHERS;
        }
        let mut hint = self.quiet_hint();
        for side in [Side::Senders, Side::Receivers] {
            if !self.waiters.is_empty(side) {
                hint |= self.hint_of_a_waiter(side);
            }
        }
        hint
    }

    /// What becomes possible where somebody waits on `side`.
    #[inline]
    pub(crate) fn hint_of_a_waiter(&self, side: Side) -> u8 {
        match side {
            Side::Senders if !self.may_meet() || !self.waiters.may_offer() => CONCERNS_OTHERS,
            Side::Senders => CONCERNS_OTHERS | MAY_TAKE,
            Side::Receivers => CONCERNS_OTHERS | MAY_PUT,
        }
    }

    /// The same where nobody waits and the channel is open: what the buffer allows.
    #[inline]
    pub(crate) fn quiet_hint(&self) -> u8 {
        (u8::from(!self.ring.is_empty()) * MAY_TAKE) | (u8::from(self.has_room()) * MAY_PUT)
    }

    /// How many values were received, or handed to a receiver.
    pub(crate) fn received(&self) -> u64 {
        self.sent - self.ring.len() as u64 - self.dropped
    }

    /// Grows with everything that may make a case ready or not: two looks that find the same saw one moment.
    ///
    /// A value that comes back lowers `received` by one and raises `events` by more.
    pub(crate) fn version(&self) -> u64 {
        self.sent + self.received() + self.events
    }

    /// How many values an observer sees (S5).
    pub(crate) fn len(&self) -> usize {
        if self.pull {
            0
        } else {
            self.ring.len().min(self.cap)
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        !self.has_room()
    }

    #[inline]
    fn has_room(&self) -> bool {
        self.ring.len() + self.reserved < self.cap
    }

    /// Whether receivers may take from senders that wait: nothing is buffered, and no slot will take the value first.
    /// On a buffered channel that is so when permits hold every slot.
    #[inline]
    fn may_meet(&self) -> bool {
        self.cap == 0 || self.reserved > 0
    }

    /// Sends without waiting.
    #[inline]
    pub(crate) fn put(
        &mut self,
        value: T,
        me: Option<&Claim>,
        wakes: &mut WakeList,
    ) -> Result<(), TrySendError<T>> {
        if self.closed {
            return Err(TrySendError::Closed(value));
        }
        let value = match self.hand_over(value, me, wakes) {
            None => return Ok(()),
            Some(value) => value,
        };
        if !self.has_room() {
            return Err(TrySendError::Full(value));
        }
        self.store(value);
        Ok(())
    }

    /// Gives a new value to the first receiver that waits. If none can be claimed, the value comes back, and the busy
    /// ones are told of it if there is room for it.
    #[inline]
    fn hand_over(&mut self, value: T, me: Option<&Claim>, wakes: &mut WakeList) -> Option<T> {
        while !self.waiters.is_empty(Side::Receivers) {
            if let Some(claimed) = self.waiters.claim_first(Side::Receivers) {
                debug_assert!(self.ring.is_empty(), "S1: a receiver waited beside a value");
                claimed.hand(self.sent, value, wakes);
                self.sent += 1;
                self.events += 1;
                return None;
            }
            if !self.has_room() || !self.waiters.flag_busy(Side::Receivers, me) {
                break;
            }
        }
        Some(value)
    }

    /// Puts a new value into the buffer, which has room.
    #[inline]
    pub(crate) fn store(&mut self, value: T) {
        self.ring.push_back(value);
        self.sent += 1;
        if self.ring.len() > self.high_water {
            self.high_water = self.ring.len();
        }
    }

    /// Receives without waiting.
    #[inline]
    pub(crate) fn take(&mut self, wakes: &mut WakeList) -> Result<T, TryRecvError> {
        if let Some(value) = self.ring.pop_front() {
            if !self.waiters.is_empty(Side::Senders) {
                self.refill(wakes);
            }
            return Ok(value);
        }
        if !self.closed && self.may_meet() && self.waiters.may_offer() {
            if let Some(claimed) = self.waiters.claim_offer() {
                self.sent += 1;
                self.events += 1;
                match claimed.complete(Cargo::Sent, wakes) {
                    Cargo::Offer(value) => return Ok(value),
                    _ => unreachable!("an offer was claimed"),
                }
            }
            if self.reserved > 0 {
                self.waiters.note_offers();
            }
        }
        Err(if self.closed { TryRecvError::Closed } else { TryRecvError::Empty })
    }

    /// Gives every free slot to the first sender that waits (S2), unless a close is about to send it away (S3).
    #[cold]
    fn refill(&mut self, wakes: &mut WakeList) {
        while !self.closed && self.has_room() {
            let Some(claimed) = self.waiters.claim_first(Side::Senders) else {
                if self.waiters.flag_busy(Side::Senders, None) {
                    continue;
                }
                break;
            };
            let given = if claimed.kind() == Kind::Slot { Cargo::Granted } else { Cargo::Sent };
            if let Cargo::Offer(value) = claimed.complete(given, wakes) {
                if let Some(value) = self.hand_over(value, None, wakes) {
                    self.store(value);
                }
            } else {
                self.reserved += 1;
                self.events += 1;
            }
        }
    }

    /// Takes a slot without waiting.
    pub(crate) fn reserve(&mut self) -> Result<(), TrySendError<()>> {
        if self.closed {
            return Err(TrySendError::Closed(()));
        }
        if !self.has_room() {
            return Err(TrySendError::Full(()));
        }
        self.reserved += 1;
        self.events += 1;
        Ok(())
    }

    /// Gives a slot back unused.
    pub(crate) fn unreserve(&mut self, wakes: &mut WakeList) {
        self.reserved -= 1;
        self.events += 1;
        self.refill(wakes);
    }

    /// Sends into a slot held before. A value that has come back since may lie in it: then the buffer has one more than
    /// slots for a while (S5).
    pub(crate) fn put_reserved(&mut self, value: T, wakes: &mut WakeList) -> Result<(), T> {
        self.reserved -= 1;
        let sent = if self.closed {
            Err(value)
        } else {
            self.hand_over(value, None, wakes).into_iter().for_each(|value| self.store(value));
            Ok(())
        };
        // It went to a receiver directly: the slot is free again.
        self.refill(wakes);
        sent
    }

    /// Before `me` waits on `side`: tells the busy selects on the other side. True if one of them has begun to wait
    /// meanwhile: then try again.
    ///
    /// A select that is flagged itself tells nobody: it will be back (see [`claim`][crate::claim]).
    pub(crate) fn announce(&self, side: Side, me: Option<&Claim>) -> bool {
        let (other, nobody) = match side {
            Side::Senders => (Side::Receivers, self.waiters.is_empty(Side::Receivers)),
            Side::Receivers => {
                (Side::Senders, self.waiters.is_empty(Side::Senders) || !self.waiters.may_offer())
            }
        };
        if nobody || !self.may_meet() || me.is_some_and(|me| me.is_flagged()) {
            return false;
        }
        self.waiters.flag_busy(other, me)
    }

    /// Begins to wait.
    ///
    /// # Safety
    /// As for [`WaitQueues::push`].
    pub(crate) unsafe fn enlist(&mut self, side: Side, waiter: &Waiter<T>, party: Party, case: u32) {
        self.events += 1;
        // SAFETY: the caller's promise, passed on.
        unsafe { self.waiters.push(side, waiter, party, case) };
    }

    /// Puts a value where receivers pull it. Gives it back when one lies there, or no receiver is left.
    pub(crate) fn offer(&mut self, value: T, wakes: &mut WakeList) -> Result<(), T> {
        if self.closed || !self.ring.is_empty() {
            return Err(value);
        }
        self.store(value);
        self.waiters.rouse_receivers(wakes);
        Ok(())
    }
}
