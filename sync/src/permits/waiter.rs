//! One who waits for permits: an entry of the [`queue`](super::queue), where it stands, and how it is called.
//!
//! Whose turn it is depends on the others, and is decided there. The invariants Q1 to Q4 are the queue's, R1 to R4 those of
//! the [`crowd`](super::crowd).

use std::task::Waker;
use std::time::Instant;

use super::crowd::Crowd;
use crate::wait_list::Wakers;
use crate::{clock, patience};

/// Plain data under the lock of the queue.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) need: usize,
    /// Since when it is impatient.
    since: Option<Instant>,
    pub(super) standing: Standing,
    /// It was polled after a call: its task does poll it when it is woken.
    pub(super) came: bool,
    pub(super) waker: Option<Waker>,
    /// Whose waker it has, or had before it was called: an address to compare, not to follow.
    task: usize,
    /// Its wake-up was used for another wait (Q4): it may still come, but nobody relies on it.
    pub(super) deaf: bool,
    /// How often it has looked, as a witness, since it was last told to wait.
    pub(super) looks: u32,
    /// Set if it belongs to the crowd (R1): what the crowd's `turned_away` was when it joined (R4).
    pub(super) member: Option<u32>,
}

/// What has become of its turn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    /// Asleep, or spinning.
    Waiting,
    /// Woken at this time, and not polled since: because permits are there for it, or as the witness.
    Called { at: Instant, entitled: bool },
    /// Called, and not come in time.
    Absent,
}

/// The time, read when it is first asked for.
#[derive(Default)]
pub(super) struct Now(Option<Instant>);

impl Now {
    pub(super) fn get(&mut self) -> Instant {
        *self.0.get_or_insert_with(clock::now)
    }
}

impl Waiter {
    /// One who wants `need` permits and is awake.
    pub(super) fn new(need: usize, impatient: bool) -> Self {
        Self {
            need,
            since: impatient.then(clock::now),
            standing: Standing::Waiting,
            came: false,
            waker: None,
            task: 0,
            deaf: false,
            looks: 0,
            member: None,
        }
    }

    /// Puts a new waker in, if there is one; the former comes out, to be dropped with no lock held.
    pub(super) fn swap_waker(&mut self, waker: &mut Option<Waker>) {
        if let Some(new) = waker {
            self.task = task_of(new);
            std::mem::swap(&mut self.waker, waker);
        }
    }

    /// Whether `waker` wakes the task that it belongs to.
    pub(super) fn belongs_to(&self, waker: &Waker) -> bool {
        self.task == task_of(waker)
    }

    /// Its task goes to sleep.
    pub(super) fn sleeps(&mut self, now: &mut Now) {
        debug_assert!(self.waker.is_some(), "Q1: nobody sleeps without a waker");
        if !matches!(self.standing, Standing::Waiting) {
            self.came = true;
            self.since.get_or_insert_with(|| now.get());
        }
        (self.standing, self.looks, self.deaf) = (Standing::Waiting, 0, false);
    }

    /// Its task stays awake as a witness.
    pub(super) fn watches(&mut self, now: &mut Now) {
        self.standing = Standing::Called { at: now.get(), entitled: false };
        self.looks += 1;
        self.deaf = false;
    }

    /// Permits are there for it (`entitled`), or it is to be the witness.
    pub(super) fn call(&mut self, entitled: bool, wakers: &mut Wakers, now: &mut Now) {
        self.deaf &= self.waker.is_none();
        if entitled {
            wakers.push(self.waker.take());
        } else {
            // A scheduler that runs first what was woken last is to run the witness after the others.
            wakers.push_ahead(self.waker.take());
        }
        if !matches!(self.standing, Standing::Called { entitled: before, .. } if before >= entitled) {
            self.standing = Standing::Called { at: now.get(), entitled };
        }
    }

    /// Whether it was called and has not come in time.
    pub(super) fn has_lapsed(&self, now: &mut Now) -> bool {
        matches!(self.standing, Standing::Called { at, .. } if patience::has_lapsed(at, now.get()))
    }

    pub(super) fn is_starved(&self, now: &mut Now) -> bool {
        self.since.is_some_and(|since| patience::is_starved(since, now.get()))
    }

    /// Q1: it needs no waking.
    pub(super) fn is_spinning(&self) -> bool {
        matches!(self.standing, Standing::Waiting) && self.waker.is_none()
    }

    /// It is called no more: if it belongs to the crowd, that wants so much less (R2).
    pub(super) fn comes_off(&self, crowd: &mut Crowd) {
        if self.member.is_some() && matches!(self.standing, Standing::Called { entitled: true, .. }) {
            crowd.reserved = crowd.reserved.saturating_sub(self.need);
        }
    }
}

/// What tells one task's wakers from another's. Where two tasks share it, a witness too many is called.
fn task_of(waker: &Waker) -> usize {
    waker.data().addr()
}
