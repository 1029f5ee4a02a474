//! HTTP under load: `examples/http_service` beside its twin on tokio.
//!
//! `cargo bench -p pirn-benches --bench http [-- PATH [CONNECTIONS …]]` (`/task?ms=0`, 64 and 1,000 unless told). It
//! builds the example, and needs `wrk`, the load generator, which has a process and a thread of its own.
//!
//! The two services (see `http/tokio_twin.rs`) have the same handlers on the same axum and hyper, and the same
//! manners: a context per request, a limit on everything that a client could hold on to. What differs is what is
//! under them. Both have as many workers as there are processors, and contend with `wrk` for those. Each server lives
//! through all rounds. In each round one is asked after the other, the other way round in the next; compared is what
//! they did in the same round, and of that the median counts, with the quartiles beside it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

#[path = "http/tokio_twin.rs"]
mod tokio_twin;

const CONTENDERS: [&str; 2] = ["pirn", "tokio"];
const ROUNDS: usize = 15;
const SECONDS: &str = "2";

/// A server in a process of its own. It is told to stop when this is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(contender: &str) -> Self {
        let mut command = match contender {
            "pirn" => Command::new(example()),
            _ => {
                let mut twin = Command::new(std::env::current_exe().expect("the path of this program"));
                twin.arg("--serve");
                twin
            }
        };
        let command = command.args(["--listen", "127.0.0.1:0"]).env("RUST_LOG", "error");
        let mut process = command.stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        BufReader::new(process.stdout.take().expect("it was piped")).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = self.process.id().to_string();
        let _ = Command::new("kill").args(["-s", "TERM", &id]).status();
        let ended = self.process.wait().expect("it is our child");
        assert!(ended.success(), "a server ended with {ended}");
    }
}

/// Builds the example beside this program, and returns its path.
fn example() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--quiet", "--release", "-p", "pirn-examples", "--example", "http_service"];
    let built = Command::new(cargo).args(arguments).status().expect("cargo is there");
    assert!(built.success(), "the example does not build");
    let me = std::env::current_exe().expect("the path of this program");
    me.ancestors().nth(2).expect("benchmarks are built into deps/").join("examples/http_service")
}

/// What `wrk` saw in one round.
#[derive(Clone, Copy)]
struct Seen {
    per_second: f64,
    p99_us: f64,
}

/// Has `wrk` ask for as long as a round lasts.
fn load(address: &str, path: &str, connections: usize) -> Seen {
    let url = format!("http://{address}{path}");
    let arguments = ["-t1", "-d", SECONDS, "--latency", "-c", &connections.to_string(), &url];
    let output = Command::new("wrk").args(arguments).output().expect("wrk is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "wrk: {}", String::from_utf8_lossy(&output.stderr));
    // It prints these lines only where there is something to report.
    if let Some(line) = text.lines().find(|line| line.contains("Socket errors") || line.contains("Non-2xx")) {
        panic!("{connections} connections: {line}");
    }
    let after = |what: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(what)).expect("wrk's report");
        line.trim().to_owned()
    };
    Seen {
        per_second: after("Requests/sec:").parse().expect("a number"),
        p99_us: microseconds(&after("99%")),
    }
}

/// `1.23ms` and the like.
fn microseconds(text: &str) -> f64 {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).expect("a unit");
    let number: f64 = text[..unit].parse().expect("a number");
    number
        * match &text[unit..] {
            "us" => 1.0,
            "ms" => 1e3,
            "s" => 1e6,
            other => panic!("a time in {other}"),
        }
}

/// The figure that `of` all is larger than a part of.
fn quantile(part: f64, mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[(part * (of.len() - 1) as f64).round() as usize]
}

/// The median, and the quartiles.
fn spread(figures: Vec<f64>) -> String {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|part| quantile(part, figures.clone()));
    format!("{median:.3} [{low:.3} {high:.3}]")
}

fn compare(path: &str, connections: usize) {
    let servers = CONTENDERS.map(Server::start);
    let mut seen = CONTENDERS.map(|_| Vec::new());
    for round in 0..ROUNDS {
        let order = if round % 2 == 0 { [0, 1] } else { [1, 0] };
        for contender in order {
            seen[contender].push(load(&servers[contender].address, path, connections));
        }
    }
    println!("{path}, {connections} connections, {ROUNDS} rounds, no error");
    for (name, seen) in CONTENDERS.iter().zip(&seen) {
        let per_second = quantile(0.5, seen.iter().map(|seen| seen.per_second).collect());
        let p99 = quantile(0.5, seen.iter().map(|seen| seen.p99_us).collect());
        println!("  {name:<8} {per_second:>9.0} requests/s   p99 {p99:>9.0} us");
    }
    let [ours, theirs] = seen;
    let ratios = |of: fn(&Seen) -> f64| ours.iter().zip(&theirs).map(|(a, b)| of(a) / of(b)).collect();
    let (rate, p99) = (ratios(|seen| seen.per_second), ratios(|seen| seen.p99_us));
    println!("  pirn / tokio: requests {}, 99th percentile {}", spread(rate), spread(p99));
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|first| first == "--serve") {
        return tokio_twin::main(arguments.last().expect("an address"));
    }
    let path = arguments.first().map_or("/task?ms=0", String::as_str);
    let chosen = arguments.iter().skip(1).map(|number| number.parse().expect("a number of connections"));
    let chosen: Vec<usize> = chosen.collect();
    let connections = if chosen.is_empty() { vec![64, 1_000] } else { chosen };
    connections.into_iter().for_each(|connections| compare(path, connections));
}
