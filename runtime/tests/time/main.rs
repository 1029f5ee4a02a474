//! The promises of `pirn::time`, each sentence of its contract by name, on the real scheduler.

mod channels;
mod futures;
mod runtimes;
mod scale;

use std::sync::mpsc;
use std::time::Duration;

/// Runs `body` on a thread of its own and fails if it does not end within a minute.
fn in_time<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = mpsc::channel();
    let thread = std::thread::spawn(move || drop(sender.send(body())));
    match receiver.recv_timeout(Duration::from_secs(60)) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the test did not end in time"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            std::panic::resume_unwind(thread.join().expect_err("it ended without a result"))
        }
    }
}

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
