//! One descriptor's registration with a netpoller, and the loop that every operation on it runs.
//!
//! ```text
//!         ┌──────────────── an event came since ────────────────┐
//!         ▼                                                     │
//!   take a stamp ── not ready ──► Pending, in the list of waiters
//!         │ ready
//!         ▼
//!   the system call ── would block ──► clear the stamp, take another
//!         │ result
//!         ▼
//!   a short one? clear the stamp ──► Ready
//! ```
//!
//! The system call is made *before* anything is waited for: readiness starts out as true, and most
//! operations on a busy socket never wait.
//!
//! # Dropping
//! An operation takes effect inside the poll that returns its result, or not at all: a future that is
//! dropped while it waits has moved no byte. That is why reads, writes and accepts are cancel-safe.

use std::io;
use std::os::fd::BorrowedFd;
use std::panic::Location;
use std::sync::Arc as PlainArc;
use std::task::{Context, Poll, ready};

use pirn_sync::host::{self, WaitKind};
use pirn_sync::primitive::Arc;

use crate::global;
use crate::netpoll::{Descriptor, Direction, Netpoll, ReadyStamp, Waiting};
use crate::sched::current;

/// The registration. Dropping it takes the descriptor out of the netpoller, so it must be dropped before the
/// number is closed: declare it above the owner of the number.
#[derive(Debug)]
pub(crate) struct Registration {
    netpoll: PlainArc<Netpoll>,
    descriptor: Arc<Descriptor>,
}

impl Registration {
    /// Registers `fd`, which must be non-blocking, with the current runtime, else with the global one.
    pub(crate) fn new(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let netpoll = global::current_or_global().netpoll.clone();
        let descriptor = netpoll.open(fd, current::home())?;
        Ok(Self { netpoll, descriptor })
    }

    /// The readiness.
    pub(crate) fn descriptor(&self) -> &Arc<Descriptor> {
        &self.descriptor
    }

    /// Runs `attempt` as soon as the descriptor is ready, until it does something other than block.
    ///
    /// `drained` tells from a result that the descriptor is empty (or full) now, which saves the call that
    /// would find out. `waiting` is the future's place; without one the task waits until the next event.
    pub(crate) fn poll_attempt<R>(
        &self,
        direction: Direction,
        mut waiting: Option<&mut Waiting>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
        mut attempt: impl FnMut() -> io::Result<R>,
        drained: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        ready!(host::poll_yield(cx));
        loop {
            let stamp = ready!(self.poll_stamp(direction, waiting.as_deref_mut(), cx, at))?;
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.descriptor.clear_ready(direction, stamp);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(result) => {
                    if stamp.trusts_short_reads() && drained(&result) {
                        self.descriptor.clear_ready(direction, stamp);
                    }
                    return Poll::Ready(Ok(result));
                }
            }
        }
    }

    /// Runs `attempt` at once, whatever is known of the readiness, and leaves that as it is: what the kernel has not reported
    /// yet may be there all the same, and what would block may concern a peer that nobody waits for.
    pub(crate) fn attempt<R>(&self, mut attempt: impl FnMut() -> io::Result<R>) -> io::Result<R> {
        self.descriptor.check_open()?;
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Ready with a stamp; else notes the wait.
    fn poll_stamp(
        &self,
        direction: Direction,
        waiting: Option<&mut Waiting>,
        cx: &mut Context<'_>,
        at: &'static Location<'static>,
    ) -> Poll<io::Result<ReadyStamp>> {
        let poll = match waiting {
            Some(waiting) => self.descriptor.poll_ready(direction, waiting, cx),
            None => self.descriptor.poll_ready_shared(direction, cx),
        };
        if poll.is_pending() {
            host::waiting_on(WaitKind::Io, at);
            if let Some(processor) = current::home() {
                self.netpoll.waited_at(processor, &self.descriptor);
            }
        }
        poll
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // An error means that the kernel has forgotten the number already: its owner closed it behind our
        // back, which harms nobody (the token's generation has moved on).
        let _ = self.netpoll.close(&self.descriptor);
    }
}
