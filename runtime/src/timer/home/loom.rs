//! Models of the races around one timer. They build on the claim that everything goes through the lock.

use super::*;
use ::loom::sync::atomic::AtomicUsize;
use ::loom::thread;
use std::sync::Arc;
use std::task::Wake;

struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count(AtomicUsize::new(0)));
    (Arc::clone(&count), Waker::from(count))
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

fn new_home() -> TimerHome {
    TimerHome::new(Epoch::new(pirn_sync::clock::now()))
}

/// H1, once nobody else is at it.
fn assert_next_is_the_wheels(home: &TimerHome) {
    let wheels = home.wheel.lock().as_ref().map_or(NEVER, Wheel::next_deadline);
    assert_eq!(home.next_deadline(), wheels, "H1");
}

fn fire(home: &TimerHome, now: u64) {
    let mut due = Vec::new();
    while home.expire(now, &mut due) {}
    due.drain(..).for_each(Waker::wake);
}

#[test]
fn cancel_against_fire_has_one_winner() {
    model(|| {
        let home = Arc::new(new_home());
        let (count, waker) = counting();
        let (key, _) = home.insert(5, waker).unwrap();
        let firing = {
            let home = Arc::clone(&home);
            thread::spawn(move || fire(&home, 5))
        };
        let cancelled = home.cancel(key);
        firing.join().unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), usize::from(!cancelled));
        assert_eq!((home.len(), home.next_deadline()), (0, NEVER));
    });
}

#[test]
fn two_that_fire_wake_once() {
    model(|| {
        let home = Arc::new(new_home());
        let (count, waker) = counting();
        home.insert(5, waker).unwrap();
        let firing = {
            let home = Arc::clone(&home);
            thread::spawn(move || fire(&home, 6))
        };
        fire(&home, 5);
        firing.join().unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn an_update_that_says_pending_is_heard() {
    model(|| {
        let home = Arc::new(new_home());
        let ((old, old_waker), (new, new_waker)) = (counting(), counting());
        let (key, _) = home.insert(5, old_waker).unwrap();
        let firing = {
            let home = Arc::clone(&home);
            thread::spawn(move || fire(&home, 5))
        };
        let state = home.update(key, 5, &new_waker);
        firing.join().unwrap();
        let woken = (old.0.load(Ordering::Relaxed), new.0.load(Ordering::Relaxed));
        assert_eq!(woken, if state == EntryState::Pending { (0, 1) } else { (1, 0) });
    });
}

#[test]
fn what_is_put_off_has_not_fired_and_fires_later() {
    model(|| {
        let home = Arc::new(new_home());
        let (count, waker) = counting();
        let (key, _) = home.insert(5, waker.clone()).unwrap();
        let firing = {
            let home = Arc::clone(&home);
            thread::spawn(move || fire(&home, 5))
        };
        let put_off = home.update(key, 900, &waker) == EntryState::PutOff;
        firing.join().unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), usize::from(!put_off));
        fire(&home, 900);
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn an_insert_against_close_is_refused_or_handed_out() {
    model(|| {
        let home = Arc::new(new_home());
        let closing = {
            let home = Arc::clone(&home);
            thread::spawn(move || {
                let mut out = Vec::new();
                home.close(&mut out);
                out.len()
            })
        };
        let refused = home.insert(5, Waker::noop().clone()).is_err();
        assert_eq!(closing.join().unwrap(), usize::from(!refused));
        assert_eq!((home.len(), home.next_deadline()), (0, NEVER));
    });
}

/// `change` does something with the timer that is due at 5 while a later one is set, for 40.
fn insert_against(change: fn(&TimerHome, Key)) {
    model(move || {
        let home = Arc::new(new_home());
        let (key, _) = home.insert(5, Waker::noop().clone()).unwrap();
        let changing = {
            let home = Arc::clone(&home);
            thread::spawn(move || change(&home, key))
        };
        let _key = home.insert(40, Waker::noop().clone());
        changing.join().unwrap();
        assert_next_is_the_wheels(&home);
    });
}

#[test]
fn what_is_published_last_is_what_the_wheel_says() {
    insert_against(|home, key| assert!(home.cancel(key)));
    insert_against(|home, key| assert_eq!(home.update(key, 900, Waker::noop()), EntryState::PutOff));
    insert_against(|home, _| fire(home, 5));
    insert_against(|home, _| home.close(&mut Vec::new()));
}
