//! The ticket: one attempt to get permits, from the first poll to the last.

use std::panic::Location;

use crate::host::WaitKind;
use crate::wait_list::Key;

/// What an attempt wants, who asks, and its entry once it is queued.
///
/// Whoever drops it before it was served calls [`Permits::cancel`](super::Permits::cancel).
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(super) need: usize,
    pub(super) ahead_of_all: bool,
    pub(super) key: Option<Key>,
    pub(super) kind: WaitKind,
    pub(super) at: &'static Location<'static>,
}

impl Ticket {
    /// For `need` permits, at the end of the queue.
    #[inline]
    pub(crate) fn new(need: usize, kind: WaitKind, at: &'static Location<'static>) -> Self {
        Self { need, ahead_of_all: false, key: None, kind, at }
    }

    /// The same at the front: for one who holds back everybody else already.
    pub(crate) fn ahead_of_all(self) -> Self {
        Self { ahead_of_all: true, ..self }
    }
}
