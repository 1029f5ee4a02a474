//! Models of the claim word alone.

use std::task::Waker;

use ::loom::model;
use ::loom::thread;
use pirn_sync::primitive::{Arc, Mutex};

use super::{Attempt, Begin, Claim, Flag};

#[test]
fn two_claimers_one_winner() {
    model(|| {
        let claim = Arc::new(Claim::new());
        assert!(claim.settle());
        let partners: Vec<_> = (0..2)
            .map(|case| {
                let claim = claim.clone();
                thread::spawn(move || claim.try_claim(case))
            })
            .collect();
        let found = claim.begin();
        let attempts: Vec<_> = partners.into_iter().map(|partner| partner.join().unwrap()).collect();
        let winners = attempts.iter().filter(|attempt| **attempt == Attempt::Won).count();
        match found {
            Begin::Claimed(case) => assert_eq!((attempts[case as usize], winners), (Attempt::Won, 1)),
            Begin::Busy { .. } => assert_eq!(winners, 0, "the owner commits alone"),
            Begin::Roused => unreachable!("nobody rouses"),
        }
    });
}

#[test]
fn busy_partner_is_flagged() {
    model(|| {
        // The lock stands for a channel's; `true` for something left there that the select could use.
        let left = Arc::new(Mutex::new(false));
        let claim = Arc::new(Claim::new());
        let (other_left, other) = (left.clone(), claim.clone());
        let partner = thread::spawn(move || {
            let mut left = other_left.lock();
            if other.try_claim(0) == Attempt::Busy && other.flag() == Flag::Set {
                *left = true;
            }
        });
        let mut found = false;
        while !claim.settle() {
            found |= *left.lock();
        }
        partner.join().unwrap();
        assert_eq!(found, *left.lock(), "it went to sleep beside what was left for it");
    });
}

#[test]
fn the_waker_goes_to_the_claimer() {
    model(|| {
        let claim = Arc::new(Claim::new());
        let other = claim.clone();
        let partner =
            thread::spawn(move || other.try_claim(0) == Attempt::Won && other.take_waker().is_some());
        claim.set_waker(Waker::noop());
        assert!(claim.settle());
        let claimed = matches!(claim.begin(), Begin::Claimed(0));
        if !claimed {
            claim.set_waker(Waker::noop());
        }
        assert_eq!(partner.join().unwrap(), claimed, "claimed, and with a waker to wake");
    });
}

#[test]
fn the_waker_goes_to_the_rouser() {
    model(|| {
        let claim = Arc::new(Claim::new());
        let other = claim.clone();
        let partner = thread::spawn(move || other.rouse().is_some());
        claim.set_waker(Waker::noop());
        let waited = claim.settle();
        let found = claim.begin();
        if let Begin::Busy { .. } = found {
            claim.set_waker(Waker::noop());
        }
        let woken = partner.join().unwrap();
        match found {
            Begin::Busy { look: true } | Begin::Roused => assert!(waited && woken),
            Begin::Busy { look: false } => {
                assert!(!woken);
                assert!(
                    !waited || matches!(claim.begin(), Begin::Busy { look: true }),
                    "flagged for the next look"
                );
            }
            Begin::Claimed(_) => unreachable!("nobody claims"),
        }
    });
}
