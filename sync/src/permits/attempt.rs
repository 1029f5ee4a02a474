//! One attempt to get permits that are not simply free: spin, queue, sleep, come when called.
//!
//! ```text
//!   newcomer ── spins outside ──► permits
//!      │ in vain
//!      ▼
//!   the lock of the queue: its turn, and permits there? ── yes ──► permits, out of the queue
//!      │ no                                  ▲   ▲
//!      ├── first, and some are free ─► in the queue, spinning
//!      │                                         │
//!      └── puts its waker in ──► asleep ── called ┘
//! ```
//!
//! A waker is cloned with no lock held: so the queue is left for that, and looked at anew.

use std::task::{Context, Poll, Waker, ready};

use super::queue::{Ahead, Queue};
use super::ticket::{Ticket, Want};
use super::waiter::Now;
use super::word::{ASLEEP, CALLED, CLOSED, QUEUED, RESERVED};
use super::{Closed, Permits};
use crate::host;
use crate::primitive::MutexGuard;
use crate::wait_list::{Key, Wakers};

impl<const BARGING: bool> Permits<BARGING> {
    #[cold]
    pub(super) fn poll_patiently(
        &self,
        want: &Want,
        ticket: &mut Ticket,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        ready!(host::poll_yield(context));
        let may_pass = ticket.key.is_none() && !want.ahead_of_all;
        if (BARGING || may_pass) && self.spin(want.need) {
            self.hand_out(want.need, || self.cancel(ticket));
            return Poll::Ready(Ok(()));
        }
        self.poll_queued(want, ticket, context)
    }

    /// One look under the queue's lock after another, until the permits are taken or the task may go to sleep.
    fn poll_queued(
        &self,
        want: &Want,
        ticket: &mut Ticket,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        // A newcomer that has come as far as this is going to sleep; who was called finds its permits here,
        // unless others may barge, and has given its waker away.
        let sleeps = BARGING || ticket.key.is_none();
        let mut spare = sleeps.then(|| context.waker().clone());
        let mut wakers = Wakers::new();
        loop {
            let mut now = Now::default();
            let mut queue = self.lock_queue();
            if self.is_closed() {
                let left = ticket.key.take().map(|key| queue.remove(key));
                drop(queue);
                drop(left);
                return Poll::Ready(Err(Closed));
            }
            let ahead = match want.ahead_of_all && ticket.key.is_none() {
                true => Ahead::Called(0),
                false => self.ahead(&mut queue, ticket.key, want.past_called, &mut now),
            };
            if let Ahead::Called(reserved) = ahead
                && self.word.take(want.need, reserved)
            {
                self.leave_with_permits(want, ticket, spare, wakers, queue);
                return Poll::Ready(Ok(()));
            }
            if self.stands_and_spins(&mut queue, want, ticket, &ahead) {
                drop(queue);
                self.luck.spin(|| Some(self.word.look().free() >= want.need));
                continue;
            }
            if spare.is_none() && !ticket.key.is_some_and(|key| queue.has_waker(key, context.waker())) {
                drop(queue);
                spare = Some(context.waker().clone());
                continue;
            }
            let Some(watch) = self.enqueue(&mut queue, want, ticket, &ahead, &mut spare, &mut now) else {
                continue;
            };
            if !watch && self.leaves_others_asleep(&mut queue, ticket.key, context.waker(), &mut now) {
                self.settle(&mut queue, 0, &mut wakers);
            }
            drop(queue);
            if watch {
                context.waker().wake_by_ref();
            }
            wakers.wake();
            host::waiting_on(want.kind, ticket.at);
            return Poll::Pending;
        }
    }

    /// Its permits have just been taken: leaves the queue, if it was ever entered, and lets the others know where that
    /// changes whose turn it is.
    fn leave_with_permits(
        &self,
        want: &Want,
        ticket: &mut Ticket,
        spare: Option<Waker>,
        mut wakers: Wakers,
        mut queue: MutexGuard<'_, Queue>,
    ) {
        // Who takes what it was called for changes nobody's turn: P4 holds as before.
        let as_planned = !BARGING && ticket.key.is_some_and(|key| queue.is_entitled(key));
        let left = ticket.key.take().map(|key| queue.remove(key));
        if !as_planned || queue.is_empty() {
            self.settle(&mut queue, 0, &mut wakers);
        }
        drop(queue);
        self.hand_out(want.need, move || {
            drop((left, spare));
            wakers.wake();
        });
    }

    /// Looks for a while whether the permits become free, outside the queue.
    fn spin(&self, need: usize) -> bool {
        if self.word.look().has(ASLEEP) {
            return false;
        }
        self.luck.spin(|| {
            let seen = self.word.look();
            let in_vain = seen.has(CLOSED | ASLEEP) || BARGING && seen.has(RESERVED);
            // Some are free but not enough: to stand in the queue keeps others from taking them.
            let nibbled = !BARGING && seen.free() > 0 && seen.free() < need;
            (!in_vain && !nibbled).then(|| self.word.try_take(need, Self::keep_out(need), seen))
        })
    }

    /// Queues a newcomer that nobody is before and whose permits are being given back already, awake: those
    /// who come later cannot take them any more, and it need not go to sleep for the rest.
    fn stands_and_spins(&self, queue: &mut Queue, want: &Want, ticket: &mut Ticket, ahead: &Ahead) -> bool {
        let first = !BARGING && !cfg!(loom) && ticket.key.is_none() && matches!(ahead, Ahead::Called(0));
        if !first || self.word.look().free() == 0 {
            return false;
        }
        self.word.begin_wait(QUEUED | RESERVED, 0);
        ticket.key = Some(queue.push(want.need, want.ahead_of_all, false));
        true
    }

    /// Who goes before `own`, or before a newcomer.
    pub(super) fn ahead(
        &self,
        queue: &mut Queue,
        own: Option<Key>,
        past_called: bool,
        now: &mut Now,
    ) -> Ahead {
        if BARGING && !self.word.look().has(RESERVED) {
            return Ahead::Called(0);
        }
        queue.ahead_of(own, past_called, now)
    }

    /// Whether somebody else has to be called before the task of `waker`, which is about to sleep, does: it has
    /// turned away from a turn of its own, or those who were called have not come in time.
    fn leaves_others_asleep(
        &self,
        queue: &mut Queue,
        own: Option<Key>,
        waker: &Waker,
        now: &mut Now,
    ) -> bool {
        let seen = self.word.look();
        let on_offer = seen.free() > 0 || seen.has(CALLED);
        queue.turns_away(own, waker) || on_offer && queue.is_due(seen.free(), now)
    }

    /// Goes to the queue, or back to sleep in it. `None`: permits have come, look again. `Some(true)`: the
    /// free permits are kept back for others; it is to look again soon.
    fn enqueue(
        &self,
        queue: &mut Queue,
        want: &Want,
        ticket: &mut Ticket,
        ahead: &Ahead,
        spare: &mut Option<Waker>,
        now: &mut Now,
    ) -> Option<bool> {
        let (set, clear) = match ticket.key {
            _ if !BARGING => (QUEUED | RESERVED | ASLEEP, 0),
            Some(key) if queue.was_called(key) => (QUEUED, CALLED), // P5
            _ => (QUEUED, 0),
        };
        let free = self.word.begin_wait(set, clear).free();
        self.hint_at_queue(true);
        let watch = match *ahead {
            Ahead::Blocked => false,
            // What is wanted may be any number: a sum could overflow.
            Ahead::Called(reserved) if free.checked_sub(reserved).is_some_and(|left| left >= want.need) => {
                return None;
            }
            Ahead::Called(_) => free >= want.need,
        };
        let key = *ticket.key.get_or_insert_with(|| queue.push(want.need, want.ahead_of_all, BARGING));
        queue.swap_waker(key, spare);
        if watch {
            queue.watch(key, now);
        } else {
            queue.wait(key, now);
        }
        Some(watch)
    }
}
