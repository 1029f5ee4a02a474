//! A model of the lock: two threads, one at a time.

use ::loom::model;
use ::loom::thread;
use pirn_sync::primitive::Arc;

use super::SpinLock;

#[test]
fn one_at_a_time() {
    model(|| {
        let lock = Arc::new(SpinLock::new(0));
        let other = lock.clone();
        let thread = thread::spawn(move || other.with(|n| *n += 1));
        lock.with(|n| *n += 1);
        thread.join().unwrap();
        assert_eq!(lock.with(|n| *n), 2);
    });
}
