//! `http_service`: what it answers, whom it cuts off, and that it loses nobody whom it has accepted.

mod support;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Running, limited, program, run, serve, serve_as};
use ureq::Agent;

/// How long something that must happen may take on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client that gives every answer, also a 408, as what it is. It keeps its connections.
fn client() -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().new_agent()
}

/// Asks for something; returns the status and the text of the answer.
fn get(client: &Agent, address: &str, path: &str) -> Result<(u16, String), ureq::Error> {
    let mut answer = client.get(format!("http://{address}{path}")).call()?;
    Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
}

fn post(address: &str, json: &[u8]) -> (u16, String) {
    let request = client().post(format!("http://{address}/task")).header("content-type", "application/json");
    let mut answer = request.send(json).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

/// One of the figures of `/metrics`.
fn metric(address: &str, name: &str) -> i64 {
    let (status, text) = get(&client(), address, "/metrics").unwrap();
    assert_eq!(status, 200);
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

fn wait_for_metric(address: &str, name: &str, value: i64) {
    let begun = Instant::now();
    while metric(address, name) != value {
        assert!(begun.elapsed() < PATIENCE, "{name} is {}, not {value}", metric(address, name));
        thread::sleep(Duration::from_millis(2));
    }
}

/// A connection without a client library, for what no such library would do.
fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn ask(address: &str, text: &str) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// All that comes until the server closes. A reset is an end too; a time limit is none.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != io::ErrorKind::ConnectionReset => panic!("not closed: {error}"),
        _ => String::from_utf8(bytes).unwrap(),
    }
}

fn stop(server: Running) {
    server.signal("TERM");
    server.end().expect(0);
}

#[test]
fn a_task_is_answered_with_its_result() {
    let (server, address) = serve("http_service", &[]);
    let answer = get(&client(), &address, "/task?ms=5").unwrap();
    assert_eq!(answer, (200, "done after 5 ms\n".to_owned()));
    assert_eq!(post(&address, br#"{"ms": 6}"#), (200, "done after 6 ms\n".to_owned()));
    assert_eq!(get(&client(), &address, "/task?ms=soon").unwrap().0, 400);
    assert_eq!(get(&client(), &address, "/nowhere").unwrap().0, 404);
    stop(server);
}

#[test]
fn a_task_over_its_budget_is_answered_with_408() {
    let (server, address) = serve("http_service", &["--budget", "50ms"]);
    let answer = get(&client(), &address, "/task?ms=60000").unwrap();
    assert_eq!(answer, (408, "context deadline exceeded\n".to_owned()));
    stop(server);
}

#[test]
fn the_answers_of_the_backends_are_merged() {
    let (server, address) = serve("http_service", &[]);
    // More than once, so that kept connections are used too.
    for _ in 0..3 {
        let (status, text) = get(&client(), &address, "/fanout?ms=1").unwrap();
        let merged: Value = serde_json::from_str(&text).unwrap();
        let expected = json!({
            "profile": { "user": 7, "name": "Ada" },
            "inventory": { "in_stock": 12 },
            "pricing": { "currency": "EUR", "cents": 1999 },
        });
        assert_eq!((status, merged), (200, expected));
    }
    stop(server);
}

#[test]
fn the_backends_are_asked_at_once_and_under_one_deadline() {
    let (server, address) = serve("http_service", &["--fanout-budget", "2s"]);
    // One after the other they would take three times as long, and miss the deadline.
    assert_eq!(get(&client(), &address, "/fanout?ms=900").unwrap().0, 200);
    let answer = get(&client(), &address, "/fanout?ms=60000").unwrap();
    assert_eq!(answer, (504, "context deadline exceeded\n".to_owned()));
    stop(server);
}

#[test]
fn one_connection_is_enough_to_ask_all_backends() {
    let (server, address) = serve("http_service", &["--max-connections", "1"]);
    let client = client();
    for _ in 0..2 {
        assert_eq!(get(&client, &address, "/fanout?ms=1").unwrap().0, 200);
    }
    drop(client);
    stop(server);
}

#[test]
fn a_fan_out_uses_more_descriptors_than_it_was_started_with() {
    let (server, address) = serve_as(limited("http_service", "-S -n 64"), &["--fanout-budget", "30s"]);
    // Each of them is seven descriptors: its own connection, and both ends of three to the backends.
    let streams: Vec<_> = (0..40)
        .map(|_| ask(&address, "GET /fanout?ms=500 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"))
        .collect();
    for stream in streams {
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    stop(server);
}

#[test]
fn the_metrics_count_requests_but_not_who_asks_for_them() {
    let (server, address) = serve("http_service", &[]);
    assert_eq!(metric(&address, "requests_total"), 0);
    get(&client(), &address, "/task").unwrap();
    get(&client(), &address, "/nowhere").unwrap();
    assert_eq!(metric(&address, "requests_total"), 2);
    assert_eq!(metric(&address, "requests_in_flight"), 0);
    assert_eq!(metric(&address, "requests_canceled_total"), 0);
    stop(server);
}

#[test]
fn a_client_that_goes_away_cancels_its_work() {
    let (server, address) = serve("http_service", &["--budget", "1h", "--fanout-budget", "1h"]);
    // After the first requests, so that connections and threads that stay are among them.
    get(&client(), &address, "/fanout").unwrap();
    let idle = metric(&address, "tasks_live");
    for (canceled, path) in [(1, "/task?ms=3600000"), (2, "/fanout?ms=3600000")] {
        let gone = ask(&address, &format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"));
        wait_for_metric(&address, "requests_in_flight", 1);
        drop(gone);
        wait_for_metric(&address, "requests_in_flight", 0);
        assert_eq!(metric(&address, "requests_canceled_total"), canceled);
    }
    // What the fan-out had started is gone as well: the calls, their connections, the backends' requests. Their
    // three kept connections (two tasks each) may be too.
    let begun = Instant::now();
    while metric(&address, "tasks_live") > idle {
        assert!(begun.elapsed() < PATIENCE, "{} tasks live, {idle} before", metric(&address, "tasks_live"));
        thread::sleep(Duration::from_millis(2));
    }
    stop(server);
}

#[test]
fn a_signal_under_load_loses_no_accepted_request() {
    let (server, address) = serve("http_service", &[]);
    let long = ask(&address, "GET /task?ms=1500 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n");
    let idle = connect(&address);
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..16)
        .map(|number| {
            let (address, answered) = (address.clone(), answered.clone());
            thread::spawn(move || {
                let client = client();
                loop {
                    // From busy ones to ones that take a while.
                    match get(&client, &address, &format!("/task?ms={}", number * 3)) {
                        Ok((200, _)) => answered.fetch_add(1, Ordering::Relaxed),
                        Ok(other) => return Err(format!("{other:?}")),
                        // To be refused is to be told in time.
                        Err(ureq::Error::Io(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                            return Ok(());
                        }
                        Err(error) => return Err(format!("{error:?}")),
                    };
                }
            })
        })
        .collect();
    while answered.load(Ordering::Relaxed) < 500 {
        thread::sleep(Duration::from_millis(1));
    }
    server.signal("INT");
    for client in clients {
        client.join().unwrap().expect("every request is answered, or refused before it is made");
    }
    assert!(rest(long).ends_with("done after 1500 ms\n"));
    assert_eq!(rest(idle), "", "a silent connection does not hold up the end");
    let ended = server.end().expect(0);
    assert!(ended.stderr.contains("drained"), "{}", ended.stderr);
}

#[test]
fn half_a_head_does_not_hold_up_the_end() {
    let (server, address) = serve("http_service", &["--head-timeout", "1h", "--budget", "1h"]);
    let half_a_head = ask(&address, "GET /task HTTP/1.1\r\nhost:");
    let mut second_half = ask(&address, "GET /task HTTP/1.1\r\nhost: test\r\n\r\n");
    assert_ne!(second_half.read(&mut [0; 1024]).unwrap(), 0);
    second_half.write_all(b"GET /task HTTP/1.1\r\nhost:").unwrap();
    let head =
        "POST /task HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n";
    let mut half_a_request = ask(&address, head);
    wait_for_metric(&address, "requests_in_flight", 1);
    server.signal("TERM");
    assert_eq!(rest(half_a_head), "");
    assert_eq!(rest(second_half), "");
    // This one has been accepted: it is answered when it is complete.
    half_a_request.write_all(br#"{"ms": 1}"#).unwrap();
    assert!(rest(half_a_request).ends_with("done after 1 ms\n"));
    server.end().expect(0);
}

#[test]
fn who_waits_for_a_place_at_the_signal_is_answered() {
    let (server, address) = serve("http_service", &["--max-connections", "1"]);
    let request = "GET /task HTTP/1.1\r\nhost: test\r\n\r\n";
    let mut first = ask(&address, request);
    let mut answer = [0; 1024];
    assert_ne!(first.read(&mut answer).unwrap(), 0);
    let waiting: Vec<_> = (0..3).map(|_| ask(&address, request)).collect();
    server.signal("TERM");
    // The one that has the place makes use of it until it is told to go.
    let begun = Instant::now();
    loop {
        first.write_all(request.as_bytes()).unwrap();
        let length = first.read(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{length} bytes");
        if String::from_utf8_lossy(&answer[..length]).contains("connection: close") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody tells it");
    }
    for stream in waiting {
        assert!(rest(stream).ends_with("done after 0 ms\n"));
    }
    server.end().expect(0);
}

#[test]
fn what_outlasts_the_grace_is_canceled_and_ends_with_1() {
    let (server, address) = serve("http_service", &["--budget", "1h", "--grace", "300ms"]);
    let endless = ask(&address, "GET /task?ms=3600000 HTTP/1.1\r\nhost: test\r\n\r\n");
    wait_for_metric(&address, "requests_in_flight", 1);
    server.signal("TERM");
    let answer = rest(endless);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("context canceled\n"), "{answer}");
    let ended = server.end().expect(1);
    assert!(ended.stderr.contains("stopped before everybody was done"), "{}", ended.stderr);
}

#[test]
fn a_second_signal_stops_at_once() {
    let (server, address) = serve("http_service", &["--budget", "1h"]);
    let endless = ask(&address, "GET /task?ms=3600000 HTTP/1.1\r\nhost: test\r\n\r\n");
    wait_for_metric(&address, "requests_in_flight", 1);
    server.signal("INT");
    server.wait_for("draining");
    server.signal("INT");
    assert!(rest(endless).starts_with("HTTP/1.1 503 "));
    server.end().expect(1);
}

#[test]
fn who_waits_for_a_place_at_a_second_signal_is_cut_off() {
    let (server, address) = serve("http_service", &["--budget", "1h", "--max-connections", "1"]);
    let endless = ask(&address, "GET /task?ms=3600000 HTTP/1.1\r\nhost: test\r\n\r\n");
    // Only a second connection could ask for the metrics: that this one has the place shows in that the others wait.
    let waiting = ask(&address, "GET /task HTTP/1.1\r\nhost: test\r\n\r\n");
    waiting.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!((&waiting).read(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    server.signal("INT");
    server.wait_for("late=1");
    server.signal("INT");
    assert!(rest(endless).starts_with("HTTP/1.1 503 "));
    assert_eq!(rest(waiting), "");
    server.end().expect(1);
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let (server, address) = serve("http_service", &["--max-head", "8192"]);
    let stream = ask(&address, &format!("GET /task HTTP/1.1\r\nx-long: {}\r\n\r\n", "a".repeat(10_000)));
    assert!(rest(stream).starts_with("HTTP/1.1 431 "));
    stop(server);
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let (server, address) = serve("http_service", &["--max-body", "1000"]);
    assert_eq!(post(&address, &[b' '; 1001]).0, 413, "it was announced");
    let chunk = format!("3e9\r\n{}\r\n", " ".repeat(1001));
    let head = "POST /task HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\nconnection: close\r\n";
    let stream = ask(&address, &format!("{head}transfer-encoding: chunked\r\n\r\n{chunk}"));
    assert!(rest(stream).starts_with("HTTP/1.1 413 "), "it turned out to be");
    assert_eq!(post(&address, &[b' '; 1000]).0, 400, "one that is not too large is read");
    stop(server);
}

#[test]
fn who_sends_all_of_a_body_that_is_refused_is_told_so() {
    let (server, address) = serve("http_service", &["--max-body", "1000"]);
    // More than the kernel's buffers hold: it is still being sent when it has been refused.
    let body = " ".repeat(32 << 20);
    let head = "POST /task HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n";
    let stream = ask(&address, &format!("{head}content-length: {}\r\n\r\n{body}", body.len()));
    assert!(rest(stream).starts_with("HTTP/1.1 413 "));
    stop(server);
}

#[test]
fn a_peer_that_is_slow_to_send_is_cut_off() {
    let limits = ["--head-timeout", "200ms", "--budget", "200ms"];
    let (server, address) = serve("http_service", &limits);
    let (silent, half_a_head) = (connect(&address), ask(&address, "GET /task HTTP/1.1\r\nhost:"));
    let head =
        "POST /task HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n";
    let half_a_body = ask(&address, &format!("{head}{{\"ms"));
    assert_eq!(rest(silent), "");
    assert_eq!(rest(half_a_head), "");
    let answer = rest(half_a_body);
    assert!(
        answer.starts_with("HTTP/1.1 408 ") && answer.ends_with("context deadline exceeded\n"),
        "{answer}"
    );
    stop(server);
}

#[test]
fn a_peer_that_does_not_read_is_cut_off() {
    let (server, address) = serve("http_service", &["--write-timeout", "200ms"]);
    let mut stream = connect(&address);
    let requests = "GET /metrics HTTP/1.1\r\nhost: test\r\n\r\n".repeat(1000);
    // Until all buffers on the way are full of answers that nobody reads, and then until we are cut off.
    let error = loop {
        if let Err(error) = stream.write_all(requests.as_bytes()) {
            break error;
        }
    };
    assert!([io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe].contains(&error.kind()), "{error}");
    stop(server);
}

#[test]
fn one_connection_too_many_waits_for_its_place() {
    let (server, address) = serve("http_service", &["--max-connections", "1"]);
    let request = "GET /task HTTP/1.1\r\nhost: test\r\n\r\n";
    let mut first = ask(&address, request);
    assert_ne!(first.read(&mut [0; 1024]).unwrap(), 0);
    let mut second = ask(&address, request);
    second.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert_eq!(second.read(&mut [0; 1024]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(first);
    second.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_ne!(second.read(&mut [0; 1024]).unwrap(), 0);
    stop(server);
}

#[test]
fn a_head_may_take_longer_than_the_clock_can_tell() {
    let (server, address) = serve("http_service", &["--head-timeout", "18000000000000000000s"]);
    assert_eq!(get(&client(), &address, "/task?ms=0").unwrap().0, 200);
    stop(server);
}

#[test]
fn more_connections_than_can_be_counted_are_refused_on_the_command_line() {
    for number in ["0", "18446744073709551615"] {
        let ended = run(program("http_service").args(["--max-connections", number])).expect(2);
        assert!(ended.stderr.contains("--max-connections"), "{}", ended.stderr);
    }
}

#[test]
fn a_port_that_is_taken_is_named_and_ends_with_2() {
    let (server, address) = serve("http_service", &[]);
    let ended = run(program("http_service").args(["--listen", &address])).expect(2);
    assert!(ended.stdout.is_empty());
    assert!(
        ended.stderr.contains(&format!("http_service: cannot listen on {address}: ")),
        "{}",
        ended.stderr
    );
    stop(server);
}

#[test]
fn the_log_on_standard_error_has_fields() {
    let mut command = program("http_service");
    let server = Running::start(command.args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "debug"));
    let address = server.output_after("listening on ");
    drop(ask(&address, "GET /task HTTP/1.1\r\nhost: test\r\n\r\n"));
    server.wait_for("peer=127.0.0.1:");
    stop(server);
}
