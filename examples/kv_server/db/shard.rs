//! One part of the keyspace: a hash table, and the deadlines of its keys in order.
//!
//! ```text
//!   table   hash ─► key · value · deadline          one cache line an entry
//!   due     (deadline, hash), earliest first        only keys that have a deadline
//! ```
//!
//! # Invariants
//! S1. An entry with a deadline has its (deadline, hash) in `due`. Two keys with the same hash and the same deadline
//!     share one; when it goes, the other key still expires when somebody asks for it, as below.
//! S2. Nobody sees an entry whose deadline has passed: [`Place`] removes it first (*lazy* expiry). The task of
//!     `expiry.rs` removes those that nobody asks for; it is about memory, not about truth.
//! S3. A collection in the table is not empty.
//!
//! A shard is only ever touched under its lock, for the length of one command. What is taken out may be large, so it
//! is not dropped here but handed out, in [`Aftermath`].

use std::collections::BTreeSet;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry as Slot;

use super::Hasher;
use super::clock::{Moment, NEVER};
use super::value::{Blob, Collection, Value, excess, make_room};
use crate::error::Error;
use crate::frame::MAX_BULK;
use crate::memory::within;

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: Blob,
    pub(crate) value: Value,
    deadline: Moment,
}

#[derive(Debug, Default)]
pub(crate) struct Shard {
    pub(super) table: HashTable<Entry>,
    due: BTreeSet<(Moment, u64)>,
}

/// What is to be done once the lock is free.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// Collections to drop.
    pub(super) dropped: Vec<Value>,
    /// Whether a deadline was set that may be the earliest of all.
    pub(super) deadline: Option<Moment>,
}

impl Aftermath {
    fn drop_later(&mut self, value: Value) {
        if !matches!(value, Value::String(_)) {
            self.dropped.push(value);
        }
    }
}

impl Shard {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// How many keys have a deadline.
    pub(super) fn expiring(&self) -> usize {
        self.due.len()
    }

    pub(super) fn earliest(&self) -> Option<Moment> {
        self.due.first().map(|(deadline, _)| *deadline)
    }

    /// Removes up to `limit` keys whose deadline has passed; whether there may be more.
    pub(super) fn expire(
        &mut self,
        now: Moment,
        limit: usize,
        hasher: &Hasher,
        aftermath: &mut Aftermath,
    ) -> bool {
        for _ in 0..limit {
            let Some(&(deadline, hash)) = self.due.first().filter(|(deadline, _)| *deadline <= now) else {
                self.give_back(hasher);
                return false;
            };
            self.due.pop_first();
            while let Ok(found) = self.table.find_entry(hash, |entry| entry.deadline == deadline) {
                aftermath.drop_later(found.remove().0.value);
            }
        }
        true
    }

    /// Makes room for so many keys more, if that takes no more memory than the bound allows.
    pub(super) fn make_room(
        &mut self,
        more: usize,
        hasher: &Hasher,
        bound: Option<usize>,
    ) -> Result<(), Error> {
        if self.table.capacity() - self.table.len() >= more {
            return Ok(());
        }
        let rehash = |entry: &Entry| hasher.hash(&entry.key);
        within(bound, || self.table.try_reserve(more, rehash)).map_err(|_| Error::OutOfMemory)
    }

    /// Gives the room back that removed entries have left in the table.
    pub(super) fn give_back(&mut self, hasher: &Hasher) {
        if let Some(kept) = excess(self.table.len(), self.table.capacity()) {
            self.table.shrink_to(kept, |entry| hasher.hash(&entry.key));
        }
    }

    /// The entries that live, with their hashes.
    pub(super) fn live(&self, now: Moment) -> impl Iterator<Item = &Entry> {
        self.table.iter().filter(move |entry| entry.deadline > now)
    }
}

/// The place of one key in its shard, whether it is there or not.
pub(crate) struct Place<'a> {
    pub(super) shard: &'a mut Shard,
    pub(super) hasher: &'a Hasher,
    pub(super) aftermath: &'a mut Aftermath,
    pub(super) now: Moment,
    /// How much memory may be in use, if there is a bound.
    pub(super) bound: Option<usize>,
    pub(super) hash: u64,
    pub(super) key: &'a [u8],
}

impl Place<'_> {
    /// The key's entry; one whose time has come is removed (S2).
    fn entry(&mut self) -> Option<&mut Entry> {
        let (hash, key) = (self.hash, self.key);
        let is_it = |entry: &Entry| entry.key[..] == *key;
        // Looked up twice, since the borrow checker cannot see that only one arm keeps what was found.
        if self.shard.table.find(hash, is_it)?.deadline <= self.now {
            self.remove();
            return None;
        }
        self.shard.table.find_mut(hash, is_it)
    }

    pub(crate) fn get(&mut self) -> Option<&mut Value> {
        self.entry().map(|entry| &mut entry.value)
    }

    pub(crate) fn exists(&mut self) -> bool {
        self.entry().is_some()
    }

    /// The string.
    pub(crate) fn string(&mut self) -> Result<Option<&mut Blob>, Error> {
        match self.get() {
            None => Ok(None),
            Some(Value::String(bytes)) => Ok(Some(bytes)),
            Some(_) => Err(Error::WrongType),
        }
    }

    /// The collection.
    pub(crate) fn collection<C: Collection>(&mut self) -> Result<Option<&C>, Error> {
        self.get().map(|value| C::of(value).ok_or(Error::WrongType)).transpose()
    }

    /// Changes the collection, which goes when it is empty afterwards. `None`: there is none.
    pub(crate) fn change<C: Collection, R>(
        &mut self,
        change: impl FnOnce(&mut C) -> R,
    ) -> Result<Option<R>, Error> {
        let Some(value) = self.get() else { return Ok(None) };
        let collection = C::of_mut(value).ok_or(Error::WrongType)?;
        let result = change(collection);
        if collection.is_empty() {
            self.remove();
        } else {
            collection.give_back();
        }
        Ok(Some(result))
    }

    /// Changes the collection, a new one if there is none, once there is room for `more` elements: `change` adds no
    /// more than that, and leaves something in it.
    pub(crate) fn change_or_new<C: Collection, R>(
        &mut self,
        more: usize,
        change: impl FnOnce(&mut C) -> R,
    ) -> Result<R, Error> {
        let bound = self.bound;
        let change = |collection: &mut C| {
            collection.make_room(more, bound)?;
            let result = change(collection);
            // Not all that were announced need have been new.
            collection.give_back();
            Ok(result)
        };
        if let Some(value) = self.get() {
            return change(C::of_mut(value).ok_or(Error::WrongType)?);
        }
        let mut collection = C::default();
        let result = change(&mut collection)?;
        if !collection.is_empty() {
            self.set(collection.into_value(), NEVER);
        }
        Ok(result)
    }

    /// Puts bytes behind the string, if there is one and room for them; how long it is then.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<Option<usize>, Error> {
        let bound = self.bound;
        let Some(string) = self.string()? else { return Ok(None) };
        if string.len() + bytes.len() > MAX_BULK as usize {
            return Err(Error::TooLong);
        }
        make_room(string, bytes.len(), bound)?;
        string.extend_from_slice(bytes);
        Ok(Some(string.len()))
    }

    /// Stores a string, keeping the deadline there is. A string that was there lends its memory.
    pub(crate) fn set_string(&mut self, bytes: &[u8]) {
        match self.get() {
            Some(Value::String(old)) if fits(old, bytes.len()) => {
                old.clear();
                old.extend_from_slice(bytes);
            }
            Some(_) => {
                let deadline = self.deadline().unwrap_or(NEVER);
                self.set(Value::String(Blob::from_slice(bytes)), deadline);
            }
            None => self.set(Value::String(Blob::from_slice(bytes)), NEVER),
        }
    }

    /// Stores a value in the place of whatever was there.
    pub(crate) fn set(&mut self, value: Value, deadline: Moment) {
        let Self { shard, hasher, hash, key, .. } = self;
        let rehash = |entry: &Entry| hasher.hash(&entry.key);
        match shard.table.entry(*hash, |entry| entry.key[..] == **key, rehash) {
            Slot::Occupied(mut found) => {
                let old = std::mem::replace(&mut found.get_mut().value, value);
                self.aftermath.drop_later(old);
            }
            Slot::Vacant(free) => {
                free.insert(Entry { key: Blob::from_slice(key), value, deadline: NEVER });
            }
        }
        self.set_deadline(deadline);
    }

    /// When the key goes: [`NEVER`] if it stays. `None`: there is no key.
    pub(crate) fn deadline(&mut self) -> Option<Moment> {
        self.entry().map(|entry| entry.deadline)
    }

    /// Sets when the key goes; without effect if there is none. A moment that has passed removes it at once.
    pub(crate) fn set_deadline(&mut self, deadline: Moment) {
        if deadline <= self.now {
            self.remove();
            return;
        }
        let (hash, key) = (self.hash, self.key);
        let Some(entry) = self.shard.table.find_mut(hash, |entry| entry.key[..] == *key) else { return };
        let old = std::mem::replace(&mut entry.deadline, deadline);
        if old == deadline {
            return;
        }
        if old != NEVER {
            self.shard.due.remove(&(old, hash));
        }
        if deadline != NEVER {
            self.shard.due.insert((deadline, hash));
            self.aftermath.deadline =
                Some(self.aftermath.deadline.map_or(deadline, |other| other.min(deadline)));
        }
    }

    /// Takes the key out; whether it was there, and alive.
    pub(crate) fn remove(&mut self) -> bool {
        let key = self.key;
        let Ok(found) = self.shard.table.find_entry(self.hash, |entry| entry.key[..] == *key) else {
            return false;
        };
        let (entry, _) = found.remove();
        if entry.deadline != NEVER {
            self.shard.due.remove(&(entry.deadline, self.hash));
        }
        self.shard.give_back(self.hasher);
        self.aftermath.drop_later(entry.value);
        entry.deadline > self.now
    }
}

/// Whether so many bytes may move in where a string was, without wasting much of its memory.
fn fits(old: &Blob, length: usize) -> bool {
    length <= old.capacity() && (!old.spilled() || length >= old.capacity() / 2)
}
