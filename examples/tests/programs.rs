//! Every program does its work, checks it, and keeps to the common rules: whatever the number of processors.

mod support;

use std::io;

use support::{
    limited, program, program_that_cannot_complain, program_that_cannot_write, run, serve, serve_as,
};

/// What each program prints when its work is right; all of them, with small arguments where the work is large.
const PROGRAMS: [(&str, &[&str], &str); 15] = [
    ("hello_tasks", &[], "the two took turns"),
    ("ping_pong_channels", &["--rounds", "50"], "neither missed a turn"),
    ("ping_pong_cond", &["--rounds", "50"], "neither missed a turn"),
    ("atomic_counter", &[], "no increment was lost"),
    ("worker_pool", &[], "every job came back once"),
    ("fan_in", &["--sources", "5", "--values", "40"], "every value of every source came through"),
    ("fetch_timeout", &[], "the slow call was given up"),
    ("buffer_monitor", &[], "the rest was dropped, and counted"),
    ("result_collect", &[], "in the inputs' order"),
    ("pipeline", &[], "every good order has its receipt"),
    ("semaphore_limit", &[], "the semaphore lets as many run at once as it may"),
    ("word_loop", &[], "every word arrived exactly once"),
    ("token_cache", &[], "a client was served by every token there was"),
    ("prime_sieve", &["60"], "these are the first primes"),
    ("skynet", &["10000"], "the sum is that of the numbers"),
];

/// The programs that need something to work on, or somebody to serve.
const OTHERS: [&str; 7] =
    ["tour", "crawl", "job_queue", "echo_server", "http_service", "stream_stats", "kv_server"];

fn holds_with(processors: Option<&str>) {
    for (name, arguments, says) in PROGRAMS {
        let mut command = program(name);
        if let Some(processors) = processors {
            command.env("PIRN_PROCS", processors);
        }
        let ended = run(command.args(arguments)).expect(0);
        assert!(ended.stdout.contains(says), "{name}:\n{}", ended.stdout);
    }
}

#[test]
fn every_program_holds_with_the_processors_there_are() {
    holds_with(None);
}

#[test]
fn every_program_holds_with_one_processor() {
    holds_with(Some("1"));
}

#[test]
fn every_program_holds_with_eight_processors() {
    holds_with(Some("8"));
}

#[test]
fn every_program_explains_itself() {
    for name in PROGRAMS.iter().map(|(name, ..)| *name).chain(OTHERS) {
        let ended = run(program(name).arg("--help")).expect(0);
        assert!(ended.stdout.contains("Usage:") && ended.stderr.is_empty(), "{name}:\n{}", ended.stdout);
    }
}

#[test]
fn bad_arguments_are_refused_with_2() {
    for name in PROGRAMS.iter().map(|(name, ..)| *name).chain(OTHERS) {
        let ended = run(program(name).arg("--no-such-option")).expect(2);
        assert!(
            ended.stdout.is_empty() && ended.stderr.contains("--no-such-option"),
            "{name}:\n{}",
            ended.stderr
        );
    }
}

#[test]
fn the_tour_visits_every_program_of_its_list_and_sums_up() {
    for processors in ["1", "8"] {
        let ended = run(program("tour").env("PIRN_PROCS", processors)).expect(0);
        assert_eq!(ended.stdout.matches("\n── ").count(), 14, "{}", ended.stdout);
        assert_eq!(ended.last_line(), "every check held");
    }
}

#[test]
fn the_tour_can_be_cut_short() {
    let ended = run(program("tour").args(["hello_tasks", "atomic_counter"])).expect(0);
    assert!(ended.stdout.contains("2 programs in"), "{}", ended.stdout);
    run(program("tour").arg("nowhere")).expect(2);
}

#[test]
fn a_wrong_result_is_seen_and_ends_with_1() {
    // What is sent after a deadline of nothing does not arrive, so the check of `word_loop` cannot hold.
    let ended = run(program("word_loop").args(["--deadline", "0"])).expect(1);
    assert!(ended.stderr.contains("word_loop: not all words were said"), "{}", ended.stderr);
}

#[test]
fn a_result_that_cannot_be_written_ends_with_1() {
    for (name, arguments, _) in PROGRAMS {
        let ended = run(program_that_cannot_write(name).args(arguments)).expect(1);
        let says = format!("{name}: cannot write: No space left on device (os error 28)\n");
        assert!(ended.stderr.ends_with(&says), "{}", ended.stderr);
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
    run(program_that_cannot_write("tour").arg("hello_tasks")).expect(1);
    run(program_that_cannot_write("crawl").arg(env!("CARGO_MANIFEST_DIR"))).expect(1);
}

#[test]
fn help_that_cannot_be_written_ends_with_1() {
    for name in PROGRAMS.iter().map(|(name, ..)| *name).chain(OTHERS) {
        let ended = run(program_that_cannot_write(name).arg("--help")).expect(1);
        assert_eq!(ended.stderr, format!("{name}: cannot write: No space left on device (os error 28)\n"));
    }
    run(program_that_cannot_write("kv_server").arg("--version")).expect(1);
}

#[test]
fn nothing_is_said_of_a_reader_that_has_left() {
    for argument in ["--help", "--version", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
        let (nobody, output) = io::pipe().unwrap();
        drop(nobody);
        let ended = program("crawl").arg(argument).stdout(output).output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr.escape_ascii().to_string()), (Some(1), String::new()));
    }
}

#[test]
fn a_runtime_that_cannot_start_is_a_line_of_complaint() {
    for name in PROGRAMS.iter().map(|(name, ..)| *name).chain(OTHERS) {
        // Something to count, for those that insist.
        let arguments: &[&str] = if ["crawl", "job_queue"].contains(&name) { &["/dev/null"] } else { &[] };
        let says = |ended: support::Ended, what: &str| {
            assert!(ended.stderr.contains(what) && ended.stderr.lines().count() == 1, "{}", ended.stderr);
        };
        for processors in ["abc", "0", "-1", "", "1.5", "65537", "99999999999999999999"] {
            let ended = run(program(name).args(arguments).env("PIRN_PROCS", processors)).expect(1);
            says(ended, "PIRN_PROCS");
        }
        says(run(limited(name, "-n 4").args(arguments)).expect(1), "ulimit -n");
    }
}

#[test]
fn a_log_on_a_full_disk_stops_no_server() {
    let servers =
        [("echo_server", &["--serve"][..]), ("http_service", &[]), ("kv_server", &[]), ("stream_stats", &[])];
    for (name, arguments) in servers {
        let (server, _address) = serve_as(program_that_cannot_complain(name), arguments);
        // Each says something as it drains, if it has not before.
        server.signal("TERM");
        server.end().expect(0);
    }
}

#[test]
fn a_server_without_clients_cuts_nobody_off_however_little_time_it_has() {
    let servers = [
        ("echo_server", &["--serve", "--grace", "0"][..]),
        ("http_service", &["--grace", "0"]),
        ("kv_server", &["--drain", "0"]),
        ("stream_stats", &["--grace", "0"]),
    ];
    for (name, arguments) in servers {
        let (server, _address) = serve(name, arguments);
        server.signal("TERM");
        server.end().expect(0);
    }
}

#[test]
fn complaints_on_a_full_disk_change_no_result() {
    run(program_that_cannot_complain("token_cache").args(["--clients", "1"])).expect(0);
    run(program_that_cannot_complain("job_queue").arg("/dev/null")).expect(0);
    run(program_that_cannot_complain("crawl").arg("/nowhere")).expect(2);
}

#[test]
fn the_checks_hold_for_as_many_as_there_may_be() {
    run(program("semaphore_limit").args(["--calls", "100000", "--limit", "100000"])).expect(0);
    run(program("token_cache").args(["--clients", "100000"])).expect(0);
    run(program("worker_pool").args(["--workers", "0", "--jobs", "18446744073709551615"])).expect(0);
}

#[test]
fn numbers_that_no_machine_can_bear_are_refused_with_2() {
    let counts = [
        ("atomic_counter", "--workers"),
        ("fan_in", "--sources"),
        ("pipeline", "--orders"),
        ("semaphore_limit", "--calls"),
        ("token_cache", "--clients"),
        ("worker_pool", "--workers"),
        ("job_queue", "--workers"),
        ("echo_server", "--connections"),
        ("crawl", "--workers"),
    ];
    let refuses = |name: &str, count: &str, number: &str| {
        let ended = run(program(name).args([count, number])).expect(2);
        let says = format!("invalid value '{number}' for '{count}");
        assert!(ended.stderr.contains(&says), "{}", ended.stderr);
    };
    for (name, count) in counts {
        refuses(name, count, "100001");
        refuses(name, count, "18446744073709551615");
    }
    refuses("ping_pong_channels", "--rounds", "18446744073709551615");
    refuses("echo_server", "--size", "16777217");
    refuses("stream_stats", "--max-connections", "18446744073709551615");
}
