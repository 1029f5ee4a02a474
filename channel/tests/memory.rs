//! What channels allocate: nothing for each operation, little while idle, and nothing is kept after a burst.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::pin::{pin, Pin};
use std::task::Poll;

use common::poll;
use pirn_channel::{bounded, never, oneshot, select, unbounded, watch, Recv, RecvError};

/// Counts the allocations of each thread, and the bytes that it has out.
struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

// SAFETY: every call is passed on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.with(|calls| calls.set(calls.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size() as isize));
        // SAFETY: the caller's promise is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BYTES.with(|bytes| bytes.set(bytes.get() - layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `body` makes, the second time that it runs.
fn allocations(mut body: impl FnMut()) -> usize {
    body();
    let before = CALLS.get();
    body();
    CALLS.get() - before
}

#[test]
fn sending_and_receiving_allocate_nothing() {
    let (tx, rx) = bounded::<u64>(16);
    let count = allocations(|| {
        for i in 0..1000 {
            tx.try_send(i).unwrap();
            assert_eq!(poll(pin!(rx.recv())), Poll::Ready(Ok(i)));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn waiting_and_handing_over_allocate_nothing() {
    for cap in [0, 1] {
        let (tx, rx) = bounded::<u64>(cap);
        let count = allocations(|| {
            for i in 0..1000 {
                let mut recv = pin!(rx.recv());
                assert!(poll(recv.as_mut()).is_pending());
                assert_eq!(poll(pin!(tx.send(i))), Poll::Ready(Ok(())));
                assert_eq!(poll(recv), Poll::Ready(Ok(i)));
            }
        });
        assert_eq!(count, 0);
    }
}

#[test]
fn a_waiting_select_allocates_nothing() {
    let (tx, rx) = bounded::<u64>(0);
    let off = never::<u64>();
    let count = allocations(|| {
        for i in 0..1000 {
            let mut choice = pin!(async {
                select! { v = rx.recv() => v, v = off.recv() => v, _ = std::future::pending::<()>() => Err(RecvError) }
            });
            assert!(poll(choice.as_mut()).is_pending());
            tx.try_send(i).unwrap();
            assert_eq!(poll(choice), Poll::Ready(Ok(i)));
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn an_unbounded_channel_that_keeps_up_allocates_nothing() {
    let (tx, rx) = unbounded::<u64>();
    let count = allocations(|| {
        for i in 0..1000 {
            (0..10).for_each(|j| tx.try_send(i + j).unwrap());
            assert_eq!(rx.try_iter().count(), 10);
        }
    });
    assert_eq!(count, 0);
}

#[test]
fn an_idle_channel_is_small() {
    let before = BYTES.get();
    let (tx, rx) = bounded::<u64>(16);
    let fresh = BYTES.get() - before;
    (0..16).for_each(|i| tx.try_send(i).unwrap());
    assert_eq!(rx.try_iter().count(), 16);
    assert!(poll(pin!(rx.recv())).is_pending());
    let used = BYTES.get() - before;
    assert!(fresh <= 256, "{fresh} bytes when new");
    assert!(used <= 512, "{used} bytes once used");
    let before = BYTES.get();
    let _pair = oneshot::channel::<u64>();
    let one = BYTES.get() - before;
    assert!(one <= 160, "{one} bytes for a oneshot");
}

#[test]
fn an_unbounded_channel_gives_its_memory_back_after_a_burst() {
    let before = BYTES.get();
    let (tx, rx) = unbounded::<u64>();
    (0..1_000_000).for_each(|i| tx.try_send(i).unwrap());
    assert!(BYTES.get() - before >= 8_000_000);
    assert_eq!(rx.try_iter().count(), 1_000_000);
    let kept = BYTES.get() - before;
    assert!(kept <= 64 * 1024, "{kept} bytes kept");
}

#[test]
fn a_burst_gives_its_memory_back_although_something_stays_buffered() {
    let before = BYTES.get();
    let (tx, rx) = unbounded::<u64>();
    (0..1_000_000).for_each(|i| tx.try_send(i).unwrap());
    (0..999_900).for_each(|i| assert_eq!(rx.try_recv(), Ok(i)));
    let kept = BYTES.get() - before;
    assert!(kept <= 64 * 1024, "{kept} bytes kept");
    // Nor does it allocate from now on, where as many come as go.
    let count = allocations(|| {
        for i in 0..100_000 {
            tx.try_send(i).unwrap();
            assert!(rx.try_recv().is_ok());
        }
    });
    assert_eq!((count, rx.len()), (0, 100));
}

#[test]
fn a_named_channel_that_is_gone_leaves_nothing_behind() {
    bounded::<u64>(1).0.set_name("memory: the first one makes the list");
    let before = BYTES.get();
    let all: Vec<_> = (0..10_000).map(|_| bounded::<u64>(1)).collect();
    all.iter().for_each(|(tx, _)| tx.set_name("memory: one of many"));
    let last = pirn_channel::named_channels().pop().expect("there are many");
    assert_eq!(last.name.as_deref(), Some("memory: one of many"));
    drop(last);
    drop(all);
    let kept = BYTES.get() - before;
    assert!(kept <= 4096, "{kept} bytes kept");
}

#[test]
fn waiting_costs_nothing_beyond_the_future() {
    let (_tx, rx) = bounded::<u64>(0);
    let before = BYTES.get();
    {
        let mut waits: Vec<_> = (0..100_000).map(|_| Box::pin(rx.recv())).collect();
        let future = size_of::<Recv<'_, u64>>() + size_of::<Pin<Box<Recv<'_, u64>>>>();
        let made = BYTES.get() - before;
        waits.iter_mut().for_each(|wait| assert!(poll(wait.as_mut()).is_pending()));
        assert_eq!(BYTES.get() - before, made, "waiting costs nothing beyond the future");
        assert!(future <= 72, "{future} bytes for a future and its box");
    }
    assert_eq!(BYTES.get(), before);
}

#[test]
fn a_burst_of_waiters_on_a_watch_gives_its_memory_back_although_one_goes_on_waiting() {
    let (_tx, rx) = watch::channel(0);
    let mut first = rx.clone();
    let mut standing = pin!(first.changed());
    assert!(poll(standing.as_mut()).is_pending());
    let before = BYTES.get();
    {
        let mut others: Vec<_> = (0..100_000).map(|_| rx.clone()).collect();
        let mut waits: Vec<_> = others.iter_mut().map(|rx| Box::pin(rx.changed())).collect();
        waits.iter_mut().for_each(|wait| assert!(poll(wait.as_mut()).is_pending()));
        // Not in order, so that the free places lie between those in use.
        waits.sort_by_key(|wait| (&raw const **wait).addr() / 16 % 1009);
        waits.into_iter().for_each(drop);
    }
    let kept = BYTES.get() - before;
    assert!(kept <= 4096, "{kept} bytes kept");
    assert!(poll(standing).is_pending());
}
