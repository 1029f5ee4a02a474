//! What only the inside can see: what a context leaves behind in its parent, and who has a timer.
//! The rules that users rely on are tested in `runtime/tests/context.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;

fn left_in(ctx: &Context) -> usize {
    ctx.node.as_ref().expect("it can end").dependents().0
}

fn memory_of(ctx: &Context) -> usize {
    ctx.node.as_ref().expect("it can end").dependents().1
}

fn has_timer(ctx: &Context) -> bool {
    ctx.node.as_ref().expect("it can end").has_timer()
}

/// A future that waits for the end of `ctx`.
fn wait_for(ctx: &Context) -> Done {
    let mut done = ctx.done();
    assert!(done.poll_ended(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending());
    done
}

/// Waits until the deadline of `ctx` has passed, without a wait that would be told of it.
fn outlive(ctx: &Context) {
    while clock::now() < ctx.deadline().expect("it has one") {
        std::thread::yield_now();
    }
}

fn cause_of(ctx: &Context) -> String {
    ctx.cause().expect("it has ended").to_string()
}

/// A waker that counts how often it is woken.
struct Count(AtomicUsize);

impl std::task::Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A cause that panics when it is dropped.
#[derive(Debug)]
struct Bomb;

impl std::fmt::Display for Bomb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bomb")
    }
}

impl std::error::Error for Bomb {}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a cause's");
    }
}

const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn a_million_short_lived_children_leave_their_parents_memory_where_it_was() {
    let (parent, _cancel) = Context::background().with_cancel();
    for n in 0..1_000_000 {
        let (child, cancel) = parent.with_cancel();
        let _watched = (n % 2 == 0).then(|| wait_for(&child));
        match n % 3 {
            0 => cancel.cancel(),
            1 => drop(cancel),
            _ => cancel.detach(),
        }
        drop(child);
    }
    assert_eq!(left_in(&parent), 0);
    assert!(memory_of(&parent) <= 64, "{} places are still owned", memory_of(&parent));
}

#[test]
fn a_burst_of_children_gives_its_memory_back() {
    let (parent, _cancel) = Context::background().with_cancel();
    let burst: Vec<_> = (0..100_000).map(|_| parent.with_cancel()).collect();
    assert_eq!(left_in(&parent), 0, "nobody waits for them");
    let waiters: Vec<_> = burst.iter().map(|(child, _)| wait_for(child)).collect();
    assert_eq!(left_in(&parent), 100_000);
    drop((waiters, burst));
    assert_eq!(left_in(&parent), 0);
    assert!(memory_of(&parent) <= 128, "{} places are still owned", memory_of(&parent));
}

#[test]
fn a_finished_child_leaves_its_parent_although_its_handle_lives_on() {
    let (parent, _cancel) = Context::background().with_cancel();
    let (child, cancel) = parent.with_cancel();
    drop(wait_for(&child));
    assert_eq!(left_in(&parent), 1);
    cancel.cancel();
    assert_eq!(left_in(&parent), 0);
    assert!(child.err().is_some() && parent.err().is_none());
}

#[test]
fn a_context_enters_its_parents_list_when_somebody_waits_for_it_and_so_do_those_above() {
    let (root, cancel) = Context::background().with_cancel();
    let (middle, _cancel_middle) = root.with_timeout(HOUR);
    let (leaf, _cancel_leaf) = middle.with_cancel();
    assert_eq!([&root, &middle].map(left_in), [0, 0]);
    assert!(!has_timer(&middle));
    let _waits = wait_for(&leaf);
    assert_eq!([&root, &middle, &leaf].map(left_in), [1, 1, 1]);
    assert!(has_timer(&middle));
    cancel.cancel_cause("why");
    assert_eq!(leaf.cause().expect("it has ended").to_string(), "why");
}

#[test]
fn an_end_far_above_shows_and_whoever_looks_so_far_is_told_from_then_on() {
    for depth in [1, 5, 100, 100_000] {
        let (root, cancel) = Context::background().with_cancel();
        let chain = std::iter::successors(Some(root.with_cancel()), |(ctx, _)| Some(ctx.with_cancel()));
        let chain: Vec<_> = chain.take(depth).collect();
        let (leaf, cancel_leaf) = chain.last().expect("it has a last");
        assert!(leaf.err().is_none());
        assert_eq!(left_in(&root), usize::from(depth > 50), "{depth} contexts");
        assert_eq!(leaf.node.as_ref().expect("it can end").is_told(), depth > 50);
        cancel.cancel_cause("root's");
        cancel_leaf.cancel_cause("leaf's");
        assert_eq!(leaf.cause().expect("it has ended").to_string(), "root's");
        assert!(chain.iter().all(|(ctx, _)| ctx.err().is_some()));
    }
}

#[test]
fn the_deadline_of_an_ancestor_that_nobody_waits_for_ends_it_and_all_below() {
    let after = Duration::from_millis(5);
    let (ctx, _cancel) = Context::background().with_timeout_cause(after, "budget used up");
    let (child, _cancel_child) = ctx.with_timeout(HOUR);
    let (grandchild, _cancel_grandchild) = child.with_cancel();
    while clock::now() < ctx.deadline().expect("it has one") {
        std::thread::yield_now();
    }
    for ctx in [&grandchild, &ctx, &child] {
        assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
        assert_eq!(ctx.cause().expect("it has ended").to_string(), "budget used up");
    }
    assert!(!has_timer(&ctx));
}

#[test]
fn futures_and_functions_that_are_withdrawn_leave_nothing_behind() {
    let (ctx, _cancel) = Context::background().with_cancel();
    let waker = std::task::Waker::noop();
    let mut cx = std::task::Context::from_waker(waker);
    let mut done = ctx.done();
    for _ in 0..3 {
        assert!(done.poll_ended(&mut cx).is_pending());
        assert_eq!(left_in(&ctx), 1, "one waiter has one place, however often it is polled");
    }
    let func = ctx.after_func(|| ());
    assert_eq!(left_in(&ctx), 2);
    assert!(func.stop());
    drop(done);
    assert_eq!(left_in(&ctx), 0);
}

#[test]
fn a_done_that_moves_to_another_task_wakes_that_one() {
    let tasks = [Arc::new(Count(AtomicUsize::new(0))), Arc::new(Count(AtomicUsize::new(0)))];
    let (ctx, cancel) = Context::background().with_cancel();
    let mut done = ctx.done();
    for task in &tasks {
        let waker = std::task::Waker::from(Arc::clone(task));
        assert!(done.poll_ended(&mut std::task::Context::from_waker(&waker)).is_pending());
    }
    cancel.cancel();
    assert_eq!(tasks.map(|task| task.0.load(Ordering::Relaxed)), [0, 1]);
}

#[test]
fn a_context_has_a_timer_only_if_its_deadline_is_earlier_than_its_parents() {
    let now = clock::now();
    let (parent, cancel) = Context::background().with_deadline(now + HOUR);
    let later = parent.with_deadline(now + 2 * HOUR);
    assert!(!has_timer(&parent));
    let equal = parent.with_deadline(now + HOUR);
    let none = parent.with_cancel();
    let earlier = parent.with_deadline(now + HOUR / 2);
    let _waiters = [&later.0, &equal.0, &none.0, &earlier.0].map(wait_for);
    assert!(has_timer(&parent));
    assert_eq!([&later.0, &equal.0, &none.0, &earlier.0].map(has_timer), [false, false, false, true]);
    for (child, _) in [&later, &equal, &none] {
        assert_eq!(child.deadline(), Some(now + HOUR));
    }
    assert_eq!(earlier.0.deadline(), Some(now + HOUR / 2));
    cancel.cancel();
    assert!(!has_timer(&parent) && !has_timer(&earlier.0), "the end disarms");
}

#[test]
fn a_deadline_that_nobody_waits_for_needs_no_timer_and_passes_all_the_same() {
    let after = Duration::from_millis(20);
    let (ctx, _cancel) = Context::background().with_timeout_cause(after, "budget used up");
    assert!(ctx.err().is_none() && ctx.cause().is_none());
    while clock::now() < ctx.deadline().expect("it has one") {
        assert!(!has_timer(&ctx));
        std::thread::yield_now();
    }
    assert_eq!(ctx.cause().expect("it has ended").to_string(), "budget used up");
    assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
}

#[test]
fn a_deadline_that_nobody_has_noticed_comes_before_a_later_cancel() {
    let after = Duration::from_millis(1);
    let (ctx, cancel) = Context::background().with_timeout_cause(after, "budget used up");
    while clock::now() < ctx.deadline().expect("it has one") {
        std::thread::yield_now();
    }
    cancel.cancel_cause("too late");
    assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
    assert_eq!(ctx.cause().expect("it has ended").to_string(), "budget used up");
    assert!(!has_timer(&ctx));
}

#[test]
fn a_child_of_an_overdue_context_is_born_ended() {
    let (ctx, _cancel) = Context::background().with_timeout(Duration::from_millis(1));
    while clock::now() < ctx.deadline().expect("it has one") {
        std::thread::yield_now();
    }
    let (child, _cancel) = ctx.with_cancel();
    assert_eq!(child.err(), Some(ContextError::DeadlineExceeded));
    assert!(!has_timer(&ctx));
}

#[test]
fn a_context_made_overdue_below_an_overdue_one_ends_as_that_one_did() {
    let (ctx, _cancel) = Context::background().with_timeout_cause(Duration::from_millis(1), "parent's");
    let (between, _cancel_between) = ctx.with_cancel();
    outlive(&ctx);
    // Nobody has asked those above yet.
    let (late, _cancel_late) = between.with_deadline_cause(clock::now() - HOUR, "its own");
    assert_eq!(cause_of(&late), "parent's");
}

#[test]
fn a_cause_that_panics_when_it_is_dropped_keeps_nobody_asleep() {
    let (parent, cancel) = Context::background().with_cancel();
    let (with_timer, _cancel_with_timer) = parent.with_timeout_cause(HOUR, Bomb);
    drop(wait_for(&with_timer));
    let (waited_for, _cancel_waited_for) = parent.with_cancel();
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = std::task::Waker::from(Arc::clone(&count));
    let mut done = waited_for.done();
    assert!(done.poll_ended(&mut std::task::Context::from_waker(&waker)).is_pending());
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cancel.cancel()));
    assert!(result.is_err(), "the panic goes on to the canceller");
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[test]
fn the_first_that_waits_for_a_deadline_has_the_timer_set_and_the_last_leaves_it() {
    let contexts = [(); 3].map(|()| Context::background().with_timeout(HOUR));
    let [waited_for, derived_from, with_function] = contexts.each_ref().map(|(ctx, _)| ctx);
    assert!(![waited_for, derived_from, with_function].into_iter().any(has_timer));
    drop(wait_for(waited_for));
    drop(wait_for(&derived_from.with_cancel().0));
    drop(with_function.after_func(|| ()));
    assert!([waited_for, derived_from, with_function].into_iter().all(has_timer));
}

#[test]
fn a_deadline_too_far_to_represent_is_none() {
    let (ctx, _cancel) = Context::background().with_timeout(Duration::MAX);
    assert!(ctx.deadline().is_none() && ctx.err().is_none() && !has_timer(&ctx));
    let (parent, _cancel) = Context::background().with_timeout(HOUR);
    assert_eq!(parent.with_timeout(Duration::MAX).0.deadline(), parent.deadline());
}

#[test]
fn the_heir_of_a_functions_context_is_gone_when_it_has_run() {
    let (parent, _cancel) = Context::background().with_cancel();
    let (ctx, cancel) = parent.with_timeout(Duration::from_millis(20));
    cancel.detach();
    let (sender, receiver) = std::sync::mpsc::channel();
    drop(ctx.after_func(move || sender.send(()).expect("the test waits")));
    drop(ctx);
    assert_eq!(left_in(&parent), 1, "the heir hangs on the parent too");
    receiver.recv_timeout(Duration::from_secs(10)).expect("it runs at the deadline");
    assert_eq!(left_in(&parent), 0);
}

#[test]
fn whatever_ends_under_an_overdue_context_that_nobody_waits_for_ends_as_that_one_did() {
    let (ctx, _cancel) = Context::background().with_timeout_cause(Duration::from_millis(5), "budget used up");
    let (between, _cancel_between) = ctx.with_cancel();
    let (child, cancel_child) = between.with_cancel();
    outlive(&ctx);
    cancel_child.cancel_cause("child's");
    let (late, _cancel_late) = between.with_deadline_cause(clock::now() - HOUR, "its own");
    for ctx in [&child, &late, &between, &ctx] {
        assert_eq!(ctx.err(), Some(ContextError::DeadlineExceeded));
        assert_eq!(cause_of(ctx), "budget used up");
    }
}

#[test]
fn a_long_chain_that_nobody_waits_for_is_asked_and_ended_from_below_in_little_time() {
    let chain = || {
        let chain = std::iter::successors(Some(Context::background().with_cancel()), |(ctx, _)| {
            Some(ctx.with_cancel())
        });
        chain.take(200_000).collect::<Vec<_>>()
    };
    let start = clock::now();
    for (_, cancel) in chain().iter().rev() {
        cancel.cancel();
    }
    let chain = chain();
    chain[0].1.cancel();
    assert!(chain.iter().rev().all(|(ctx, _)| ctx.err().is_some()));
    assert!(start.elapsed() < Duration::from_secs(5), "each looks up the whole chain: {:?}", start.elapsed());
}

#[test]
fn a_cause_that_panics_while_its_context_becomes_watched_keeps_nobody_above_from_being_told() {
    let (root, cancel) = Context::background().with_cancel();
    let (middle, _cancel_middle) = root.with_cancel();
    // Too far off for a timer, which drops the cause.
    let centuries = Duration::from_secs(1 << 36);
    let (leaf, _cancel_leaf) = middle.with_timeout_cause(centuries, Bomb);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| wait_for(&leaf)));
    assert!(result.is_err(), "the panic goes on to the first that waits");
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = std::task::Waker::from(Arc::clone(&count));
    let mut done = middle.done();
    assert!(done.poll_ended(&mut std::task::Context::from_waker(&waker)).is_pending());
    cancel.cancel();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_cause_that_panics_while_who_cancels_its_context_asks_it_does_not_keep_it_from_ending() {
    let mut above = vec![Context::background().with_cancel()];
    for _ in 0..16 {
        above.push(above[above.len() - 1].0.with_cancel());
    }
    // Too far off for a timer, which drops the cause; and so far down that who asks it has it watched.
    let centuries = Duration::from_secs(1 << 36);
    let (ctx, cancel) = above[above.len() - 1].0.with_timeout_cause(centuries, Bomb);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(cancel)));
    assert!(result.is_err(), "the panic goes on to the canceller");
    assert_eq!(ctx.err(), Some(ContextError::Canceled));
}

#[test]
fn a_cause_that_panics_as_a_walk_lets_go_of_its_context_keeps_nobody_asleep() {
    let family = |(ctx, cancel): (Context, CancelFunc), size: usize| {
        let children: Vec<_> = (0..size).map(|_| ctx.with_cancel()).collect();
        children.iter().for_each(|(child, _)| drop(wait_for(child)));
        (ctx, cancel, children)
    };
    for _ in 0..10 {
        let (root, cancel) = Context::background().with_cancel();
        let (first, cancel_first, children) = family(root.with_cancel(), 5_000);
        let second = family(root.with_cancel(), 20_000);
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = std::task::Waker::from(Arc::clone(&count));
        let mut done = root.done();
        assert!(done.poll_ended(&mut std::task::Context::from_waker(&waker)).is_pending());
        // The root's walk helps the first child's, is still below the second when all others have let go of the first, and
        // so is the last to hold it.
        let seen_from_here = first.clone();
        let walk = std::thread::spawn(move || {
            cancel_first.cancel_cause(Bomb);
            cancel_first.detach();
            drop((first, children));
        });
        while seen_from_here.err().is_none() {
            std::thread::yield_now();
        }
        let may_panic = |step: &dyn Fn()| drop(std::panic::catch_unwind(std::panic::AssertUnwindSafe(step)));
        let seen_from_here = std::cell::Cell::new(Some(seen_from_here));
        may_panic(&|| drop(seen_from_here.take()));
        may_panic(&|| cancel.cancel());
        drop(walk.join());
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        drop(second);
    }
}

/// What a context is known to be, in a tree that is told of everything at once.
struct Known {
    parent: Option<usize>,
    ctx: Context,
    cancel: Option<CancelFunc>,
    end: Option<(ContextError, String)>,
    waits: Option<(Done, Arc<Count>)>,
}

/// Random histories agree with a tree that is walked at every end, however often and in which order one asks.
#[test]
fn ends_agree_with_a_tree_that_tells_everybody_at_once() {
    for seed in 1..=400 {
        let random = pirn_sync::random::Random::new(seed);
        let pick = |n: usize| random.below(u32::try_from(n).expect("few")) as usize;
        let mut all: Vec<Known> = Vec::new();
        for step in 0..200 {
            if all.is_empty() || pick(3) == 0 {
                let parent =
                    (pick(12) > 0 && !all.is_empty()).then(|| all.len() - 1 - pick(all.len().min(6)));
                let background = Context::background();
                let above = parent.map_or(&background, |n| &all[n].ctx);
                let cause = format!("deadline {step}");
                let (is_past, (ctx, cancel)) = match pick(8) {
                    0 => (true, above.with_deadline_cause(clock::now() - HOUR, cause.clone())),
                    1 => (false, above.with_timeout_cause(HOUR * (1 + random.below(5)), cause.clone())),
                    _ => (false, above.with_cancel()),
                };
                let inherited = parent.and_then(|n| all[n].end.clone());
                let end = inherited.or_else(|| is_past.then_some((ContextError::DeadlineExceeded, cause)));
                all.push(Known { parent, ctx, cancel: Some(cancel), end, waits: None });
                continue;
            }
            let n = pick(all.len());
            match pick(8) {
                0 => {
                    if let Some(cancel) = all[n].cancel.take() {
                        if pick(3) == 0 {
                            cancel.detach();
                        } else {
                            let why = format!("cancel {step}");
                            cancel.cancel_cause(why.as_str());
                            strike(&mut all, n, &(ContextError::Canceled, why));
                        }
                    }
                }
                1 | 2 if all[n].end.is_none() => {
                    let count = Arc::new(Count(AtomicUsize::new(0)));
                    let waker = std::task::Waker::from(Arc::clone(&count));
                    let mut done = all[n].ctx.done();
                    assert!(done.poll_ended(&mut std::task::Context::from_waker(&waker)).is_pending());
                    all[n].waits = Some((done, count));
                }
                3 => all[n].waits = None,
                _ => check(&all[n]),
            }
            for known in &all {
                let woken = known.waits.as_ref().map(|(_, count)| count.0.load(Ordering::Relaxed));
                assert!(woken.is_none_or(|woken| woken == usize::from(known.end.is_some())), "seed {seed}");
            }
        }
        while !all.is_empty() {
            let known = all.swap_remove(pick(all.len()));
            check(&known);
            known.cancel.into_iter().for_each(CancelFunc::detach);
        }
    }
}

fn check(known: &Known) {
    assert_eq!(known.ctx.err(), known.end.as_ref().map(|(err, _)| *err));
    assert_eq!(
        known.ctx.cause().map(|cause| cause.to_string()),
        known.end.as_ref().map(|(_, why)| why.clone())
    );
}

/// Ends a context and all below. A child comes after its parent.
fn strike(all: &mut [Known], from: usize, end: &(ContextError, String)) {
    if all[from].end.is_none() {
        all[from].end = Some(end.clone());
        for n in from + 1..all.len() {
            if let Some(above) = all[n].parent.filter(|_| all[n].end.is_none()) {
                all[n].end = all[above].end.clone();
            }
        }
    }
}
