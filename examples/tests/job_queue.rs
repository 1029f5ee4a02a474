//! `job_queue`: every accepted job has exactly one line, whatever happens.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;
use support::{Ended, Running, program, program_that_cannot_write, run};

/// Runs `job_queue` with these jobs on its standard input.
fn run_jobs(arguments: &[&str], jobs: &str) -> Ended {
    Running::start_with(program("job_queue").args(arguments), jobs.as_bytes()).end()
}

/// What was written, by line of input. Fails where a line was written twice.
fn results(ended: &Ended) -> Vec<Value> {
    let mut results: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    results.sort_by_key(|result| result["line"].as_u64());
    let twice = results.windows(2).find(|pair| pair[0]["line"] == pair[1]["line"]);
    assert_eq!(twice, None, "a job has two lines");
    results
}

/// The numbers in the final report: accepted, ok, failed, canceled, retries.
fn report(ended: &Ended) -> [u64; 5] {
    let line = ended.stderr.lines().find(|line| line.contains("jobs accepted")).expect("there is a report");
    let numbers = line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
    numbers.take(5).collect::<Vec<_>>().try_into().expect("the report has five numbers first")
}

#[test]
fn every_job_has_a_line_with_its_outcome() {
    let ended = run_jobs(&["--retries", "0"], "echo out\n\n  exit 3\nkill -9 $$\ntrue\n").expect(1);
    let results = results(&ended);
    let lines: Vec<_> = results.iter().map(|result| result["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 3, 4, 5], "blank lines are no jobs");
    assert_eq!(results[0]["job"], "echo out");
    assert_eq!(results[0]["status"], "ok");
    assert_eq!(results[0]["code"], 0);
    assert_eq!(results[0]["attempts"], 1);
    assert!(results[0]["ms"].as_f64().unwrap() > 0.0);
    assert_eq!((&results[1]["status"], &results[1]["code"]), (&Value::from("failed"), &Value::from(3)));
    assert_eq!((&results[2]["status"], &results[2]["code"]), (&Value::from("failed"), &Value::Null));
    assert!(results[2]["error"].as_str().unwrap().contains("signal"));
    assert_eq!(report(&ended), [4, 2, 2, 0, 0]);
    assert!(ended.stderr.contains("out\n"), "what a job prints goes to standard error");
}

#[test]
fn jobs_that_all_succeed_end_with_0() {
    run_jobs(&[], "true\ntrue\n").expect(0);
    run_jobs(&[], "").expect(0);
}

#[test]
fn a_job_that_fails_is_tried_again() {
    let mark = std::env::temp_dir().join(format!("pirn-job-queue-{}", std::process::id()));
    let _ = std::fs::remove_file(&mark);
    let jobs = format!("test -e {0} || {{ touch {0}; exit 1; }}\n", mark.display());
    let ended = run_jobs(&["--retries", "3", "--backoff", "1ms"], &jobs).expect(0);
    std::fs::remove_file(&mark).unwrap();
    assert_eq!(results(&ended)[0]["attempts"], 2);
    assert_eq!(report(&ended), [1, 1, 0, 0, 1]);

    let ended = run_jobs(&["--retries", "3", "--backoff", "1ms"], "false").expect(1);
    assert_eq!(results(&ended)[0]["attempts"], 4);
}

#[test]
fn an_attempt_that_takes_too_long_is_killed() {
    let ended =
        run_jobs(&["--retries", "1", "--backoff", "1ms", "--timeout", "100ms"], "sleep 1000\n").expect(1);
    let result = &results(&ended)[0];
    assert_eq!((&result["status"], &result["attempts"]), (&Value::from("failed"), &Value::from(2)));
    assert_eq!(result["error"], "no end within 100ms");
}

#[test]
fn a_url_is_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                request.push(byte[0]);
            }
            let status =
                if request.starts_with(b"GET /fine ") { "200 OK" } else { "503 Service Unavailable" };
            write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\n\r\nbody").unwrap();
        }
    });
    let jobs = format!("http://{address}/fine\nhttp://{address}/broken\nhttp://127.0.0.1:1/nobody\n");
    let ended = run_jobs(&["--retries", "0"], &jobs).expect(1);
    let results = results(&ended);
    assert_eq!((&results[0]["status"], &results[0]["code"]), (&Value::from("ok"), &Value::from(200)));
    assert_eq!((&results[1]["status"], &results[1]["code"]), (&Value::from("failed"), &Value::from(503)));
    assert_eq!((&results[2]["status"], &results[2]["code"]), (&Value::from("failed"), &Value::Null));
}

/// Answers every request with this status, and returns the first line and the host of each.
fn answer(listener: TcpListener, status: &'static str) -> mpsc::Receiver<(String, String)> {
    let (say, said) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let first = lines.next().unwrap();
            let head: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let host = head.iter().find_map(|line| line.strip_prefix("host: ")).unwrap();
            let _ = say.send((first, host.to_owned()));
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nbody").unwrap();
        }
    });
    said
}

#[test]
fn a_url_means_what_the_standard_says() {
    let listeners = ["127.0.0.1:0", "[::1]:0"].map(|address| TcpListener::bind(address).ok());
    for listener in listeners.into_iter().flatten() {
        let address = listener.local_addr().unwrap();
        let asked = answer(listener, "204 No Content");
        for (rest, target) in [
            ("", "/"),
            ("/", "/"),
            ("?x=1", "/?x=1"),
            ("/?", "/?"),
            ("/a/b?c=/d?e", "/a/b?c=/d?e"),
            ("#there", "/"),
            ("?x#there", "/?x"),
            ("/a#?b", "/a"),
        ] {
            let ended = run_jobs(&["--retries", "0"], &format!("HTTP://{address}{rest}\n")).expect(0);
            assert_eq!(results(&ended)[0]["code"], 204, "{rest}");
            let (line, host) = asked.recv().unwrap();
            assert_eq!((line, host), (format!("GET {target} HTTP/1.1"), address.to_string()), "{rest}");
        }
    }
}

#[test]
fn a_url_that_means_nothing_is_told_so() {
    for (url, error) in [
        ("http://", "this is no URL: empty string"),
        ("http:///path", "this is no URL: invalid format"),
        ("http://:80/", "the URL names no host"),
        ("http://me@localhost/", "a URL with a user in it is not followed"),
        ("http://me:secret@[::1]:80/", "a URL with a user in it is not followed"),
        ("http://localhost:http/", "`:http` is no port"),
        ("http://localhost:+80/", "`:+80` is no port"),
        ("http://localhost:65536/", "`:65536` is no port"),
        ("http://[::1]80/", "`80` is no port"),
        ("http://localhost::80/", "this is no URL: invalid authority"),
        ("http://[::1/", "this is no URL: invalid authority"),
        ("http://localhost/a b", "this is no URL: invalid uri character"),
        ("https://localhost/", "only http:// is spoken here"),
    ] {
        let ended = run_jobs(&["--retries", "0"], &format!("{url}\n")).expect(1);
        let result = &results(&ended)[0];
        assert_eq!((&result["status"], &result["code"]), (&Value::from("failed"), &Value::Null), "{url}");
        assert_eq!(result["error"], error, "{url}");
    }
}

#[test]
fn no_accepted_job_is_lost_when_a_signal_comes_in_the_middle() {
    let file = std::env::temp_dir().join(format!("pirn-jobs-{}", std::process::id()));
    std::fs::write(&file, "true\n".repeat(10_000)).unwrap();
    let running = Running::start(program("job_queue").arg(&file));
    running.wait_for_output("{\"line\":50,");
    running.signal("TERM");
    let ended = running.end().expect(0);
    std::fs::remove_file(&file).unwrap();

    let results = results(&ended);
    let [accepted, ok, ..] = report(&ended);
    assert_eq!((results.len() as u64, ok), (accepted, accepted), "what was accepted was done");
    assert!((50..10_000).contains(&accepted), "the signal came in the middle: {accepted}");
    let last = results.last().unwrap()["line"].as_u64().unwrap();
    assert_eq!(last, accepted, "what was accepted are the first lines, without a gap");
}

#[test]
fn the_end_of_the_grace_cancels_what_still_runs_and_what_waits() {
    let jobs = "sleep 1000\n".repeat(100);
    let mut command = program("job_queue");
    command.args(["--workers", "3", "--queue", "5", "--grace", "100ms"]);
    let running = Running::start_with(&mut command, jobs.as_bytes());
    // The program has no way to say that all three workers are busy; the count below holds in any case.
    std::thread::sleep(Duration::from_millis(300));
    running.signal("INT");
    let ended = running.end().expect(1);
    let results = results(&ended);
    let [accepted, _, _, canceled, _] = report(&ended);
    assert_eq!((results.len() as u64, canceled), (accepted, accepted));
    assert!((1..=9).contains(&accepted), "{accepted}");
    assert!(results.iter().all(|result| result["status"] == "canceled"));
}

#[test]
fn a_second_signal_cancels_at_once() {
    let running = Running::start_with(&mut program("job_queue"), b"sleep 1000\n");
    std::thread::sleep(Duration::from_millis(300));
    running.signal("TERM");
    running.wait_for("what was accepted is still done");
    std::thread::sleep(Duration::from_millis(500));
    running.signal("TERM");
    let ended = running.end().expect(1);
    assert_eq!(report(&ended), [1, 0, 0, 1, 0]);
}

#[test]
fn a_pause_of_centuries_loses_no_job() {
    let backoff = ["--backoff", "18000000000000000000s"];
    let running = Running::start_with(program("job_queue").args(backoff), b"echo once\nfalse\n");
    running.wait_for_output("{\"line\":1,");
    running.signal("INT");
    running.wait_for("what was accepted is still done");
    // A signal that comes too soon after the first counts as the same.
    std::thread::sleep(Duration::from_millis(500));
    running.signal("INT");
    let ended = running.end().expect(1);
    assert_eq!(report(&ended), [2, 1, 0, 1, 0]);
    assert_eq!(results(&ended)[1]["status"], "canceled");
}

#[test]
fn a_result_that_cannot_be_written_cancels_what_runs_and_what_waits() {
    let mark = std::env::temp_dir().join(format!("pirn-job-queue-mute-{}", std::process::id()));
    let _ = std::fs::remove_file(&mark);
    let ends = format!("until test -e {}; do sleep 0.01; done\n", mark.display());
    let runs = format!("echo \"I am $$\"; touch {}; exec sleep 1000\n", mark.display());
    let jobs = ends + &runs + &"sleep 1000\n".repeat(6);
    let mut command = program_that_cannot_write("job_queue");
    let ended = Running::start_with(command.args(["--workers", "2"]), jobs.as_bytes()).end().expect(1);
    std::fs::remove_file(&mark).unwrap();
    assert!(ended.stderr.contains("job_queue: cannot write: No space left"), "{}", ended.stderr);
    let [accepted, ok, failed, canceled, _] = report(&ended);
    assert!((2..=8).contains(&accepted), "{accepted}");
    assert_eq!((ok, failed, canceled), (1, 0, accepted - 1));
    let running = ended.stderr.lines().find_map(|line| line.strip_prefix("I am ")).expect("it ran");
    let state = std::fs::read_to_string(format!("/proc/{running}/stat")).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "it still runs: {state}");
}

#[test]
fn a_line_without_end_is_bad_input() {
    let jobs = format!("true\n{}", "x".repeat(2 << 20));
    let ended = run_jobs(&[], &jobs).expect(2);
    assert!(ended.stderr.contains("line 2 is longer than 1 MiB"), "{}", ended.stderr);
    assert_eq!(report(&ended), [1, 1, 0, 0, 0], "what came before is done");
}

#[test]
fn a_signal_ends_a_wait_for_input_that_never_comes() {
    let mut running = Running::start_open(&mut program("job_queue"));
    running.stdin().write_all(b"true\n").unwrap();
    running.wait_for_output("{\"line\":1,");
    running.signal("TERM");
    let ended = running.end().expect(0);
    assert_eq!(report(&ended)[0], 1);
}

#[test]
fn a_file_that_cannot_be_read_is_bad_input() {
    let ended = run(program("job_queue").arg("/no/such/file")).expect(2);
    assert_eq!(ended.stderr, "job_queue: /no/such/file: No such file or directory (os error 2)\n");
    run(program("job_queue").arg("/")).expect(2);
    run(program("job_queue").args(["--workers", "0"])).expect(2);
}
