//! Tests of single looks, which are the test's own; what they come to stands in `tests/stuck.rs`.

use super::judge::SLICE;
use super::*;
use crate::common::{eventually, within};
use crate::{Builder, yield_now};
use std::hint::spin_loop;
use std::time::Instant;

struct Ends(Arc<AtomicBool>);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_machine_that_computes_is_made_up_for_only_if_nobody_gets_on() {
    within(60, || {
        let runtime = Builder::new().procs(2).sysmon(false).build().unwrap();
        let shared = runtime.handle().shared().clone();
        let over = Arc::new(AtomicBool::new(false));
        // Before the runtime is dropped, also by a test that fails.
        let _ends = Ends(over.clone());
        let spinning = Arc::new(AtomicUsize::new(0));
        let spinner = || {
            let (over, spinning) = (over.clone(), spinning.clone());
            runtime.spawn(async move {
                spinning.fetch_add(1, Ordering::Relaxed);
                while !over.load(Ordering::Relaxed) {
                    spin_loop();
                }
            })
        };
        let mut tasks = vec![spinner()];
        eventually(|| spinning.load(Ordering::Relaxed) == 1);
        tasks.extend((0..3).map(|_| {
            let over = over.clone();
            runtime.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    yield_now().await;
                }
            })
        }));
        let polls = || shared.roster.list().iter().map(|remote| remote.counters.raw_polls()).sum::<u64>();
        let mut notes = Notes::default();
        shared.tick(&mut notes);
        let begun = Instant::now();
        while begun.elapsed() < 3 * SLICE {
            let before = polls();
            eventually(|| polls() > before + 10);
            shared.tick(&mut notes);
        }
        assert_eq!(shared.roster.list().len(), 2, "no spare was made");

        tasks.push(spinner());
        eventually(|| spinning.load(Ordering::Relaxed) == 2);
        while shared.roster.list().len() == 2 {
            shared.tick(&mut notes);
        }
        over.store(true, Ordering::Relaxed);
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
    });
}

#[test]
fn a_while_after_a_spare_was_needed_the_next_comes_sooner() {
    let mut notes = Notes::default();
    let begun = Instant::now();
    let after = |milliseconds| begun + Duration::from_millis(milliseconds);
    assert_eq!(notes.patience(false, begun), SLICE);
    assert!(notes.patience(true, begun) < SLICE);
    assert!(notes.patience(true, after(100)) < SLICE);
    assert!(notes.patience(false, after(599)) < SLICE, "half a second after it was there last");
    assert_eq!(notes.patience(false, after(600)), SLICE);
}

#[test]
fn what_is_withheld_is_given_back_when_a_poll_lasts() {
    within(60, || {
        let runtime = Builder::new().procs(2).sysmon(false).build().unwrap();
        let shared = runtime.handle().shared().clone();
        let Some(mut room) = Room::new() else { return };
        // As many polls with one processor as with two, and machines that wait for cores all the time.
        let mut sample = Sample { at: clock::now(), polls: 0, waited: Duration::ZERO, queued: 0 };
        let crowd = |room: &mut Room, sample: &mut Sample| {
            while room.crowd.withheld() == 0 {
                sample.at += Duration::from_millis(10);
                sample.waited += Duration::from_millis(10);
                sample.polls += 100;
                room.crowd.observe(*sample, 2);
            }
            shared.withhold(1);
        };
        crowd(&mut room, &mut sample);
        assert_eq!(shared.withheld(), 1);
        shared.make_room(&mut room, true);
        assert_eq!((shared.withheld(), room.crowd.withheld()), (0, 0));

        crowd(&mut room, &mut sample);
        shared.make_room(&mut room, false);
        assert_eq!(shared.withheld(), 1, "nothing lasts");
    });
}
