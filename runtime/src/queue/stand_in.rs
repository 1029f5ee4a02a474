//! What takes crossbeam-deque's place under loom: the same face over one lock.

use pirn_sync::primitive::{Arc, Mutex};
use std::collections::VecDeque;
use std::fmt;

type Shared<T> = Arc<Mutex<VecDeque<T>>>;

/// What a steal gives; this one never asks for a retry.
pub(super) enum Steal<T> {
    Success(T),
    Empty,
    #[expect(dead_code, reason = "crossbeam's callers must handle it")]
    Retry,
}

pub(super) struct Worker<T>(Shared<T>);

pub(super) struct Stealer<T>(Shared<T>);

pub(super) struct Injector<T>(Shared<T>);

fn empty<T>() -> Shared<T> {
    Arc::new(Mutex::new(VecDeque::new()))
}

fn take<T>(from: &Shared<T>, own: &Worker<T>, at_most: impl Fn(usize) -> usize) -> Steal<T> {
    let mut batch: Vec<T> = {
        let mut from = from.lock();
        let count = at_most(from.len());
        from.drain(..count).collect()
    };
    if batch.is_empty() {
        return Steal::Empty;
    }
    let first = batch.remove(0);
    own.0.lock().extend(batch);
    Steal::Success(first)
}

impl<T> Worker<T> {
    pub(super) fn new_fifo() -> Self {
        Self(empty())
    }

    pub(super) fn push(&self, value: T) {
        self.0.lock().push_back(value);
    }

    pub(super) fn pop(&self) -> Option<T> {
        self.0.lock().pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub(super) fn stealer(&self) -> Stealer<T> {
        Stealer(self.0.clone())
    }
}

impl<T> Clone for Stealer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Stealer<T> {
    pub(super) fn steal_batch_with_limit_and_pop(&self, own: &Worker<T>, limit: usize) -> Steal<T> {
        take(&self.0, own, |len| len.div_ceil(2).min(limit))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl<T> Injector<T> {
    pub(super) fn new() -> Self {
        Self(empty())
    }

    pub(super) fn push(&self, value: T) {
        self.0.lock().push_back(value);
    }

    pub(super) fn steal(&self) -> Steal<T> {
        self.0.lock().pop_front().map_or(Steal::Empty, Steal::Success)
    }

    pub(super) fn steal_batch_with_limit_and_pop(&self, own: &Worker<T>, limit: usize) -> Steal<T> {
        take(&self.0, own, |len| len.min(limit))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl<T> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker")
    }
}

impl<T> fmt::Debug for Stealer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stealer")
    }
}

impl<T> fmt::Debug for Injector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Injector")
    }
}
