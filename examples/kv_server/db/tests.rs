//! The keyspace against its rules: atomic commands, cursors, deadlines.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Db;
use super::clock::NEVER;
use super::value::{List, Value};

fn set(db: &Db, key: &str, value: &str) {
    db.at(0, key.as_bytes(), |place| place.set_string(value.as_bytes()));
}

fn get(db: &Db, now: u64, key: &str) -> Option<String> {
    db.at(now, key.as_bytes(), |place| {
        place.string().unwrap().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    })
}

/// A whole scan; how often each key came.
fn scan(db: &Db, count: usize, mut between: impl FnMut(usize)) -> Vec<String> {
    let (mut cursor, mut found) = (0, Vec::new());
    loop {
        cursor =
            db.scan(0, cursor, count, |entry| found.push(String::from_utf8(entry.key.to_vec()).unwrap()));
        if cursor == 0 {
            return found;
        }
        between(found.len());
    }
}

#[test]
fn a_scan_returns_every_key_once() {
    for keys in [0, 1, 100, 10_000] {
        let db = Db::new(None);
        (0..keys).for_each(|key| set(&db, &key.to_string(), ""));
        for count in [1, 10, 1000, usize::MAX] {
            let found = scan(&db, count, |_| {});
            assert_eq!((found.len(), found.into_iter().collect::<BTreeSet<_>>().len()), (keys, keys));
        }
    }
}

#[test]
fn a_scan_returns_what_stays_while_tables_grow() {
    let db = Db::new(None);
    (0..500).for_each(|key| set(&db, &key.to_string(), ""));
    let mut more = 0..20;
    let found = scan(&db, 10, |_| {
        let Some(round) = more.next() else { return };
        (0..1000).for_each(|key| set(&db, &format!("new {round} {key}"), ""));
    });
    let stayed: Vec<_> = found.iter().filter(|key| !key.starts_with("new")).collect();
    assert_eq!(stayed.len(), 500, "each once");
    assert_eq!(stayed.into_iter().collect::<BTreeSet<_>>().len(), 500);
}

#[test]
fn a_scan_takes_about_as_many_as_it_is_asked_for() {
    let db = Db::new(None);
    (0..100_000).for_each(|key| set(&db, &key.to_string(), ""));
    let mut last = 0;
    scan(&db, 10, |found| {
        assert!(found - last <= 60, "{} at once", found - last);
        last = found;
    });
}

#[test]
fn a_key_is_gone_from_its_deadline_on() {
    let db = Db::new(None);
    set(&db, "key", "value");
    db.at(0, b"key", |place| place.set_deadline(100));
    assert_eq!(get(&db, 99, "key").as_deref(), Some("value"));
    assert_eq!(get(&db, 100, "key"), None);
    assert_eq!(db.len(), (0, 0), "who asked has removed it");
}

#[test]
fn the_sweep_removes_what_is_due_and_tells_what_comes_next() {
    let db = Db::new(None);
    for key in 0..1000 {
        set(&db, &key.to_string(), "");
        db.at(0, key.to_string().as_bytes(), |place| place.set_deadline(key + 1));
    }
    set(&db, "stays", "");
    assert_eq!(db.expire(700), Some(701));
    assert_eq!(db.len(), (301, 300));
    assert_eq!(db.expire(1000), None);
    assert_eq!(db.len(), (1, 0));
}

#[test]
fn a_deadline_that_was_moved_does_not_strike() {
    let db = Db::new(None);
    for key in ["persisted", "prolonged", "replaced", "removed"] {
        set(&db, key, "old");
        db.at(0, key.as_bytes(), |place| place.set_deadline(100));
    }
    db.at(0, b"persisted", |place| place.set_deadline(NEVER));
    db.at(0, b"prolonged", |place| place.set_deadline(300));
    db.at(0, b"replaced", |place| place.set(Value::String("new".as_bytes().into()), NEVER));
    assert!(db.at(0, b"removed", |place| place.remove()));
    set(&db, "removed", "new");
    assert_eq!(db.expire(200), Some(300));
    assert_eq!(db.len(), (4, 1));
}

#[test]
fn a_list_goes_with_its_last_element() {
    let db = Db::new(None);
    db.at(0, b"list", |place| {
        place.change_or_new(1, |list: &mut List| list.push_back("a".as_bytes().into()))
    })
    .unwrap();
    assert!(db.at(0, b"list", |place| place.exists()));
    db.at(0, b"list", |place| place.change(|list: &mut List| list.pop_front())).unwrap();
    assert!(!db.at(0, b"list", |place| place.exists()));
    assert_eq!(db.len(), (0, 0));
}

#[test]
fn tables_shrink_when_their_keys_go() {
    const KEYS: u64 = 50_000;
    let size = |db: &Db| db.shards.iter().map(|shard| shard.0.lock().table.allocation_size()).sum::<usize>();
    let full = |deadline| {
        let db = Db::new(None);
        for key in 0..KEYS {
            set(&db, &key.to_string(), "");
            db.at(0, key.to_string().as_bytes(), |place| place.set_deadline(deadline));
        }
        set(&db, "stays", "");
        db
    };
    let (removed, expired) = (full(NEVER), full(100));
    let before = size(&removed);
    (0..KEYS).for_each(|key| assert!(removed.at(0, key.to_string().as_bytes(), |place| place.remove())));
    assert_eq!(expired.expire(100), None);
    for db in [removed, expired] {
        assert!(size(&db) < before / 4, "{} of {before} bytes are kept", size(&db));
        assert_eq!(get(&db, 0, "stays").as_deref(), Some(""));
        assert_eq!(db.len(), (1, 0));
    }
}

#[test]
fn several_keys_change_at_one_moment() {
    let db = Arc::new(Db::new(None));
    let keys: [&[u8]; 5] = [b"a", b"b", b"c", b"d", b"e"];
    let write = |db: &Db, value: &str| {
        db.all(0, keys.into_iter(), |several| {
            keys.iter().for_each(|key| several.at(key, |place| place.set_string(value.as_bytes())));
        });
    };
    write(&db, "0");
    std::thread::scope(|scope| {
        for writer in 0..2 {
            scope.spawn({
                let db = db.clone();
                move || (0..3000).for_each(|round| write(&db, &format!("{writer} {round}")))
            });
        }
        for _ in 0..3000 {
            let seen: BTreeSet<_> = db.all(0, keys.into_iter(), |several| {
                keys.map(|key| several.at(key, |place| place.string().unwrap().cloned()))
                    .into_iter()
                    .collect()
            });
            assert_eq!(seen.len(), 1, "half of a write was seen");
        }
    });
}
