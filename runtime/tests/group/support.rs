//! A runtime for one test, under a hard limit, which must end without a task left.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use pirn::Runtime;

/// Runs `body` on a thread of its own and fails when it takes longer than half a minute.
pub(crate) fn in_time<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || {
        let _ = sender.send(body());
    });
    match receiver.recv_timeout(Duration::from_secs(30)) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("the test hangs"),
        Err(RecvTimeoutError::Disconnected) => {
            let panic: Box<dyn Any + Send> = thread.join().expect_err("it ended without a result");
            std::panic::resume_unwind(panic)
        }
    }
}

/// Runs a test's future on two processors. R29: the number of live tasks is back to what it was.
pub(crate) fn on_runtime<F: Future>(body: impl FnOnce() -> F + Send + 'static) {
    in_time(|| {
        let runtime = runtime();
        runtime.block_on(body());
        no_task_is_left(&runtime);
    });
}

pub(crate) fn runtime() -> Runtime {
    pirn::Builder::new().procs(2).build().expect("a runtime")
}

/// Waits for tasks that were aborted, and fails if any other stays.
pub(crate) fn no_task_is_left(runtime: &Runtime) {
    let limit = Instant::now() + Duration::from_secs(10);
    while runtime.metrics().live_tasks > 0 {
        assert!(Instant::now() < limit, "tasks are left: {}", runtime.handle().dump());
        thread::yield_now();
    }
}

/// Counts how many of its guards exist: in futures, to see when they are dropped.
#[derive(Clone, Default)]
pub(crate) struct Alive(Arc<AtomicUsize>);

pub(crate) struct Guard(Arc<AtomicUsize>);

impl Alive {
    pub(crate) fn guard(&self) -> Guard {
        self.0.fetch_add(1, Ordering::SeqCst);
        Guard(Arc::clone(&self.0))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The message of a panic.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .expect("a message")
}
