//! Tests of the timers of one processor, with wakers that count; time is a number.

use super::*;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

fn new_home() -> TimerHome {
    TimerHome::new(Epoch::new(pirn_sync::clock::now()))
}

fn expire(home: &TimerHome, now: u64) -> usize {
    let mut due = Vec::new();
    while home.expire(now, &mut due) {}
    due.len()
}

#[test]
fn the_next_deadline_is_published() {
    let home = new_home();
    assert_eq!(home.next_deadline(), u64::MAX);
    let (late, earliest) = home.insert(900, Waker::noop().clone()).unwrap();
    assert!(earliest);
    let (early, earliest) = home.insert(10, Waker::noop().clone()).unwrap();
    assert!(earliest);
    let (_, earliest) = home.insert(10, Waker::noop().clone()).unwrap();
    assert!(!earliest, "nobody needs to wake up sooner for it");
    assert_eq!(home.next_deadline(), 10);
    assert!(home.cancel(early));
    assert_eq!(expire(&home, 10), 1);
    assert_eq!(home.next_deadline(), 900);
    assert!(home.cancel(late));
    assert_eq!((home.next_deadline(), home.len()), (u64::MAX, 0));
}

#[test]
fn the_waker_of_a_pending_timer_can_be_replaced() {
    let home = new_home();
    let ((first, first_waker), (second, second_waker)) = (counting(), counting());
    let (key, _) = home.insert(5, first_waker).unwrap();
    assert_eq!(home.update(key, 5, &second_waker), EntryState::Pending);
    assert_eq!(Arc::strong_count(&first), 1, "the old waker is dropped");
    assert_eq!(home.update(key, 5, &second_waker), EntryState::Pending);
    assert_eq!(Arc::strong_count(&second), 3, "the same waker is not cloned again");
    let mut due = Vec::new();
    home.expire(5, &mut due);
    due.drain(..).for_each(Waker::wake);
    assert_eq!(second.0.load(Ordering::Relaxed), 1);
    assert_eq!(home.update(key, 5, &second_waker), EntryState::Fired);
    assert!(!home.cancel(key));
}

#[test]
fn a_pending_timer_can_be_put_off_and_not_brought_forward() {
    let home = new_home();
    let (count, waker) = counting();
    let (key, _) = home.insert(1_000, waker.clone()).unwrap();
    assert_eq!(home.update(key, 5_000_000, &waker), EntryState::PutOff);
    assert_eq!(home.update(key, 4_999_999, &waker), EntryState::Later, "it stays where it was");
    assert_eq!(Arc::strong_count(&count), 3, "one timer, one waker");
    assert_eq!(expire(&home, 4_999_999), 0);
    assert_eq!((home.len(), home.next_deadline()), (1, 5_000_000));
    assert_eq!(expire(&home, 5_000_000), 1);
}

#[test]
fn a_closed_home_hands_everything_out_and_takes_nothing() {
    let home = new_home();
    let keys: Vec<_> =
        (1..=10).map(|n| home.insert(n * 1_000_000, Waker::noop().clone()).unwrap().0).collect();
    let mut out = Vec::new();
    home.close(&mut out);
    home.close(&mut out);
    assert_eq!(out.len(), 10);
    assert!(home.insert(1, Waker::noop().clone()).is_err());
    assert_eq!(home.update(keys[0], 5, Waker::noop()), EntryState::Closed);
    assert!(!home.cancel(keys[0]));
    assert_eq!((home.len(), home.next_deadline(), expire(&home, 1 << 40)), (0, u64::MAX, 0));
}

/// A waker whose clone and drop come back to the home: H2 broken is a deadlock, or a panic in this test.
struct Reentrant(std::sync::Weak<TimerHome>);

impl Wake for Reentrant {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        if let Some(home) = self.0.upgrade() {
            assert!(home.wheel.try_lock().is_some(), "dropped under the lock");
        }
    }
}

#[test]
fn no_waker_is_dropped_under_the_lock() {
    let home = Arc::new(new_home());
    let waker = || Waker::from(Arc::new(Reentrant(Arc::downgrade(&home))));
    let (key, _) = home.insert(5, waker()).unwrap();
    assert_eq!(home.update(key, 5, &waker()), EntryState::Pending);
    assert!(home.cancel(key));
    home.insert(5, waker()).unwrap();
    home.insert(u64::MAX, waker()).unwrap();
    assert_eq!(expire(&home, 5), 1);
    home.close(&mut Vec::new());
    drop(home.insert(5, waker()));
}

#[test]
fn of_cancel_and_expire_exactly_one_wins() {
    let home = Arc::new(new_home());
    let (count, waker) = counting();
    let mut cancelled = 0;
    std::thread::scope(|scope| {
        let keys: Vec<_> = (1..=2_000).map(|n| home.insert(n, waker.clone()).unwrap().0).collect();
        scope.spawn(|| {
            let mut due = Vec::new();
            for now in 1..=2_000 {
                while home.expire(now, &mut due) {}
                due.drain(..).for_each(Waker::wake);
            }
        });
        cancelled = keys.into_iter().rev().filter(|&key| home.cancel(key)).count();
    });
    assert_eq!(cancelled + count.0.load(Ordering::Relaxed), 2_000);
    assert_eq!((home.len(), home.next_deadline()), (0, u64::MAX));
}
