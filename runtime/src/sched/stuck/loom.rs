//! Models of sysmon that lends a spare against the machine that comes back.

use super::super::counters::Counters;
use super::*;
use ::loom::sync::Arc;
use ::loom::thread;

fn model(f: impl Fn() + Sync + Send + 'static) {
    let mut builder = ::loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(f);
}

/// A processor whose machine is inside a poll.
fn inside_a_poll() -> Arc<(Stuck, Counters)> {
    let processor = Arc::new((Stuck::new(), Counters::default()));
    processor.1.poll_edge();
    processor
}

/// E1 and E2; how many processors the machine has retired.
fn come_back(processor: &(Stuck, Counters)) -> usize {
    processor.1.poll_edge();
    usize::from(processor.0.take_replaced().is_some())
}

/// R1 to R3; how many spares are lent.
fn look(processor: &(Stuck, Counters), judged: u64) -> usize {
    let still_stuck = || processor.1.raw_polls() == judged;
    usize::from(processor.0.replace(Replaced::Burning, still_stuck))
}

#[test]
fn a_processor_is_retired_for_each_that_is_lent() {
    model(|| {
        let processor = inside_a_poll();
        let judged = processor.1.raw_polls();
        let machine = {
            let processor = processor.clone();
            thread::spawn(move || come_back(&processor))
        };
        let lent = look(&processor, judged);
        let retired = machine.join().unwrap();
        // A flag that the machine has not seen yet is retired at the end of its next poll.
        let still_to_come = usize::from(processor.0.is_replaced());
        assert_eq!(lent, retired + still_to_come);
    });
}

#[test]
fn a_machine_that_was_replaced_retires_once() {
    model(|| {
        let processor = inside_a_poll();
        let judged = processor.1.raw_polls();
        let machine = {
            let processor = processor.clone();
            thread::spawn(move || {
                let first = come_back(&processor);
                processor.1.poll_edge();
                first + come_back(&processor)
            })
        };
        let lent = look(&processor, judged);
        let retired = machine.join().unwrap();
        assert_eq!(lent, retired + usize::from(processor.0.is_replaced()));
        assert_eq!(come_back(&processor) + retired, lent, "the next poll's end settles what is left");
    });
}

#[test]
fn a_machine_that_is_back_is_not_replaced() {
    model(|| {
        let processor = inside_a_poll();
        let judged = processor.1.raw_polls();
        let machine = {
            let processor = processor.clone();
            thread::spawn(move || come_back(&processor))
        };
        assert_eq!(machine.join().unwrap(), 0);
        assert_eq!(look(&processor, judged), 0, "R3");
        assert!(!processor.0.is_replaced(), "withdrawn");
    });
}
