//! The blocks that tasks lie in, kept when they are freed for the tasks that come next.
//!
//! A task is born and dies with one block. A block that was given back a moment ago is still in this core's cache. So a thread
//! that frees a block keeps it, and the next task of about that size that it starts lies there. And since tasks often end
//! on another thread than the one that started them, what a thread has too much of another one gets, a bundle at a time:
//! the magazines and the depot of Bonwick and Adams ("Magazines and Vmem", 2001). What neither keeps is in the
//! [spans](super::spans), where all blocks come from.
//!
//! ```text
//!   class     8      16    …      192     …     8192 bytes       rounded up; what is larger is not kept
//!   thread    –      open         open          –                some blocks, linked
//!                                 full                           a full bundle
//!                                 │  ▲
//!                 open and full? ─┘  └─ neither?
//!                                 ▼  │
//!   depot     –      –            bundle ─► bundle ─► …          of all threads, linked at their first blocks
//!                                 ▲  │ full, or not needed?
//!                          none? ─┘  ▼
//!   spans     –      ….           ………           ….               of the process
//! ```
//!
//! # Invariants
//! - B1. A block on a list is nobody else's: it comes by [`give_back`], and goes by [`take`] or to its span.
//! - B2. All blocks on a list are of its class, and came from the spans as such.
//! - B3. A thread keeps two bundles of a class at most, 16 KiB each or less; the depot no more than [`room`](Depot::room).
//! - B4. The spans, which may call the system, are called only while the depot's lock is free.
//!
//! # What goes back
//! A span is freed when all its blocks are back, and one that lies here holds it. So once in a while a [`Trimmer`] returns the
//! bundles that nobody has needed since the last time: the depot's working set stays, as with Bonwick and Adams. When a
//! runtime rests or ends all of them go. And if the depot is full, each bundle that comes drives others out, class by
//! class: what a program needed a moment ago makes way for what it needs now. A thread that ends gives all back. Where nobody
//! trims the depot takes nothing: handles may be dropped when all runtimes rest or are gone, and what came then would stay.
//!
//! # Orderings
//! Blocks change threads under the depot's lock. `bundles` and `trimmers` are `Relaxed`: who reads an old number asks the
//! spans, or the depot in vain, or leaves a bundle for the next one who trims.

use super::size_class::{CLASSES, class_of, size_of_class};
use super::span::{Free, Link};
use super::spans::{Bundle, bundle_of, spans};
use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

/// The depot keeps so many bytes of whatever there is.
const LEAST_ROOM: usize = 4 << 20;
/// So many bundles of a class go back at once, at most: whoever trims has other duties.
const TRIM: usize = 256;
/// Where a sanitizer watches for the end of each block, only the tests of this crate keep any.
const KEEPS: bool = !cfg!(any(loom, all(any(miri, sanitized), not(test))));

/// What a thread keeps of one class.
struct Kept {
    open: Cell<Link>,
    /// How many blocks `open` has: no more than a full bundle.
    count: Cell<usize>,
    /// A full bundle, or none.
    full: Cell<Link>,
}

/// The blocks that a thread keeps.
struct Stock([Kept; CLASSES]);

/// The bundles that no thread keeps.
struct Depot {
    shelves: Mutex<Shelves>,
    /// How many bundles of each class there are, for those who would find none.
    bundles: [AtomicUsize; CLASSES],
    trimmers: AtomicUsize,
}

/// Somebody who trims the depot as long as this lives. What is left goes back as it is dropped.
pub(crate) struct Trimmer(());

struct Shelves {
    lists: [Link; CLASSES],
    /// The fewest bundles of each class that there have been since the depot was trimmed.
    fewest: [usize; CLASSES],
    bytes: usize,
    /// The class that makes room next.
    hand: usize,
}

// SAFETY: the blocks that it points to are nobody else's (B1).
unsafe impl Send for Shelves {}

thread_local!(static STOCK: Stock = const { Stock([const { Kept::new() }; CLASSES]) });

static DEPOT: Depot = Depot::new();

/// The class of a type, if blocks of it are kept.
const fn kept_class_of<T>() -> Option<usize> {
    if KEEPS { class_of(Layout::new::<T>()) } else { None }
}

/// Memory for a `T`, whose first word is a state word and is there already; to be given back by [`give_back`] for the same
/// type.
#[inline]
pub(super) fn take<T>() -> NonNull<T> {
    const { assert!(size_of::<T>() >= size_of::<Free>(), "the links of a free block have room in it") };
    let Some(class) = (const { kept_class_of::<T>() }) else {
        return spans().take_one(Layout::new::<T>()).cast();
    };
    // In the thread's last moments there is no stock any more.
    STOCK.try_with(|stock| stock.0[class].pop(class)).unwrap_or_else(|_| take_without_stock(class)).cast()
}

/// Gives memory back. Its first word is left alone.
///
/// # Safety
/// It came from [`take`] for the same type, and nobody uses it any more.
#[inline]
pub(super) unsafe fn give_back<T>(block: NonNull<T>) {
    let block = block.cast();
    let Some(class) = (const { kept_class_of::<T>() }) else {
        // SAFETY: the caller's promise.
        return unsafe { spans().give_one_back(block, Layout::new::<T>()) };
    };
    // SAFETY: the caller's promise, and B2.
    if STOCK.try_with(|stock| unsafe { stock.0[class].keep(block, class) }).is_err() {
        // SAFETY: the caller's promise, and no stock has it.
        unsafe {
            block.as_ref().next.set(None);
            release(Some(block), class);
        }
    }
}

#[cold]
fn take_without_stock(class: usize) -> NonNull<Free> {
    let Bundle { first, .. } = spans().take(class);
    // SAFETY: B1: nobody has the others, and they came as such.
    unsafe { release(first.as_ref().next.take(), class) };
    first
}

/// Returns what no thread keeps to the spans: a runtime rests or has ended, and its tasks may have been the last of
/// their kind. What comes meanwhile stays: it may be another runtime's, and come faster than it goes.
pub(crate) fn release_depot() {
    (0..CLASSES).for_each(|class| DEPOT.release(class, DEPOT.bundles[class].load(Relaxed)));
}

impl Trimmer {
    pub(crate) fn new() -> Self {
        DEPOT.trimmers.fetch_add(1, Relaxed);
        Self(())
    }

    /// Returns to the spans what nobody has needed since the last call.
    pub(crate) fn trim(&self) {
        DEPOT.trim();
    }
}

impl Drop for Trimmer {
    fn drop(&mut self) {
        DEPOT.trimmers.fetch_sub(1, Relaxed);
        release_depot();
    }
}

/// Returns a list of blocks to their spans.
///
/// # Safety
/// They are of this class (B2), and nobody uses them any more.
#[cold]
unsafe fn release(list: Link, class: usize) {
    if list.is_some() {
        // SAFETY: the caller's promise.
        unsafe { spans().give_back(list, class) };
    }
}

impl Kept {
    const fn new() -> Self {
        Self { open: Cell::new(None), count: Cell::new(0), full: Cell::new(None) }
    }

    #[inline]
    fn pop(&self, class: usize) -> NonNull<Free> {
        let first = self.open.get().unwrap_or_else(|| self.open_another(class));
        // SAFETY: B1: it is on the list, so it is a free block.
        self.open.set(unsafe { first.as_ref() }.next.get());
        self.count.set(self.count.get() - 1);
        first
    }

    /// The next bundle is the open list.
    #[cold]
    fn open_another(&self, class: usize) -> NonNull<Free> {
        let full = |first| Bundle { first, count: bundle_of(class) };
        let kept = self.full.take().or_else(|| DEPOT.take(class)).map(full);
        let Bundle { first, count } = kept.unwrap_or_else(|| spans().take(class));
        self.open.set(Some(first));
        self.count.set(count);
        first
    }

    /// Keeps a block, and makes room for it first (B3).
    ///
    /// # Safety
    /// It is of this class (B2), and nobody else's (B1).
    #[inline]
    unsafe fn keep(&self, block: NonNull<Free>, class: usize) {
        if self.count.get() == bundle_of(class) {
            self.close(class);
        }
        // SAFETY: it is a free block from here on.
        unsafe { block.as_ref() }.next.set(self.open.replace(Some(block)));
        self.count.set(self.count.get() + 1);
    }

    /// The open list is a bundle: a new one begins, and the bundle before goes to the depot, if that is trimmed.
    #[cold]
    fn close(&self, class: usize) {
        self.count.set(0);
        let Some(bundle) = self.full.replace(self.open.take()) else { return };
        // SAFETY: it was full, and is on no list of this thread any more.
        unsafe {
            if DEPOT.trimmers.load(Relaxed) > 0 {
                DEPOT.keep(bundle, class);
            } else {
                release(Some(bundle), class);
            }
        }
    }
}

impl Depot {
    const fn new() -> Self {
        let shelves = Shelves { lists: [None; CLASSES], fewest: [0; CLASSES], bytes: 0, hand: 0 };
        let bundles = [const { AtomicUsize::new(0) }; CLASSES];
        Self { shelves: Mutex::new(shelves), bundles, trimmers: AtomicUsize::new(0) }
    }

    /// A bundle, if there is one and nobody else is at it: to ask the spans is better than to wait.
    fn take(&self, class: usize) -> Link {
        if self.bundles[class].load(Relaxed) == 0 {
            return None;
        }
        self.pop(&mut *self.shelves.try_lock()?, class)
    }

    fn pop(&self, shelves: &mut Shelves, class: usize) -> Link {
        let bundle = shelves.lists[class]?;
        // SAFETY: B1: it is the first of a bundle that nobody else has.
        shelves.lists[class] = unsafe { bundle.as_ref() }.next_bundle.get();
        shelves.bytes -= bundle_of(class) * size_of_class(class);
        let left = self.bundles[class].fetch_sub(1, Relaxed) - 1;
        shelves.fewest[class] = shelves.fewest[class].min(left);
        Some(bundle)
    }

    /// How many bytes it may keep: a quarter of what there is, since tasks that come and go in waves need as much again.
    fn room() -> usize {
        LEAST_ROOM.max(spans().bytes() / 4)
    }

    /// Returns some bundles to the spans.
    fn release(&self, class: usize, most: usize) {
        for _ in 0..most {
            // The lock is free again before the spans are called (B4).
            let bundle = self.pop(&mut self.shelves.lock(), class);
            if bundle.is_none() {
                break;
            }
            // SAFETY: B1: it has just left its list.
            unsafe { release(bundle, class) };
        }
    }

    fn trim(&self) {
        for class in 0..CLASSES {
            let unneeded = self.shelves.lock().fewest[class];
            self.release(class, unneeded.min(TRIM));
            self.shelves.lock().fewest[class] = self.bundles[class].load(Relaxed);
        }
    }

    /// Keeps a bundle, and makes room for it first (B3).
    ///
    /// # Safety
    /// It is a bundle of this class, and nobody else's (B1).
    unsafe fn keep(&self, bundle: NonNull<Free>, class: usize) {
        let size = bundle_of(class) * size_of_class(class);
        loop {
            let mut shelves = self.shelves.lock();
            if shelves.bytes + size <= Self::room() {
                // SAFETY: nobody else's.
                unsafe { bundle.as_ref() }.next_bundle.set(shelves.lists[class].replace(bundle));
                shelves.bytes += size;
                self.bundles[class].fetch_add(1, Relaxed);
                return;
            }
            let class = shelves.hand;
            let driven_out = self.pop(&mut shelves, class);
            if driven_out.is_none() {
                shelves.hand = (class + 1) % CLASSES;
            }
            drop(shelves);
            // SAFETY: B1: it has just left its list. The lock is free (B4).
            unsafe { release(driven_out, class) };
        }
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        for (class, kept) in self.0.iter().enumerate() {
            // SAFETY: B1, B2; the thread has no use for them any more.
            unsafe {
                release(kept.open.take(), class);
                release(kept.full.take(), class);
            }
            kept.count.set(0);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
