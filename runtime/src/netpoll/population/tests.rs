//! Tests of which set it is enough to wait for.

use super::*;

#[test]
fn one_set_is_enough_while_it_holds_everything() {
    let population = Population::new(3);
    assert_eq!(population.one_set(1), Some(1), "nothing is registered: the usual one");
    assert!(!population.arrive(2));
    assert_eq!(population.one_set(1), Some(2));
    assert!(!population.arrive(0));
    assert_eq!(population.one_set(1), None);
    population.leave(2);
    assert_eq!(population.one_set(1), Some(0));
}

#[test]
fn who_waits_alone_is_woken_for_another_set_only() {
    let population = Population::new(2);
    let wakes = population.alone(0, || (population.arrive(0), population.arrive(1)));
    assert_eq!(wakes, Some((false, true)));
    assert!(!population.arrive(1), "nobody waits any more");
}

#[test]
fn nobody_waits_alone_while_another_set_holds_a_descriptor() {
    let population = Population::new(2);
    assert!(!population.arrive(1));
    assert_eq!(population.alone(0, || ()), None);
    assert!(!population.arrive(1), "and nobody is said to");
}
