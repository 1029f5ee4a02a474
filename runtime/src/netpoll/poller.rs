//! [`Netpoll`]: the table of descriptors and the kernel's sets, put together.
//!
//! # Locks
//! The table's lock is held for reading while a batch of events is handed to its descriptors, and each descriptor's
//! own lock for a moment inside it: always in this order. No waker runs under either; they are moved to the
//! caller. `open` and `close` make their system calls with the table free.
//!
//! # Errors
//! A set that exists has no reason to refuse a look or a wait, unless the program has closed a descriptor that is not
//! its own. There is nobody to tell of that and nothing to be done, so neither returns an error.
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
use std::panic::RefUnwindSafe;
use std::task::Waker;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use parking_lot::RwLock;
use pirn_sync::primitive::Arc;
use pirn_sync::primitive::atomic::{AtomicUsize, Ordering};

use super::descriptor::Descriptor;
use super::epoll::{self, Readiness, Selector};
use super::home::Homes;
use super::load::Load;
use super::population::Population;
use super::sleep::{MAX_SETS, Sleep};
use super::table::{Table, Token};

/// The descriptors of one runtime, and the wait for them.
#[derive(Debug)]
pub(crate) struct Netpoll {
    /// One for each processor that the runtime began with.
    sets: Box<[Selector]>,
    loads: Box<[CachePadded<Load>]>,
    homes: Homes,
    population: Population,
    sleep: Sleep,
    /// Read for every batch of events, by several machines at once, and written when a descriptor comes or goes.
    table: RwLock<Table>,
    /// How many are registered, for those who only ask whether there is anything to wait for. Written under
    /// the table's lock, `Relaxed`: who asks too early asks again.
    registered: AtomicUsize,
}

// Nothing of what happens under its locks panics halfway: wakers are called afterwards.
impl RefUnwindSafe for Netpoll {}

impl Netpoll {
    /// Asks the kernel for a set for each of `processors`, and for what ends a wait: so many descriptors and one
    /// more, which live as long as this does.
    pub(crate) fn new(processors: usize) -> io::Result<Self> {
        let sets = processors.clamp(1, MAX_SETS);
        Ok(Self {
            sets: (0..sets).map(|_| Selector::new()).collect::<io::Result<_>>()?,
            loads: (0..sets).map(|_| CachePadded::default()).collect(),
            homes: Homes::new(sets),
            population: Population::new(sets),
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
        let descriptor = self.change(|table| table.insert(fd, |token| Descriptor::new(fd, token, home)))?;
        if let Err(error) = self.enter(home, &descriptor) {
            let removed = self.change(|table| table.remove(descriptor.token()));
            drop(removed);
            return Err(error);
        }
        Ok(descriptor)
    }

    /// Registers `descriptor` in `set`, where whoever sleeps will hear of it.
    fn enter(&self, set: usize, descriptor: &Descriptor) -> io::Result<()> {
        if self.population.arrive(set) {
            self.wake();
        }
        let registered = self.sets[set].register(descriptor.fd(), descriptor.token());
        registered.inspect_err(|_| self.population.leave(set))
    }

    /// Takes `descriptor` out of `set`.
    fn leave(&self, set: usize, descriptor: &Descriptor) -> io::Result<()> {
        let deregistered = self.sets[set].deregister(descriptor.fd());
        self.population.leave(set);
        deregistered
    }

    /// Takes `descriptor` out. Its number must still be open. Who still waits on it is forgotten, not woken.
    pub(crate) fn close(&self, descriptor: &Descriptor) -> io::Result<()> {
        let deregistered = descriptor.home.close(|set| self.leave(set, descriptor));
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
        // It is registered there, and its number is open: leaving cannot fail.
        let leave = |set| drop(self.leave(set, descriptor));
        descriptor.home.move_to(set, |set| self.enter(set, descriptor), leave);
    }

    /// Looks, without waiting, at what is at home with `processor`, where `queued` tasks wait, and appends the wakers of
    /// what became ready to `ready`. The caller wakes them.
    pub(crate) fn look_at(&self, processor: usize, queued: usize, ready: &mut Vec<Waker>) {
        let set = self.homes.of_processor(processor);
        self.homes.seen_here(set);
        let before = ready.len();
        self.look(set, ready);
        self.loads[set].measured(queued + ready.len() - before);
    }

    /// Looks at the other sets, one after the other from `processor`'s on, until one has something.
    pub(crate) fn look_at_others(&self, processor: usize, ready: &mut Vec<Waker>) {
        let sets = self.sets.len();
        let own = self.homes.of_processor(processor);
        for next in 1..sets {
            if !ready.is_empty() {
                break;
            }
            self.look((own + next) % sets, ready);
        }
    }

    /// Looks, for `processor`, at what is at home with `other`, which stands still.
    pub(crate) fn look_for_other(&self, processor: usize, other: usize, ready: &mut Vec<Waker>) {
        let (own, set) = (self.homes.of_processor(processor), self.homes.of_processor(other));
        if !self.is_empty() && own != set {
            self.look(set, ready);
        }
    }

    /// What `processor`, where `queued` tasks wait, takes over from `other`: all that is ready if nobody has looked there
    /// since this visitor's last visit, else its share if the other one has much more to do.
    ///
    /// `before` is what the visitor keeps from one visit to the next: how often the other's set had been looked at.
    pub(crate) fn visit(
        &self,
        processor: usize,
        queued: usize,
        other: usize,
        before: &mut u32,
        ready: &mut Vec<Waker>,
    ) {
        let (own, set) = (self.homes.of_processor(processor), self.homes.of_processor(other));
        let load = &self.loads[set];
        if !self.is_empty() && own != set {
            let share = load.surplus(queued.max(self.loads[own].line()));
            if load.looks() == *before {
                self.look(set, ready);
            } else if share > 0 {
                let _ = self.sets[set].look_for(share, |events| {
                    self.hear(events, ready, |descriptor| descriptor.home.will_move())
                });
            }
        }
        *before = load.looks();
    }

    /// Looks at every set.
    pub(crate) fn look_everywhere(&self, ready: &mut Vec<Waker>) {
        (0..self.sets.len()).for_each(|set| self.look(set, ready));
    }

    /// Waits at most `timeout` (`None`: until something happens), and appends the wakers of what became ready to
    /// `ready`. Returns early when [woken](Self::wake) or interrupted by a signal. For one thread at a time: a second
    /// one waits until the first is back.
    pub(crate) fn wait(&self, timeout: Option<Duration>, ready: &mut Vec<Waker>) {
        let mut hear =
            |events: &mut dyn Iterator<Item = (Token, Readiness)>| self.hear(events, ready, |_| ());
        let _ = self.sleep.wait(&self.sets, &self.population, timeout, &mut hear);
    }

    fn look(&self, set: usize, ready: &mut Vec<Waker>) {
        self.loads[set].looked();
        let _ = self.sets[set].look(|events| self.hear(events, ready, |_| ()));
    }

    /// Hands a batch of events to the descriptors, and each of these to `note`.
    fn hear(
        &self,
        events: &mut dyn Iterator<Item = (Token, Readiness)>,
        ready: &mut Vec<Waker>,
        note: impl Fn(&Descriptor),
    ) {
        let table = self.table.read();
        for (token, readiness) in events {
            if let Some(descriptor) = table.get(token) {
                descriptor.event(readiness, ready);
                note(descriptor);
            }
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
