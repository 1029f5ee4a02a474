//! Tests of what the kernel says of a thread.

use super::*;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

/// More threads that compute than there are cores: some wait, and it is seen. They end with the test.
#[test]
fn threads_that_outnumber_the_cores_wait_for_them() {
    let Some(mut waits) = Waits::new() else { return };
    let cores = thread::available_parallelism().unwrap().get();
    let (stop, stopped) = mpsc::channel::<()>();
    let stopped = std::sync::Arc::new(std::sync::Mutex::new(stopped));
    let (numbers, threads) = mpsc::channel();
    let burners: Vec<_> = (0..2 * cores)
        .map(|_| {
            let (numbers, stopped) = (numbers.clone(), stopped.clone());
            thread::spawn(move || {
                numbers.send(this_thread()).unwrap();
                while stopped
                    .try_lock()
                    .map_or(true, |stopped| stopped.try_recv() != Err(mpsc::TryRecvError::Disconnected))
                {
                }
            })
        })
        .collect();
    let threads: Vec<_> = threads.iter().take(2 * cores).collect();
    let begun = Instant::now();
    let waited = loop {
        threads.iter().for_each(|&thread| waits.see(thread));
        let waited = waits.total();
        if waited > Duration::from_millis(20) || begun.elapsed() > Duration::from_secs(30) {
            break waited;
        }
    };
    drop(stop);
    burners.into_iter().for_each(|burner| burner.join().unwrap());
    assert!(waited > Duration::from_millis(20), "{waited:?}");
    waits.threads.clear();
    assert!(waits.total() >= waited, "what was waited is not forgotten with the thread");
}

#[test]
fn a_thread_that_has_ended_is_counted_no_more() {
    const NO_THREAD: i32 = i32::MAX;
    let Some(mut waits) = Waits::new() else { return };
    waits.see(NO_THREAD);
    waits.see(0);
    assert!(waits.threads.is_empty());
    waits.threads.push(Seen { thread: NO_THREAD, waited: Duration::ZERO, ago: 0 });
    assert_eq!((waits.total(), waits.threads.len()), (Duration::ZERO, 0));
}

/// A thread that sleeps is known for some looks, and for as long as somebody sees it.
#[test]
fn a_thread_that_nobody_sees_is_forgotten() {
    let Some(mut waits) = Waits::new() else { return };
    let (end, ends) = mpsc::channel::<()>();
    let (number, thread) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        number.send(this_thread()).unwrap();
        ends.recv()
    });
    let thread = thread.recv().unwrap();
    for _ in 0..3 * Waits::FORGOTTEN {
        waits.see(thread);
        waits.total();
        assert_eq!(waits.threads.len(), 1);
    }
    let begun = Instant::now();
    let mut looks = 0;
    while !waits.threads.is_empty() {
        waits.total();
        looks += 1;
        assert!(begun.elapsed() < Duration::from_secs(30), "still known after {looks} looks");
    }
    assert!(looks >= Waits::FORGOTTEN, "forgotten after {looks} looks");
    drop(end);
    sleeper.join().unwrap().unwrap_err();
}
