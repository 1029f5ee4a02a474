//! `stream_stats`: every line that was sent is counted, once, whatever ends the stream.

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use support::{Ended, Running, fill, limited, program, program_that_cannot_write, run, serve, serve_as};

/// The lines, bytes and connections that the program reports at its end.
fn totals(ended: &Ended) -> [u64; 3] {
    let line = ended.stdout.lines().find(|line| line.ends_with("connections")).expect("there are totals");
    let numbers = line.split(", ").map(|part| part.split(' ').next().unwrap().parse().unwrap());
    numbers.collect::<Vec<_>>().try_into().unwrap()
}

/// The sum of what the lines of the statistics say.
fn printed(ended: &Ended) -> u64 {
    let lines = ended.stdout.lines().filter(|line| line.contains("lines/s"));
    lines.map(|line| line.split_whitespace().next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn the_lines_of_all_connections_are_counted() {
    let (server, address) = serve("stream_stats", &["--every", "20ms"]);
    let peers: Vec<_> = (0..8)
        .map(|peer| {
            let address = address.clone();
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                for line in 0..1000 {
                    let kind = if line % 4 == 0 { "POST" } else { "GET" };
                    writeln!(stream, "{kind} /{peer}/{line}").unwrap();
                }
            })
        })
        .collect();
    peers.into_iter().for_each(|peer| peer.join().unwrap());
    server.wait_for_output("  GET: ");
    server.wait_for_output("  POST: ");
    // What is on its way when the signal comes is read to its end.
    server.signal("INT");
    let ended = server.end().expect(0);
    let [lines, bytes, connections] = totals(&ended);
    assert_eq!((lines, connections), (8000, 8), "{}", ended.stdout);
    assert_eq!(printed(&ended), 8000);
    let sent: usize =
        (0..1000).map(|n: u32| if n.is_multiple_of(4) { 9 } else { 8 } + n.to_string().len()).sum();
    assert_eq!(bytes, 8 * sent as u64);
}

#[test]
fn it_connects_and_reads_to_the_end_of_the_stream() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let program = Running::start(program("stream_stats").args(["--connect", &address]));
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(b"one\ntwo\n\na last line without an end").unwrap();
    drop(stream);
    let ended = program.end().expect(0);
    assert_eq!(totals(&ended), [4, 35, 1], "{}", ended.stdout);
}

#[test]
fn what_had_arrived_at_the_signal_is_counted_however_long_that_takes() {
    let (server, address) = serve("stream_stats", &["--grace", "1h"]);
    let mut streams: Vec<_> = (0..200).map(|_| TcpStream::connect(&address).unwrap()).collect();
    // Otherwise it would read while we send, and have little to do at the signal.
    server.signal("STOP");
    let lines = "x\n".repeat(50_000);
    let fill_all = |streams: &mut [TcpStream]| -> usize {
        streams.iter_mut().map(|stream| fill(stream, lines.as_bytes())).sum()
    };
    let arrived: u64 = thread::scope(|scope| {
        let parts = streams.chunks_mut(10).map(|part| scope.spawn(|| fill_all(part))).collect::<Vec<_>>();
        parts.into_iter().map(|part| part.join().unwrap() as u64).sum()
    });
    server.signal("TERM");
    server.signal("CONT");
    let read = totals(&server.end().expect(0))[1];
    assert!(read >= arrived, "{read} of {arrived} bytes");
}

#[test]
fn rates_are_over_the_time_that_has_passed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    // The stream ends long before the first tick; an hour's rate would be less than one.
    let arguments = ["--every", "1h", "--window", "1h", "--connect", &address];
    let program = Running::start(program("stream_stats").args(arguments));
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all("x\n".repeat(1000).as_bytes()).unwrap();
    drop(stream);
    let ended = program.end().expect(0);
    let line = ended.stdout.lines().find(|line| line.contains("lines/s")).expect("there is a line");
    let rate = |what: &str| -> f64 {
        let words: Vec<_> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == what).expect("it is in the line");
        let number = if what.ends_with(':') { words[at + 1] } else { words[at - 1] };
        number.trim_end_matches("/s").parse().expect("it is a number")
    };
    assert!(rate("lines/s") > 10.0 && rate("x:") > 10.0, "{}", ended.stdout);
}

#[test]
fn a_line_that_is_too_long_ends_its_connection_and_no_other() {
    let (server, address) = serve("stream_stats", &["--max-line", "100"]);
    let mut good = TcpStream::connect(&address).unwrap();
    let mut bad = TcpStream::connect(&address).unwrap();
    bad.write_all(&[b'x'; 101]).unwrap();
    match bad.read(&mut [0; 16]) {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    good.write_all(format!("{}\n", "y".repeat(99)).as_bytes()).unwrap();
    drop(good);
    server.wait_for("a line is too long");
    server.signal("TERM");
    assert_eq!(totals(&server.end().expect(0))[0], 1);
}

#[test]
fn a_silent_peer_is_cut_off() {
    let (server, address) = serve("stream_stats", &["--idle-timeout", "100ms"]);
    let mut silent = TcpStream::connect(&address).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);
    server.signal("TERM");
    server.end().expect(0);
}

#[test]
fn statistics_that_cannot_be_written_end_it_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut command = program_that_cannot_write("stream_stats");
    // The stream itself goes on.
    let ended = run(command.args(["--every", "20ms", "--connect", &address])).expect(1);
    assert!(ended.stderr.contains("stream_stats: cannot write: No space left"), "{}", ended.stderr);
}

#[test]
fn addresses_that_cannot_be_used_end_with_2() {
    let (server, address) = serve("stream_stats", &[]);
    let ended = run(program("stream_stats").args(["--listen", &address])).expect(2);
    assert!(ended.stderr.contains(&format!("cannot listen on {address}: ")), "{}", ended.stderr);
    server.signal("TERM");
    server.end().expect(0);
    let ended = run(program("stream_stats").args(["--connect", &address])).expect(2);
    assert!(ended.stderr.contains(&format!("cannot connect to {address}: ")), "{}", ended.stderr);
    run(program("stream_stats").args(["--connect", &address, "--listen", &address])).expect(2);
}

#[test]
fn more_connections_than_can_be_counted_are_refused_on_the_command_line() {
    for number in ["0", "18446744073709551615"] {
        let ended = run(program("stream_stats").args(["--max-connections", number])).expect(2);
        assert!(ended.stderr.contains("--max-connections"), "{}", ended.stderr);
    }
}

#[test]
fn it_reads_more_connections_than_it_was_started_with_descriptors() {
    let (server, address) = serve_as(limited("stream_stats", "-S -n 64"), &["--every", "20ms"]);
    let mut streams: Vec<_> = (0..100).map(|_| TcpStream::connect(&address).unwrap()).collect();
    // All are open at once, so the last is accepted only if there are descriptors for all.
    streams.last_mut().unwrap().write_all(b"last\n").unwrap();
    server.wait_for_output("  last: ");
    server.signal("TERM");
    server.end().expect(0);
}
