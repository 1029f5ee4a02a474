//! One span: memory that is cut into blocks of one size, as they are needed.
//!
//! ```text
//!   ┌────────┬─────────────┬─────────────┬───┬──────────────────────────┐
//!   │ header │ state│ task │ state│ free │ … │ carved ▼   never touched │
//!   └────────┴─────────────┴─────────────┴───┴──────────────────────────┘
//! ```
//! Blocks that have a size class lie in a span of [`SPAN`] bytes that begins at a multiple of them: so a block tells where its
//! span is. What has none, being large or strictly aligned, has a span of its own, from the allocator.
//!
//! # Invariants
//! - L1. The first word of a carved block is a [state word](super::state), and is touched as one only, until the span is freed.
//!   While the block is nobody's, the word says that no task lives there: it has never had one, or its last one is complete.
//!
//! L2 to L5 are the [lists'](super::spans).
//!
//! # Orderings
//! | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|
//! | `carved`: store | Release | the walk's load | the state words below it are there | – (argued: a task is looked for by who has synchronised with its spawn, and others may miss it) |
//! | `carved`: [`carved`](Span::carved) | Acquire | the store | as above | – |
//! | `carved` under the lock | Relaxed | – | written under the same lock | – |
//! | `next` | Relaxed | – | it is written under the lock, which a walk takes as it ends: whoever was led past a span has seen by then that its tasks have ended, as [`Owned`](super::owned) needs it | – |

use super::pages;
use super::size_class::{ALIGNMENT, size_of_class};
use super::state::State;
use pirn_sync::primitive::atomic::AtomicPtr;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::num::NonZero;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The size of spans of blocks that have a class, and what they are aligned to.
pub(super) const SPAN: usize = 1 << 18;

pub(super) type Link<T = Free> = Option<NonNull<T>>;

/// A block that nobody uses. The word before its links is touched by walks (L1).
#[repr(C)]
pub(super) struct Free {
    pub(super) state: State,
    pub(super) next: Cell<Link>,
    /// Of the first block of a bundle in the depot: the next bundle.
    pub(super) next_bundle: Cell<Link>,
}

/// What precedes the blocks of a span. The links and counts belong to whoever holds the lists' lock (L4).
pub(super) struct Span {
    /// Of all spans. Walks follow `next` (L3).
    pub(super) previous: Cell<Link<Span>>,
    next: AtomicPtr<Span>,
    /// Of those of this class that have blocks to give; or the next one that has left.
    pub(super) previous_open: Cell<Link<Span>>,
    pub(super) next_open: Cell<Link<Span>>,
    pub(super) free: Cell<Link>,
    /// How many blocks are handed out.
    pub(super) used: Cell<usize>,
    /// How many blocks have been made.
    carved: AtomicUsize,
    /// How many there can be, of which size, and where the first one is.
    room: usize,
    size: usize,
    first: usize,
    /// How the allocator was asked for it. Pages have no layout.
    layout: Option<Layout>,
}

impl Span {
    /// A span of blocks that have this class.
    pub(super) fn of_class(class: usize) -> NonNull<Self> {
        let (size, first) = (size_of_class(class), size_of::<Self>().next_multiple_of(ALIGNMENT));
        Self::new(pages::map(SPAN), None, size, first, (SPAN - first) / size)
    }

    /// A span of one block.
    pub(super) fn of_one(block: Layout) -> NonNull<Self> {
        let (whole, first) = Self::around(block);
        // SAFETY: the header is not of size zero.
        let memory = NonNull::new(unsafe { alloc(whole) }).unwrap_or_else(|| handle_alloc_error(whole));
        Self::new(memory, Some(whole), block.size(), first, 1)
    }

    fn new(
        memory: NonNull<u8>,
        layout: Option<Layout>,
        size: usize,
        first: usize,
        room: usize,
    ) -> NonNull<Self> {
        let header = Self {
            previous: Cell::new(None),
            next: AtomicPtr::new(ptr::null_mut()),
            previous_open: Cell::new(None),
            next_open: Cell::new(None),
            free: Cell::new(None),
            used: Cell::new(0),
            carved: AtomicUsize::new(0),
            room,
            size,
            first,
            layout,
        };
        // SAFETY: it is new, aligned for the header, and has room for it.
        unsafe { memory.cast::<Self>().write(header) };
        memory.cast()
    }

    /// The layout of a span of one block, and where the block is.
    fn around(block: Layout) -> (Layout, usize) {
        Layout::new::<Self>().extend(block).expect("the program has types of this size")
    }

    /// Frees its memory.
    ///
    /// # Safety
    /// It is there, and nobody uses it or any of its blocks any more.
    pub(super) unsafe fn free(at: NonNull<Self>) {
        // SAFETY: the caller's promise, and how it was made.
        unsafe {
            match at.as_ref().layout {
                Some(whole) => dealloc(at.as_ptr().cast(), whole),
                None => pages::unmap(at.cast(), SPAN),
            }
        }
    }

    /// Where the span of a block is that has a class.
    pub(super) fn around_block(block: NonNull<Free>) -> NonNull<Self> {
        let start = |at: NonZero<usize>| NonZero::new(at.get() & !(SPAN - 1));
        block.map_addr(|at| start(at).expect("no span is at address zero")).cast()
    }

    /// Where the span is whose only block this is.
    ///
    /// # Safety
    /// It came from [`of_one`](Self::of_one) for this layout.
    pub(super) unsafe fn around_one(block: NonNull<Free>, layout: Layout) -> NonNull<Self> {
        let (_, first) = Self::around(layout);
        // SAFETY: the caller's promise: its span is so far before it.
        unsafe { block.cast::<u8>().sub(first) }.cast()
    }

    /// How much memory it is.
    pub(super) fn bytes(&self) -> usize {
        self.layout.map_or(SPAN, |whole| whole.size())
    }

    pub(super) fn next(&self) -> Link<Self> {
        NonNull::new(self.next.load(Ordering::Relaxed))
    }

    /// By whoever holds the lock.
    pub(super) fn set_next(&self, next: Link<Self>) {
        self.next.store(next.map_or(ptr::null_mut(), NonNull::as_ptr), Ordering::Relaxed);
    }

    /// How many blocks there are, for who looks without the lock.
    pub(super) fn carved(&self) -> usize {
        self.carved.load(Ordering::Acquire)
    }

    /// Whether it has no block to give.
    pub(super) fn is_exhausted(&self) -> bool {
        self.free.get().is_none() && self.carved.load(Ordering::Relaxed) == self.room
    }

    /// It takes the pointer that the span was made with: a reference is one to the header only.
    ///
    /// # Safety
    /// The span is there, and has room for so many blocks.
    pub(super) unsafe fn block(at: NonNull<Self>, index: usize) -> NonNull<Free> {
        // SAFETY: the caller's promise; the room is behind the header.
        unsafe { at.cast::<u8>().add(at.as_ref().first + index * at.as_ref().size) }.cast()
    }

    /// A block that is nobody's: one that was used before, or a new one.
    ///
    /// # Safety
    /// The span is there, and the caller holds the lock, or has not linked it yet.
    pub(super) unsafe fn pop(at: NonNull<Self>) -> Link {
        // SAFETY: the caller's promise; what is on the list is a free block.
        unsafe {
            let Some(block) = at.as_ref().free.get() else { return Self::carve(at) };
            at.as_ref().free.set(block.as_ref().next.get());
            Some(block)
        }
    }

    /// # Safety
    /// As for [`pop`](Self::pop).
    unsafe fn carve(at: NonNull<Self>) -> Link {
        // SAFETY: the caller's promise.
        let span = unsafe { at.as_ref() };
        let index = span.carved.load(Ordering::Relaxed);
        if index == span.room {
            return None;
        }
        let empty = Free { state: State::vacant(), next: Cell::new(None), next_bundle: Cell::new(None) };
        // SAFETY: it has room for one more, of which nobody knows yet. Blocks are larger than what is written there: see
        // `blocks::take`.
        let block = unsafe {
            let block = Self::block(at, index);
            block.write(empty);
            block
        };
        span.carved.store(index + 1, Ordering::Release);
        Some(block)
    }
}
