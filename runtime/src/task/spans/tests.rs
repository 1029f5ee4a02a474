//! Tests of spans of the test's own: what a walk sees, and when the memory goes back.

use super::super::span::SPAN;
use super::*;

const CLASS: usize = 23;

/// The blocks of a bundle.
fn blocks(bundle: &Bundle) -> Vec<NonNull<Free>> {
    let mut list = Some(bundle.first);
    let blocks: Vec<_> = std::iter::from_fn(|| {
        let block = list?;
        // SAFETY: the test has not given it back.
        list = unsafe { block.as_ref() }.next.get();
        Some(block)
    })
    .collect();
    assert_eq!(blocks.len(), bundle.count);
    blocks
}

fn give_back(spans: &Spans, bundle: &Bundle) {
    // SAFETY: the test has taken it, and uses it no more.
    unsafe { spans.give_back(Some(bundle.first), CLASS) };
}

/// Enough bundles for some spans.
fn take_many(spans: &Spans) -> Vec<Bundle> {
    (0..4 * SPAN / size_of_class(CLASS) / bundle_of(CLASS)).map(|_| spans.take(CLASS)).collect()
}

/// How many spans there are, and how many of them are open.
fn count(spans: &Spans) -> (usize, usize) {
    let lists = spans.lists.lock();
    let length = |mut list: Link<Span>, next: fn(&Span) -> Link<Span>| {
        let mut length = 0;
        while let Some(span) = list {
            // SAFETY: L2, under the lock.
            list = next(unsafe { span.as_ref() });
            length += 1;
        }
        length
    };
    (length(lists.all, |span| span.next()), length(lists.open[CLASS], |span| span.next_open.get()))
}

/// How many blocks a walk shows, and how many of them have a task.
fn walk(spans: &Spans) -> (usize, usize) {
    let (mut all, mut live) = (0, 0);
    spans.walk(|word| {
        all += 1;
        // SAFETY: the walk is on.
        if unsafe { word.as_ref() }.try_add_ref() {
            live += 1;
        }
    });
    (all, live)
}

#[test]
fn bundles_grow_with_what_there_is() {
    let spans = Spans::new();
    let bundles: Vec<_> = (0..6).map(|_| spans.take(CLASS)).collect();
    let counts: Vec<_> = bundles.iter().map(|bundle| bundle.count).collect();
    assert_eq!(counts, [4, 4, 8, 16, 32, 64]);
    bundles.iter().for_each(|bundle| give_back(&spans, bundle));
}

#[test]
fn blocks_are_distinct_and_lie_in_their_spans() {
    let spans = Spans::new();
    let bundles = take_many(&spans);
    let mut all: Vec<_> = bundles.iter().flat_map(blocks).map(|block| block.addr().get()).collect();
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] + size_of_class(CLASS) <= pair[1]));
    assert!(all.iter().all(|at| at % SPAN + size_of_class(CLASS) <= SPAN && at % 8 == 0));
    bundles.iter().for_each(|bundle| give_back(&spans, bundle));
}

#[test]
fn a_span_whose_blocks_are_back_is_freed_and_another_is_not() {
    let spans = Spans::new();
    let bundles = take_many(&spans);
    let (most, open) = count(&spans);
    assert!(most > 2 && open <= 1, "{most}, {open}");
    let (kept, others) = bundles.split_first().unwrap();
    others.iter().for_each(|bundle| give_back(&spans, bundle));
    assert_eq!(count(&spans), (1, 1));
    let again = spans.take(CLASS);
    assert_eq!(count(&spans), (1, 1), "its blocks are handed out again");
    assert_eq!(spans.bytes(), SPAN);
    give_back(&spans, &again);
    give_back(&spans, kept);
    assert_eq!((count(&spans), spans.bytes()), ((0, 0), 0));
}

#[test]
fn a_walk_sees_the_tasks_and_only_them() {
    let spans = Spans::new();
    let bundle = spans.take(CLASS);
    let one = spans.take_one(Layout::new::<[u64; 2000]>());
    assert_eq!(walk(&spans), (5, 0), "no task has lived there yet");
    let first = blocks(&bundle)[0];
    for block in [first, one] {
        // SAFETY: the test's own block.
        unsafe { block.as_ref() }.state.begin();
    }
    assert_eq!(walk(&spans), (5, 2));
    for block in [first, one] {
        // SAFETY: as above.
        let state = &unsafe { block.as_ref() }.state;
        let (_not_cancelled, _refs) = (state.begin_poll(), state.complete());
    }
    assert_eq!(walk(&spans), (5, 0), "they have ended");
    give_back(&spans, &bundle);
    // SAFETY: taken for this layout.
    unsafe { spans.give_one_back(one, Layout::new::<[u64; 2000]>()) };
    assert_eq!(walk(&spans), (0, 0));
}

/// The walk stands on a span that leaves before those behind it, or after them.
#[test]
fn what_dies_during_a_walk_is_freed_when_the_last_walk_ends() {
    for first_to_last in [false, true] {
        let spans = Spans::new();
        let mut bundles = take_many(&spans);
        if first_to_last {
            bundles.reverse();
        }
        let one = spans.take_one(Layout::new::<[u64; 2000]>());
        let before = spans.bytes();
        let mut shown = 0;
        spans.walk(|word| {
            if shown == 0 {
                // SAFETY: taken for this layout.
                let give_one_back = || unsafe { spans.give_one_back(one, Layout::new::<[u64; 2000]>()) };
                if first_to_last {
                    give_one_back();
                }
                bundles.iter().for_each(|bundle| give_back(&spans, bundle));
                if !first_to_last {
                    give_one_back();
                }
                assert_eq!((count(&spans), walk(&spans)), ((0, 0), (0, 0)), "they have left");
                assert_eq!(spans.bytes(), before, "another walk has ended, but not this one");
            }
            shown += 1;
            // SAFETY: the walk is on.
            assert!(!unsafe { word.as_ref() }.try_add_ref());
        });
        let behind = bundles.iter().map(|bundle| bundle.count).sum::<usize>();
        assert_eq!(shown, if first_to_last { 1 + behind } else { 1 });
        assert_eq!(spans.bytes(), 0);
    }
}

/// Where several threads dump, a walk is always on.
#[test]
fn what_dies_is_freed_although_the_next_walk_begins_before_the_last_one_ends() {
    let spans = Spans::new();
    let layout = Layout::new::<[u64; 2000]>();
    let (mut first, mut most) = (None, 0);
    let mut on = Walk::begin(&spans);
    for _ in 0..100 {
        let one = spans.take_one(layout);
        first = first.or(Some(spans.bytes()));
        most = most.max(spans.bytes());
        // SAFETY: taken for this layout.
        unsafe { spans.give_one_back(one, layout) };
        let next = Walk::begin(&spans);
        drop(std::mem::replace(&mut on, next));
    }
    assert!(first.is_some_and(|one| most <= 4 * one), "{most}");
    drop(on);
    assert_eq!(spans.bytes(), 0);
}

#[test]
fn a_walk_that_panics_is_over() {
    let spans = Spans::new();
    let bundle = spans.take(CLASS);
    let walked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| spans.walk(|_| panic!("no"))));
    assert!(walked.is_err());
    give_back(&spans, &bundle);
    assert_eq!(count(&spans), (0, 0));
}
