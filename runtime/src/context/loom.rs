//! Models of the tree: every interleaving (up to three preemptions, or two) of ending, adding, dropping and waiting.
//!
//! The reference counts are std's, which loom cannot see into: it explores the locks and atomics of the tree
//! itself. The models use no timers and no functions, which need a runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Cx, Poll, Wake, Waker};

use loom::thread;

use super::{Context, ContextError, Done};

fn model(f: impl Fn() + Send + Sync + 'static) {
    model_with(3, f);
}

fn model_with(preemptions: usize, f: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(f);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits for the end of `ctx`, which is told of it from now on.
fn wait_for(ctx: &Context, waker: &Waker) -> Done {
    let mut done = ctx.done();
    let _ = done.poll_ended(&mut Cx::from_waker(waker));
    done
}

/// As `with_cancel`, of a context that is told of its end.
fn watched(parent: &Context) -> (Context, super::CancelFunc) {
    let (ctx, cancel) = parent.with_cancel();
    drop(wait_for(&ctx, Waker::noop()));
    (ctx, cancel)
}

fn cause_of(ctx: &Context) -> String {
    ctx.cause().expect("it has ended").to_string()
}

/// Whoever adds a child to a parent that is being cancelled gets one that ends with it, sooner or later; and
/// the canceller finds every child that was there.
#[test]
fn cancel_against_child_add() {
    model(|| {
        let (parent, cancel) = Context::background().with_cancel();
        let adder = {
            let parent = parent.clone();
            thread::spawn(move || watched(&parent))
        };
        cancel.cancel_cause("why");
        let (child, _cancel_child) = adder.join().unwrap();
        assert_eq!(child.err(), Some(ContextError::Canceled));
        assert_eq!(cause_of(&child), "why");
    });
}

/// A child may go while its parent ends; its sibling ends all the same, and nothing is used twice.
#[test]
fn cancel_against_child_drop() {
    model(|| {
        let (parent, cancel) = Context::background().with_cancel();
        let (sibling, _cancel_sibling) = watched(&parent);
        let child = watched(&parent);
        let dropper = thread::spawn(move || drop(child));
        cancel.cancel();
        assert!(sibling.err().is_some());
        dropper.join().unwrap();
    });
}

/// The place that a child leaves may be taken by the next one while the parent ends.
#[test]
fn child_drop_against_child_add_against_cancel() {
    model(|| {
        let (parent, cancel) = Context::background().with_cancel();
        let old = watched(&parent);
        let dropper = thread::spawn(move || drop(old));
        let adder = {
            let parent = parent.clone();
            thread::spawn(move || watched(&parent))
        };
        cancel.cancel();
        dropper.join().unwrap();
        assert!(adder.join().unwrap().0.err().is_some());
    });
}

/// Two that cancel the same parent: each finds every descendant ended when its own call returns, with the
/// one cause that won.
#[test]
fn cancel_against_cancel_of_the_same() {
    model(|| {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, cancel_child) = parent.with_cancel();
        let (grandchild, cancel_grandchild) = watched(&child);
        cancel_child.detach();
        cancel_grandchild.detach();
        let cancel = Arc::new(cancel);
        let other = {
            let (cancel, grandchild) = (Arc::clone(&cancel), grandchild.clone());
            thread::spawn(move || {
                cancel.cancel_cause("one");
                assert!(grandchild.err().is_some());
            })
        };
        cancel.cancel_cause("two");
        assert!(grandchild.err().is_some());
        other.join().unwrap();
        assert_eq!(cause_of(&parent), cause_of(&grandchild));
    });
}

/// A parent and its child cancelled at once: whoever returns from the parent's `cancel` finds the grandchild
/// ended, although the child's own walk may be under way; and it has the child's cause.
#[test]
fn cancel_of_a_parent_against_cancel_of_its_child() {
    model(|| {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, cancel_child) = parent.with_cancel();
        let (grandchild, cancel_grandchild) = watched(&child);
        cancel_grandchild.detach();
        let other = thread::spawn(move || cancel_child.cancel_cause("child's"));
        cancel.cancel_cause("parent's");
        assert!(grandchild.err().is_some());
        assert_eq!(cause_of(&child), cause_of(&grandchild));
        other.join().unwrap();
        assert_eq!(cause_of(&parent), "parent's");
    });
}

/// The first that waits for a context, or for two of the same, while an ancestor ends that nobody had told of them: all
/// of them are ready or woken, and who ended the ancestor finds what is below ended at once.
#[test]
fn first_waiters_against_cancel_above() {
    model(|| {
        let (root, cancel) = Context::background().with_cancel();
        let (middle, _cancel_middle) = root.with_cancel();
        let (leaf, _cancel_leaf) = middle.with_cancel();
        let waiter = {
            let middle = middle.clone();
            thread::spawn(move || {
                let count = Arc::new(Count::default());
                (wait_for(&middle, &Waker::from(Arc::clone(&count))), count)
            })
        };
        let canceller = {
            let leaf = leaf.clone();
            thread::spawn(move || {
                cancel.cancel_cause("why");
                assert_eq!(leaf.err(), Some(ContextError::Canceled));
            })
        };
        let count = Arc::new(Count::default());
        let done = wait_for(&leaf, &Waker::from(Arc::clone(&count)));
        canceller.join().unwrap();
        let other = waiter.join().unwrap();
        for (mut done, count) in [(done, count), other] {
            let never_waited = Arc::strong_count(&count) == 1;
            assert!(never_waited || count.0.load(Ordering::Relaxed) == 1, "pending, so it was woken");
            assert!(done.poll_ended(&mut Cx::from_waker(Waker::noop())).is_ready());
        }
        assert_eq!([cause_of(&leaf), cause_of(&middle)], ["why", "why"]);
    });
}

/// A context that becomes one that is told, while its parent does, while the root ends: whoever has ended the root
/// never finds anybody live below, however he asks.
#[test]
fn becoming_told_against_cancel_above() {
    // Three threads: with one preemption more it takes a minute.
    model_with(2, || {
        let (root, cancel) = Context::background().with_cancel();
        let (middle, _cancel_middle) = root.with_cancel();
        let (leaf, _cancel_leaf) = middle.with_cancel();
        let asker = {
            let (middle, leaf) = (middle.clone(), leaf.clone());
            thread::spawn(move || {
                drop(wait_for(&middle, Waker::noop()));
                let _ = (middle.err(), leaf.err(), leaf.err());
            })
        };
        let waiter = {
            let leaf = leaf.clone();
            thread::spawn(move || drop(wait_for(&leaf, Waker::noop())))
        };
        cancel.cancel();
        assert!(leaf.err().is_some());
        assert!(middle.err().is_some());
        asker.join().unwrap();
        waiter.join().unwrap();
    });
}

/// A context that ends while it enters its parent's list leaves nothing in there.
#[test]
fn cancel_against_the_first_waiter() {
    model(|| {
        let (parent, _cancel) = Context::background().with_cancel();
        let (child, cancel) = parent.with_cancel();
        let canceller = thread::spawn(move || cancel.cancel());
        drop(wait_for(&child, Waker::noop()));
        canceller.join().unwrap();
        assert!(child.err().is_some() && parent.err().is_none());
        assert_eq!(parent.node.as_ref().expect("it can end").dependents().0, 0);
    });
}

/// Cancelled from above and by itself at once: one end, and the upper one where that was first.
#[test]
fn cancel_of_an_unwatched_child_against_cancel_above() {
    model(|| {
        let (parent, cancel) = Context::background().with_cancel();
        let (child, cancel_child) = parent.with_cancel();
        let other = {
            let child = child.clone();
            thread::spawn(move || {
                cancel.cancel_cause("parent's");
                cause_of(&child)
            })
        };
        cancel_child.cancel_cause("child's");
        let seen = cause_of(&child);
        assert_eq!(other.join().unwrap(), seen);
        assert_eq!(cause_of(&parent), "parent's");
        let (late, cancel_late) = parent.with_cancel();
        cancel_late.cancel_cause("late");
        assert_eq!(cause_of(&late), "parent's");
    });
}

/// A waiter that registers while `end` ends the context, or a parent that does not know of it yet, is ready or woken,
/// never neither.
fn register_while(ctx: &Context, end: impl FnOnce() + 'static) {
    let mut done = ctx.done();
    let canceller = thread::spawn(end);
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let first = done.poll_ended(&mut Cx::from_waker(&waker));
    canceller.join().unwrap();
    if first.is_pending() {
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "pending, so it was woken");
    }
    assert_eq!(done.poll_ended(&mut Cx::from_waker(&waker)), Poll::Ready(()));
}

#[test]
fn done_registers_against_cancel() {
    model(|| {
        let (ctx, cancel) = Context::background().with_cancel();
        register_while(&ctx, move || cancel.cancel());
    });
}

#[test]
fn done_registers_against_cancel_of_the_parent() {
    model(|| {
        let (parent, cancel) = Context::background().with_cancel();
        let (ctx, _cancel) = parent.with_cancel();
        register_while(&ctx, move || cancel.cancel());
    });
}

/// A waiter that changes tasks while the context ends: the task that was told `Pending` last is woken.
#[test]
fn done_moves_against_cancel() {
    model(|| {
        let (ctx, cancel) = Context::background().with_cancel();
        let mut done = ctx.done();
        let (old, new) = (Arc::new(Count::default()), Arc::new(Count::default()));
        assert!(done.poll_ended(&mut Cx::from_waker(&Waker::from(Arc::clone(&old)))).is_pending());
        let canceller = thread::spawn(move || cancel.cancel());
        let second = done.poll_ended(&mut Cx::from_waker(&Waker::from(Arc::clone(&new))));
        canceller.join().unwrap();
        assert!(second.is_ready() || new.0.load(Ordering::Relaxed) == 1);
    });
}

/// A waiter that is dropped while the context ends.
#[test]
fn done_drops_against_cancel() {
    model(|| {
        let (ctx, cancel) = Context::background().with_cancel();
        let mut done = ctx.done();
        assert!(done.poll_ended(&mut Cx::from_waker(Waker::noop())).is_pending());
        let canceller = thread::spawn(move || cancel.cancel());
        drop(done);
        canceller.join().unwrap();
        assert!(ctx.err().is_some());
    });
}

/// What the canceller wrote before is there for whoever sees the end, without any other synchronisation.
#[test]
fn err_shows_what_came_before() {
    model(|| {
        let (ctx, cancel) = Context::background().with_cancel();
        let written = Arc::new(loom::cell::UnsafeCell::new(0));
        let reader = {
            let written = Arc::clone(&written);
            thread::spawn(move || {
                if ctx.err().is_some() {
                    // SAFETY: the end was seen, so the writer is done; loom checks exactly this.
                    assert_eq!(written.with(|value| unsafe { *value }), 7);
                }
            })
        };
        // SAFETY: the only writer, and the reader looks only after it has seen the end.
        written.with_mut(|value| unsafe { *value = 7 });
        cancel.cancel();
        reader.join().unwrap();
    });
}

/// Who is asked while an ancestor ends, and one between the two ends by itself, ends as its parent does.
#[test]
fn an_unwatched_context_ends_as_its_parent_did_whatever_ends_above() {
    model(|| {
        let (root, cancel) = Context::background().with_cancel();
        let (middle, cancel_middle) = root.with_cancel();
        let (leaf, cancel_leaf) = middle.with_cancel();
        cancel_leaf.detach();
        let other = thread::spawn(move || cancel_middle.cancel_cause("middle's"));
        cancel.cancel_cause("root's");
        let seen = cause_of(&leaf);
        assert_eq!(cause_of(&middle), seen);
        other.join().unwrap();
        assert_eq!([cause_of(&middle), cause_of(&leaf)], [seen.as_str(), seen.as_str()]);
    });
}
