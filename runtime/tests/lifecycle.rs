//! The life of a task, every way it can go: how it ends × what becomes of the handle × when it is aborted.
//!
//! The test drives one task from point to point: before its first poll (every processor is held by a hog, and
//! sysmon is off, so nobody makes up for them), while it waits, inside its second poll, after its end. At each
//! point the handle may be dropped and the task may be aborted. In the end the result must be the right one,
//! the future and the output dropped once each, a panic reported if and only if nobody joined it, and the
//! memory given back.

mod common;

use common::{eventually, within};
use pirn::{AbortHandle, Builder, JoinError, JoinHandle, Runtime, TaskState, UnhandledPanic};
use std::alloc::{GlobalAlloc, Layout, System};
use std::future::Future;
use std::panic;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// The system's allocator, counting the bytes that live.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: the system's allocator does the work; counting touches no memory of its caller's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises, passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Returns,
    PanicsInPoll,
    PanicsInDrop,
    PanicsInBoth,
    /// The second poll is pending: the task ends by an abort only.
    Waits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Point {
    BeforeFirstPoll,
    Waiting,
    Running,
    AfterEnd,
}

const POINTS: [Point; 4] = [Point::BeforeFirstPoll, Point::Waiting, Point::Running, Point::AfterEnd];

#[derive(Clone, Copy, Debug)]
struct Case {
    end: End,
    handle_polled: bool,
    handle_dropped: Option<Point>,
    aborted: Option<Point>,
}

#[derive(Default)]
struct Counts {
    futures_dropped: AtomicUsize,
    outputs_made: AtomicUsize,
    outputs_dropped: AtomicUsize,
}

struct Output(Arc<Counts>);

impl Drop for Output {
    fn drop(&mut self) {
        self.0.outputs_dropped.fetch_add(1, Ordering::SeqCst);
    }
}

/// The task: pending once; then, when woken, it says that it runs, waits for leave, and ends.
struct Subject {
    end: End,
    polls: usize,
    waker: Arc<Mutex<Option<Waker>>>,
    runs: Sender<()>,
    leave: Receiver<()>,
    counts: Arc<Counts>,
}

impl Future for Subject {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        self.polls += 1;
        if self.polls == 1 {
            *self.waker.lock().unwrap() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.runs.send(()).unwrap();
        self.leave.recv().unwrap();
        match self.end {
            End::PanicsInPoll | End::PanicsInBoth => panic::resume_unwind(Box::new("poll")),
            End::Waits => Poll::Pending,
            End::Returns | End::PanicsInDrop => {
                self.counts.outputs_made.fetch_add(1, Ordering::SeqCst);
                Poll::Ready(Output(self.counts.clone()))
            }
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.counts.futures_dropped.fetch_add(1, Ordering::SeqCst);
        if matches!(self.end, End::PanicsInDrop | End::PanicsInBoth) {
            panic::resume_unwind(Box::new("drop"));
        }
    }
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Holds every processor until dropped.
struct Hogs(Vec<(Sender<()>, JoinHandle<()>)>);

impl Hogs {
    fn new(runtime: &Runtime) -> Self {
        let hogs = (0..runtime.procs()).map(|_| {
            let (started, wait_started) = channel();
            let (leave, wait_leave) = channel();
            let hog = runtime.spawn(async move {
                started.send(()).unwrap();
                wait_leave.recv().unwrap();
            });
            wait_started.recv().unwrap();
            (leave, hog)
        });
        Self(hogs.collect())
    }

    fn go(self, runtime: &Runtime) {
        for (leave, hog) in self.0 {
            leave.send(()).unwrap();
            runtime.block_on(hog).unwrap();
        }
    }
}

/// One task on its way.
struct Drive<'a> {
    case: Case,
    runtime: &'a Runtime,
    handle: Option<JoinHandle<Output>>,
    abort: AbortHandle,
    aborted_in_time: bool,
}

impl Drive<'_> {
    /// Does what the case says for this point.
    fn at(&mut self, point: Point) {
        if self.case.handle_dropped == Some(point) {
            self.handle = None;
        }
        if self.case.aborted == Some(point) {
            match &self.handle {
                Some(handle) => handle.abort(),
                None => self.abort.abort(),
            }
            self.aborted_in_time |= match point {
                Point::BeforeFirstPoll | Point::Waiting => true,
                Point::Running => self.case.end == End::Waits,
                Point::AfterEnd => false,
            };
        }
    }

    fn state(&self) -> Option<TaskState> {
        let id = self.abort.id();
        let dump = self.runtime.handle().dump();
        dump.iter().find(|task| task.id == id).map(|task| task.state)
    }
}

/// What the joiner must get.
fn check(case: Case, aborted: bool, result: &Result<Output, JoinError>) {
    let expected = match (case.end, aborted) {
        (End::PanicsInDrop | End::PanicsInBoth, true) => "drop",
        (_, true) => "cancelled",
        (End::Returns, false) => "ok",
        (End::PanicsInPoll | End::PanicsInBoth, false) => "poll",
        (End::PanicsInDrop, false) => "drop",
        (End::Waits, false) => unreachable!("a task that waits for ever is aborted in every case"),
    };
    let got = match result {
        Ok(_) => "ok".to_owned(),
        Err(error) if error.is_cancelled() => "cancelled".to_owned(),
        Err(error) => error.to_string().rsplit(": ").next().unwrap().to_owned(),
    };
    assert_eq!(got, expected, "{case:?}");
}

fn run(runtime: &Runtime, unhandled: &AtomicUsize, case: Case) {
    let counts = Arc::new(Counts::default());
    let waker = Arc::new(Mutex::new(None));
    let (runs, wait_runs) = channel();
    let (leave, wait_leave) = channel();
    let hogs = Hogs::new(runtime);
    let before = unhandled.load(Ordering::SeqCst);
    let subject = Subject {
        end: case.end,
        polls: 0,
        waker: waker.clone(),
        runs,
        leave: wait_leave,
        counts: counts.clone(),
    };
    let handle = runtime.spawn(subject);
    let abort = handle.abort_handle();
    let mut drive = Drive { case, runtime, handle: Some(handle), abort, aborted_in_time: false };
    let woken = Arc::new(Woken::default());
    if case.handle_polled {
        let waker = Waker::from(woken.clone());
        let polled = pin!(drive.handle.as_mut().unwrap()).poll(&mut Context::from_waker(&waker));
        assert!(polled.is_pending(), "{case:?}");
    }
    drive.at(Point::BeforeFirstPoll);
    hogs.go(runtime);
    if !drive.aborted_in_time {
        eventually(|| drive.state() == Some(TaskState::Waiting));
        drive.at(Point::Waiting);
    }
    if !drive.aborted_in_time {
        waker.lock().unwrap().take().unwrap().wake();
        wait_runs.recv().unwrap();
        drive.at(Point::Running);
        leave.send(()).unwrap();
    }
    eventually(|| drive.abort.is_finished());
    drive.at(Point::AfterEnd);
    let ended_by_panic = match (case.end, drive.aborted_in_time) {
        (End::PanicsInDrop | End::PanicsInBoth, _) => true,
        (End::PanicsInPoll, aborted) => !aborted,
        _ => false,
    };
    let joined = drive.handle.is_some();
    let aborted = drive.aborted_in_time;
    if let Some(handle) = drive.handle.take() {
        let polled_before_end = usize::from(case.handle_polled);
        eventually(|| woken.0.load(Ordering::SeqCst) == polled_before_end);
        check(case, aborted, &runtime.block_on(handle));
    } else if case.handle_dropped < Some(Point::AfterEnd) && !aborted {
        assert_eq!(woken.0.load(Ordering::SeqCst), 0, "{case:?}: a dropped handle is not woken");
    }
    drop(drive);
    let reports = usize::from(ended_by_panic && !joined);
    eventually(|| unhandled.load(Ordering::SeqCst) - before == reports);
    eventually(|| {
        counts.outputs_made.load(Ordering::SeqCst) == counts.outputs_dropped.load(Ordering::SeqCst)
    });
    assert_eq!(counts.futures_dropped.load(Ordering::SeqCst), 1, "{case:?}");
    assert!(counts.outputs_made.load(Ordering::SeqCst) <= 1, "{case:?}");
    drop(waker);
    eventually(|| Arc::strong_count(&counts) == 1 && Arc::strong_count(&woken) == 1);
    assert_eq!(runtime.metrics().live_tasks, 0, "{case:?}");
}

fn cases() -> impl Iterator<Item = Case> {
    let ends = [End::Returns, End::PanicsInPoll, End::PanicsInDrop, End::PanicsInBoth, End::Waits];
    let or_never = || std::iter::once(None).chain(POINTS.map(Some));
    ends.into_iter()
        .flat_map(move |end| {
            [false, true].into_iter().flat_map(move |handle_polled| {
                or_never().flat_map(move |handle_dropped| {
                    or_never().map(move |aborted| Case { end, handle_polled, handle_dropped, aborted })
                })
            })
        })
        // A task that waits for ever must be aborted, or the test does not end.
        .filter(|case| case.end != End::Waits || case.aborted.is_some_and(|point| point < Point::AfterEnd))
}

/// More than it takes to fill what is kept, if every task of each round leaves something there.
const ROUNDS: usize = 400;

fn product(procs: usize) {
    let unhandled = Arc::new(AtomicUsize::new(0));
    let count = unhandled.clone();
    let runtime = Builder::new()
        .procs(procs)
        .sysmon(false)
        .on_unhandled_panic(UnhandledPanic::Callback(Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
        })))
        .build()
        .unwrap();
    let round = || {
        for case in cases() {
            run(&runtime, &unhandled, case);
        }
        LIVE.load(Ordering::SeqCst)
    };
    // What is kept of ended tasks is bounded, and grows until then.
    let mut before = round();
    let has_settled = (0..ROUNDS).any(|_| {
        let after = round();
        after - std::mem::replace(&mut before, after) < 2000
    });
    assert!(has_settled, "after so many rounds each leaves more bytes still");
    let live: Vec<_> = (0..6).map(|_| round()).collect();
    // One leaked task a round would be 130 bytes at least, and there are some two hundred tasks in a round. What is
    // made once and kept may grow in one round or another, what leaks grows in each.
    let least = live.windows(2).map(|rounds| rounds[1] - rounds[0]).min().unwrap();
    assert!(least < 2000, "bytes that live after each round: {live:?}");
}

#[test]
fn every_life_of_a_task() {
    // Both in one test: a test beside it would disturb the count of bytes.
    within(120, || {
        product(1);
        product(2);
    });
}
