//! Beginning and ending: the command line, a port that is taken, draining.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::{program, run};
use crate::{Raw, Server};

#[test]
fn it_says_what_it_can_do() {
    let ended = run(program("kv_server").arg("--help")).expect(0);
    for option in ["--listen", "--procs", "--maxmemory", "--max-clients"] {
        assert!(ended.stdout.contains(option), "{option} is not in\n{}", ended.stdout);
    }
    run(program("kv_server").args(["--maxmemory", "much"])).expect(2);
    run(program("kv_server").args(["--procs", "0"])).expect(2);
    run(program("kv_server").args(["--max-clients", "0"])).expect(2);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(program("kv_server").args(["--listen", &address])).expect(2);
    assert!(ended.stderr.contains(&format!("cannot listen on {address}")), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
}

#[test]
fn quit_ends_a_connection_after_its_reply() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("PING\r\nQUIT\r\nPING\r\n");
    assert_eq!(raw.rest(), "+PONG\r\n+OK\r\n");
}

#[test]
fn a_client_that_ends_its_side_still_gets_its_replies() {
    let server = Server::start(&[]);
    let mut raw = server.raw();
    raw.send("SET k v\r\nGET k\r\n");
    raw.0.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(raw.rest(), "+OK\r\n$1\r\nv\r\n");
}

#[test]
fn both_signals_end_it_with_nobody_there() {
    for signal in ["INT", "TERM"] {
        let server = Server::start(&[]);
        server.running.signal(signal);
        let ended = server.running.end().expect(0);
        assert!(ended.stderr.contains("draining") && ended.stderr.contains("stopped"), "{}", ended.stderr);
    }
}

#[test]
fn what_was_received_is_answered_before_the_end() {
    const REQUESTS: usize = 50;
    let server = Server::start(&["--procs", "2"]);
    let value = "x".repeat(100_000);
    server.client().say(&format!("set k {value}"));
    let idle = server.raw();
    let mut raws: Vec<Raw> = (0..20).map(|_| server.raw()).collect();
    // Each is owed more than its socket holds: at the signal the server is in the middle of it.
    for raw in &mut raws {
        raw.send("GET k\r\n".repeat(REQUESTS));
        raw.expect("$100000\r\n");
    }
    server.running.signal("TERM");
    for raw in raws {
        assert_eq!(raw.rest().len(), REQUESTS * (value.len() + 11) - 9);
    }
    assert_eq!(idle.rest(), "");
    server.running.end().expect(0);
}

/// A client that is owed more than its socket holds, and reads no more.
fn deaf(server: &Server) -> Raw {
    server.client().say(&format!("set k {}", "x".repeat(1_000_000)));
    let mut deaf = server.raw();
    deaf.send("GET k\r\n".repeat(100));
    deaf.0.read_exact(&mut [0]).unwrap();
    deaf
}

#[test]
fn a_client_that_does_not_read_delays_the_end_no_longer_than_asked() {
    let server = Server::start(&["--drain", "300ms"]);
    let _deaf = deaf(&server);
    server.running.signal("TERM");
    let ended = server.running.end().expect(1);
    assert!(ended.stderr.contains("did not take their replies"), "{}", ended.stderr);
}

#[test]
fn a_second_signal_stops_at_once() {
    let server = Server::start(&["--drain", "1h"]);
    let _deaf = deaf(&server);
    server.running.signal("INT");
    server.running.wait_for("draining");
    server.running.signal("INT");
    let ended = server.running.end().expect(1);
    assert!(ended.stderr.contains("did not take their replies"), "{}", ended.stderr);
}

#[test]
fn a_client_that_never_stops_sending_does_not_put_off_the_end() {
    let server = Server::start(&["--drain", "10s"]);
    let mut reader = server.raw().0;
    let mut sender = reader.try_clone().unwrap();
    let requests = b"PING\r\n".repeat(1000);
    let endless = std::thread::spawn(move || while sender.write_all(&requests).is_ok() {});
    reader.read_exact(&mut [0; 100_000]).unwrap();
    server.running.signal("TERM");
    while reader.read(&mut [0; 65_536]).is_ok_and(|read| read > 0) {}
    drop(reader);
    endless.join().unwrap();
    server.running.end().expect(0);
}
