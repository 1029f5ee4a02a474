//! Where tasks lie: blocks of memory from the system's allocator, of which each thread keeps those that it freed last.
//!
//! A task is born and dies with one block. To ask the allocator for it and to give it back was a quarter of all that is
//! done for a task which does nothing; and a block that was given back a moment ago is still in this core's cache, while
//! the allocator has many to choose from. So a thread that frees a small block keeps it, and the next task of about that
//! size that it starts lies there.
//!
//! ```text
//!   class     8      24     …     104     …     504 bytes        rounded up; what is larger is not kept
//!             ▼       ▼             ▼             ▼
//!             –     block         block           –              linked through their own first word,
//!                     ▼             ▼                            the one freed last comes first
//!                     –           block ─► block ─► …
//! ```
//! The sizes are those that the C library rounds up to anyway, which puts eight bytes before each block.
//!
//! # Invariants
//! - B1. A block on a list is nobody else's: it comes by [`give_back`], and goes by [`take`] or to the allocator.
//! - B2. All blocks of a class have the size of the class and the alignment [`ALIGNMENT`], and are asked for and
//!   returned as such.
//! - B3. `bytes` is what all lists hold together: no more than [`MOST`], about as much as a core's own cache.
//! - B4. The allocator is called only while all lists are as B1 to B3 say: it may be the program's own.
//!
//! # When all is full
//! Then each block that comes drives another one out, class by class. So what a program needed once makes way for what it
//! needs now.
//!
//! # Where it does not help
//! A block stays with the thread that frees it. Where one thread starts tasks that end on another one, the blocks pile
//! up on the other side, up to B3, and each start asks the allocator, as without all this. The bound is for each thread,
//! those that run blocking jobs included; a thread that ends gives all back.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// A thread keeps no more than so many bytes.
const MOST: usize = 1 << 20;
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
}

/// The blocks that a thread keeps.
struct Stock {
    lists: [Cell<Link>; CLASSES],
    bytes: Cell<usize>,
    /// The class that makes room next.
    hand: Cell<usize>,
}

thread_local!(static STOCK: Stock = const { Stock::new() });

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
    match STOCK.try_with(|stock| stock.pop(class)) {
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
    if STOCK.try_with(|stock| unsafe { stock.keep(block, class) }).is_err() {
        // SAFETY: as above, and no stock has it.
        unsafe { release(block, class) };
    }
}

#[cold]
fn ask_for(layout: Layout) -> NonNull<u8> {
    // SAFETY: it is not of size zero: see `take`.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Returns a block to the allocator.
///
/// # Safety
/// It is of this class (B2), and nobody uses it any more.
#[cold]
unsafe fn release(block: NonNull<Free>, class: usize) {
    // SAFETY: the caller's promise.
    unsafe { dealloc(block.as_ptr().cast(), layout_of_class(class)) }
}

impl Stock {
    const fn new() -> Self {
        Self { lists: [const { Cell::new(None) }; CLASSES], bytes: Cell::new(0), hand: Cell::new(0) }
    }

    #[inline]
    fn pop(&self, class: usize) -> Link {
        let first = self.lists[class].get()?;
        // SAFETY: B1: it is on the list, so its first word is a link.
        self.lists[class].set(unsafe { first.as_ref() }.next);
        self.bytes.set(self.bytes.get() - size_of_class(class));
        Some(first)
    }

    /// Keeps a block, and makes room for it first (B3).
    ///
    /// # Safety
    /// It is of this class (B2), and nobody else's (B1).
    #[inline]
    unsafe fn keep(&self, block: NonNull<Free>, class: usize) {
        while self.bytes.get() + size_of_class(class) > MOST {
            self.drive_out();
        }
        // SAFETY: nobody else's, and large enough: see `take`.
        unsafe { block.write(Free { next: self.lists[class].get() }) };
        self.lists[class].set(Some(block));
        self.bytes.set(self.bytes.get() + size_of_class(class));
    }

    /// Returns one block to the allocator.
    #[cold]
    fn drive_out(&self) {
        let class = self.hand.get();
        match self.pop(class) {
            // SAFETY: B1: it has just left its list.
            Some(block) => unsafe { release(block, class) },
            None => self.hand.set((class + 1) % CLASSES),
        }
    }
}

impl Drop for Stock {
    fn drop(&mut self) {
        while self.bytes.get() > 0 {
            self.drive_out();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
