//! All spans of the process: where blocks come from, and where tasks are looked for.
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
//!   all ───► span ───► span ───► span of one block ───► span ───► …      a walk goes this way
//!             ▲                                          ▲
//!   open[class] ─────────────────────────────────────────┘              those that have blocks to give
//! ```
//!
//! # Invariants
//! - L1 is the [span's](super::span): the first word of a block stays a state word.
//! - L2. A span is on `all` from before the first of its blocks is handed out. It leaves when all of them are back, and is
//!   freed when the walks are over that have begun before.
//! - L3. Spans come at the head of `all`. One that has left still leads to what was behind it: a walk follows `all` without the
//!   lock, and is led past what has left, but past nothing else.
//! - L4. Free blocks, counts and links belong to whoever holds the lock. Under the lock neither the allocator nor the system is
//!   called.
//! - L5. A walk is of the present age or of the one before. A new age begins when the walks of the one before are over, and
//!   what has left in it is freed. So what has left in the present age waits for these two ages only, and not for a moment
//!   without a walk: where several threads dump there may never be one. (The grace periods of McKenney and Slingwine's
//!   read-copy update, 1998.)
//!
//! # Orderings
//! `bytes` is `Relaxed`: a number that only bounds what the depot keeps. All else is done under the lock, but for a walk,
//! whose way to the blocks the [span](super::span) orders.

use super::size_class::{CLASSES, size_of_class};
use super::span::{Free, Link, Span};
use super::state::State;
use pirn_sync::const_fn;
use pirn_sync::primitive::Mutex;
use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bundle has no more than so many blocks,
const BUNDLE: usize = 64;
/// nor more than so many bytes.
const BUNDLE_BYTES: usize = 1 << 14;
/// So many blocks are carved first, and then as many as there are already: most programs have few tasks of most kinds.
const FIRST: usize = 4;

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

/// All spans of the process.
pub(super) struct Spans {
    lists: Mutex<Lists>,
    /// How much memory they are.
    bytes: AtomicUsize,
}

struct Lists {
    all: Link<Span>,
    open: [Link<Span>; CLASSES],
    /// Which of the two ages is the present one (L5).
    age: usize,
    /// How many walks of each are on.
    walks: [usize; 2],
    /// What has left in each, and waits to be freed.
    left: [Link<Span>; 2],
}

/// A walk is on.
struct Walk<'a> {
    spans: &'a Spans,
    age: usize,
    next: Link<Span>,
}

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
        let lists = Lists { all: None, open: [None; CLASSES], age: 0, walks: [0; 2], left: [None; 2] };
        Self { lists: Mutex::new(lists), bytes: AtomicUsize::new(0) }
    }}

    /// How much memory there is for tasks, used or not.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Some blocks of a class, a full bundle of them at most.
    #[cold]
    pub(super) fn take(&self, class: usize) -> Bundle {
        loop {
            if let Some(bundle) = self.lists.lock().take(class) {
                return bundle;
            }
            let span = self.counted(Span::of_class(class));
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
        let span = self.counted(Span::of_one(block));
        // SAFETY: new, and nobody else's.
        unsafe {
            let block = Span::pop(span).expect("it has room for one");
            self.lists.lock().link(span);
            block
        }
    }

    /// Takes such a block back.
    ///
    /// # Safety
    /// It came from [`take_one`](Self::take_one) for this layout, and nobody uses it any more.
    pub(super) unsafe fn give_one_back(&self, block: NonNull<Free>, layout: Layout) {
        let mut dead = None;
        // SAFETY: the caller's promise.
        let span = unsafe { Span::around_one(block, layout) };
        // SAFETY: L2: it is there, and its only block is back.
        unsafe { self.lists.lock().bury(span, &mut dead) };
        // SAFETY: the lists have let go of it.
        unsafe { self.free_all(dead) };
    }

    /// A new span.
    fn counted(&self, span: NonNull<Span>) -> NonNull<Span> {
        // SAFETY: it is there.
        self.bytes.fetch_add(unsafe { span.as_ref() }.bytes(), Ordering::Relaxed);
        span
    }

    /// # Safety
    /// They are linked by `next_open`, and nobody else's.
    unsafe fn free_all(&self, mut dead: Link<Span>) {
        while let Some(span) = dead {
            // SAFETY: the caller's promise.
            unsafe {
                dead = span.as_ref().next_open.get();
                self.bytes.fetch_sub(span.as_ref().bytes(), Ordering::Relaxed);
                Span::free(span);
            }
        }
    }

    /// Shows the state word of every block. Blocks that are made meanwhile may be missed.
    pub(super) fn walk(&self, mut visit: impl FnMut(NonNull<State>)) {
        let mut walk = Walk::begin(self);
        while let Some(span) = walk.next {
            // SAFETY: L2, L3: it stays until the walk ends, with all blocks that have been carved.
            unsafe {
                let carved = span.as_ref().carved();
                (0..carved).for_each(|index| visit(Span::block(span, index).cast()));
                walk.next = span.as_ref().next();
            }
        }
    }
}

impl<'a> Walk<'a> {
    fn begin(spans: &'a Spans) -> Self {
        let mut lists = spans.lists.lock();
        let age = lists.age;
        lists.walks[age] += 1;
        Self { spans, age, next: lists.all }
    }
}

impl Drop for Walk<'_> {
    fn drop(&mut self) {
        self.spans.lists.lock().walks[self.age] -= 1;
        loop {
            let dead = self.spans.lists.lock().take_dead();
            if dead.is_none() {
                break;
            }
            // SAFETY: the lists have let go of them.
            unsafe { self.spans.free_all(dead) };
        }
    }
}

impl Run {
    /// The run at the beginning of a list.
    ///
    /// # Safety
    /// The blocks on the list have a class and are the caller's.
    unsafe fn from(first: NonNull<Free>) -> Self {
        let mut run = Self { span: Span::around_block(first), first, last: first, count: 1 };
        // SAFETY: the caller's promise.
        while let Some(next) = unsafe { run.last.as_ref() }.next.get()
            && Span::around_block(next) == run.span
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
            let most = bundle_of(class).min(span.carved().max(FIRST));
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
            at.as_ref().set_next(self.all);
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

    /// A span leaves all, for the list of those to be freed; or waits for that, if a walk is on (L5).
    ///
    /// # Safety
    /// It is linked, and not open; its blocks are back.
    unsafe fn bury(&mut self, at: NonNull<Span>, dead: &mut Link<Span>) {
        // SAFETY: the caller's promise: it and its neighbours are there.
        unsafe {
            let span = at.as_ref();
            let (previous, next) = (span.previous.get(), span.next());
            if let Some(next) = next {
                next.as_ref().previous.set(previous);
            }
            match previous {
                Some(previous) => previous.as_ref().set_next(next),
                None => self.all = next,
            }
            let list = if self.walks == [0, 0] { dead } else { &mut self.left[self.age] };
            span.next_open.set(list.replace(at));
        }
    }

    /// What no walk can come to any more; to be called again until there is nothing (L5).
    fn take_dead(&mut self) -> Link<Span> {
        let before = 1 - self.age;
        if self.walks[before] == 0 && self.left[before].is_none() {
            self.age = before;
        }
        let before = 1 - self.age;
        if self.walks[before] == 0 { self.left[before].take() } else { None }
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
