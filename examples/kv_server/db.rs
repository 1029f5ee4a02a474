//! The keyspace: sixty-four shards, each a hash table under a lock of its own.
//!
//! ```text
//!   key ─► hash ─┬─ six bits ─► shard      one lock, held for one command and never across an `.await`
//!                └─ the rest ─► slot
//! ```
//!
//! With one table under one lock, processors would queue for it. With shards, two commands meet only where their keys'
//! hashes agree in six bits. A lock is held for a few dozen nanoseconds: long enough to copy a value into a reply,
//! never long enough to put a thread to sleep for good reason.
//!
//! # Several keys at once
//! `MSET` and its like are atomic: nobody sees half of one. [`Db::all`] takes the locks of all shards concerned, in the
//! order of their numbers, so two such commands cannot wait for each other in a circle.
//!
//! # SCAN
//! A cursor is a point on the line of hashes. Shards are cut out of that line in order, a key's hash never changes, and
//! a cursor only moves up. So each key that is there all the while is returned exactly once, however tables grow
//! meanwhile. A call looks through the whole shard that its cursor points into: that is the price of not keeping the
//! entries in order.

use std::hash::BuildHasher;
use std::mem;
use std::ops::RangeInclusive;

use hashbrown::DefaultHashBuilder;
use parking_lot::{Mutex, MutexGuard};

use crate::error::Error;
use crate::expiry::Alarm;

pub(crate) mod clock;
pub(crate) mod glob;
mod shard;
pub(crate) mod value;

use clock::{Clock, Moment};
pub(crate) use shard::{Aftermath, Entry, Place, Shard};

/// How many bits of a hash tell the shard.
const SHARD_BITS: u32 = 6;
const SHARDS: usize = 1 << SHARD_BITS;

/// Hashes keys, with a secret of this process: nobody can choose keys that meet.
#[derive(Debug, Default)]
pub(crate) struct Hasher(DefaultHashBuilder);

impl Hasher {
    fn hash(&self, key: &[u8]) -> u64 {
        self.0.hash_one(key)
    }
}

/// The shard of a hash, by bits that the hash table itself looks at last.
fn shard_of(hash: u64) -> usize {
    (line(hash) >> (u64::BITS - SHARD_BITS)) as usize
}

/// Where on the line of SCAN's cursors a hash lies.
fn line(hash: u64) -> u64 {
    hash.rotate_left(u64::BITS / 2)
}

/// A lock with its cache line to itself.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Locked(Mutex<Shard>);

/// The keyspace.
#[derive(Debug)]
pub(crate) struct Db {
    shards: Box<[Locked; SHARDS]>,
    hasher: Hasher,
    /// How much memory may be in use when something grows, if there is a bound.
    bound: Option<usize>,
    pub(crate) clock: Clock,
    pub(crate) alarm: Alarm,
}

impl Db {
    pub(crate) fn new(bound: Option<usize>) -> Self {
        Self {
            shards: Box::new(std::array::from_fn(|_| Locked::default())),
            hasher: Hasher::default(),
            bound,
            clock: Clock::new(),
            alarm: Alarm::new(),
        }
    }

    /// Does something at the place of one key, alone.
    pub(crate) fn at<R>(&self, now: Moment, key: &[u8], f: impl FnOnce(&mut Place<'_>) -> R) -> R {
        let hash = self.hasher.hash(key);
        let mut aftermath = Aftermath::default();
        let mut shard = self.shards[shard_of(hash)].0.lock();
        let Self { hasher, bound, .. } = self;
        let mut place =
            Place { shard: &mut shard, hasher, aftermath: &mut aftermath, now, bound: *bound, hash, key };
        let result = f(&mut place);
        drop(shard);
        self.finish(aftermath);
        result
    }

    /// Does something with several keys, with nobody in between.
    pub(crate) fn all<'k, R>(
        &self,
        now: Moment,
        keys: impl Iterator<Item = &'k [u8]>,
        f: impl FnOnce(&mut Several<'_>) -> R,
    ) -> R {
        let wanted = keys.fold(0_u64, |set, key| set | 1 << shard_of(self.hasher.hash(key)));
        let mut shards = Vec::with_capacity(wanted.count_ones() as usize);
        let numbers = (0..SHARDS).filter(|number| wanted >> number & 1 == 1);
        shards.extend(numbers.map(|number| self.shards[number].0.lock()));
        let mut aftermath = Aftermath::default();
        let Self { hasher, bound, .. } = self;
        let mut several = Several { shards, wanted, hasher, aftermath: &mut aftermath, now, bound: *bound };
        let result = f(&mut several);
        drop(several);
        self.finish(aftermath);
        result
    }

    fn finish(&self, aftermath: Aftermath) {
        if let Some(deadline) = aftermath.deadline {
            self.alarm.set(deadline);
        }
        drop(aftermath.dropped);
    }

    /// How many keys there are, and how many of them have a deadline; with those whose time has come unnoticed.
    pub(crate) fn len(&self) -> (usize, usize) {
        let count = |shard: &Locked| {
            let shard = shard.0.lock();
            (shard.len(), shard.expiring())
        };
        self.shards
            .iter()
            .map(count)
            .fold((0, 0), |(all, due), (more, more_due)| (all + more, due + more_due))
    }

    /// Takes everything out. The caller drops it: that may take a while.
    pub(crate) fn take(&self) -> Vec<Shard> {
        self.shards.iter().map(|shard| mem::take(&mut *shard.0.lock())).collect()
    }

    /// Shows every key to `see`, shard by shard.
    pub(crate) fn each(&self, now: Moment, mut see: impl FnMut(&Entry)) {
        for shard in self.shards.iter() {
            shard.0.lock().live(now).for_each(&mut see);
        }
    }

    /// Shows about `count` keys to `see`, from `cursor` on; the next cursor, 0 at the end.
    pub(crate) fn scan(&self, now: Moment, cursor: u64, count: usize, mut see: impl FnMut(&Entry)) -> u64 {
        let (mut cursor, mut seen) = (cursor, 0);
        loop {
            let shard = self.shards[(cursor >> (u64::BITS - SHARD_BITS)) as usize].0.lock();
            let range = piece(cursor, shard.len(), count);
            let is_in = |entry: &&Entry| range.contains(&line(self.hasher.hash(&entry.key)));
            for entry in shard.live(now).filter(is_in) {
                seen += 1;
                see(entry);
            }
            // Behind the line's last piece the cursor is 0 again, which says so.
            cursor = range.end().wrapping_add(1);
            if cursor == 0 || seen >= count {
                return cursor;
            }
        }
    }

    /// Removes keys whose time has come, a few at a time so that no shard is held for long; returns when the next
    /// one's comes.
    pub(crate) fn expire(&self, now: Moment) -> Option<Moment> {
        const BATCH: usize = 64;
        let mut next = None;
        for shard in self.shards.iter() {
            loop {
                let mut aftermath = Aftermath::default();
                let mut shard = shard.0.lock();
                let is_more = shard.expire(now, BATCH, &self.hasher, &mut aftermath);
                let earliest = shard.earliest();
                drop(shard);
                drop(aftermath);
                if !is_more {
                    next = [next, earliest].into_iter().flatten().min();
                    break;
                }
            }
        }
        next
    }
}

/// The piece of the line that one step of a scan takes: so small that about `count` of the shard's `keys` lie in it,
/// and within the shard.
fn piece(cursor: u64, keys: usize, count: usize) -> RangeInclusive<u64> {
    let pieces = (keys / count.max(1)).max(1).next_power_of_two().min(1 << 32) as u64;
    let width = (1_u64 << (u64::BITS - SHARD_BITS)) / pieces;
    cursor..=cursor / width * width + (width - 1)
}

/// Some shards, locked at once.
pub(crate) struct Several<'a> {
    /// Those whose bit is set in `wanted`, in order.
    shards: Vec<MutexGuard<'a, Shard>>,
    wanted: u64,
    hasher: &'a Hasher,
    aftermath: &'a mut Aftermath,
    now: Moment,
    bound: Option<usize>,
}

impl Several<'_> {
    /// Does something at the place of a key, which is one of those that were named.
    pub(crate) fn at<R>(&mut self, key: &[u8], f: impl FnOnce(&mut Place<'_>) -> R) -> R {
        let hash = self.hasher.hash(key);
        let index = self.index(hash);
        let Self { shards, hasher, aftermath, now, bound, .. } = self;
        f(&mut Place { shard: &mut shards[index], hasher, aftermath, now: *now, bound: *bound, hash, key })
    }

    /// Which of the locked shards is that of a hash.
    fn index(&self, hash: u64) -> usize {
        (self.wanted & ((1 << shard_of(hash)) - 1)).count_ones() as usize
    }

    /// Makes room for these keys, as if none of them were there: one command may bring as many as there are already.
    pub(crate) fn make_room<'k>(&mut self, keys: impl Iterator<Item = &'k [u8]>) -> Result<(), Error> {
        let mut more = [0; SHARDS];
        for key in keys {
            more[self.index(self.hasher.hash(key))] += 1;
        }
        let Self { shards, hasher, bound, .. } = self;
        shards.iter_mut().zip(more).try_for_each(|(shard, more)| shard.make_room(more, hasher, *bound))
    }

    /// Gives back the room that was made for keys that were there.
    pub(crate) fn give_back(&mut self) {
        self.shards.iter_mut().for_each(|shard| shard.give_back(self.hasher));
    }
}

#[cfg(test)]
mod tests;
