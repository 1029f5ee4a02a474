//! Everything at once, at random, under a hard time limit: many tasks on few processors that spawn, join,
//! yield, sleep, wait for each other, panic, block, abort and drop one another, woken from outside too.
//!
//! What must hold in the end: every task has ended, every future was dropped once, every handle resolved.

mod common;

use common::{eventually, within};
use pirn::channel::{Receiver, Sender, bounded};
use pirn::{AbortHandle, Builder, JoinHandle, Runtime, UnhandledPanic, spawn, spawn_blocking, yield_now};
use std::future::{Future, poll_fn};
use std::panic::resume_unwind;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// Random numbers of one task (xorshift); a seed gives the same choices, if not the same schedule.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What all tasks share.
struct World {
    seeds: AtomicU64,
    begun: AtomicUsize,
    dropped: AtomicUsize,
    aborts: Mutex<Vec<AbortHandle>>,
    /// Wakers that threads outside of the runtime wake.
    wakers: Mutex<Vec<Waker>>,
    messages: (Sender<u64>, Receiver<u64>),
    over: AtomicBool,
}

/// Lives in every future.
struct Alive(Arc<World>);

impl Alive {
    fn new(world: &Arc<World>) -> Self {
        world.begun.fetch_add(1, Ordering::Relaxed);
        Self(world.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            seeds: AtomicU64::new(1),
            begun: AtomicUsize::new(0),
            dropped: AtomicUsize::new(0),
            aborts: Mutex::default(),
            wakers: Mutex::default(),
            messages: bounded(3),
            over: AtomicBool::new(false),
        })
    }

    fn dice(&self) -> Dice {
        Dice(self.seeds.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }
}

/// Ready once it was polled again after having been pending: whoever wakes it may be a thread outside.
fn woken_from_outside(world: Arc<World>) -> impl Future<Output = ()> {
    let mut polled = false;
    poll_fn(move |cx: &mut Context<'_>| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        world.wakers.lock().unwrap().push(cx.waker().clone());
        Poll::Pending
    })
}

fn live(world: Arc<World>, depth: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    let alive = Alive::new(&world);
    let mut dice = world.dice();
    Box::pin(async move {
        let _alive = alive;
        let mut children: Vec<JoinHandle<u64>> = Vec::new();
        for _ in 0..dice.roll(12) {
            match dice.roll(14) {
                0..=2 => yield_now().await,
                3 | 4 if depth < 4 => children.push(spawn(live(world.clone(), depth + 1))),
                5 if !children.is_empty() => {
                    let child = children.swap_remove(0);
                    drop(child.await);
                }
                6 => drop(children.pop()),
                7 => drop(
                    pirn::time::timeout(Duration::from_micros(dice.roll(300)), world.messages.1.recv()).await,
                ),
                8 => drop(world.messages.0.try_send(depth)),
                9 => woken_from_outside(world.clone()).await,
                10 => pirn::time::sleep(Duration::from_micros(dice.roll(500))).await,
                11 => {
                    let abort = world.aborts.lock().unwrap().pop();
                    if let Some(abort) = abort {
                        abort.abort();
                    }
                }
                12 => {
                    let sides = dice.roll(40);
                    match sides {
                        0 => std::thread::sleep(Duration::from_millis(2)),
                        1 => pirn::block_in_place(|| std::thread::sleep(Duration::from_micros(200))),
                        2 => drop(spawn_blocking(move || sides).await),
                        3 => drop(pirn::block_on(spawn(yield_now()))),
                        4 => resume_unwind(Box::new("a panic of the stress test")),
                        _ => {}
                    }
                }
                _ => {
                    if let Some(child) = children.last_mut() {
                        // Polled once and left: its waker may wake us at any time.
                        let _ = poll_fn(|cx| Poll::Ready(pin!(&mut *child).poll(cx).is_ready())).await;
                        drop(children.pop());
                    } else {
                        world.aborts.lock().unwrap().extend(children.first().map(JoinHandle::abort_handle));
                    }
                }
            }
            if let (Some(child), 0) = (children.first(), dice.roll(3)) {
                world.aborts.lock().unwrap().push(child.abort_handle());
            }
        }
        let mut sum = depth;
        for child in children {
            sum += child.await.unwrap_or(0);
        }
        sum
    })
}

/// Threads that wake what waits to be woken from outside, some of it twice.
fn wake_from_outside(world: &Arc<World>) -> Vec<std::thread::JoinHandle<()>> {
    (0..2)
        .map(|_| {
            let world = world.clone();
            std::thread::spawn(move || {
                while !world.over.load(Ordering::Relaxed) {
                    let waker = world.wakers.lock().unwrap().pop();
                    match waker {
                        Some(waker) => {
                            waker.wake_by_ref();
                            waker.wake();
                        }
                        None => std::thread::sleep(Duration::from_micros(50)),
                    }
                }
            })
        })
        .collect()
}

fn build(procs: usize) -> Runtime {
    Builder::new()
        .procs(procs)
        .max_threads(40)
        .on_unhandled_panic(UnhandledPanic::Callback(Arc::new(|_| ())))
        .build()
        .unwrap()
}

fn stress(procs: usize, duration: Duration) {
    let world = World::new();
    let runtime = build(procs);
    let outside = wake_from_outside(&world);
    let start = Instant::now();
    while start.elapsed() < duration {
        let roots: Vec<_> = (0..50).map(|_| runtime.spawn(live(world.clone(), 0))).collect();
        let mut resize = world.dice();
        if resize.roll(4) == 0 {
            runtime.set_procs(1 + resize.roll(4) as usize);
        }
        for root in roots {
            // A panic or an abort ends a task as well as its last line.
            let _ = runtime.block_on(root);
        }
    }
    eventually(|| runtime.metrics().live_tasks == 0);
    world.over.store(true, Ordering::Relaxed);
    for thread in outside {
        thread.join().unwrap();
    }
    let (begun, dropped) = (world.begun.load(Ordering::Relaxed), world.dropped.load(Ordering::Relaxed));
    println!("{procs} procs: {begun} tasks");
    assert_eq!(begun, dropped);
    drop(runtime);
    world.aborts.lock().unwrap().clear();
    assert_eq!(Arc::strong_count(&world), 1, "nothing of any task is left");
}

#[test]
fn tasks_that_do_everything_at_random_all_end() {
    within(120, || {
        for procs in [1, 2, 4] {
            stress(procs, Duration::from_millis(1500));
        }
    });
}

#[test]
fn a_shutdown_in_the_midst_of_it_drops_everything() {
    within(120, || {
        for round in 0..20 {
            let world = World::new();
            let runtime = build(1 + round % 3);
            let outside = wake_from_outside(&world);
            let roots: Vec<_> = (0..100).map(|_| runtime.spawn(live(world.clone(), 0))).collect();
            eventually(|| world.dropped.load(Ordering::Relaxed) > 10 * round);
            match round % 3 {
                0 => drop(runtime),
                1 => assert!(runtime.shutdown_timeout(Duration::from_secs(60)).is_clean()),
                _ => runtime.shutdown_background(),
            }
            for root in roots {
                let _ = pirn::block_on(root);
            }
            eventually(|| world.begun.load(Ordering::Relaxed) == world.dropped.load(Ordering::Relaxed));
            world.over.store(true, Ordering::Relaxed);
            for thread in outside {
                thread.join().unwrap();
            }
            world.aborts.lock().unwrap().clear();
            world.wakers.lock().unwrap().clear();
            eventually(|| Arc::strong_count(&world) == 1);
        }
    });
}
