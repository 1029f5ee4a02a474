//! Tests of the table: a token finds its own descriptor or nothing.

use super::*;

fn insert(table: &mut Table, fd: RawFd) -> Token {
    table.insert(fd, |token| Descriptor::new(fd, token, 0)).expect("the table is open").token()
}

#[test]
fn a_token_finds_its_own_descriptor_only() {
    let mut table = Table::default();
    let (a, b) = (insert(&mut table, 3), insert(&mut table, 9));
    assert_ne!(a, b);
    assert_eq!(table.get(a).map(Descriptor::token), Some(a));
    assert_eq!(table.get(b).map(Descriptor::token), Some(b));
    assert_eq!(table.len(), 2);
}

#[test]
fn a_late_token_of_a_reused_slot_finds_nobody() {
    let mut table = Table::default();
    let old = insert(&mut table, 3);
    assert!(table.remove(old).is_some());
    let new = insert(&mut table, 3);
    assert_eq!(old.slot(), new.slot(), "the slot is used again");
    assert!(table.get(old).is_none());
    assert!(table.get(new).is_some());
    assert!(table.remove(old).is_none(), "a second removal does not hit the successor");
    assert_eq!(table.len(), 1);
}

#[test]
fn a_closed_table_is_empty_and_stays_so() {
    let mut table = Table::default();
    let token = insert(&mut table, 3);
    assert_eq!(table.close().len(), 1);
    assert_eq!(table.len(), 0);
    assert!(table.get(token).is_none());
    assert!(table.insert(3, |token| Descriptor::new(3, token, 0)).is_err());
}

#[test]
fn tokens_survive_their_bits() {
    let token = Token::new(5, u32::MAX);
    assert_eq!(Token::from_bits(token.to_bits()), token);
    assert_eq!((token.slot(), token.generation()), (5, u32::MAX));
}
