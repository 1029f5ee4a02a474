//! The memory of all tasks: spans from the system's allocator, each cut into blocks of one size. Where tasks are looked for.
//!
//! A dump and a shutdown must find every live task. A list of them would be written by each spawn and each end, which are
//! often on two processors; a table beside them costs a slot and a way back to it. Here they are found where they lie: the
//! first word of a block is a task's [state word](super::state) for as long as there is the block, whether a task
//! lives in it or not. A walk goes from block to block, and asks each word for a reference: it is given one if a
//! task lives there, in one exchange. So a spawn and an end do nothing for those who will look. (Memory that keeps its type
//! while it is free: Bonwick's object caches, 1994, and Linux's `SLAB_TYPESAFE_BY_RCU`. Spans of one size: TCMalloc, and
//! Go's `mspan`.)
//!
//! ```text
//!   all ─► span ──────────► span ──────────► span of one block          for tasks that are large or strictly aligned
//!          │ header          │ header          │ header
//!          │ ┌───────────┐   │ ┌───────────┐   │ ┌──────────────┐
//!          │ │state│ task│   │ │state│ task│   │ │state│ task   │
//!          │ │state│ free│   │ │state│ free│   │ └──────────────┘
//!          │ │  carved ▼ │   │ │     …     │
//!          │ │  (never   │   │ └───────────┘
//!          │ │  touched) │
//!          │ └───────────┘
//!   open ──┴─► spans of a class which have blocks to give
//! ```
//!
//! # Invariants
//! - L1. The first word of a carved block is a state word, and is touched as one only, until the span is freed. While the
//!   block is nobody's, the word says that no task lives there: it has never had one, or its last one is complete.
//! - L2. A span is on `all` from before the first of its blocks is handed out. It leaves, and is freed, when all of them are
//!   back and no walk is on: while one is, the dead wait.
//! - L3. Spans come at the head of `all`, and none leaves it during a walk: a walk follows it without the lock.
//! - L4. Free blocks, counts and links belong to whoever holds the lock. Under the lock no foreign code runs, be it the
//!   allocator, which may be the program's own.
//!
//! # Orderings
//! | access | order | with | why | weakened, fails in |
//! |---|---|---|---|---|
//! | `carved`: store | Release | the walk's load | the state words below it are there | – (argued: a task is looked for by who has synchronised with its spawn, and others may miss it) |
//! | `carved`: load of the walk | Acquire | the store | as above | – |
//! | `carved` under the lock | Relaxed | – | written under the same lock | – |
//! | `bytes` | Relaxed | – | a number that only bounds what the depot keeps | – |

use super::size_class::{ALIGNMENT, CLASSES, size_of_class};
use super::state::State;
use pirn_sync::const_fn;
use pirn_sync::primitive::Mutex;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The spans of blocks that have a class begin at multiples of this: so a block tells where its span is. It is more than the
/// C library takes from its heap: there a hole lay between any two. Of a new span nothing is touched but what is carved.
const DISTANCE: usize = 1 << 18;
/// A little less, since the allocator puts words of its own before each: the next span has room behind this one.
const SPAN: usize = DISTANCE - 64;
/// A bundle has no more than so many blocks,
const BUNDLE: usize = 64;
/// nor more than so many bytes.
const BUNDLE_BYTES: usize = 1 << 14;
/// So many blocks are carved first, and then as many as there are already: most programs have few tasks of most kinds.
const FIRST: usize = 4;

pub(super) type Link<T = Free> = Option<NonNull<T>>;

/// A block that nobody uses. The word before its links is touched by walks (L1).
#[repr(C)]
pub(super) struct Free {
    state: State,
    pub(super) next: Cell<Link>,
    /// Of the first block of a bundle in the depot: the next bundle.
    pub(super) next_bundle: Cell<Link>,
}

/// Blocks that are handed out together.
pub(super) struct Bundle {
    pub(super) first: NonNull<Free>,
    pub(super) count: usize,
}

/// Blocks that follow each other in a list and are of one span.
struct Run {
    span: NonNull<Span>,
    first: NonNull<Free>,
    last: NonNull<Free>,
    count: usize,
}

/// What precedes the blocks of a span.
struct Span {
    /// Of all spans.
    previous: Cell<Link<Span>>,
    next: Cell<Link<Span>>,
    /// Of those of this class that have blocks to give; or the next one that is dead.
    previous_open: Cell<Link<Span>>,
    next_open: Cell<Link<Span>>,
    free: Cell<Link>,
    /// How many blocks are handed out.
    used: Cell<usize>,
    /// How many blocks have been made.
    carved: AtomicUsize,
    /// How many there can be, of which size, and where the first one is.
    room: usize,
    size: usize,
    first: usize,
    layout: Layout,
}

/// All spans of the process.
pub(super) struct Spans {
    lists: Mutex<Lists>,
    /// How much memory they are.
    bytes: AtomicUsize,
}

struct Lists {
    all: Link<Span>,
    open: [Link<Span>; CLASSES],
    walks: usize,
    /// Those that have died during a walk.
    dead: Link<Span>,
}

/// A walk is on.
struct Walk<'a>(&'a Spans);

// SAFETY: what they link belongs to whoever holds the lock (L4).
unsafe impl Send for Lists {}

/// How many blocks of a class are in a full bundle.
pub(super) const fn bundle_of(class: usize) -> usize {
    let fit = BUNDLE_BYTES / size_of_class(class);
    if fit < BUNDLE { fit } else { BUNDLE }
}

/// The spans of the process.
#[cfg(not(loom))]
#[inline]
pub(super) fn spans() -> &'static Spans {
    static SPANS: Spans = Spans::new();
    &SPANS
}

/// The spans of a run of a model.
#[cfg(loom)]
pub(super) fn spans() -> impl std::ops::Deref<Target = Spans> {
    ::loom::lazy_static! {
        static ref SPANS: Spans = Spans::new();
    }
    &*SPANS
}

impl Spans {
    const_fn! {
    const fn new() -> Self {
        let lists = Lists { all: None, open: [None; CLASSES], walks: 0, dead: None };
        Self { lists: Mutex::new(lists), bytes: AtomicUsize::new(0) }
    }}

    /// How much memory there is for tasks, used or not.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Some blocks of a class, a full bundle of them at most.
    #[cold]
    pub(super) fn take(&self, class: usize) -> Bundle {
        let whole = Layout::from_size_align(SPAN, DISTANCE).expect("it is a constant");
        let (size, first) = (size_of_class(class), size_of::<Span>().next_multiple_of(ALIGNMENT));
        loop {
            if let Some(bundle) = self.lists.lock().take(class) {
                return bundle;
            }
            let span = self.allocate(whole, size, first, (SPAN - first) / size);
            let mut lists = self.lists.lock();
            // SAFETY: new.
            unsafe {
                lists.link(span);
                lists.open(span, class);
            }
        }
    }

    /// Takes blocks of a class back.
    ///
    /// # Safety
    /// They came from [`take`](Self::take) for this class, and nobody uses them any more.
    #[cold]
    pub(super) unsafe fn give_back(&self, mut blocks: Link, class: usize) {
        let mut dead = None;
        // The blocks are cold. What can be done with them is done before the lock is taken.
        while let Some(first) = blocks {
            // SAFETY: the caller's promise: they are nobody else's, and their spans are there (L2).
            unsafe {
                let run = Run::from(first);
                blocks = run.last.as_ref().next.get();
                self.lists.lock().give_back(&run, class, &mut dead);
            }
        }
        // SAFETY: the lists have let go of them.
        unsafe { self.free_all(dead) };
    }

    /// A block of its own, for what has no class.
    pub(super) fn take_one(&self, block: Layout) -> NonNull<Free> {
        let (whole, first) = Span::around(block);
        let span = self.allocate(whole, block.size(), first, 1);
        // SAFETY: new, and nobody else's.
        unsafe {
            let block = Span::carve(span).expect("it has room for one");
            self.lists.lock().link(span);
            block
        }
    }

    /// Takes such a block back.
    ///
    /// # Safety
    /// It came from [`take_one`](Self::take_one) for this layout, and nobody uses it any more.
    pub(super) unsafe fn give_one_back(&self, block: NonNull<Free>, layout: Layout) {
        let (_, first) = Span::around(layout);
        let mut dead = None;
        // SAFETY: the caller's promise: its span is so far before it.
        let span = unsafe { block.cast::<u8>().sub(first) }.cast();
        // SAFETY: L2: it is there, and its only block is back.
        unsafe { self.lists.lock().bury(span, &mut dead) };
        // SAFETY: the lists have let go of it.
        unsafe { self.free_all(dead) };
    }

    fn allocate(&self, whole: Layout, size: usize, first: usize, room: usize) -> NonNull<Span> {
        // SAFETY: it is not of size zero.
        let memory = unsafe { alloc(whole) };
        let span = NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(whole)).cast::<Span>();
        let header = Span {
            previous: Cell::new(None),
            next: Cell::new(None),
            previous_open: Cell::new(None),
            next_open: Cell::new(None),
            free: Cell::new(None),
            used: Cell::new(0),
            carved: AtomicUsize::new(0),
            room,
            size,
            first,
            layout: whole,
        };
        // SAFETY: it is new, and has room for the header.
        unsafe { span.write(header) };
        self.bytes.fetch_add(whole.size(), Ordering::Relaxed);
        span
    }

    /// # Safety
    /// They are linked by `next_open`, and nobody else's.
    unsafe fn free_all(&self, mut dead: Link<Span>) {
        while let Some(span) = dead {
            // SAFETY: the caller's promise; it was asked for with this layout.
            unsafe {
                dead = span.as_ref().next_open.get();
                let layout = span.as_ref().layout;
                dealloc(span.as_ptr().cast(), layout);
                self.bytes.fetch_sub(layout.size(), Ordering::Relaxed);
            }
        }
    }

    /// Shows the state word of every block. Blocks that are made meanwhile may be missed.
    pub(super) fn walk(&self, mut visit: impl FnMut(NonNull<State>)) {
        let mut next = {
            let mut lists = self.lists.lock();
            lists.walks += 1;
            lists.all
        };
        let _walk = Walk(self);
        while let Some(span) = next {
            // SAFETY: L3: it stays until the walk ends, with all blocks that have been carved.
            unsafe {
                let carved = span.as_ref().carved.load(Ordering::Acquire);
                (0..carved).for_each(|index| visit(Span::block(span, index).cast()));
                next = span.as_ref().next.get();
            }
        }
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        let mut dead = None;
        let mut lists = self.0.lists.lock();
        lists.walks -= 1;
        if lists.walks == 0 {
            let mut waiting = lists.dead.take();
            while let Some(span) = waiting {
                // SAFETY: L2: it waits to be buried, and its blocks are back.
                unsafe {
                    waiting = span.as_ref().next_open.get();
                    lists.bury(span, &mut dead);
                }
            }
        }
        drop(lists);
        // SAFETY: the lists have let go of them.
        unsafe { self.0.free_all(dead) };
    }
}

impl Run {
    /// The run at the beginning of a list.
    ///
    /// # Safety
    /// The blocks on the list have a class and are the caller's.
    unsafe fn from(first: NonNull<Free>) -> Self {
        let span_of = |block: NonNull<Free>| {
            block
                .map_addr(|at| NonZero::new(at.get() & !(DISTANCE - 1)).expect("no span is at address zero"))
                .cast::<Span>()
        };
        let mut run = Self { span: span_of(first), first, last: first, count: 1 };
        // SAFETY: the caller's promise.
        while let Some(next) = unsafe { run.last.as_ref() }.next.get()
            && span_of(next) == run.span
        {
            (run.last, run.count) = (next, run.count + 1);
        }
        run
    }
}

impl Lists {
    fn take(&mut self, class: usize) -> Option<Bundle> {
        let at = self.open[class]?;
        // SAFETY: L2: what is on the list is there. L4: so are its free blocks, and they are the caller's as they leave it.
        unsafe {
            let span = at.as_ref();
            let most = bundle_of(class).min(span.carved.load(Ordering::Relaxed).max(FIRST));
            let first = Span::pop(at).expect("it is open");
            let (mut last, mut count) = (first, 1);
            while count < most
                && let Some(block) = Span::pop(at)
            {
                last.as_ref().next.set(Some(block));
                (last, count) = (block, count + 1);
            }
            last.as_ref().next.set(None);
            span.used.set(span.used.get() + count);
            if span.is_exhausted() {
                self.shut(at, class);
            }
            Some(Bundle { first, count })
        }
    }

    /// # Safety
    /// The span is linked and of this class; nobody uses the blocks any more.
    unsafe fn give_back(&mut self, run: &Run, class: usize, dead: &mut Link<Span>) {
        // SAFETY: the caller's promise.
        let span = unsafe { run.span.as_ref() };
        if span.is_exhausted() {
            // SAFETY: the caller's promise; what has nothing to give is not open.
            unsafe { self.open(run.span, class) };
        }
        // SAFETY: the caller's promise.
        unsafe { run.last.as_ref() }.next.set(span.free.replace(Some(run.first)));
        span.used.set(span.used.get() - run.count);
        if span.used.get() == 0 {
            // SAFETY: it is open, since blocks are free.
            unsafe {
                self.shut(run.span, class);
                self.bury(run.span, dead);
            }
        }
    }

    /// A new span comes at the head of all (L3).
    ///
    /// # Safety
    /// It is there, and not linked.
    unsafe fn link(&mut self, at: NonNull<Span>) {
        // SAFETY: the caller's promise; its neighbour is linked, and so is there (L2).
        unsafe {
            at.as_ref().next.set(self.all);
            if let Some(next) = self.all.replace(at) {
                next.as_ref().previous.set(Some(at));
            }
        }
    }

    /// A span has blocks to give.
    ///
    /// # Safety
    /// It is linked, and not open.
    unsafe fn open(&mut self, at: NonNull<Span>, class: usize) {
        // SAFETY: the caller's promise; its neighbour is linked.
        unsafe {
            at.as_ref().previous_open.set(None);
            at.as_ref().next_open.set(self.open[class]);
            if let Some(next) = self.open[class].replace(at) {
                next.as_ref().previous_open.set(Some(at));
            }
        }
    }

    /// A span has nothing more to give.
    ///
    /// # Safety
    /// It is open.
    unsafe fn shut(&mut self, at: NonNull<Span>, class: usize) {
        // SAFETY: the caller's promise: it and its neighbours are there.
        unsafe {
            let (previous, next) = (at.as_ref().previous_open.get(), at.as_ref().next_open.get());
            if let Some(next) = next {
                next.as_ref().previous_open.set(previous);
            }
            match previous {
                Some(previous) => previous.as_ref().next_open.set(next),
                None => self.open[class] = next,
            }
        }
    }

    /// A span leaves all, for the list of those to be freed; or waits for that, if a walk is on (L2).
    ///
    /// # Safety
    /// It is linked, and not open; its blocks are back.
    unsafe fn bury(&mut self, at: NonNull<Span>, dead: &mut Link<Span>) {
        // SAFETY: the caller's promise: it and its neighbours are there.
        unsafe {
            let span = at.as_ref();
            if self.walks > 0 {
                span.next_open.set(self.dead.replace(at));
                return;
            }
            let (previous, next) = (span.previous.get(), span.next.get());
            if let Some(next) = next {
                next.as_ref().previous.set(previous);
            }
            match previous {
                Some(previous) => previous.as_ref().next.set(next),
                None => self.all = next,
            }
            span.next_open.set(dead.replace(at));
        }
    }
}

impl Span {
    /// The layout of a span of one block, and where the block is.
    fn around(block: Layout) -> (Layout, usize) {
        Layout::new::<Self>().extend(block).expect("the program has types of this size")
    }

    /// Takes the pointer that the allocator gave: a reference is one to the header only.
    ///
    /// # Safety
    /// The span is there, and has room for so many blocks.
    unsafe fn block(at: NonNull<Self>, index: usize) -> NonNull<Free> {
        // SAFETY: the caller's promise; the room is behind the header.
        unsafe { at.cast::<u8>().add(at.as_ref().first + index * at.as_ref().size) }.cast()
    }

    /// The next block that has never been used.
    ///
    /// # Safety
    /// The span is there, and the caller holds the lock or has not linked it yet.
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

    /// # Safety
    /// As for [`carve`](Self::carve).
    unsafe fn pop(at: NonNull<Self>) -> Link {
        // SAFETY: the caller's promise; what is on the list is a free block.
        unsafe {
            let Some(block) = at.as_ref().free.get() else { return Self::carve(at) };
            at.as_ref().free.set(block.as_ref().next.get());
            Some(block)
        }
    }

    fn is_exhausted(&self) -> bool {
        self.free.get().is_none() && self.carved.load(Ordering::Relaxed) == self.room
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
