//! Tests of the crowd: that it says what is so, that nobody is forgotten in it, and that it spares the looking.

use proptest::prelude::*;

use super::super::crowd::MANY;
use super::*;
use crate::testing::within_limit;

#[derive(Clone, Debug)]
enum Step {
    /// So many come for so many permits each.
    Queue(usize, usize),
    Release(usize),
    Forget(usize),
    Try(usize),
    /// The one there is polled, or leaves.
    Poll(prop::sample::Index),
    Leave(prop::sample::Index),
    /// From there on all are polled.
    PollMany(prop::sample::Index),
    /// Those who have been called by now do not come in time.
    Lapse,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..2 * MANY, 1..4_usize).prop_map(|(many, need)| Step::Queue(many, need)),
        (1..3 * MANY).prop_map(Step::Release),
        (1..MANY).prop_map(Step::Forget),
        (1..4_usize).prop_map(Step::Try),
        any::<prop::sample::Index>().prop_map(Step::Poll),
        any::<prop::sample::Index>().prop_map(Step::Leave),
        any::<prop::sample::Index>().prop_map(Step::PollMany),
        Just(Step::Lapse),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_crowd_is_what_it_says_and_forgets_nobody(steps in prop::collection::vec(step(), 0..60)) {
        let permits = Permits::<false>::new(0);
        let mut waiters = Vec::new();
        for step in steps {
            match step {
                Step::Queue(many, need) => {
                    let new = (0..many).map(|_| Waiting::new(&permits, need));
                    waiters.extend(new.filter_map(Waiting::poll));
                }
                Step::Release(count) => permits.release(count),
                Step::Forget(count) => drop(permits.forget(count)),
                Step::Try(need) => drop(permits.try_acquire(need)),
                Step::Poll(at) if !waiters.is_empty() => {
                    let at = at.index(waiters.len());
                    let waiter: Waiting<'_> = waiters.remove(at);
                    waiter.poll().into_iter().for_each(|waiter| waiters.insert(at, waiter));
                }
                Step::Leave(at) if !waiters.is_empty() => drop(waiters.remove(at.index(waiters.len()))),
                Step::PollMany(at) if !waiters.is_empty() => {
                    let polled = waiters.split_off(at.index(waiters.len()));
                    waiters.extend(polled.into_iter().filter_map(Waiting::poll));
                }
                Step::Lapse => std::thread::sleep(LONG),
                Step::Poll(_) | Step::Leave(_) | Step::PollMany(_) => {}
            }
            permits.queue.lock().check_crowd();
        }
        permits.release(4 * waiters.len());
        prop_assert_eq!(waiters.into_iter().filter_map(Waiting::poll).count(), 0, "all can be served");
    }
}

/// One who leaves the queue when it is dropped.
struct Waiting<'a> {
    permits: &'a Permits<false>,
    want: Want,
    ticket: Ticket,
}

impl<'a> Waiting<'a> {
    fn new(permits: &'a Permits<false>, need: usize) -> Self {
        let want = Want::new(need, WaitKind::Semaphore);
        Self { permits, want, ticket: Ticket::new(Location::caller()) }
    }

    /// `None` with its permits, which it keeps.
    fn poll(mut self) -> Option<Self> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        self.permits.poll_acquire(&self.want, &mut self.ticket, &mut context).is_pending().then_some(self)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.permits.cancel(&mut self.ticket);
    }
}

#[test]
fn a_crowd_that_does_not_come_is_passed() {
    let permits = Permits::<false>::new(0);
    let mut ignored: Vec<_> = (0..2 * MANY).map(|_| wanting(&permits, 1)).collect();
    assert!(ignored.iter_mut().all(|waiter| waiter.poll().is_none()));
    let mut last = wanting(&permits, 2 * MANY);
    assert!(last.poll().is_none());
    permits.release(2 * MANY);
    assert!(permits.queue.lock().check_crowd());
    assert_eq!(last.wakes(), 1, "it is the witness");
    assert!(last.poll().is_none() && last.wakes() == 2, "and keeps awake");
    std::thread::sleep(LONG);
    assert!(last.poll().is_some());
}

/// 64 who have been called, and one behind them who wants more than there is.
fn crowd_and_one_behind(
    permits: &Permits<false>,
) -> (Vec<Waiting<'_>>, Task<impl Future<Output = Result<(), Closed>> + Unpin + '_>) {
    let crowd: Vec<_> = (0..MANY).filter_map(|_| Waiting::new(permits, 1).poll()).collect();
    let mut behind = wanting(permits, 2 * MANY);
    assert!(behind.poll().is_none());
    permits.release(MANY);
    assert!(permits.queue.lock().check_crowd());
    (crowd, behind)
}

#[test]
fn who_sleeps_behind_a_crowd_is_not_woken_by_that() {
    let permits = Permits::<false>::new(0);
    let (_crowd, mut behind) = crowd_and_one_behind(&permits);
    let before = behind.wakes();
    (0..100).for_each(|_| assert!(behind.poll().is_none()));
    // Now and then one has to look at everybody again.
    assert!(behind.wakes() - before < 10);
}

#[test]
fn who_stands_behind_a_crowd_that_has_come_is_not_called_as_its_witness() {
    let permits = Permits::<false>::new(0);
    let (crowd, mut behind) = crowd_and_one_behind(&permits);
    assert!(crowd.into_iter().all(|waiter| waiter.poll().is_none()));
    let woken = behind.wakes();
    assert!(behind.poll().is_none());
    permits.release(1);
    assert_eq!(behind.wakes(), woken);
}

#[test]
fn who_is_doubted_in_a_crowd_is_doubted_when_it_is_forgotten() {
    let permits = Permits::<false>::new(0);
    let mut crowd: Vec<_> = (0..2 * MANY).filter_map(|_| Waiting::new(&permits, 1).poll()).collect();
    let mut witness = wanting(&permits, 1);
    assert!(witness.poll().is_none());
    permits.release(2 * MANY);
    assert_eq!(permits.forget(2 * MANY), 2 * MANY);
    crowd = crowd.into_iter().filter_map(Waiting::poll).collect();
    assert!(witness.poll().is_none(), "all have come to a call, and are trusted for a millisecond");
    let woken = witness.wakes();
    permits.release(2 * MANY);
    let _anew = Waiting::new(&permits, 1).poll().expect("it has to wait");
    assert!(witness.wakes() > woken, "their task has turned away");

    assert_eq!(permits.forget(2 * MANY), 2 * MANY);
    assert!(witness.poll().is_none());
    let first = crowd.remove(0).poll().expect("it has come in vain, and the crowd is forgotten");
    let woken = witness.wakes();
    permits.release(2 * MANY);
    assert!(witness.wakes() > woken);
    drop((first, crowd));
}

#[test]
fn a_hundred_thousand_come_and_go_without_looking_at_each_other() {
    within_limit(|| {
        const ALL: usize = 100_000;
        let permits = Permits::<false>::new(0);
        let waiters: Vec<_> = (0..ALL).filter_map(|_| Waiting::new(&permits, 1).poll()).collect();
        let behind = Waiting::new(&permits, 2 * ALL).poll().expect("it has to wait");
        (0..ALL).for_each(|_| permits.release(1));
        for waiter in waiters {
            // It gets one where those who were called have not come in time.
            if permits.try_acquire(1).unwrap() {
                permits.release(1);
            }
            assert!(waiter.poll().is_none());
            permits.release(1);
        }
        permits.release(ALL);
        assert!(behind.poll().is_none());
    });
}
