//! Tests of where a descriptor is at home, and when it moves; the system calls are closures.

use std::cell::RefCell;

use super::*;

#[test]
fn a_descriptor_moves_after_eight_waits_in_a_row_elsewhere() {
    let home = Home::new(0);
    let waits = |set, times: u32| (0..times).filter(|_| home.should_move(set)).count();
    assert_eq!(waits(1, AWAY - 1), 0);
    assert_eq!(waits(0, 1), 0);
    assert_eq!(waits(1, AWAY - 1), 0, "a wait at home begins the count anew");
    assert_eq!(waits(1, 1), 1);
    home.move_to(1, |_| Ok(()), |_| ());
    assert_eq!(waits(1, 2 * AWAY), 0);
}

#[test]
fn a_descriptor_that_was_taken_over_moves_at_the_next_wait() {
    let home = Home::new(0);
    home.will_move();
    assert!(home.should_move(1));
    home.will_move();
    assert!(!home.should_move(0), "whoever took it over did not run its task");
    assert!(!home.should_move(1));
}

#[test]
fn a_move_registers_before_it_leaves() {
    let home = Home::new(0);
    let calls = RefCell::new(Vec::new());
    let register = |set| {
        calls.borrow_mut().push(("register", set));
        Ok(())
    };
    home.move_to(2, register, |set| calls.borrow_mut().push(("leave", set)));
    assert_eq!(*calls.borrow(), [("register", 2), ("leave", 0)]);
}

#[test]
fn where_a_move_fails_the_old_home_keeps_it() {
    let home = Home::new(0);
    home.move_to(1, |_| Err(io::ErrorKind::OutOfMemory.into()), |_| panic!("it has no other home"));
    assert_eq!(home.close(|set| set), 0);
}

#[test]
fn a_closed_descriptor_does_not_move() {
    let home = Home::new(0);
    assert_eq!(home.close(|set| set), 0);
    home.move_to(1, |_| panic!("the number may be another's"), |_| ());
}

#[test]
fn the_cpu_of_arrival_comes_before_the_processor_that_registers() {
    let homes = Homes::new(2);
    assert_eq!(homes.choose(Some(9), Some(0)), 0, "nobody was seen on that CPU");
    homes.seen_here(1);
    let cpu = epoll::this_cpu().unwrap();
    homes.on_cpu[cpu % CPUS].store(2, Relaxed);
    assert_eq!(homes.choose(Some(cpu), Some(0)), 1);
    assert_eq!(homes.choose(None, Some(3)), 1, "more processors than sets share them");
    let in_turn = [homes.choose(None, None), homes.choose(None, None)];
    assert_eq!(in_turn, [0, 1]);
}
