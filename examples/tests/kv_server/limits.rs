//! Bounds: memory, clients, and a thousand of these at once.

use std::fmt::Write as _;
use std::io::Read;
use std::time::Instant;

use crate::Server;
use crate::support::limited;

const OOM: &str = "!OOM command not allowed when used memory > 'maxmemory'.";

#[test]
fn writes_are_refused_when_memory_is_used_up() {
    let server = Server::start(&["--maxmemory", "20mb"]);
    let mut client = server.client();
    let value = "x".repeat(10_000);
    let mut stored = 0;
    let refused = loop {
        let said = client.say(&format!("set key:{stored} {value}"));
        if said != "OK" {
            break said;
        }
        stored += 1;
        assert!(stored < 10_000, "a hundred megabytes in twenty");
    };
    assert_eq!(refused, OOM);
    assert!(stored > 1000, "{stored} values of 10 kB are less than half of it");
    for command in ["incrby n", "lpush l", "sadd s", "hset h a", "mset a", "append key:0"] {
        assert_eq!(client.say(&format!("{command} {value}")), OOM, "{command}");
    }
    client.table(&[
        ("strlen key:0", "10000"),
        ("del key:0 key:1 key:2", "3"),
        ("set small x", "OK"),
        ("flushall", "OK"),
        ("set n 1", "OK"),
    ]);
    assert!(client.info("used_memory") < 5 << 20);
}

#[test]
fn what_grows_in_large_steps_stays_within_the_bound_too() {
    const BOUND: usize = 32 << 20;
    let server = Server::start(&["--maxmemory", "32mb"]);
    let mut client = server.client();
    // With few elements in a request, and with so many that one request has the table grow many times.
    for (put, with_value, at_once) in [
        ("rpush l", false, 1000),
        ("lpush l", false, 100_000),
        ("sadd s", false, 1000),
        ("sadd s", false, 200_000),
        ("hset h", true, 1000),
        ("hset h", true, 100_000),
        ("mset", true, 1000),
        ("mset", true, 100_000),
        ("append k", false, 0),
    ] {
        let value = if with_value { " v" } else { "" };
        let more = |round: usize| {
            if at_once == 0 {
                return format!("{put} {}", "x".repeat(1 << 20));
            }
            let mut words = put.to_owned();
            for number in at_once * round..at_once * (round + 1) {
                write!(words, " {number:x}{value}").unwrap();
            }
            words
        };
        let mut round = 0;
        while client.say(&more(round)) != OOM {
            round += 1;
            assert!(round < 2000, "{put}, {at_once} at once");
            let used = client.info("used_memory");
            assert!(used < BOUND + BOUND / 16, "{put}, {at_once} at once: {used} bytes are used");
        }
        let used = client.info("used_memory");
        assert!(used > BOUND / 4, "{put}, {at_once} at once: refused at {used}");
        client.say("flushall");
    }
    // One member, told a million times, needs no room for a million.
    for command in ["sadd s", "mset"] {
        let told = " x".repeat(200_000);
        client.say(&format!("{command}{told}"));
        let used = client.info("used_memory");
        assert!(used < 4 << 20, "{command}: {used} bytes are used");
    }
}

#[test]
fn memory_of_what_was_removed_can_be_used_again() {
    const AT_ONCE: usize = 1000;
    let server = Server::start(&["--maxmemory", "10mb"]);
    let mut client = server.client();
    // Things so small that the tables and lists that hold them are all there is.
    for (put, with_value, take) in [
        ("mset", true, "del"),
        ("hset h", true, "hdel h"),
        ("sadd s", false, "srem s"),
        ("rpush l", false, "lpop l"),
    ] {
        let words = |command: &str, round: usize, value: &str| {
            let numbers = AT_ONCE * round..AT_ONCE * (round + 1);
            numbers.fold(command.to_owned(), |words, number| format!("{words} {number}{value}"))
        };
        let value = if with_value { " v" } else { "" };
        let rounds = (0..1000).take_while(|round| client.say(&words(put, *round, value)) != OOM).count();
        assert!((10..1000).contains(&rounds), "{put}: {rounds}");
        for round in 0..rounds {
            let command = if take == "lpop l" { format!("{take} {AT_ONCE}") } else { words(take, round, "") };
            client.say(&command);
        }
        client.table(&[("set small x", "OK"), ("dbsize", "1")]);
        assert!(client.info("used_memory") < 3 << 20, "{put}: {}", client.info("used_memory"));
    }
}

#[test]
fn a_large_request_does_not_grow_beyond_the_bound() {
    let server = Server::start(&["--maxmemory", "10mb"]);
    let mut raw = server.raw();
    raw.send("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n");
    let part = vec![b'x'; 1 << 20];
    let sent = (0..500).take_while(|_| std::io::Write::write_all(&mut raw.0, &part).is_ok()).count();
    assert!(sent < 100, "{sent} MB went into ten");
    let mut client = server.client();
    client.until("get k", "nil");
    assert!(client.info("used_memory") < 10 << 20);
}

#[test]
fn clients_that_do_not_read_cannot_use_up_the_memory() {
    // More than a socket and its peer take in unread.
    const LONG: usize = 16 << 20;
    const REFUSED: &str = "-OOM the reply is too long for the memory that is left.\r\n";
    let server = Server::start(&["--maxmemory", "64mb"]);
    let mut client = server.client();
    client.say(&format!("set k {}", "x".repeat(LONG)));
    // A few are served as far as their sockets go, and the rest of the reply waits; the others are cut off.
    let mut deaf: Vec<_> = (0..20).map(|_| server.raw()).collect();
    for raw in &mut deaf {
        raw.send("GET k\r\n");
    }
    let begin: Vec<u8> = deaf
        .iter_mut()
        .map(|raw| {
            let mut byte = [0];
            raw.0.read_exact(&mut byte).unwrap();
            byte[0]
        })
        .collect();
    let cut_off = begin.iter().filter(|byte| **byte == b'-').count();
    assert!((1..20).contains(&cut_off), "{cut_off} of 20 replies were refused");
    assert!(client.info("used_memory") < 84 << 20);
    drop(deaf);
    // A reply that no memory would do for is refused however quiet it is.
    let mut greedy = server.raw();
    greedy.send(format!("PING\r\nMGET{}\r\nPING\r\n", " k".repeat(1000)));
    assert_eq!(greedy.rest(), format!("+PONG\r\n{REFUSED}"));
    let deadline = std::time::Instant::now() + crate::PATIENCE;
    while client.info("used_memory") > 20 << 20 {
        assert!(std::time::Instant::now() < deadline, "the memory does not come back");
    }
    let mut reader = server.raw();
    reader.send("GET k\r\n");
    reader.expect(format!("${LONG}\r\n"));
}

#[test]
fn a_list_of_all_keys_needs_only_the_room_of_its_reply() {
    const KEYS: usize = 400_000;
    // The keys take 35 MB and the reply eight. Copies of the keys beside them, of 24 bytes each, would be too much.
    let server = Server::start(&["--maxmemory", "40mb"]);
    let mut client = server.client();
    for first in (0..KEYS).step_by(1000) {
        let keys: Vec<_> = (first..first + 1000).map(|number| format!("{number} v")).collect();
        assert_eq!(client.say(&format!("mset {}", keys.join(" "))), "OK");
    }
    assert_eq!(client.say("keys *").split(' ').count(), KEYS);
    assert_eq!(client.say("scan 0 count 1000000").split(' ').count(), KEYS + 1);
}

#[test]
fn what_is_kept_of_a_client_counts_as_well() {
    let long = "x".repeat(60_000);
    let server = Server::start(&["--maxmemory", "10mb"]);
    let mut names: Vec<_> = (0..250).map(|_| server.client()).collect();
    let said = names.iter_mut().map(|client| client.say(&format!("client setname {long}")));
    let named = said.take_while(|said| said == "OK").count();
    assert!((100..250).contains(&named), "{named} have a name");
    drop(names);
    let mut client = server.client();
    client.until("set k v", "OK");
    let mut subscriber = server.client();
    let kept =
        (0..200).take_while(|topic| subscriber.say(&format!("subscribe {topic:04}{long}")) != OOM).count();
    assert!((50..200).contains(&kept), "{kept} subscriptions are kept");
    drop(subscriber);
    client.until("set k v", "OK");
}

#[test]
fn those_who_are_still_to_go_hold_no_buffers() {
    let server = Server::start(&[]);
    let mut raws: Vec<_> = (0..500).map(|_| server.raw()).collect();
    for raw in &mut raws {
        raw.send("QUIT\r\n");
    }
    for raw in &mut raws {
        raw.expect("+OK\r\n");
    }
    // None of them has closed its side: the server waits for that, a second at most.
    let used = server.client().info("used_memory");
    assert!(used < 10 << 20, "{used} bytes are used");
}

#[test]
fn memory_that_replies_have_used_goes_back_to_the_kernel() {
    let server = Server::start(&["--maxmemory", "50mb", "--procs", "2"]);
    let mut client = server.client();
    client.say(&format!("set b {}", "x".repeat(1_000_000)));
    for _ in 0..12 {
        let mut deaf: Vec<_> = (0..50).map(|_| server.raw()).collect();
        for raw in &mut deaf {
            raw.send(format!("MGET{}\r\n", " b".repeat(30)));
        }
        for raw in &mut deaf {
            raw.0.read_exact(&mut [0]).unwrap();
        }
        drop(deaf);
        // The connections are gone, and their buffers with them.
        while client.info("connected_clients") > 1 {}
    }
    let resident = client.info("used_memory_rss");
    assert!(resident < 150 << 20, "{resident} bytes are resident");
}

#[test]
fn a_lack_of_descriptors_is_said_once_a_second_and_what_helps() {
    let begun = Instant::now();
    let server = Server::start_as(limited("kv_server", "-n 24"), &[]);
    let raws: Vec<_> = (0..40).map(|_| server.raw()).collect();
    server.running.wait_for("unsaid=");
    server.running.signal("TERM");
    let ended = server.running.end();
    let said: Vec<_> = ended.stderr.lines().filter(|line| line.contains("cannot accept")).collect();
    assert!(said.iter().all(|line| line.contains("ulimit -n")), "{}", ended.stderr);
    assert!((2..=1 + begun.elapsed().as_secs()).contains(&(said.len() as u64)), "{}", ended.stderr);
    drop(raws);
}

#[test]
fn one_client_too_many_is_refused() {
    let server = Server::start(&["--max-clients", "2"]);
    let mut first = server.client();
    let second = server.client();
    assert_eq!(server.raw().rest(), "-ERR max number of clients reached\r\n");
    drop(second);
    first.until("client id", "1");
    let begun = std::time::Instant::now();
    loop {
        let mut raw = server.raw();
        raw.send("PING\r\n");
        let mut reply = [0; 1];
        if std::io::Read::read(&mut raw.0, &mut reply).is_ok_and(|_| reply == *b"+") {
            return;
        }
        assert!(begun.elapsed() < crate::PATIENCE, "the place is not free again");
    }
}

#[test]
fn a_thousand_clients_at_once() {
    let server = Server::start(&[]);
    let mut raws: Vec<_> = (0..1000).map(|_| server.raw()).collect();
    for round in 0..3 {
        for (number, raw) in raws.iter_mut().enumerate() {
            raw.send(format!("SET key:{number} {round}\r\nINCR n\r\nGET key:{number}\r\n"));
        }
        for raw in &mut raws {
            raw.expect("+OK\r\n:");
            let mut byte = [0];
            while byte != *b"\n" {
                std::io::Read::read_exact(&mut raw.0, &mut byte).unwrap();
            }
            raw.expect(format!("$1\r\n{round}\r\n"));
        }
    }
    let mut client = server.client();
    client.table(&[("get n", "\"3000\""), ("dbsize", "1001")]);
    assert_eq!(client.info("connected_clients"), 1001);
    drop(raws);
    // The one who asks is alone again.
    let alone = client.say("client info");
    client.until("client list", &alone);
}
