//! [`Netpoll`]: the table of descriptors and the kernel's selector, put together.
//!
//! # Locks
//! The table's lock is held while a batch of events is handed to its descriptors, and each descriptor's own
//! lock for a moment inside it: always in this order. No waker runs under either; they are moved to the
//! caller. `open` and `close` make their system call with the table free.
//!
//! # Why closing is safe at any moment
//! ```text
//!   closer                                   poller, holding an event of the same descriptor
//!   C1  tell the kernel: no more events      P1  look the token up
//!   C2  take it out of the table             P2  mark it ready, take its waiters
//!   C3  close the number
//! ```
//! P1 before C2: the descriptor hears of an event that nobody waits for any more. P1 after C2: the token's
//! generation is gone. In neither order does another descriptor with the same number hear of it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::task::Waker;
use std::time::Duration;

use pirn_sync::primitive::atomic::{AtomicUsize, Ordering};
use pirn_sync::primitive::{Arc, Mutex};

use super::descriptor::{self, Descriptor};
use super::epoll::{Readiness, Selector};
use super::table::{Table, Token};

/// The descriptors of one runtime, and the wait for them.
#[derive(Debug)]
pub(crate) struct Netpoll {
    selector: Selector,
    table: Mutex<Table>,
    /// How many are registered, for those who only ask whether there is anything to wait for. Written under
    /// the table's lock, `Relaxed`: who asks too early asks again.
    registered: AtomicUsize,
}

impl Netpoll {
    /// Asks the kernel for a selector: two descriptors, which live as long as this does.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            selector: Selector::new()?,
            table: Mutex::new(Table::default()),
            registered: AtomicUsize::new(0),
        })
    }

    /// Registers `fd` for both directions. An error if the kernel cannot poll it (a regular file: `EPERM`),
    /// if it is registered here already (`EEXIST`), or after [`close_all`](Self::close_all).
    ///
    /// The caller has made it non-blocking and calls [`close`](Self::close) before it closes the number.
    pub(crate) fn open(&self, fd: BorrowedFd<'_>) -> io::Result<Arc<Descriptor>> {
        // In the table first: the kernel may report the first event before `register` returns.
        let inserted = self.change(|table| table.insert(|token| Descriptor::new(fd.as_raw_fd(), token)));
        let descriptor = inserted.ok_or_else(descriptor::closed)?;
        if let Err(error) = self.selector.register(fd.as_raw_fd(), descriptor.token()) {
            let removed = self.change(|table| table.remove(descriptor.token()));
            drop(removed);
            return Err(error);
        }
        Ok(descriptor)
    }

    /// Takes `descriptor` out. Its number must still be open. Who still waits on it is forgotten, not woken.
    pub(crate) fn close(&self, descriptor: &Descriptor) -> io::Result<()> {
        let deregistered = self.selector.deregister(descriptor.fd());
        let removed = self.change(|table| table.remove(descriptor.token()));
        drop(removed);
        let mut forgotten = Vec::new();
        descriptor.close(&mut forgotten);
        deregistered
    }

    /// Waits at most `timeout` (`None`: until something happens; zero: only looks) and appends the wakers of
    /// what became ready to `ready`. The caller wakes them. Returns early when [woken](Self::wake) or
    /// interrupted by a signal. Several threads may call it at once.
    pub(crate) fn poll(&self, timeout: Option<Duration>, ready: &mut Vec<Waker>) -> io::Result<()> {
        self.selector.wait(timeout, |events| {
            let table = self.table.lock();
            for (token, readiness) in events {
                self.dispatch(&table, token, readiness, ready);
            }
        })
    }

    fn dispatch(&self, table: &Table, token: Token, readiness: Readiness, ready: &mut Vec<Waker>) {
        if let Some(descriptor) = table.get(token) {
            descriptor.event(readiness, ready);
        }
    }

    /// Ends the wait of a thread in [`poll`](Self::poll), or else the next wait. From any thread and from a
    /// signal handler.
    pub(crate) fn wake(&self) {
        self.selector.wake();
    }

    /// How many descriptors are registered.
    pub(crate) fn len(&self) -> usize {
        self.registered.load(Ordering::Relaxed)
    }

    /// Whether there is nothing to wait for.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes the table, and says how many are in it: `Relaxed`, see `registered`.
    fn change<R>(&self, f: impl FnOnce(&mut Table) -> R) -> R {
        let mut table = self.table.lock();
        let result = f(&mut table);
        self.registered.store(table.len(), Ordering::Relaxed);
        result
    }

    /// The runtime's end: moves every waker to `ready`; operations on what was registered, and
    /// [`open`](Self::open), give an error from now on.
    pub(crate) fn close_all(&self, ready: &mut Vec<Waker>) {
        let descriptors = self.change(Table::close);
        for descriptor in descriptors {
            descriptor.close(ready);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
