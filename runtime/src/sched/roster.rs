//! The roster: every processor's shared face, in a list that changes only when their number does.
//!
//! Thieves, the sleeper and the metrics walk it all the time; [`set_procs`](crate::set_procs) changes it
//! once in a while. So a machine keeps a copy of the list and looks at a version number, one relaxed load,
//! before it uses it. A list that is a moment old is harmless: processors are only ever added, and one that
//! is retired is empty. For that reason all accesses to `version` are `Relaxed`; the lock publishes the list.

use super::processor::Remote;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// All processors of one runtime.
#[derive(Debug)]
pub(crate) struct Roster {
    version: AtomicUsize,
    list: RwLock<Arc<[Arc<Remote>]>>,
}

impl Roster {
    pub(super) fn new(list: Vec<Arc<Remote>>) -> Self {
        Self { version: AtomicUsize::new(0), list: RwLock::new(list.into()) }
    }

    /// The list now.
    pub(crate) fn list(&self) -> Arc<[Arc<Remote>]> {
        self.list.read().clone()
    }

    /// The list and its version, unless that is `version`.
    pub(super) fn newer_than(&self, version: usize) -> Option<(usize, Arc<[Arc<Remote>]>)> {
        if self.version.load(Ordering::Relaxed) == version {
            return None;
        }
        let list = self.list.read();
        Some((self.version.load(Ordering::Relaxed), list.clone()))
    }

    /// Adds a processor's face, made by `make` from its index.
    pub(super) fn add(&self, make: impl FnOnce(usize) -> Arc<Remote>) {
        let mut list = self.list.write();
        let added = make(list.len());
        *list = list.iter().cloned().chain([added]).collect();
        self.version.fetch_add(1, Ordering::Relaxed);
    }
}
