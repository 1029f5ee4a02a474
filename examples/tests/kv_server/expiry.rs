//! Keys that go by themselves.

use std::time::{Duration, Instant};

use crate::Server;

#[test]
fn deadlines_are_told_moved_and_taken_away() {
    let server = Server::start(&[]);
    server.client().table(&[
        ("ttl k", "-2"),
        ("set k v", "OK"),
        ("ttl k", "-1"),
        ("expire k 100", "1"),
        ("ttl k", "100"),
        ("expire k 50 gt", "0"),
        ("expire k 50 lt", "1"),
        ("expire k 50 nx", "0"),
        ("expire k 60 xx", "1"),
        ("expire k 60 yy", "!ERR Unsupported option yy"),
        ("expire k 9223372036854775807", "!ERR invalid expire time in 'expire' command"),
        ("expire k 9223372036854775", "!ERR invalid expire time in 'expire' command"),
        ("ttl k", "60"),
        ("set k w keepttl", "OK"),
        ("ttl k", "60"),
        ("append k x", "2"),
        ("ttl k", "60"),
        ("persist k", "1"),
        ("persist k", "0"),
        ("pttl k", "-1"),
        ("pexpire k 100000", "1"),
        ("set k v", "OK"),
        ("ttl k", "-1"),
        ("expire none 1", "0"),
        ("expire k -1", "1"),
        ("exists k", "0"),
        ("setex k 10 v", "OK"),
        ("ttl k", "10"),
        ("setex k 0 v", "!ERR invalid expire time in 'setex' command"),
        ("psetex k 20000 v", "OK"),
        ("ttl k", "20"),
        ("set k v exat 1", "OK"),
        ("exists k", "0"),
    ]);
}

#[test]
fn conditions_on_a_deadline_are_joined_as_in_redis() {
    const NX: &str = "!ERR NX and XX, GT or LT options at the same time are not compatible";
    const GT: &str = "!ERR GT and LT options at the same time are not compatible";
    let server = Server::start(&[]);
    server.client().table(&[
        ("set k v", "OK"),
        ("expire k 100 lt xx", "0"),
        ("expire k 100 xx gt", "0"),
        ("ttl k", "-1"),
        ("expire k 100 nx", "1"),
        ("expire k 200 xx lt", "0"),
        ("expire k 200 xx gt", "1"),
        ("expire k 100 gt xx", "0"),
        ("expire k 100 LT XX XX", "1"),
        ("ttl k", "100"),
        ("expire k 100 nx xx", NX),
        ("expire k 100 gt nx", NX),
        ("expire k 100 nx lt gt", NX),
        ("expire k 100 gt xx lt", GT),
        ("expire k 100 xx yy", "!ERR Unsupported option yy"),
        ("ttl k", "100"),
    ]);
}

#[test]
fn a_key_goes_in_time_and_not_before() {
    let server = Server::start(&[]);
    let mut client = server.client();
    let begun = Instant::now();
    client.table(&[("set k v px 150", "OK"), ("get k", "\"v\"")]);
    client.until("get k", "nil");
    // Times are whole milliseconds, as in Redis: the one that had begun counts.
    assert!(begun.elapsed() >= Duration::from_millis(149));
}

#[test]
fn keys_that_nobody_asks_for_go_too() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.say("set late v px 100000");
    for number in 0..1000 {
        client.say(&format!("set {number} v px {}", 50 + number % 100));
    }
    client.say("set stays v");
    // DBSIZE looks at no key, so only the sweeper can make it shrink.
    client.until("dbsize", "2");
}

#[test]
fn the_sweeper_gets_up_for_an_earlier_deadline() {
    let server = Server::start(&[]);
    let mut client = server.client();
    client.table(&[("set late v ex 3600", "OK"), ("dbsize", "1")]);
    // It sleeps for an hour now, or is about to.
    std::thread::sleep(Duration::from_millis(50));
    client.say("set early v px 20");
    client.until("dbsize", "1");
}
