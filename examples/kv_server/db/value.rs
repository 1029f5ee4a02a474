//! What a key can hold.
//!
//! Everything is made of [`Blob`]s: bytes, with up to sixteen of them stored in place. Counters, short words and the
//! keys of most people fit, so the usual `SET`, `LPUSH` or `SADD` allocates nothing for its argument. A collection
//! stands behind a pointer, which keeps an entry of the table at one cache line.

use std::collections::VecDeque;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

/// Bytes of any kind.
pub(crate) type Blob = SmallVec<[u8; 16]>;
pub(crate) type List = VecDeque<Blob>;
pub(crate) type Set = HashSet<Blob>;
pub(crate) type Hash = HashMap<Blob, Blob>;

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
}

macro_rules! collection {
    ($kind:ident) => {
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
        }
    };
}

collection!(List);
collection!(Set);
collection!(Hash);

#[cfg(test)]
mod tests {
    use super::{Blob, Value};

    #[test]
    fn a_value_is_small() {
        assert_eq!(size_of::<Blob>(), 24);
        assert_eq!(size_of::<Value>(), 32);
    }
}
