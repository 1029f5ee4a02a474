//! Models of the token between a parker and those who unpark it.

use super::*;
use ::loom::sync::Arc;
use ::loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use ::loom::thread;

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

/// `others` threads each write a flag and unpark; the parker parks until it has seen all flags. A token that
/// did not carry the write would leave it parked for ever, which loom reports.
fn writers(others: usize) {
    model(move || {
        let parker = Parker::new();
        let written: Vec<_> = (0..others).map(|_| Arc::new(AtomicUsize::new(0))).collect();
        let threads: Vec<_> = written
            .iter()
            .map(|flag| {
                let (flag, unparker) = (flag.clone(), parker.unparker().clone());
                thread::spawn(move || {
                    flag.store(1, Relaxed);
                    unparker.unpark();
                })
            })
            .collect();
        while written.iter().any(|flag| flag.load(Relaxed) == 0) {
            parker.park();
        }
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_token_carries_what_was_written() {
    writers(1);
}

#[test]
fn one_token_carries_what_two_have_written() {
    writers(2);
}

#[test]
fn the_threads_own_token_is_no_token() {
    model(|| {
        let parker = Parker::new();
        let flag = Arc::new(AtomicUsize::new(0));
        // As user code on this thread may: std's token is there, ours is not.
        thread::current().unpark();
        let other = {
            let (flag, unparker) = (flag.clone(), parker.unparker().clone());
            thread::spawn(move || {
                flag.store(1, Relaxed);
                unparker.unpark();
            })
        };
        parker.park();
        assert_eq!(flag.load(Relaxed), 1);
        other.join().unwrap();
    });
}
