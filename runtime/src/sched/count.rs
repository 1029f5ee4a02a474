//! Counted references to a runtime, with a stock of them in each place.
//!
//! Every task counts its runtime, because its waker may outlive all else. The count is one word: counted up by who
//! spawns and down by who frees, on every processor, for every task, it would be the most contended one of the whole
//! runtime. So a [`Count`] that is dropped inside the runtime is not counted down, but laid by in the
//! [`Stock`] of that place, and the next spawn there takes it from the stock. Where more are laid by than taken, half
//! of them are counted down in one go, while the word is in this processor's cache.
//!
//! A stock belongs to a [`Place`](super::current::Place), which counts the runtime itself and ends before it does: no
//! count in a stock is the last one, and none keeps a runtime longer than its place would.

use super::current;
use super::shared::Shared;
use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::Arc;

/// At most so many lie in a stock.
const MOST: usize = 256;

/// One counted reference.
#[derive(Debug)]
pub(crate) struct Count(ManuallyDrop<Arc<Shared>>);

/// The references that a place has to spare.
#[derive(Debug, Default)]
pub(super) struct Stock(RefCell<Vec<Arc<Shared>>>);

impl Count {
    /// One more.
    #[inline]
    pub(super) fn of(shared: &Arc<Shared>) -> Self {
        let spare = current::with(|place| place?.stock_of(shared)?.take());
        Self::new(spare.unwrap_or_else(|| shared.clone()))
    }

    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self(ManuallyDrop::new(shared))
    }
}

impl Deref for Count {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Count {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: nobody uses the field after this.
        let shared = unsafe { ManuallyDrop::take(&mut self.0) };
        current::with(|place| match place.and_then(|place| place.stock_of(&shared)) {
            Some(stock) => stock.lay_by(shared),
            None => drop(shared),
        });
    }
}

impl Stock {
    #[inline]
    pub(super) fn take(&self) -> Option<Arc<Shared>> {
        self.0.borrow_mut().pop()
    }

    #[inline]
    fn lay_by(&self, shared: Arc<Shared>) {
        let mut spare = self.0.borrow_mut();
        if spare.len() == MOST {
            spare.truncate(MOST / 2);
        }
        spare.push(shared);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
