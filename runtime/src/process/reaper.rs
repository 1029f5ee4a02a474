//! The reaper: waits for children whose [`Child`](super::Child) was dropped, so that none stays a zombie.
//!
//! A zombie is what is left of a process until its parent asks how it ended. The owner of a dropped `Child`
//! will never ask, and a runtime may end before the process does; so one thread does, outside of all
//! runtimes. It starts with the first orphan and ends with the last: a program that waits for its children
//! never has it.
//!
//! ```text
//!   adopt ──► waiting ──► thread: watch the pidfds ──► one is readable ──► try_wait all ──► none left: end
//!       └── wake ───────────────────┘
//! ```
//!
//! A program that is out of descriptors cannot watch any. There each orphan gets a thread that waits for it and for no
//! other.
//!
//! # Invariants
//! P1. `netpoll` is `Some` exactly while the thread runs; it looks at `waiting` under the lock before it
//!     takes `netpoll` away and ends. So an orphan is never left to a thread that is about to end.
//! P2. While `netpoll` is `None`, there is for each orphan in `waiting` a thread that will look there, unless the system
//!     had no room for one. So whoever takes an orphan out may leave others in.

use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::netpoll::Netpoll;
use crate::thread;

static REAPER: Mutex<Reaper> = Mutex::new(Reaper { waiting: Vec::new(), netpoll: None });

struct Reaper {
    /// Orphans that the thread has not taken over yet.
    waiting: Vec<Orphan>,
    /// P1.
    netpoll: Option<Arc<Netpoll>>,
}

struct Orphan {
    process: Child,
    pidfd: OwnedFd,
}

/// Takes over a child that nobody waits for any more.
pub(super) fn adopt(mut process: Child, pidfd: OwnedFd) {
    if !matches!(process.try_wait(), Ok(None)) {
        return;
    }
    let mut reaper = REAPER.lock();
    reaper.waiting.push(Orphan { process, pidfd });
    match &reaper.netpoll {
        Some(netpoll) => netpoll.wake(),
        None => {
            reaper.netpoll = start();
            if reaper.netpoll.is_none() {
                // Without a thread to be had either the orphan waits for the next one's adoption.
                let _ = thread::start("pirn-reaper".to_owned(), None, reap_one);
            }
        }
    }
}

fn start() -> Option<Arc<Netpoll>> {
    let netpoll = Arc::new(Netpoll::new(1).ok()?);
    let theirs = Arc::clone(&netpoll);
    thread::start("pirn-reaper".to_owned(), None, move || reap(&theirs)).ok()?;
    Some(netpoll)
}

/// The thread of an orphan that cannot be watched (P2). It finds none if the reaper could be started since.
fn reap_one() {
    let orphan = REAPER.lock().waiting.pop();
    if let Some(Orphan { mut process, pidfd }) = orphan {
        // Descriptors are what there is none of.
        drop(pidfd);
        // An error means that the kernel has reaped it.
        let _ = process.wait();
    }
}

/// The thread.
fn reap(netpoll: &Netpoll) {
    let mut orphans = Vec::new();
    loop {
        let arrived = {
            let mut reaper = REAPER.lock();
            if orphans.is_empty() && reaper.waiting.is_empty() {
                reaper.netpoll = None;
                return;
            }
            std::mem::take(&mut reaper.waiting)
        };
        for orphan in arrived {
            // One that cannot be watched is still looked at whenever anything happens.
            let watch = netpoll.open(orphan.pidfd.as_fd(), None).ok();
            orphans.push((orphan, watch));
        }
        orphans.retain_mut(|(orphan, watch)| {
            let lives = matches!(orphan.process.try_wait(), Ok(None));
            if let (false, Some(watch)) = (lives, watch) {
                let _ = netpoll.close(watch);
            }
            lives
        });
        if !orphans.is_empty() {
            // Nobody waits on these descriptors, so there is nobody to wake: every event means "look again".
            netpoll.wait(None, &mut Vec::new());
        }
    }
}
