//! CSP channels and [`select!`] for tasks of any executor and for plain threads.
//!
//! Go's channels in Rust's terms: bounded, unbuffered and unbounded ones, a `select!` over sends, receives and any other
//! futures, and three relatives for special needs. No value is ever lost, doubled or reordered: not when a future is dropped
//! at any await, not when a select goes elsewhere, not when a value's destructor panics. (One exception: if a waker panics,
//! whoever woke it panics, and loses the value that it was receiving at that moment: see [`Receiver::recv`].)
//!
//! ```
//! use pirn_channel::{bounded, select};
//!
//! # smol::block_on(async {
//! let (jobs_tx, jobs) = bounded(4);
//! let (stop_tx, stop) = bounded::<()>(0);
//! let worker = async move {
//!     let mut done = 0;
//!     loop {
//!         select! {
//!             Ok(job) = jobs.recv() => done += job,
//!             _ = stop.recv() => break done,
//!         }
//!     }
//! };
//! let boss = async move {
//!     for job in 1..=4 {
//!         jobs_tx.send(job).await.unwrap();
//!     }
//!     while !jobs_tx.is_empty() {
//!         smol::future::yield_now().await;
//!     }
//!     stop_tx.close();
//! };
//! assert_eq!(smol::future::zip(worker, boss).await.0, 10);
//! # });
//! ```
//!
//! # Which channel
//! | | values | senders | receivers | a send |
//! |---|---|---|---|---|
//! | [`bounded`] | each goes to one receiver | many | many | waits while full |
//! | [`bounded(0)`][bounded] | handed from sender to receiver | many | many | waits for a receiver |
//! | [`unbounded`] | each goes to one receiver | many | many | never waits |
//! | [`oneshot`] | one | one | one | never waits |
//! | [`broadcast`] | each goes to every receiver | many | many | never waits; slow receivers miss values |
//! | [`watch`] | only the latest counts | many | many | never waits |
//! | [`never()`] | none | none | many | – |
//!
//! # What an operation does
//! | | empty | partly full | full | closed |
//! |---|---|---|---|---|
//! | `send` | goes on | goes on | waits | fails, gives the value back |
//! | `recv` | waits | takes the oldest | takes the oldest | drains, then fails |
//! | `close` | wakes who waits | keeps the values | wakes senders, with their values | says `false` |
//!
//! Every operation that waits is a future, with a `_blocking` twin for threads; every `try_` form never waits. They mix on
//! one channel. The future of a send is called [`Send`], so import by name: `use pirn_channel::*` would hide the trait.
//!
//! # Where to start reading
//! From the bottom up:
//! 1. `lock` is what everything happens under; `ring` is what is buffered; `waiter` and `wait_queue` are who waits.
//! 2. `state` has the rules by which values move. `chan` puts them under the lock, and `wait` is how one operation waits.
//! 3. `send`, `recv`, `sender` and `receiver` are the face.
//! 4. `claim` is the word that decides a `select!`, and `select` builds on all of this.
//! 5. `oneshot` has one word and no lock. `monitor` carries `broadcast` and `watch`.

mod block;
pub mod broadcast;
mod cargo;
mod chan;
mod claim;
mod error;
mod handle;
mod lock;
#[cfg(all(test, loom))]
mod model;
mod monitor;
pub mod oneshot;
#[doc(hidden)]
pub mod pull;
mod receiver;
mod recv;
mod ring;
mod select;
mod send;
mod sender;
mod state;
mod stats;
mod stream;
mod wait;
mod wait_queue;
mod waiter;
mod wake_list;
pub mod watch;

pub use error::{RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub use receiver::{IntoIter, Iter, Receiver, TryIter, WeakReceiver};
pub use recv::{Recv, RecvMany};
pub use select::{Ready, Select, Selected};
pub use send::{Permit, Reserve, Send};
pub use sender::{Closed, OwnedPermit, ReserveOwned, Sender, WeakSender};
pub use stats::{named_channels, Stats};

use chan::Chan;

/// A channel with room for `cap` values; 0 is an unbuffered one, on which sender and receiver meet.
///
/// The buffer is allocated as it is used, so a huge capacity costs nothing by itself. `usize::MAX` is no bound: the channel
/// is an [`unbounded`] one, and says so.
///
/// ```
/// let (tx, rx) = pirn_channel::bounded(2);
/// tx.try_send(1).unwrap();
/// tx.try_send(2).unwrap();
/// assert!(tx.try_send(3).unwrap_err().is_full());
/// assert_eq!(rx.try_recv(), Ok(1));
/// ```
pub fn bounded<T>(cap: usize) -> (Sender<T>, Receiver<T>) {
    pair(Chan::new(cap, false, false))
}

/// A channel without bound: a send never waits.
///
/// ```
/// let (tx, rx) = pirn_channel::unbounded();
/// (0..1000).for_each(|i| tx.try_send(i).unwrap());
/// drop(tx);
/// assert_eq!(rx.iter().sum::<i32>(), 499_500);
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    pair(Chan::new(state::UNBOUNDED, false, false))
}

/// A channel that is never ready and never closed: a branch of a `select!` that is switched off.
///
/// ```
/// let rx = pirn_channel::never::<u32>();
/// assert_eq!(rx.try_recv(), Err(pirn_channel::TryRecvError::Empty));
/// assert!(!rx.close() && !rx.is_closed());
/// ```
pub fn never<T>() -> Receiver<T> {
    Receiver::new(Chan::new(0, false, true))
}

fn pair<T>(chan: pirn_sync::primitive::Arc<Chan<T>>) -> (Sender<T>, Receiver<T>) {
    (Sender { chan: chan.clone() }, Receiver::new(chan))
}

/// What the code written by `select!` needs.
#[doc(hidden)]
pub mod __private {
    pub use crate::select::case::{channels, whole, Branch, ChannelKind, Pass, PlainKind, Step};
    pub use crate::select::frame::Frame;
    pub use crate::wait::Seat;
}
