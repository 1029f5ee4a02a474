//! What a waiting operation carries, and how it is kept: the value in its place, and what it is in a byte elsewhere.
//!
//! An enum of both would be simpler, and eight bytes larger wherever a value is aligned to a word: its tag stands alone in one.
//! A [waiter][crate::waiter] has room for the byte where alignment leaves some, and a program has as many waiters as tasks.

use std::mem::MaybeUninit;

/// What a waiter carries.
#[derive(Debug)]
pub(crate) enum Cargo<T> {
    /// A receive that has nothing yet.
    Empty,
    /// A send's value.
    Offer(T),
    /// A reserve that has no slot yet.
    Slot,
    /// A receive's value. Its number in the order of sending is in the node: see [`Place::number`][crate::waiter::Place::number].
    Handed(T),
    /// A send whose value has been taken.
    Sent,
    /// A reserve that holds a slot.
    Granted,
}

/// A cargo without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Empty,
    Offer,
    Slot,
    Handed,
    Sent,
    Granted,
}

impl<T> Cargo<T> {
    #[inline]
    fn kind(&self) -> Kind {
        match self {
            Self::Empty => Kind::Empty,
            Self::Offer(_) => Kind::Offer,
            Self::Slot => Kind::Slot,
            Self::Handed(_) => Kind::Handed,
            Self::Sent => Kind::Sent,
            Self::Granted => Kind::Granted,
        }
    }

    /// Takes it apart: the value, if there is one, goes where it is to lie.
    #[inline]
    pub(crate) fn store(self, place: &mut MaybeUninit<T>) -> Kind {
        let kind = self.kind();
        if let Self::Offer(value) | Self::Handed(value) = self {
            place.write(value);
        }
        kind
    }

    /// Puts together what was [stored][Self::store].
    ///
    /// # Safety
    /// It was stored there as this kind, and nothing else since; and it is not loaded twice.
    #[inline]
    pub(crate) unsafe fn load(kind: Kind, place: &MaybeUninit<T>) -> Self {
        match kind {
            Kind::Empty => Self::Empty,
            // SAFETY: the caller's promise.
            Kind::Offer => Self::Offer(unsafe { place.assume_init_read() }),
            Kind::Slot => Self::Slot,
            // SAFETY: the caller's promise.
            Kind::Handed => Self::Handed(unsafe { place.assume_init_read() }),
            Kind::Sent => Self::Sent,
            Kind::Granted => Self::Granted,
        }
    }
}
