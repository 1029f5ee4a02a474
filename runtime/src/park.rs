//! One thread's bed: [`Parker`] sleeps, any [`Unparker`] wakes it, one token between them.
//!
//! ```text
//!            unpark                    park
//!   EMPTY ───────────► TOKEN      EMPTY ─────► PARKED ──► (sleep)
//!     ▲                  │                        │
//!     └────── park ──────┘          unpark: TOKEN, and a futex wake
//! ```
//!
//! An unpark before the park is not lost: it leaves the token, and the next park returns at once. std's
//! `thread::park` does the sleeping (a futex), but its own token may be eaten or left behind by whatever
//! user code does on the same thread, so the state that counts is ours and every return is checked.
//!
//! # Orderings
//! | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|
//! | [`Unparker::unpark`]: swap | Release | `park` | who is woken sees what the waker did before | `loom::a_token_carries_what_was_written` |
//! | [`Parker::park`] (`park_once`): both swaps | Acquire | `unpark` | as above; after a sleep it may be the token of another than who woke the thread | the same, `loom::one_token_carries_what_two_have_written` |
//! | [`Parker::park`] (`park_once`): exchange | Relaxed | – | it takes nothing: the swap that follows a failure does | – |

use pirn_sync::primitive::atomic::{AtomicU32, Ordering};
use pirn_sync::primitive::thread;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const TOKEN: u32 = 2;

/// The sleeping side; it belongs to the thread that made it.
#[derive(Debug)]
pub(crate) struct Parker {
    unparker: Arc<Unparker>,
}

/// The waking side. As a [`Waker`] it is what `block_on` polls with.
#[derive(Debug)]
pub(crate) struct Unparker {
    state: AtomicU32,
    thread: thread::Thread,
}

impl Parker {
    /// A bed for the current thread.
    pub(crate) fn new() -> Self {
        let thread = thread::current();
        Self { unparker: Arc::new(Unparker { state: AtomicU32::new(EMPTY), thread }) }
    }

    pub(crate) fn unparker(&self) -> &Arc<Unparker> {
        &self.unparker
    }

    /// Sleeps until there is a token, and takes it.
    pub(crate) fn park(&self) {
        while !self.park_once(thread::park) {}
    }

    /// Sleeps until there is a token, or about `timeout` has passed. True if it took a token.
    #[cfg(not(loom))]
    pub(crate) fn park_timeout(&self, timeout: Duration) -> bool {
        self.park_once(|| thread::park_timeout(timeout))
    }

    #[cfg(loom)]
    pub(crate) fn park_timeout(&self, _timeout: Duration) -> bool {
        self.park();
        true
    }

    /// Sleeps once, by `sleep`; true if it took a token.
    fn park_once(&self, sleep: impl FnOnce()) -> bool {
        let state = &self.unparker.state;
        if state.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            // A swap, not a store: an unpark that comes between the two must be acquired, not overwritten.
            state.swap(EMPTY, Ordering::Acquire);
            return true;
        }
        sleep();
        state.swap(EMPTY, Ordering::Acquire) == TOKEN
    }
}

impl Unparker {
    /// Leaves the token, and wakes the thread if it sleeps.
    pub(crate) fn unpark(&self) {
        if self.state.swap(TOKEN, Ordering::Release) == PARKED {
            self.thread.unpark();
        }
    }
}

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}

impl Parker {
    /// A waker that leaves the token.
    pub(crate) fn waker(&self) -> Waker {
        Waker::from(self.unparker.clone())
    }
}
