//! Models of the life of a task: the real cell, word, wakers and handles, with a queue for a scheduler.
//!
//! loom watches four things here. The stage and the join waker's slot are its own cells, so that two who touch
//! them unordered are caught in the act. [`ToQueue`] holds another, read by whoever schedules and written when
//! the task is freed: a free that some use does not precede is caught too. Every [`Counted`] value counts its
//! drops. And a task that is never freed keeps its `Arc` of the queue, which loom reports as a leak.

use super::*;
use crate::park::Parker;
use ::loom::cell::UnsafeCell;
use ::loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use ::loom::sync::{Arc, Mutex};
use ::loom::thread;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::pin;
use std::ptr::{self, NonNull};
use std::sync::Arc as StdArc;
use std::sync::Mutex as StdMutex;
use std::task::{Context, Poll, Wake, Waker};

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

/// An executor without threads: a queue that whoever wants to empties.
#[derive(Default)]
struct Queue {
    tasks: Mutex<VecDeque<Runnable>>,
    owned: Option<Owned>,
}

impl Queue {
    fn push(&self, task: Runnable) {
        self.tasks.lock().unwrap().push_back(task);
    }

    fn pop(&self) -> Option<Runnable> {
        self.tasks.lock().unwrap().pop_front()
    }

    /// Runs whatever lies here until nothing does.
    fn run(&self) {
        while let Some(task) = self.pop() {
            if let Outcome::Again(task) = task.run() {
                self.push(task);
            }
        }
    }
}

/// A task's way to the queue; its cell stands for the task's allocation.
struct ToQueue {
    queue: Arc<Queue>,
    alive: UnsafeCell<()>,
}

// SAFETY: the cell holds nothing; loom checks how it is used.
unsafe impl Sync for ToQueue {}

impl Schedule for ToQueue {
    unsafe fn schedule(this: NonNull<Self>, task: Runnable) {
        // SAFETY: the task is not queued yet.
        let queue = unsafe {
            this.as_ref().alive.with(|_| ());
            this.as_ref().queue.clone()
        };
        queue.push(task);
    }

    fn registry(&self) -> *const Owned {
        self.queue.owned.as_ref().map_or(ptr::null(), ptr::from_ref)
    }

    fn count_end(&self, named: Option<TaskId>) -> Option<StdArc<str>> {
        self.alive.with(|_| ());
        self.queue.owned.as_ref()?.remove(named, None)
    }

    fn completed(&self) {
        self.alive.with(|_| ());
    }

    fn unhandled_panic(&self, _panic: UnhandledTaskPanic) {
        unreachable!("no task of these models panics");
    }

    fn coarse_now(&self) -> u64 {
        0
    }
}

impl Drop for ToQueue {
    fn drop(&mut self) {
        self.alive.with_mut(|_| ());
    }
}

/// A value that counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

fn counter() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

fn new<F: Future>(queue: &Arc<Queue>, future: F) -> (Runnable, JoinHandle<F::Output>) {
    let to_queue = ToQueue { queue: queue.clone(), alive: UnsafeCell::new(()) };
    new_task(future, to_queue, TaskId::next(), Location::caller())
}

/// Makes a task and queues it.
fn spawn<F: Future>(queue: &Arc<Queue>, future: F) -> JoinHandle<F::Output> {
    let (task, handle) = new(queue, future);
    queue.push(task);
    handle
}

fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::new();
    let waker = parker.waker();
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        parker.park();
    }
}

/// The output of a task that is known to have ended.
fn output<T>(handle: JoinHandle<T>) -> Result<T, JoinError> {
    match pin!(handle).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the task has not ended: a wake-up was lost"),
    }
}

/// A task that has been polled once, waits until `ready` says so, and whose wakers are in our hands.
fn waiting(
    queue: &Arc<Queue>,
    wakers: usize,
    value: Counted,
    ready: impl Fn() -> bool,
) -> (JoinHandle<Counted>, Vec<Waker>) {
    let given = StdArc::new(StdMutex::new(Vec::new()));
    let out = given.clone();
    let mut value = Some(value);
    let handle = spawn(
        queue,
        poll_fn(move |cx| {
            let mut given = given.lock().unwrap();
            if given.len() < wakers {
                given.resize_with(wakers, || cx.waker().clone());
                return Poll::Pending;
            }
            if ready() { Poll::Ready(value.take().unwrap()) } else { Poll::Pending }
        }),
    );
    queue.run();
    // The task keeps the list's length, so that its next poll is no first one.
    let wakers = out.lock().unwrap().iter().map(Waker::clone).collect();
    out.lock().unwrap().fill_with(|| Waker::noop().clone());
    (handle, wakers)
}

/// Two set a flag each and wake the task, which needs both flags. Only one of the wakes schedules it.
fn two_wakes(second: fn(Waker)) {
    model(move || {
        let queue = Arc::new(Queue::default());
        let flags = [counter(), counter()];
        let drops = counter();
        let seen = flags.clone();
        let ready = move || seen.iter().all(|flag| flag.load(Relaxed) == 1);
        let (handle, mut wakers) = waiting(&queue, 2, Counted(drops.clone()), ready);
        let first = wakers.pop().unwrap();
        let other = {
            let (queue, flag) = (queue.clone(), flags[0].clone());
            thread::spawn(move || {
                flag.store(1, Relaxed);
                first.wake();
                queue.run();
            })
        };
        flags[1].store(1, Relaxed);
        second(wakers.pop().unwrap());
        queue.run();
        other.join().unwrap();
        queue.run();
        drop(output(handle).unwrap());
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn a_poll_sees_what_its_waker_did() {
    two_wakes(|waker| waker.wake());
    two_wakes(|waker| waker.wake_by_ref());
}

#[test]
fn a_destructor_sees_what_its_aborter_did() {
    struct Sees(Arc<AtomicUsize>);
    impl Drop for Sees {
        fn drop(&mut self) {
            assert_eq!(self.0.load(Relaxed), 1, "the abort came first, so did what preceded it");
        }
    }
    model(|| {
        let queue = Arc::new(Queue::default());
        let flag = counter();
        let sees = Sees(flag.clone());
        let handle = spawn(
            &queue,
            poll_fn(move |_| {
                let _ = &sees;
                Poll::<()>::Pending
            }),
        );
        let runner = {
            let queue = queue.clone();
            thread::spawn(move || queue.run())
        };
        flag.store(1, Relaxed);
        handle.abort();
        queue.run();
        runner.join().unwrap();
        queue.run();
        assert!(output(handle).unwrap_err().is_cancelled());
    });
}

#[test]
fn polls_follow_each_other() {
    model(|| {
        let queue = Arc::new(Queue::default());
        let (drops, polls) = (counter(), counter());
        let seen = polls.clone();
        // What the polls leave in the future is the stage's: loom sees whether they are ordered.
        let ready = move || seen.fetch_add(1, Relaxed) == 1;
        let (handle, mut wakers) = waiting(&queue, 2, Counted(drops.clone()), ready);
        wakers.pop().unwrap().wake();
        let waking = {
            let (queue, waker) = (queue.clone(), wakers.pop().unwrap());
            thread::spawn(move || {
                waker.wake_by_ref();
                waker.wake();
                queue.run();
            })
        };
        queue.run();
        waking.join().unwrap();
        queue.run();
        // All wakes may have been answered by one poll.
        assert!((1..=2).contains(&polls.load(Relaxed)));
        handle.abort();
        queue.run();
        drop(output(handle));
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn join_sees_the_output() {
    model(|| {
        let queue = Arc::new(Queue::default());
        let drops = counter();
        let value = Counted(drops.clone());
        let handle = spawn(&queue, async { value });
        let runner = {
            let queue = queue.clone();
            thread::spawn(move || queue.run())
        };
        drop(block_on(handle).unwrap());
        assert_eq!(drops.load(Relaxed), 1);
        runner.join().unwrap();
    });
}

/// A waker that counts. Its cell is read by whoever wakes it and written when it is freed, be it together
/// with the task that kept it.
struct Count {
    woken: Arc<AtomicUsize>,
    alive: UnsafeCell<()>,
    _dropped: Counted,
}

// SAFETY: as for `ToQueue`.
unsafe impl Sync for Count {}

impl Count {
    fn waker(woken: &Arc<AtomicUsize>, dropped: &Arc<AtomicUsize>) -> Waker {
        let (woken, dropped) = (woken.clone(), dropped.clone());
        Waker::from(StdArc::new(Self { woken, alive: UnsafeCell::new(()), _dropped: Counted(dropped) }))
    }
}

impl Wake for Count {
    fn wake(self: StdArc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &StdArc<Self>) {
        self.woken.fetch_add(1, Relaxed);
        // Behind the count: loom dates a cell's accesses by the thread's last atomic operation.
        self.alive.with(|_| ());
    }
}

impl Drop for Count {
    fn drop(&mut self) {
        self.alive.with_mut(|_| ());
    }
}

#[test]
fn the_join_waker_is_swapped_while_the_task_ends() {
    model(|| {
        let queue = Arc::new(Queue::default());
        let (drops, woken, wakers) = (counter(), counter(), counter());
        let value = Counted(drops.clone());
        let mut handle = spawn(&queue, async { value });
        let runner = {
            let queue = queue.clone();
            thread::spawn(move || queue.run())
        };
        let first = Count::waker(&woken, &wakers);
        match pin!(&mut handle).poll(&mut Context::from_waker(&first)) {
            Poll::Ready(output) => drop((handle, output.unwrap())),
            Poll::Pending => drop(block_on(handle).unwrap()),
        }
        runner.join().unwrap();
        drop(first);
        assert_eq!((drops.load(Relaxed), wakers.load(Relaxed)), (1, 1));
        assert!(woken.load(Relaxed) <= 1);
    });
}

/// The handle goes while the task ends; the output is dropped once, by whoever it belongs to.
fn handle_dropped(polled: bool) {
    model(move || {
        let queue = Arc::new(Queue::default());
        let (drops, woken, wakers) = (counter(), counter(), counter());
        let value = Counted(drops.clone());
        let mut handle = spawn(&queue, async { value });
        let runner = {
            let queue = queue.clone();
            thread::spawn(move || queue.run())
        };
        let waker = Count::waker(&woken, &wakers);
        if polled && pin!(&mut handle).poll(&mut Context::from_waker(&waker)).is_ready() {
            assert_eq!(drops.load(Relaxed), 1);
        }
        drop(waker);
        drop(handle);
        runner.join().unwrap();
        assert_eq!(drops.load(Relaxed), 1);
        assert_eq!(wakers.load(Relaxed), 1, "the task keeps no waker");
    });
}

#[test]
fn a_handle_dropped_while_the_task_ends_drops_the_output_once() {
    handle_dropped(false);
}

#[test]
fn a_handle_dropped_after_a_poll_leaves_no_waker() {
    handle_dropped(true);
}

/// The handle goes while the task ends, with the output or without; somebody else still holds the task.
fn waker_dropped(taken: bool) {
    model(move || {
        let queue = Arc::new(Queue::default());
        let (woken, wakers) = (counter(), counter());
        let mut handle = spawn(&queue, async {});
        let kept = handle.abort_handle();
        let runner = {
            let queue = queue.clone();
            thread::spawn(move || queue.run())
        };
        let waker = Count::waker(&woken, &wakers);
        let mut cx = Context::from_waker(&waker);
        // The second poll reads the slot which the first one has written.
        let mut ready = (0..2).any(|_| pin!(&mut handle).poll(&mut cx).is_ready());
        while taken && !ready {
            thread::yield_now();
            ready = handle.is_finished() && pin!(&mut handle).poll(&mut cx).is_ready();
        }
        drop(waker);
        drop(handle);
        runner.join().unwrap();
        assert_eq!(wakers.load(Relaxed), 1, "whoever left last has dropped it");
        drop(kept);
    });
}

#[test]
fn the_join_waker_of_a_task_that_is_over_is_dropped_once() {
    waker_dropped(false);
    waker_dropped(true);
}

#[test]
fn wake_poll_abort_and_join_at_once() {
    model(|| {
        let queue = Arc::new(Queue::default());
        let (drops, flag) = (counter(), counter());
        let seen = flag.clone();
        let (handle, mut wakers) =
            waiting(&queue, 1, Counted(drops.clone()), move || seen.load(Relaxed) == 1);
        let waker = wakers.pop().unwrap();
        let waking = {
            let (queue, flag) = (queue.clone(), flag.clone());
            thread::spawn(move || {
                flag.store(1, Relaxed);
                waker.wake();
                queue.run();
            })
        };
        let aborting = {
            let (queue, abort) = (queue.clone(), handle.abort_handle());
            thread::spawn(move || {
                abort.abort();
                drop(abort);
                queue.run();
            })
        };
        match block_on(handle) {
            Ok(value) => drop(value),
            Err(error) => assert!(error.is_cancelled()),
        }
        assert_eq!(drops.load(Relaxed), 1);
        waking.join().unwrap();
        aborting.join().unwrap();
        assert!(queue.pop().is_none());
    });
}

#[test]
fn the_last_waker_frees_a_task_that_is_over() {
    model(|| {
        let queue = Arc::new(Queue::default());
        let drops = counter();
        let (handle, mut wakers) = waiting(&queue, 2, Counted(drops.clone()), || true);
        let (first, second) = (wakers.pop().unwrap(), wakers.pop().unwrap());
        first.wake_by_ref();
        let waking = thread::spawn(move || second.wake());
        let dropping = thread::spawn(move || drop(first));
        queue.run();
        drop(output(handle).unwrap());
        waking.join().unwrap();
        dropping.join().unwrap();
        queue.run();
        assert_eq!(drops.load(Relaxed), 1);
    });
}

/// The task ends on another thread, which uses it up to the end; the last reference may be a waker's.
fn last_reference(give_back: fn(Waker)) {
    model(move || {
        let queue = Arc::new(Queue::default());
        let drops = counter();
        let (handle, mut wakers) = waiting(&queue, 1, Counted(drops.clone()), || false);
        let (waker, abort) = (wakers.pop().unwrap(), handle.abort_handle());
        drop(handle);
        let aborting = {
            let queue = queue.clone();
            thread::spawn(move || {
                abort.abort();
                drop(abort);
                queue.run();
            })
        };
        give_back(waker);
        queue.run();
        aborting.join().unwrap();
        queue.run();
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn whoever_gives_back_the_last_reference_has_seen_all_use() {
    last_reference(|waker| waker.wake());
    last_reference(drop);
}

#[test]
fn a_spawn_against_a_shutdown_is_run_or_refused() {
    model(|| {
        let queue = Arc::new(Queue { tasks: Mutex::default(), owned: Some(Owned::new(1)) });
        let drops = counter();
        let value = Counted(drops.clone());
        let spawning = {
            let queue = queue.clone();
            thread::spawn(move || {
                let (task, handle) = new(
                    &queue,
                    poll_fn(move |_| {
                        let _ = &value;
                        Poll::<()>::Pending
                    }),
                );
                match queue.owned.as_ref().unwrap().insert(&task, None, Some(0)) {
                    Ok(()) => queue.push(task),
                    Err(_closed) => task.cancel(),
                }
                queue.run();
                handle
            })
        };
        queue.owned.as_ref().unwrap().close();
        queue.run();
        let handle = spawning.join().unwrap();
        queue.run();
        assert!(queue.owned.as_ref().unwrap().is_empty(), "the shutdown aborts whoever it does not refuse");
        assert!(output(handle).unwrap_err().is_cancelled());
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn a_wake_against_a_shutdown_finds_the_task_over_or_ends_it() {
    model(|| {
        let queue = Arc::new(Queue { tasks: Mutex::default(), owned: Some(Owned::new(1)) });
        let given = StdArc::new(StdMutex::new(None));
        let out = given.clone();
        let (task, handle) = new(
            &queue,
            poll_fn(move |cx| {
                given.lock().unwrap().replace(cx.waker().clone());
                Poll::<()>::Pending
            }),
        );
        queue.owned.as_ref().unwrap().insert(&task, None, Some(0)).unwrap();
        queue.push(task);
        queue.run();
        let waker = out.lock().unwrap().take().unwrap();
        drop(out);
        let waking = {
            let queue = queue.clone();
            thread::spawn(move || {
                waker.wake();
                queue.run();
            })
        };
        queue.owned.as_ref().unwrap().close();
        queue.run();
        waking.join().unwrap();
        queue.run();
        assert!(queue.owned.as_ref().unwrap().is_empty());
        assert!(output(handle).unwrap_err().is_cancelled());
    });
}

#[test]
fn a_task_that_was_joined_is_no_longer_registered() {
    model(|| {
        let queue = Arc::new(Queue { tasks: Mutex::default(), owned: Some(Owned::new(1)) });
        let (task, handle) = new(&queue, async {});
        queue.owned.as_ref().unwrap().insert(&task, None, Some(0)).unwrap();
        queue.push(task);
        let runner = {
            let queue = queue.clone();
            thread::spawn(move || queue.run())
        };
        block_on(handle).unwrap();
        assert!(queue.owned.as_ref().unwrap().is_empty(), "C4");
        runner.join().unwrap();
    });
}

/// The scheduler of tasks that are cancelled as a worker of the processor `near` ends one.
struct Cancelled {
    owned: Arc<Owned>,
    near: Option<usize>,
    /// The shutdown's flag, and what those have found who saw it.
    closing: Arc<AtomicBool>,
    announced: Arc<AtomicBool>,
    alive: UnsafeCell<()>,
}

// SAFETY: as for `ToQueue`.
unsafe impl Sync for Cancelled {}

impl Schedule for Cancelled {
    unsafe fn schedule(_this: NonNull<Self>, _task: Runnable) {
        unreachable!("these tasks are queued all the while");
    }

    fn registry(&self) -> *const Owned {
        self.alive.with(|_| ());
        &raw const *self.owned
    }

    fn count_end(&self, named: Option<TaskId>) -> Option<StdArc<str>> {
        self.owned.remove(named, self.near)
    }

    fn completed(&self) {
        if self.closing.load(Acquire) && self.owned.is_empty() {
            self.announced.store(true, Relaxed);
        }
    }

    fn unhandled_panic(&self, _panic: UnhandledTaskPanic) {
        unreachable!("these tasks are never polled");
    }

    /// Called as the task is made, when its block is there: a write, which a dump must have seen. Loom dates it by the
    /// thread's last atomic operation.
    fn coarse_now(&self) -> u64 {
        let _closing = self.closing.load(Relaxed);
        self.alive.with_mut(|_| ());
        0
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.alive.with_mut(|_| ());
    }
}

/// A registry whose tasks end by being cancelled.
#[derive(Clone)]
struct Registry {
    owned: Arc<Owned>,
    closing: Arc<AtomicBool>,
    announced: Arc<AtomicBool>,
}

impl Registry {
    fn new() -> Self {
        let flag = || Arc::new(AtomicBool::new(false));
        Self { owned: Arc::new(Owned::new(1)), closing: flag(), announced: flag() }
    }

    fn task(&self, near: Option<usize>) -> Runnable {
        let Self { owned, closing, announced } = self.clone();
        let scheduler = Cancelled { owned, near, closing, announced, alive: UnsafeCell::new(()) };
        let (task, _detached) = new_task(async {}, scheduler, TaskId::next(), Location::caller());
        self.owned.insert(&task, None, Some(0)).unwrap();
        task
    }
}

#[test]
fn a_dump_against_the_end_of_a_task() {
    model(|| {
        let registry = Registry::new();
        let task = registry.task(None);
        let ending = thread::spawn(move || task.cancel());
        // Loom finds the use after the free, if there is one.
        assert!(registry.owned.view().len() <= 1);
        ending.join().unwrap();
        assert!(registry.owned.view().is_empty());
    });
}

#[test]
fn a_dump_against_a_spawn() {
    model(|| {
        let registry = Registry::new();
        let spawning = {
            let registry = registry.clone();
            thread::spawn(move || registry.task(None))
        };
        // Loom finds that a task is looked at whose making is not seen, if there is one.
        assert!(registry.owned.view().len() <= 1);
        let task = spawning.join().unwrap();
        assert_eq!(registry.owned.view().len(), 1);
        task.cancel();
    });
}

#[test]
fn a_registry_is_not_empty_while_a_task_leaves_another_behind() {
    model(|| {
        let registry = Registry::new();
        let first = registry.task(None);
        let ending = {
            let registry = registry.clone();
            thread::spawn(move || {
                let second = registry.task(None);
                first.cancel();
                second
            })
        };
        assert!(!registry.owned.is_empty(), "one of them lives at any moment");
        ending.join().unwrap().cancel();
        assert!(registry.owned.is_empty());
    });
}

/// O5: where they end they may count with a load and a store, or may not.
#[test]
fn every_end_is_counted() {
    // The registry has one processor. Another came later, and has no shard of its own.
    for places in [[Some(0), Some(1)], [None, Some(1)], [None, None]] {
        model(move || {
            let registry = Registry::new();
            let ending = places.map(|near| {
                let task = registry.task(near);
                thread::spawn(move || task.cancel())
            });
            for ending in ending {
                ending.join().unwrap();
            }
            assert!(registry.owned.is_empty());
        });
    }
}

#[test]
fn the_end_of_the_last_task_is_seen() {
    model(|| {
        let registry = Registry::new();
        let ending = [Some(0), None].map(|near| {
            let task = registry.task(near);
            thread::spawn(move || task.cancel())
        });
        registry.closing.store(true, Release);
        registry.owned.close();
        let seen = registry.owned.is_empty();
        for ending in ending {
            ending.join().unwrap();
        }
        assert!(seen || registry.announced.load(Relaxed), "nobody has seen that no task is left");
    });
}
