//! `echo_server`: what is sent comes back, also when a signal comes in the middle.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use support::{Running, fill, limited, program, run, serve, serve_as};

#[test]
fn it_measures_itself() {
    for processors in ["1", "8"] {
        let mut command = program("echo_server");
        command.env("PIRN_PROCS", processors);
        let ended = run(command.args(["--connections", "20", "--time", "200ms"])).expect(0);
        assert!(ended.stdout.contains("every answer was the message that was sent"), "{}", ended.stdout);
        assert!(ended.stdout.contains("round trips per second"), "{}", ended.stdout);
    }
}

#[test]
fn messages_may_be_larger_than_what_the_sockets_hold() {
    // They must come back while they are still being sent, or both sides would wait for each other.
    let arguments = ["--connections", "2", "--size", "16777216", "--time", "0"];
    let ended = run(program("echo_server").args(arguments)).expect(0);
    assert!(ended.stdout.contains("every answer was the message that was sent"), "{}", ended.stdout);
}

#[test]
fn a_load_that_there_are_no_descriptors_for_is_refused() {
    // With so few the clients would take all, and wait for a server that has none left for them.
    for descriptors in [20, 40, 72, 80, 100] {
        let ended = run(limited("echo_server", &format!("-n {descriptors}")).args(["--time", "0"])).expect(2);
        assert!(
            ended.stderr.contains("ulimit -n") && ended.stderr.contains("--connections"),
            "{}",
            ended.stderr
        );
    }
    run(limited("echo_server", "-n 100").args(["--time", "0", "--connections", "20"])).expect(0);
}

#[test]
fn what_was_sent_before_the_signal_comes_back() {
    let (server, address) = serve("echo_server", &["--serve"]);
    let sent: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    let mut streams: Vec<_> = (0..10).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for stream in &mut streams {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(&sent).unwrap();
    }
    server.signal("TERM");
    for stream in &mut streams {
        let mut echoed = Vec::new();
        stream.read_to_end(&mut echoed).unwrap();
        assert!(echoed == sent, "{} of {} bytes", echoed.len(), sent.len());
    }
    let ended = server.end().expect(0);
    assert!(ended.stderr.contains("drained"), "{}", ended.stderr);
}

#[test]
fn what_had_arrived_at_the_signal_comes_back_to_a_slow_reader_too() {
    let (server, address) = serve("echo_server", &["--serve", "--write-timeout", "1h", "--grace", "1h"]);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let arrived = fill(&mut stream, &[b'x'; 65_536]);
    server.signal("TERM");
    server.wait_for("draining");
    // Longer than it waits for what is still to come. Nothing depends on that: it only makes the test hard.
    thread::sleep(Duration::from_millis(400));
    let mut echoed = Vec::new();
    stream.read_to_end(&mut echoed).unwrap();
    assert!(echoed.len() >= arrived, "{} of {arrived} bytes", echoed.len());
    server.end().expect(0);
}

#[test]
fn a_client_that_closes_its_side_gets_the_rest() {
    let (server, address) = serve("echo_server", &["--serve"]);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.write_all(b"over").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut echoed = String::new();
    stream.read_to_string(&mut echoed).unwrap();
    assert_eq!(echoed, "over");
    server.signal("INT");
    server.end().expect(0);
}

#[test]
fn a_client_that_does_not_read_is_cut_off() {
    let (server, address) = serve("echo_server", &["--serve", "--write-timeout", "200ms"]);
    let mut stream = TcpStream::connect(&address).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    let error = loop {
        if let Err(error) = stream.write_all(&[7; 64 * 1024]) {
            break error;
        }
    };
    assert!([ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()), "{error}");
    server.signal("INT");
    server.end().expect(0);
}

#[test]
fn a_client_that_never_stops_is_cut_off_at_the_end_of_the_grace() {
    let (server, address) = serve("echo_server", &["--serve", "--grace", "500ms"]);
    let mut stream = TcpStream::connect(&address).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let endless = thread::spawn(move || while stream.write_all(&[7; 1000]).is_ok() {});
    reader.read_exact(&mut [0; 100_000]).unwrap();
    server.signal("TERM");
    while reader.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
    drop(reader);
    endless.join().unwrap();
    // Its reads end by a deadline that lets nobody put off the end, however much there is to read.
    server.end().expect(0);
}

#[test]
fn a_port_that_is_taken_is_named_and_ends_with_2() {
    let (server, address) = serve("echo_server", &["--serve"]);
    let ended = run(program("echo_server").args(["--serve", "--listen", &address])).expect(2);
    assert!(ended.stderr.contains(&format!("cannot listen on {address}: ")), "{}", ended.stderr);
    server.signal("TERM");
    server.end().expect(0);
}

#[test]
fn it_serves_more_clients_than_it_was_started_with_descriptors() {
    let (server, address) = serve_as(limited("echo_server", "-S -n 64"), &["--serve"]);
    let mut streams: Vec<_> = (0..100).map(|_| TcpStream::connect(&address).unwrap()).collect();
    for stream in &mut streams {
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(b"x").unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    server.signal("TERM");
    server.end().expect(0);
}

#[test]
fn a_lack_of_descriptors_is_said_once_a_second_and_what_helps() {
    let begun = Instant::now();
    let (server, address) = serve_as(limited("echo_server", "-n 24"), &["--serve"]);
    let streams: Vec<_> = (0..40).map(|_| TcpStream::connect(&address).unwrap()).collect();
    // What the second time says: how often it was kept to itself meanwhile.
    server.wait_for("unsaid=");
    server.signal("TERM");
    let ended = server.end();
    let said: Vec<_> = ended.stderr.lines().filter(|line| line.contains("cannot accept")).collect();
    assert!(said.iter().all(|line| line.contains("ulimit -n")), "{}", ended.stderr);
    assert!((2..=1 + begun.elapsed().as_secs()).contains(&(said.len() as u64)), "{}", ended.stderr);
    drop(streams);
}

#[test]
fn a_load_that_lasts_longer_than_the_clock_can_tell_ends_with_a_signal() {
    let arguments = ["--listen", "127.0.0.1:0", "--time", "18000000000000000000s"];
    let program = Running::start(program("echo_server").args(arguments));
    let address = program.output_after("listening on ");
    // The load has begun by the time that somebody else is served.
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"x").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    program.signal("INT");
    let ended = program.end().expect(1);
    assert!(ended.stderr.contains("stopped before the load was done"), "{}", ended.stderr);
}
