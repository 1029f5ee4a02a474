//! What the loom models share: a bounded model, one poll, polls with two wakers, and a thread that waits.

use std::future::Future;
use std::pin::{pin, Pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;

/// Checks `body` under every schedule with at most `preemptions` forced switches.
pub(crate) fn model(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

/// Polls once with a waker that does nothing.
pub(crate) fn poll_once<F: Future>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Polls with one waker, and then with another while `partner` comes, which is to complete the future. The waker of a poll
/// in vain has to be woken if no other poll followed it.
pub(crate) fn poll_with_two_wakers<F: Future>(
    mut future: Pin<&mut F>,
    partner: impl FnOnce() + Send + 'static,
) -> F::Output {
    let (first, last) = (Waker::from(Arc::new(Count::default())), Arc::new(Count::default()));
    assert!(future.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
    let partner = thread::spawn(partner);
    let polled = future.as_mut().poll(&mut Context::from_waker(&Waker::from(last.clone())));
    partner.join().unwrap();
    if let Poll::Ready(output) = polled {
        return output;
    }
    assert!(last.0.load(Ordering::SeqCst) > 0, "the waker of the last poll is woken");
    poll_once(future).expect("who is woken finds why")
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Drives `future` to its end. It waits on a condition variable: loom's `unpark` would also wake a thread that has come to
/// wait for something else by then.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let bell = Arc::new(Bell { rung: Mutex::new(false), changed: Condvar::new() });
    let waker = Waker::from(bell.clone());
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut rung = bell.rung.lock().unwrap();
        while !*rung {
            rung = bell.changed.wait(rung).unwrap();
        }
        *rung = false;
    }
}

struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock().unwrap() = true;
        self.changed.notify_one();
    }
}
