//! The netpoller: which descriptors are ready, and whom that wakes. The contract, and nothing but it.
//!
//! A task that would block on a socket must not block its thread. It tries the system call on a
//! non-blocking descriptor; where the kernel says "would block", the task leaves its waker here and goes to
//! sleep, and whichever machine polls the network next wakes it when the kernel reports an event.
//!
//! ```text
//!   task                       Descriptor (one per open fd)              a machine without work
//!   poll_ready ─ READY? ─────► │ read   word · waiters │ ◄── event ────  Netpoll::poll
//!   try the system call        │ write  word · waiters │                   wait in the kernel, at most `timeout`
//!   would block: clear_ready ► │  (the stamp decides)  │                   token ─► Table ─► Descriptor
//!   poll_ready: wait           └───────────────────────┘                   wakers ─► the caller, who wakes them
//! ```
//!
//! # The contract with the scheduler
//! - [`Netpoll::open`] registers a descriptor once, for both directions; [`Netpoll::close`] takes it out
//!   *before* the number is closed.
//! - [`Netpoll::poll`] waits at most a timeout and hands out wakers; it wakes nobody itself, so that no lock
//!   of ours is held while a waker runs, and the scheduler may put what became ready straight on a queue.
//! - [`Netpoll::wake`] ends a wait in progress, or else the next one. A `poll` with a zero timeout is no wait
//!   and never swallows a wake.
//! - [`Netpoll::close_all`] is the runtime's end: every waiter is handed out, later operations get an error.
//!
//! # What a platform supplies
//! The kernel interface stands in [`epoll`] alone; nothing else in the netpoller makes a system call. A
//! `kqueue.rs` beside it would supply the same five functions of its `Selector`: `new`; `register(fd, token)`,
//! edge-triggered (`EV_CLEAR`) for both directions at once; `deregister(fd)`; `wait(timeout, deliver)`, which
//! reports `(token, Readiness)`; and `wake()` (`EVFILT_USER` with `NOTE_TRIGGER`). kqueue reports the two
//! directions as two events: both reach the same [`Descriptor`], which does not mind.
//!
//! # Where to read on
//! [`descriptor`] is the heart (how clearing a readiness never loses an event), [`table`] explains stale
//! events, [`poller`] ties both to the kernel, [`epoll`] is the kernel.

mod descriptor;
mod epoll;
mod poller;
mod table;

pub(crate) use descriptor::{Descriptor, Direction, ReadyStamp, Waiting};
pub(crate) use epoll::is_ready_now;
pub(crate) use poller::Netpoll;
