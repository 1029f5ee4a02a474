//! What a key can hold.
//!
//! Everything is made of [`Blob`]s: bytes, with up to sixteen of them stored in place. Counters, short words and the
//! keys of most people fit, so the usual `SET`, `LPUSH` or `SADD` allocates nothing for its argument. A collection
//! stands behind a pointer, which keeps an entry of the table at one cache line.
//!
//! So what small things take is the room in tables and lists, and those keep the room of what is removed. It would
//! count as used for ever, and a server once full would stay so. So whoever removes asks [`excess`] what to give back.
//!
//! The other way round, whoever adds makes room before ([`Collection::make_room`]), and there may be none.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use crate::error::Error;
use crate::memory::within;

/// Bytes of any kind.
pub(crate) type Blob = SmallVec<[u8; 16]>;
pub(crate) type List = VecDeque<Blob>;
pub(crate) type Set = HashSet<Blob>;
pub(crate) type Hash = HashMap<Blob, Blob>;

/// Room for so many elements is never given back.
const KEPT_ROOM: usize = 64;

/// For how many elements something keeps its room, if it holds `length` now and `room` for more than it is worth.
///
/// Less than an eighth must be in use, and twice as much is kept: so a table that shrinks moves its elements once for
/// several times as many that were removed, and one that grows again right away has not shrunk for nothing.
pub(crate) fn excess(length: usize, room: usize) -> Option<usize> {
    (room > KEPT_ROOM && length < room / 8).then_some(2 * length)
}

/// The value of a key. A collection is never empty: with its last element its key goes.
#[derive(Debug)]
pub(crate) enum Value {
    String(Blob),
    List(Box<List>),
    Set(Box<Set>),
    Hash(Box<Hash>),
}

impl Value {
    /// The kind's name, as `TYPE` gives it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::List(_) => "list",
            Self::Set(_) => "set",
            Self::Hash(_) => "hash",
        }
    }
}

/// A collection, as a kind of value.
pub(crate) trait Collection: Default {
    /// Sees the value as a collection of this kind, if it is one.
    fn of(value: &Value) -> Option<&Self>;
    fn of_mut(value: &mut Value) -> Option<&mut Self>;
    fn into_value(self) -> Value;
    fn is_empty(&self) -> bool;
    /// Makes room for so many elements more, if that takes no more memory than the bound allows.
    fn make_room(&mut self, more: usize, bound: Option<usize>) -> Result<(), Error>;
    /// Gives the room back that removed elements have left.
    fn give_back(&mut self);
}

macro_rules! collection {
    ($kind:ident, $reserve:expr) => {
        impl Collection for $kind {
            fn of(value: &Value) -> Option<&Self> {
                match value {
                    Value::$kind(it) => Some(it),
                    _ => None,
                }
            }

            fn of_mut(value: &mut Value) -> Option<&mut Self> {
                match value {
                    Value::$kind(it) => Some(it),
                    _ => None,
                }
            }

            fn into_value(self) -> Value {
                Value::$kind(Box::new(self))
            }

            fn is_empty(&self) -> bool {
                self.len() == 0
            }

            fn make_room(&mut self, more: usize, bound: Option<usize>) -> Result<(), Error> {
                if self.capacity() - self.len() >= more {
                    return Ok(());
                }
                let reserve: fn(&mut Self, usize) -> bool = $reserve;
                if within(bound, || reserve(self, more)) { Ok(()) } else { Err(Error::OutOfMemory) }
            }

            fn give_back(&mut self) {
                if let Some(kept) = excess(self.len(), self.capacity()) {
                    self.shrink_to(kept);
                }
            }
        }
    };
}

// A list that cannot become twice as large becomes a little larger, while that lasts; a table knows no smaller step.
collection!(List, |list, more| list.try_reserve(more).is_ok()
    || list.try_reserve_exact(more.max(list.len() / 16)).is_ok());
collection!(Set, |set, more| set.try_reserve(more).is_ok());
collection!(Hash, |hash, more| hash.try_reserve(more).is_ok());

/// Makes room for so many bytes more in a string, as [`Collection::make_room`] does for elements.
pub(crate) fn make_room(string: &mut Blob, more: usize, bound: Option<usize>) -> Result<(), Error> {
    let is_room = within(bound, || {
        string.try_reserve(more).is_ok() || string.try_reserve_exact(more.max(string.len() / 16)).is_ok()
    });
    if is_room { Ok(()) } else { Err(Error::OutOfMemory) }
}

#[cfg(test)]
mod tests {
    use super::{Blob, Collection, KEPT_ROOM, List, Value, excess};

    #[test]
    fn a_value_is_small() {
        assert_eq!(size_of::<Blob>(), 24);
        assert_eq!(size_of::<Value>(), 32);
    }

    #[test]
    fn room_is_given_back_when_little_of_it_is_used() {
        assert_eq!(excess(0, KEPT_ROOM), None);
        assert_eq!(excess(125, 1000), None);
        assert_eq!(excess(124, 1000), Some(248));
        let mut list: List = (0..1000_u16).map(|number| Blob::from_slice(&number.to_ne_bytes())).collect();
        list.truncate(1);
        list.give_back();
        assert!(list.capacity() <= KEPT_ROOM);
        assert_eq!(list.len(), 1);
    }
}
