//! What stands behind [`after`](super::after()), [`tick`](super::tick()) and [`Timer`](super::Timer): a deadline that puts a
//! value where receivers pull it.
//!
//! The deadline's waker is the alarm itself. When it goes off the alarm looks at the clock, and offers the
//! channel the moment that was due; an alarm with a period sets itself anew.
//!
//! ```text
//!   set ──► slot: TimerSlot ──► a processor's timers
//!                                     │ due: wake, on a worker, no lock held
//!   receivers ◄── channel ◄── offer ◄─┘
//!       └── the last one gone: wake ──► the alarm looks, finds nobody, cancels its slot
//! ```
//!
//! # No stale value
//! After [`clear`](Alarm::clear) no value of the earlier setting can be received, even if the alarm is going off on
//! another thread at this moment. Each setting has a number, and `pending` holds it until the setting fires or is
//! taken back. Both sides exchange `pending`, and only one can find the number there:
//!
//! ```text
//!   fire                                         clear
//!   F1  lock the channel                         C1  pending: number → 0 ?  then it was pending, and fires no more
//!   F2  pending: number → 0 ?  else offer not    C2  else lock the channel, take the value out: pending if there was one
//!   F3  put the value in, unlock, wake
//! ```
//!
//! If C1 wins, F2 offers nothing. If F2 wins, it wins with the channel locked, so C2 comes after F3: it finds
//! the value, unless a receiver has had it before `clear` returned. In every case `clear` knows whether the
//! value had been received. A new setting begins as `clear` does, and its number is not the old one's: what finds
//! the old one due fires nothing of the new (`loom::what_was_set_anew_is_not_received_early`).
//!
//! # In order
//! A tick is set anew before it is offered, so the next one may be offered first, by another thread. The earlier one is dropped
//! then: ticks have numbers as settings do, and F2 raises `pending` to its own, unless it stands higher already.
//!
//! # Invariants
//! A1. The setting's lock is held while the slot is set or cancelled, never while a receiver is woken.
//! A2. A waker of an alarm may come late or for nothing: an earlier setting's, a runtime's that shuts down, the
//!     channel's. It makes the alarm look at the clock and at its receivers, and set its slot again if
//!     it is too early; so nothing fires early, and a closing runtime loses no alarm.
//! A3. While it waits, an alarm is kept alive by the slot's waker in the timers; once nobody can receive from it
//!     the slot is cancelled, and that was the last reference.
//!
//! # Orderings
//! | # | access | order | with | why | weakened, fails in |
//! |---|--------|-------|------|-----|--------------------|
//! | 1 | [`clear`](Alarm::clear), [`fire`](Alarm::fire): `pending` | Relaxed | 1 | exchanges of one word have one order, and the channel's lock orders the value; C1 as a load and a store fails `loom::it_is_received_or_cleared_and_never_both`; a tick's number is compared under that lock alone |

use super::interval::until_next;
use crate::sched::timer_slot::TimerSlot;
use pirn_channel::Receiver;
use pirn_channel::pull::{PullSender, pull_channel};
use pirn_sync::clock;
use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};

/// A deadline, or a row of them, and the channel where they are heard.
pub(super) struct Alarm {
    sender: PullSender<Instant>,
    /// The number of the setting that has neither fired nor been taken back, 0 if there is none; of ticks, the number of the
    /// last one that was offered.
    pending: AtomicU64,
    setting: Mutex<Setting>,
}

struct Setting {
    slot: TimerSlot,
    /// When it goes off next; `None` if it does not.
    due: Option<Instant>,
    period: Option<Duration>,
    last_number: u64,
}

/// What is offered under a number.
enum Number {
    /// What goes off once: it may be taken back until then.
    Setting(u64),
    /// One of a row, which is never taken back.
    Tick(u64),
}

impl Alarm {
    /// An alarm that goes off after `duration`, never if that is too large to be represented, and then every
    /// `period` if there is one; and the end where it is heard.
    pub(super) fn start(duration: Duration, period: Option<Duration>) -> (Arc<Self>, Receiver<Instant>) {
        let now = clock::now();
        let (sender, receiver) = pull_channel();
        let setting = Setting { slot: TimerSlot::new(), due: None, period, last_number: 1 };
        let alarm = Arc::new(Self { sender, pending: AtomicU64::new(1), setting: Mutex::new(setting) });
        let weak = Arc::downgrade(&alarm);
        alarm.sender.on_orphaned(move || {
            if let Some(alarm) = weak.upgrade() {
                alarm.look();
            }
        });
        let due = now.checked_add(duration);
        alarm.setting.lock().arm(&alarm, due, now);
        alarm.look_if_due(due, now);
        (alarm, receiver)
    }

    /// Sets it anew. What was set before is taken back; true when its value had not been received.
    pub(super) fn set(self: &Arc<Self>, duration: Duration) -> bool {
        let now = clock::now();
        let due = now.checked_add(duration);
        let was_pending = {
            let setting = &mut *self.setting.lock();
            let was_pending = self.revoke();
            setting.last_number += 1;
            self.pending.store(setting.last_number, Ordering::Relaxed);
            setting.arm(self, due, now);
            was_pending
        };
        self.look_if_due(due, now);
        was_pending
    }

    /// What is due at once does not wait for the timers.
    fn look_if_due(self: &Arc<Self>, due: Option<Instant>, now: Instant) {
        if due.is_some_and(|due| due <= now) {
            self.look();
        }
    }

    /// Takes the setting back; true when its value had not been received. Afterwards it cannot be.
    pub(super) fn clear(&self) -> bool {
        let mut setting = self.setting.lock();
        setting.due = None;
        setting.slot.cancel();
        self.revoke()
    }

    /// C1 and C2, with the setting locked. True when the value had not been received.
    fn revoke(&self) -> bool {
        self.pending.swap(0, Ordering::Relaxed) != 0 || self.sender.take_back().is_some()
    }

    /// Goes off if it is time, waits on if it is not, and gives up if nobody can hear it.
    fn look(self: &Arc<Self>) {
        if let Some((due, number)) = self.take_due() {
            self.fire(due, number);
        }
    }

    /// What is to be offered now, and its number.
    fn take_due(self: &Arc<Self>) -> Option<(Instant, Number)> {
        let setting = &mut *self.setting.lock();
        if self.sender.is_orphaned() {
            setting.due = None;
            setting.slot.cancel();
        }
        let due = setting.due?;
        let now = clock::now();
        if due > now {
            setting.arm(self, Some(due), now);
            return None;
        }
        let number = setting.number();
        setting.arm(self, setting.next(due, now), now);
        Some((due, number))
    }

    /// F1 to F3, with no lock held (A1).
    fn fire(&self, due: Instant, number: Number) {
        let (pending, order) = (&self.pending, Ordering::Relaxed);
        self.sender.offer_if(due, || match number {
            Number::Setting(number) => pending.compare_exchange(number, 0, order, order).is_ok(),
            Number::Tick(number) => pending.fetch_max(number, order) < number,
        });
    }
}

impl Setting {
    /// The number of what has just been found due.
    fn number(&mut self) -> Number {
        if self.period.is_none() {
            return Number::Setting(self.last_number);
        }
        self.last_number += 1;
        Number::Tick(self.last_number)
    }

    /// When it goes off after the one of `due`; what was missed until `now` is skipped.
    fn next(&self, due: Instant, now: Instant) -> Option<Instant> {
        let period = self.period?;
        now.checked_add(until_next(now.duration_since(due), period))
    }

    fn arm(&mut self, alarm: &Arc<Alarm>, due: Option<Instant>, now: Instant) {
        self.due = due;
        match due {
            Some(due) if due > now => self.slot.arm(due, Waker::from(Arc::clone(alarm))),
            _ => drop(self.slot.cancel()),
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

#[cfg(all(test, not(loom)))]
mod tests;

#[cfg(all(test, loom))]
mod loom;
