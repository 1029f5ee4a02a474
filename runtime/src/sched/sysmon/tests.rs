//! Tests of single looks, which are the test's own; what they come to stands in `tests/stuck.rs`.

use super::*;
use crate::Builder;
use crate::common::within;

#[test]
fn what_is_withheld_is_given_back_when_a_poll_lasts() {
    within(60, || {
        let runtime = Builder::new().procs(2).sysmon(false).build().unwrap();
        let shared = runtime.handle().shared().clone();
        let Some(mut room) = Room::new() else { return };
        // As many polls as one likes, and machines that wait for cores all the time.
        let mut sample = Sample { at: clock::now(), polls: 0, waited: Duration::ZERO };
        let crowd = |room: &mut Room, sample: &mut Sample| {
            while !room.crowd.withholds() {
                sample.at += Duration::from_millis(10);
                sample.waited += Duration::from_millis(10);
                room.crowd.observe(*sample, 2);
            }
            shared.withhold(1);
        };
        crowd(&mut room, &mut sample);
        assert_eq!(shared.withheld(), 1);
        shared.make_room(&mut room, true);
        assert_eq!((shared.withheld(), room.crowd.withholds()), (0, false));

        crowd(&mut room, &mut sample);
        shared.make_room(&mut room, false);
        assert_eq!(shared.withheld(), 1, "nothing lasts");
    });
}
