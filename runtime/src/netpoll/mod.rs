//! The netpoller: which descriptors are ready, and whom that wakes. The contract, and nothing but it.
//!
//! A task that would block on a socket must not block its thread. It tries the system call on a
//! non-blocking descriptor; where the kernel says "would block", the task leaves its waker here and goes to
//! sleep, and whichever machine polls the network next wakes it when the kernel reports an event.
//!
//! ```text
//!   task                       Descriptor (one per open fd)              a machine without work
//!   poll_ready ─ READY? ─────► │ read   word · waiters │ ◄── event ────  Netpoll::look_at, or wait
//!   try the system call        │ write  word · waiters │                   its own set, the others, all of them
//!   would block: clear_ready ► │  (the stamp decides)  │                   token ─► Table ─► Descriptor
//!   poll_ready: wait           └───────────────────────┘                   wakers ─► the caller, who wakes them
//! ```
//!
//! # The contract with the scheduler
//! - [`Netpoll::open`] registers a descriptor once, for both directions; [`Netpoll::close`] takes it out
//!   *before* the number is closed.
//! - [`Netpoll::look_at`] asks the set of one processor, `look_at_others` the rest, without waiting;
//!   [`Netpoll::visit`] takes over from a processor that is behind; [`Netpoll::wait`], which one thread at a time may
//!   call, waits for all of them, at most a timeout. They hand out wakers and wake nobody, so that no lock of ours is
//!   held while a waker runs, and the scheduler may put what became ready straight on a queue.
//! - [`Netpoll::waited_at`] says where a task waits, so that its descriptor can follow it.
//! - [`Netpoll::wake`] ends a wait in progress, or else the next one. A look never swallows a wake.
//! - [`Netpoll::close_all`] is the runtime's end: every waiter is handed out, later operations get an error.
//!
//! # After a fork
//! The sets are shared with a child that is forked and goes on without `exec`: what it takes out of them is out of the
//! parent's. Such a child must neither use nor drop what is registered; the runtime's threads do not exist in it anyway.
//! Across an `exec` everything here is closed.
//!
//! # What a platform supplies
//! The kernel interface stands in [`epoll`] and [`sleep`] alone; nothing else in the netpoller makes a system call. A
//! `kqueue.rs` beside them would supply the same functions of its `Selector`: `new`; `register(fd, token)`,
//! edge-triggered (`EV_CLEAR`) for both directions at once; `deregister(fd)`; `look(deliver)` and
//! `look_for(most, deliver)`, which report `(token, Readiness)` and never wait; `wait(timeout, deliver)`, which does;
//! `register_wake`; and the descriptor that is readable while there is something to report. Beside it stand functions
//! that tell whether a descriptor is ready just now, where packets arrive, and on which CPU a thread runs; the latter
//! two may not know. kqueue reports the two directions as two events: both reach the same [`Descriptor`], which does
//! not mind.
//!
//! # Where to read on
//! [`descriptor`] is the heart (how clearing a readiness never loses an event), [`table`] explains stale
//! events, [`home`] which processor hears of them, [`load`] how that is evened out, [`population`] when a wait for one
//! set is enough, [`poller`] ties all to the kernel, which is [`epoll`] and [`sleep`].

mod descriptor;
mod epoll;
mod home;
mod load;
mod poller;
mod population;
mod sleep;
mod table;

pub(crate) use descriptor::{Descriptor, Direction, ReadyStamp, Waiting};
pub(crate) use epoll::is_ready_now;
pub(crate) use poller::Netpoll;
