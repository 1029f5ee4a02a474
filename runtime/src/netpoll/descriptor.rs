//! The readiness of one descriptor: a word and a list of waiters for each direction.
//!
//! The kernel tells of an *edge* once: "there is something to read now". Whoever reads must therefore
//! remember the edge until the descriptor has been drained, and forget it exactly then. Forgetting is the
//! dangerous half: between "would block" and "so it is not ready" the kernel may report the next edge, and
//! forgetting that one puts a task to sleep for ever. The cure is a count of edges in the same word.
//!
//! ```text
//!   bit  63 ………………… 3      2        1        0
//!       ┌──────────────┬────────┬─────────┬───────┐     event:  tick + 1, READY (and PARTIAL)
//!       │ tick: edges  │ CLOSED │ PARTIAL │ READY │     clear:  READY and PARTIAL go, by exchange against
//!       └──────────────┴────────┴─────────┴───────┘             the very word that was seen before the call
//!
//!   reader                                       poller
//!   stamp := word = (t, READY)
//!   read() → would block
//!                                                event: word := (t+1, READY)
//!   clear: exchange stamp for (t, –)
//!     fails, for the word has moved on
//!   read() again: nothing is lost
//! ```
//!
//! # Invariants
//! D1. `tick` grows with every event and never shrinks; with 61 bits it does not come round.
//! D2. READY falls only by an exchange against the stamp of whoever made a system call *after* taking it.
//!     So READY is down only if the descriptor was found drained after the last event.
//! D3. A waiter registers under the lock and looks at the word once more before it lets go; an event changes
//!     the word first and empties the list under the lock afterwards. One of the two sees the other.
//! D4. CLOSED stays. A closed side is always ready, with an error.
//! D5. Wakers are cloned, called and dropped with the lock free. Under it they are only moved.
//! D6. While READY is up, nobody waits but those whom the event that raised it is about to take: whoever comes later
//!     sees READY (D3). So an event that finds READY up only counts, and takes no lock. Most events are of that kind,
//!     because with each arrival the kernel also tells that one may write. (If the thread that raised READY loses its
//!     core before it has taken the waiters, they wait until it runs again.)
//!
//! # Who may wait
//! Any number of tasks in either direction: two tasks may read one socket. An event wakes all that wait in
//! its direction, since it does not say how much there is. A future keeps a [`Waiting`], by which it leaves
//! the list when it is dropped. The `poll_*` functions of `futures_io` have no future to keep one in: they
//! wait as [`Waiting::SHARED`], one entry per task, which the next event takes out.
//!
//! On a silent descriptor that event may never come, while tasks do come and go. So before the list grows, whoever joins
//! takes out those whose tasks have ended: it is at most twice as long as the most that ever waited there at once. That
//! much can be asked of a task of ours. The waker of another executor, or of a future that polls others with wakers of its
//! own, does not tell whether anybody is left to hear it, and stays until the next event.
//!
//! # Short reads
//! A TCP stream that gave fewer bytes than there was room for is drained, so its READY may be cleared at once and the call
//! that would only say "would block" is saved. Not so where one edge tells of two things that a single read does not
//! return together: the last bytes and the hang-up or an error, or the bytes before and behind urgent data. No later edge
//! tells of the second one again. PARTIAL marks such edges, and [`ReadyStamp::trusts_short_reads`] says so.
//!
//! # Nudges
//! A deadline that is moved or that passes is no event of the kernel's, nor is a Unix socket's own write side that is
//! shut; yet whoever waits must look again. [`Descriptor::nudge`] is an event that we make ourselves: the waiters try,
//! and find the end, or nothing and the deadline. Since an operation looks at its deadline *after* it has taken a stamp,
//! a nudge cannot fall between the look and the wait.
//!
//! # Orderings
//! | # | access                                 | order   | with | why | weakened, fails in |
//! |---|----------------------------------------|---------|------|-----|--------------------|
//! | 1 | event, nudge: exchange on the word     | Release | 2    | what was stored before a nudge (a deadline) is seen after it | `loom::what_precedes_a_nudge_is_seen_after_it` |
//! | 2 | [`poll_ready`](Descriptor::poll_ready): `look` loads the word | Acquire | 1 |  | as 1 |
//! | 3 | [`clear_ready`](Descriptor::clear_ready): exchange | Relaxed | – | one location, which coherence orders (D2) | – |
//! | 4 | CLOSED                                 | Relaxed | –    | carries no data; waiters are ordered by the lock (D3) | – |
//!
//! What came before an *event* needs no ordering here: it is in the kernel, behind a system call.
//! `loom::an_event_between_try_and_wait_is_seen` fails when D3's second look is left out,
//! `loom::clearing_keeps_a_newer_event` when the exchange of 3 becomes a plain store,
//! `loom::a_close_is_heard_by_who_waits` when the waiters are taken before CLOSED is set.
//!
//! # Rejected
//! A single slot for one waker per direction: two readers would throw each other out. A level-triggered
//! registration, armed for each wait: one more system call per wait.

use std::io;
use std::os::fd::RawFd;
use std::panic::RefUnwindSafe;
use std::task::{Context, Poll, Waker};

use smallvec::SmallVec;

use pirn_sync::primitive::Mutex;
use pirn_sync::primitive::atomic::AtomicU64;
use pirn_sync::primitive::atomic::Ordering::{Acquire, Relaxed, Release};

use super::epoll::Readiness;
use super::home::Home;
use super::table::Token;
use crate::task::is_over;

const READY: u64 = 1;
const PARTIAL: u64 = 1 << 1;
const CLOSED: u64 = 1 << 2;
const TICK: u64 = 1 << 3;

/// Reading or writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Becoming readable: data, a connection to accept, the end of the stream, an error.
    Read,
    /// Becoming writable: room in the buffer, the end of a connect, an error.
    Write,
}

/// What [`Descriptor::poll_ready`] saw. Taken before a system call, given back to
/// [`Descriptor::clear_ready`] when that call found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadyStamp(u64);

impl ReadyStamp {
    /// Whether a read that returns less than it could proves that there is no more.
    pub(crate) fn trusts_short_reads(self) -> bool {
        self.0 & PARTIAL == 0
    }
}

/// A future's place in the list of waiters of one direction.
#[derive(Debug, Default)]
pub(crate) struct Waiting(u64);

impl Waiting {
    /// The key of waiters that have no place of their own.
    const SHARED: u64 = 0;

    /// No place yet.
    pub(crate) const fn new() -> Self {
        Self(Self::SHARED)
    }
}

/// One registered descriptor.
#[derive(Debug)]
pub(crate) struct Descriptor {
    fd: RawFd,
    token: Token,
    pub(super) home: Home,
    read: Side,
    write: Side,
}

// Whatever panics, wakers alone, does so with the lock released and the list whole.
impl RefUnwindSafe for Descriptor {}

impl Descriptor {
    /// Readiness of `fd`, which the set `home` knows by `token`. Both directions start as ready: the first
    /// operation tries at once and finds out.
    pub(super) fn new(fd: RawFd, token: Token, home: usize) -> Self {
        Self { fd, token, home: Home::new(home), read: Side::new(), write: Side::new() }
    }

    /// The number that was registered.
    pub(super) fn fd(&self) -> RawFd {
        self.fd
    }

    /// The token that the kernel reports.
    pub(super) fn token(&self) -> Token {
        self.token
    }

    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    /// Ready with a stamp, or with an error after the runtime's end; else `waiting` holds the task's place.
    pub(crate) fn poll_ready(
        &self,
        direction: Direction,
        waiting: &mut Waiting,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<ReadyStamp>> {
        let side = self.side(direction);
        side.look().map_or_else(|| side.wait(Some(waiting), cx.waker()), Poll::Ready)
    }

    /// An error after the runtime's end (D4).
    pub(crate) fn check_open(&self) -> io::Result<()> {
        self.read.look().map_or(Ok(()), |ready| ready.map(drop))
    }

    /// As [`poll_ready`](Self::poll_ready) for callers that cannot keep a [`Waiting`]: the task stays in the
    /// list until the next event.
    pub(crate) fn poll_ready_shared(
        &self,
        direction: Direction,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<ReadyStamp>> {
        let side = self.side(direction);
        side.look().map_or_else(|| side.wait(None, cx.waker()), Poll::Ready)
    }

    /// The system call made after `stamp` was taken found nothing (D2). Without effect if an event came since.
    pub(crate) fn clear_ready(&self, direction: Direction, stamp: ReadyStamp) {
        let cleared = stamp.0 & !(READY | PARTIAL);
        let _ = self.side(direction).word.compare_exchange(stamp.0, cleared, Relaxed, Relaxed);
    }

    /// Takes `waiting`'s place out of the list. Its future calls this when it is dropped.
    pub(crate) fn cancel(&self, direction: Direction, waiting: &mut Waiting) {
        if waiting.0 != Waiting::SHARED {
            drop(self.side(direction).leave(waiting.0));
            waiting.0 = Waiting::SHARED;
        }
    }

    /// The kernel reported `readiness`: moves the wakers of all whom that concerns to `ready`.
    pub(super) fn event(&self, readiness: Readiness, ready: &mut Vec<Waker>) {
        if readiness.read {
            self.read.event(readiness.read_partial, ready);
        }
        if readiness.write {
            self.write.event(readiness.write_partial, ready);
        }
    }

    /// Makes whoever waits in `direction` look again; their wakers go to `ready`.
    pub(crate) fn nudge(&self, direction: Direction, ready: &mut Vec<Waker>) {
        self.side(direction).event(false, ready);
    }

    /// Closes both directions (D4), moving every waker to `ready`.
    pub(super) fn close(&self, ready: &mut Vec<Waker>) {
        for side in [&self.read, &self.write] {
            side.word.fetch_or(CLOSED, Relaxed);
            side.take_all(ready);
        }
    }
}

#[derive(Debug)]
struct Side {
    word: AtomicU64,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    /// Hardly ever more than one, which lies here and not behind a pointer: one cache line less for each event.
    list: SmallVec<[Waiter; 1]>,
    /// The key given out last.
    last_key: u64,
}

/// Wakers that are not needed, to be dropped once the lock is free (D5).
type Surplus = SmallVec<[Waker; 1]>;

#[derive(Debug)]
struct Waiter {
    key: u64,
    waker: Waker,
}

impl Side {
    fn new() -> Self {
        Self { word: AtomicU64::new(READY), waiters: Mutex::new(Waiters::default()) }
    }

    fn look(&self) -> Option<io::Result<ReadyStamp>> {
        // Acquire: who finds it ready sees what the poller did before it said so.
        let word = self.word.load(Acquire);
        if word & CLOSED != 0 {
            return Some(Err(closed()));
        }
        (word & READY != 0).then_some(Ok(ReadyStamp(word)))
    }

    fn wait(&self, waiting: Option<&mut Waiting>, waker: &Waker) -> Poll<io::Result<ReadyStamp>> {
        let waker = waker.clone();
        let mut waiters = self.waiters.lock();
        if let Some(result) = self.look() {
            // D3: an event came in between. A place taken earlier is given up by the owner's `cancel`.
            drop(waiters);
            return Poll::Ready(result);
        }
        let mut surplus = SmallVec::new();
        match waiting {
            Some(waiting) => waiters.join(&mut waiting.0, waker, &mut surplus),
            None => waiters.join_shared(waker, &mut surplus),
        }
        drop(waiters);
        drop(surplus);
        Poll::Pending
    }

    fn leave(&self, key: u64) -> Option<Waiter> {
        let mut waiters = self.waiters.lock();
        let place = waiters.list.iter().position(|waiter| waiter.key == key)?;
        Some(waiters.list.remove(place))
    }

    fn event(&self, partial: bool, ready: &mut Vec<Waker>) {
        let up = if partial { READY | PARTIAL } else { READY };
        let mut word = self.word.load(Relaxed);
        while let Err(current) = self.word.compare_exchange_weak(word, (word + TICK) | up, Release, Relaxed) {
            word = current;
        }
        if word & READY == 0 {
            self.take_all(ready); // D6
        }
    }

    fn take_all(&self, ready: &mut Vec<Waker>) {
        let mut waiters = self.waiters.lock();
        ready.extend(waiters.list.drain(..).map(|waiter| waiter.waker));
    }
}

impl Waiters {
    /// Puts `waker` in the place of `key`, a new one if it has none.
    fn join(&mut self, key: &mut u64, waker: Waker, surplus: &mut Surplus) {
        if *key == Waiting::SHARED {
            self.last_key += 1;
            *key = self.last_key;
        }
        match self.list.iter_mut().find(|waiter| waiter.key == *key) {
            Some(waiter) => surplus.push(std::mem::replace(&mut waiter.waker, waker)),
            None => self.push(Waiter { key: *key, waker }, surplus),
        }
    }

    /// Adds `waker` unless its task stands in the list without a place already.
    fn join_shared(&mut self, waker: Waker, surplus: &mut Surplus) {
        let mut shared = self.list.iter().filter(|waiter| waiter.key == Waiting::SHARED);
        if shared.any(|waiter| waiter.waker.will_wake(&waker)) {
            return surplus.push(waker);
        }
        self.push(Waiter { key: Waiting::SHARED, waker }, surplus);
    }

    /// Adds `waiter`. Where the list would have to grow for it, those go first whose tasks have ended.
    fn push(&mut self, waiter: Waiter, surplus: &mut Surplus) {
        if self.list.len() == self.list.capacity() {
            self.list.retain(|waiter| {
                let over = is_over(&waiter.waker);
                if over {
                    surplus.push(std::mem::replace(&mut waiter.waker, Waker::noop().clone()));
                }
                !over
            });
        }
        self.list.push(waiter);
    }
}

/// What an operation gets whose runtime has shut down.
pub(super) fn closed() -> io::Error {
    io::Error::other("the runtime that serves this descriptor has shut down; open it on a live one")
}

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;
