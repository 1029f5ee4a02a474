//! The ticket: one attempt to get permits, from the first poll to the last.
//!
//! An attempt stands in the future of every lock and is written there before the lock is even tried, and the
//! exchange that tries it waits until all that was written is. So it is split: what a primitive knows
//! beforehand is a [`Want`], mostly a constant, of which only the address travels, and only what the attempt
//! itself finds out is kept in the [`Ticket`].

use std::panic::Location;

use crate::host::WaitKind;
use crate::wait_list::Key;

/// What is asked for, and by what kind of operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    pub(super) need: usize,
    pub(super) ahead_of_all: bool,
    pub(super) past_called: bool,
    pub(super) kind: WaitKind,
}

impl Want {
    /// For `need` permits, at the end of the queue.
    #[inline]
    pub(crate) const fn new(need: usize, kind: WaitKind) -> Self {
        Self { need, ahead_of_all: false, past_called: false, kind }
    }

    /// The same, past those who were called for a single permit and have not waited long, if it finds all that it
    /// needs: for one whom a crowd on its way would hold up each time.
    pub(crate) const fn past_called(self) -> Self {
        Self { past_called: true, ..self }
    }

    /// The same at the front: for one who holds back everybody else already.
    pub(crate) const fn ahead_of_all(self) -> Self {
        Self { ahead_of_all: true, ..self }
    }
}

/// Who asks, and its entry once it is queued.
///
/// Whoever drops it before it was served calls [`Permits::cancel`](super::Permits::cancel).
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(super) key: Option<Key>,
    pub(super) at: &'static Location<'static>,
}

impl Ticket {
    /// For the one who called at `at`.
    #[inline]
    pub(crate) fn new(at: &'static Location<'static>) -> Self {
        Self { key: None, at }
    }
}
