//! Models of the claim word alone.

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
