//! Expiry: one task that sleeps until the next key's time comes.
//!
//! ```text
//!   EXPIRE, SET … EX                     the sweeper
//!   ─────────────────                    ───────────────────────────────────────────
//!   W1  lock the shard                   S1  next = NEVER
//!   W2  put the deadline in              S2  for each shard: lock, remove what is due,
//!   W3  unlock                               read its earliest deadline, unlock
//!   W4  next = min(next, deadline)       S3  next = min(next, earliest of all)
//!   W5  lowered it? notify               S4  sleep until `next`, or until notified
//! ```
//!
//! # No deadline is slept through
//! Either the sweeper locks the shard after W3: then S2 reads the deadline. Or it did so before W1: then S1 comes
//! before W4, which lowers `next` unless something earlier stands there already; and whoever lowered it notifies.
//! A notification before S4 is kept ([`Notify`] stores one). The lock orders S1 before W4, so `Relaxed` suffices.
//!
//! # Why not a timer for each key?
//! A million keys would be a million timers for what only costs memory: that an expired key is not *seen* is ensured
//! where it is looked up. For the same reason sweeps keep a distance of [`REST`]: a thousand keys that expire at a
//! thousand different milliseconds are a hundred sweeps, not a thousand.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use pirn::sync::Notify;
use pirn::{select, time};

use crate::db::Db;
use crate::db::clock::{Moment, NEVER};

/// The least time between two sweeps.
const REST: Duration = Duration::from_millis(10);

/// What wakes the sweeper.
#[derive(Debug)]
pub(crate) struct Alarm {
    /// When the sweeper gets up; it may be earlier than necessary, never later.
    next: AtomicU64,
    earlier: Notify,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self { next: AtomicU64::new(NEVER), earlier: Notify::new() }
    }

    /// W4 and W5: a key with this deadline is in its shard.
    pub(crate) fn set(&self, deadline: Moment) {
        // The look spares most writers a store to a line that all of them share.
        if deadline < self.next.load(Relaxed) && deadline < self.next.fetch_min(deadline, Relaxed) {
            self.earlier.notify_one();
        }
    }
}

/// The sweeper. It never ends.
pub(crate) async fn sweep(db: Arc<Db>) {
    let alarm = &db.alarm;
    loop {
        alarm.next.store(NEVER, Relaxed);
        let earliest = db.expire(db.clock.now()).unwrap_or(NEVER);
        alarm.next.fetch_min(earliest, Relaxed);
        time::sleep(REST).await;
        until_next(&db).await;
    }
}

/// S4.
async fn until_next(db: &Db) {
    loop {
        let next = db.alarm.next.load(Relaxed);
        let sleep = match db.clock.instant(next) {
            Some(instant) => time::sleep_until(instant),
            None => time::sleep(Duration::MAX),
        };
        select! {
            _ = sleep => return,
            _ = db.alarm.earlier.notified() => {}
        }
    }
}
