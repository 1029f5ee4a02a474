//! [`Netpoll`]: the table of descriptors and the kernel's sets, put together.
//!
//! # Locks
//! The table's lock is held for reading while a batch of events is handed to its descriptors, and each descriptor's
//! own lock for a moment inside it: always in this order. No waker runs under either; they are moved to the
//! caller. `open` and `close` make their system calls with the table free.
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

use parking_lot::RwLock;
use pirn_sync::primitive::Arc;
use pirn_sync::primitive::atomic::{AtomicUsize, Ordering};

use super::descriptor::{self, Descriptor};
use super::epoll::{self, Readiness, Selector};
use super::home::Homes;
use super::sleep::{MAX_SETS, Sleep};
use super::table::{Table, Token};

/// The descriptors of one runtime, and the wait for them.
#[derive(Debug)]
pub(crate) struct Netpoll {
    /// One for each processor that the runtime began with.
    sets: Box<[Selector]>,
    homes: Homes,
    sleep: Sleep,
    /// Read for every batch of events, by several machines at once, and written when a descriptor comes or goes.
    table: RwLock<Table>,
    /// How many are registered, for those who only ask whether there is anything to wait for. Written under
    /// the table's lock, `Relaxed`: who asks too early asks again.
    registered: AtomicUsize,
}

impl Netpoll {
    /// Asks the kernel for a set for each of `processors`, and for what ends a wait: so many descriptors and one
    /// more, which live as long as this does.
    pub(crate) fn new(processors: usize) -> io::Result<Self> {
        let sets = processors.clamp(1, MAX_SETS);
        Ok(Self {
            sets: (0..sets).map(|_| Selector::new()).collect::<io::Result<_>>()?,
            homes: Homes::new(sets),
            sleep: Sleep::new()?,
            table: RwLock::new(Table::default()),
            registered: AtomicUsize::new(0),
        })
    }

    /// Registers `fd` for both directions. An error if the kernel cannot poll it (a regular file: `EPERM`),
    /// if it is registered here already (`EEXIST`), or after [`close_all`](Self::close_all).
    ///
    /// The caller has made it non-blocking and calls [`close`](Self::close) before it closes the number. Who holds
    /// a processor says which: the descriptor may be at home there.
    pub(crate) fn open(&self, fd: BorrowedFd<'_>, processor: Option<usize>) -> io::Result<Arc<Descriptor>> {
        let fd = fd.as_raw_fd();
        let home = self.homes.choose(epoll::arrival_cpu(fd), processor);
        // In the table first: the kernel may report the first event before `register` returns.
        let inserted = self.change(|table| table.insert(|token| Descriptor::new(fd, token, home)));
        let descriptor = inserted.ok_or_else(descriptor::closed)?;
        if let Err(error) = self.sets[home].register(fd, descriptor.token()) {
            let removed = self.change(|table| table.remove(descriptor.token()));
            drop(removed);
            return Err(error);
        }
        Ok(descriptor)
    }

    /// Takes `descriptor` out. Its number must still be open. Who still waits on it is forgotten, not woken.
    pub(crate) fn close(&self, descriptor: &Descriptor) -> io::Result<()> {
        let deregistered = descriptor.home.close(|set| self.sets[set].deregister(descriptor.fd()));
        let removed = self.change(|table| table.remove(descriptor.token()));
        drop(removed);
        let mut forgotten = Vec::new();
        descriptor.close(&mut forgotten);
        deregistered
    }

    /// A task waits for `descriptor` at `processor`: moves it there if it has done so for long.
    #[inline]
    pub(crate) fn waited_at(&self, processor: usize, descriptor: &Descriptor) {
        let set = self.homes.of_processor(processor);
        if descriptor.home.should_move(set) {
            self.bring_home(set, descriptor);
        }
    }

    #[cold]
    fn bring_home(&self, set: usize, descriptor: &Descriptor) {
        let register = |set: usize| self.sets[set].register(descriptor.fd(), descriptor.token());
        // It is registered there, and its number is open: leaving cannot fail.
        let deregister = |set: usize| drop(self.sets[set].deregister(descriptor.fd()));
        descriptor.home.move_to(set, register, deregister);
    }

    /// Looks, without waiting, at what is at home with `processor`, and appends the wakers of what became ready to
    /// `ready`. The caller wakes them.
    pub(crate) fn look_at(&self, processor: usize, ready: &mut Vec<Waker>) -> io::Result<()> {
        let set = self.homes.of_processor(processor);
        self.homes.seen_here(set);
        self.look(set, ready)
    }

    /// Looks at the other sets, one after the other from `processor`'s on, until one has something.
    pub(crate) fn look_at_others(&self, processor: usize, ready: &mut Vec<Waker>) -> io::Result<()> {
        let sets = self.sets.len();
        let own = self.homes.of_processor(processor);
        for next in 1..sets {
            if !ready.is_empty() {
                break;
            }
            self.look((own + next) % sets, ready)?;
        }
        Ok(())
    }

    /// Looks at every set.
    pub(crate) fn look_everywhere(&self, ready: &mut Vec<Waker>) -> io::Result<()> {
        (0..self.sets.len()).try_for_each(|set| self.look(set, ready))
    }

    /// Waits at most `timeout` (`None`: until something happens) and then looks everywhere. Returns early when
    /// [woken](Self::wake) or interrupted by a signal. Several threads may call it at once.
    pub(crate) fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Waker>) -> io::Result<()> {
        self.sleep.wait(&self.sets, timeout)?;
        self.look_everywhere(ready)
    }

    fn look(&self, set: usize, ready: &mut Vec<Waker>) -> io::Result<()> {
        self.sets[set].look(|events| {
            let table = self.table.read();
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

    /// Ends the wait of a thread in [`wait`](Self::wait), or else the next wait. From any thread and from a
    /// signal handler.
    pub(crate) fn wake(&self) {
        self.sleep.wake();
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
        let mut table = self.table.write();
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
