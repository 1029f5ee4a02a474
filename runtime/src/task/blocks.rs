//! Where tasks lie: blocks of memory from the system's allocator, kept when they are freed for the tasks that come next.
//!
//! A task is born and dies with one block. To ask the allocator for it and to give it back was a quarter of all that is
//! done for a task which does nothing; and a block that was given back a moment ago is still in this core's cache, while
//! the allocator has many to choose from. So a thread that frees a small block keeps it, and the next task of about that
//! size that it starts lies there. And since tasks often end on another thread than the one that started them, what a
//! thread has too much of another one gets, a bundle at a time: the magazines and the depot of Bonwick and Adams
//! ("Magazines and Vmem", 2001).
//!
//! ```text
//!   class     8      24     …     104     …     504 bytes        rounded up; what is larger is not kept
//!   thread    –      open         open          –                some blocks, linked through their first word
//!                                 full                           a bundle of BUNDLE blocks
//!                                 │  ▲
//!                 open and full? ─┘  └─ neither?
//!                                 ▼  │
//!   depot     –      –            bundle ─► bundle ─► …          of all threads, linked through their second word
//! ```
//! The sizes are those that the C library rounds up to anyway, which puts eight bytes before each block.
//!
//! # Invariants
//! - B1. A block on a list is nobody else's: it comes by [`give_back`], and goes by [`take`] or to the allocator.
//! - B2. All blocks of a class have the size of the class and the alignment [`ALIGNMENT`], and are asked for and
//!   returned as such.
//! - B3. A thread keeps two bundles of a class at most, about as much as a core's own cache if it has all of them; the
//!   depot no more than [`MOST`] bytes.
//! - B4. The allocator is called only while all lists are as B1 to B3 say, and the depot's lock is free: it may be the
//!   program's own.
//!
//! # When the depot is full
//! Then each bundle that comes drives others out, class by class. So what a program needed once makes way for what it
//! needs now. A thread that ends gives all back, and so does the depot when a runtime ends.
//!
//! # Orderings
//! Blocks change threads under the depot's lock. `bundles` is `Relaxed`: who reads an old number asks the allocator, or the
//! depot in vain.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

/// The depot keeps no more than so many bytes.
const MOST: usize = 4 << 20;
/// So many blocks change threads at once.
const BUNDLE: usize = 64;
/// The distance between two classes, and the alignment of all.
const ALIGNMENT: usize = 16;
/// The size of the first class.
const LEAST: usize = 8;
const CLASSES: usize = 32;
/// Where a sanitizer watches for the end of each block, only the tests of this crate keep any.
const KEEPS: bool = !cfg!(any(loom, all(any(miri, sanitized), not(test))));

type Link = Option<NonNull<Free>>;

/// A block that nobody uses.
struct Free {
    next: Link,
    /// Of the first block of a bundle in the depot: the next bundle.
    next_bundle: Link,
}

/// What a thread keeps of one class.
struct Kept {
    open: Cell<Link>,
    /// How many blocks `open` has: no more than a bundle.
    count: Cell<usize>,
    /// A bundle, or none.
    full: Cell<Link>,
}

/// The blocks that a thread keeps.
struct Stock([Kept; CLASSES]);

/// The bundles that no thread keeps.
struct Depot {
    shelves: Mutex<Shelves>,
    /// How many bundles of each class there are, for those who would find none.
    bundles: [AtomicUsize; CLASSES],
}

struct Shelves {
    lists: [Link; CLASSES],
    bytes: usize,
    /// The class that makes room next.
    hand: usize,
}

// SAFETY: the blocks that it points to are nobody else's (B1).
unsafe impl Send for Shelves {}

thread_local!(static STOCK: Stock = const { Stock([const { Kept::new() }; CLASSES]) });

static DEPOT: Depot = Depot::new();

/// The class of a layout, if blocks of it are kept. Both are known when the program is compiled.
#[inline]
const fn class_of(layout: Layout) -> Option<usize> {
    let keeps = KEEPS && layout.align() <= ALIGNMENT;
    let class = layout.size().saturating_sub(LEAST).div_ceil(ALIGNMENT);
    if keeps && class < CLASSES { Some(class) } else { None }
}

/// How much a block of the class holds.
const fn size_of_class(class: usize) -> usize {
    LEAST + class * ALIGNMENT
}

fn layout_of_class(class: usize) -> Layout {
    Layout::from_size_align(size_of_class(class), ALIGNMENT)
        .expect("it is small, and the alignment a power of two")
}

/// Memory for a `T`, to be given back by [`give_back`] for the same type.
#[inline]
pub(super) fn take<T>() -> NonNull<T> {
    const { assert!(size_of::<T>() >= size_of::<Free>(), "a link has room in it, and it is not of size zero") };
    let Some(class) = class_of(Layout::new::<T>()) else {
        return ask_for(Layout::new::<T>()).cast();
    };
    // In the thread's last moments there is no stock any more.
    match STOCK.try_with(|stock| stock.0[class].pop(class)) {
        Ok(Some(block)) => block.cast(),
        _ => ask_for(layout_of_class(class)).cast(),
    }
}

/// Gives memory back.
///
/// # Safety
/// It came from [`take`] for the same type, and nobody uses it any more.
#[inline]
pub(super) unsafe fn give_back<T>(block: NonNull<T>) {
    let Some(class) = class_of(Layout::new::<T>()) else {
        // SAFETY: the caller's promise; it was asked for with this layout.
        return unsafe { dealloc(block.as_ptr().cast(), Layout::new::<T>()) };
    };
    let block = block.cast();
    // SAFETY: the caller's promise, and B2.
    if STOCK.try_with(|stock| unsafe { stock.0[class].keep(block, class) }).is_err() {
        // SAFETY: as above, and no stock has it.
        unsafe { dealloc(block.as_ptr().cast(), layout_of_class(class)) };
    }
}

#[cold]
fn ask_for(layout: Layout) -> NonNull<u8> {
    // SAFETY: it is not of size zero: see `take`.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Returns what no thread keeps to the allocator: a runtime has ended, and its tasks may have been the last of their kind.
pub(crate) fn release_depot() {
    for class in 0..CLASSES {
        loop {
            // The lock is free again before the allocator is called (B4).
            let bundle = DEPOT.pop(&mut DEPOT.shelves.lock(), class);
            if bundle.is_none() {
                break;
            }
            // SAFETY: B1: it has just left its list.
            unsafe { release(bundle, class) };
        }
    }
}

/// Returns a list of blocks to the allocator.
///
/// # Safety
/// They are of this class (B2), and nobody uses them any more.
#[cold]
unsafe fn release(mut list: Link, class: usize) {
    while let Some(block) = list {
        // SAFETY: B1: it is on a list, so its first word is a link; and the caller's promise.
        unsafe {
            list = block.as_ref().next;
            dealloc(block.as_ptr().cast(), layout_of_class(class));
        }
    }
}

impl Kept {
    const fn new() -> Self {
        Self { open: Cell::new(None), count: Cell::new(0), full: Cell::new(None) }
    }

    #[inline]
    fn pop(&self, class: usize) -> Link {
        let first = self.open.get().or_else(|| self.open_another(class))?;
        // SAFETY: B1: it is on the list, so its first word is a link.
        self.open.set(unsafe { first.as_ref() }.next);
        self.count.set(self.count.get() - 1);
        Some(first)
    }

    /// The next bundle, now the open list.
    #[cold]
    fn open_another(&self, class: usize) -> Link {
        let bundle = self.full.take().or_else(|| DEPOT.take(class))?;
        self.count.set(BUNDLE);
        self.open.set(Some(bundle));
        Some(bundle)
    }

    /// Keeps a block, and makes room for it first (B3).
    ///
    /// # Safety
    /// It is of this class (B2), and nobody else's (B1).
    #[inline]
    unsafe fn keep(&self, block: NonNull<Free>, class: usize) {
        // Again if the allocator that `close` may call has given back as much meanwhile (B4).
        while self.count.get() == BUNDLE {
            self.close(class);
        }
        // SAFETY: nobody else's, and large enough: see `take`.
        unsafe { block.write(Free { next: self.open.get(), next_bundle: None }) };
        self.open.set(Some(block));
        self.count.set(self.count.get() + 1);
    }

    /// The open list is a bundle: a new one begins, and the bundle before goes to the depot.
    #[cold]
    fn close(&self, class: usize) {
        self.count.set(0);
        let before = self.full.replace(self.open.take());
        if let Some(bundle) = before {
            // SAFETY: it was full, and is on no list of this thread any more.
            unsafe { DEPOT.keep(bundle, class) };
        }
    }
}

impl Depot {
    const fn new() -> Self {
        let shelves = Shelves { lists: [None; CLASSES], bytes: 0, hand: 0 };
        Self { shelves: Mutex::new(shelves), bundles: [const { AtomicUsize::new(0) }; CLASSES] }
    }

    /// A bundle, if there is one and nobody else is at it: to ask the allocator is better than to wait.
    fn take(&self, class: usize) -> Link {
        if self.bundles[class].load(Relaxed) == 0 {
            return None;
        }
        self.pop(&mut *self.shelves.try_lock()?, class)
    }

    fn pop(&self, shelves: &mut Shelves, class: usize) -> Link {
        let bundle = shelves.lists[class]?;
        // SAFETY: B1: it is the first of a bundle that nobody else has.
        shelves.lists[class] = unsafe { bundle.as_ref() }.next_bundle;
        shelves.bytes -= BUNDLE * size_of_class(class);
        self.bundles[class].fetch_sub(1, Relaxed);
        Some(bundle)
    }

    /// Keeps a bundle, and makes room for it first (B3).
    ///
    /// # Safety
    /// It is a bundle of this class, and nobody else's (B1).
    unsafe fn keep(&self, mut bundle: NonNull<Free>, class: usize) {
        let size = BUNDLE * size_of_class(class);
        loop {
            let mut shelves = self.shelves.lock();
            if shelves.bytes + size <= MOST {
                // SAFETY: nobody else's.
                unsafe { bundle.as_mut() }.next_bundle = shelves.lists[class].replace(bundle);
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
            // SAFETY: B1: it has just left its list. B4: the lock is free.
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
