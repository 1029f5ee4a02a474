//! Measures: a fresh process for each figure, the contenders interleaved.
//!
//! ```text
//!   row 1   round 1:  pirn  tokio  smol  go …      each of these is a process of its own
//!           round 2:  tokio  smol  go  …  pirn     starting with the next contender
//!           round 3:  smol  go  …  pirn  tokio
//!   row 2   …
//! ```
//!
//! A process of its own, because an allocator, a thread pool or a page table that an earlier run has left behind
//! is worth more than many of the differences that are measured. Interleaved, because machines have good and bad
//! minutes: what is compared is measured as closely together as it can be. A run that panics, prints no figure
//! or takes longer than [`PATIENCE`] has failed, and a contender that fails once has no figure in that row.

use std::io::{IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::contender::Contender;
use crate::go::Go;
use crate::process::{cpu_time_of_children, cpu_time_of_machine};
use crate::row::{Measured, Row, Setup};
use crate::summary::{Outcome, Summary};

/// How long one run may take: more than twice as long as the slowest that succeeds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a run gave no figure.
type Failure = String;

/// Starts the processes.
pub(crate) struct Runner {
    rounds: u32,
    go: Option<Go>,
}

impl Runner {
    /// Builds the Go program, if Go takes part and there is a toolchain.
    pub(crate) fn new(contenders: &[Contender], rounds: u32) -> Result<Self, String> {
        let go = if contenders.contains(&Contender::Go) { Go::build()? } else { None };
        if go.is_none() && contenders.contains(&Contender::Go) {
            eprintln!("Go is left out: there is no `go` on PATH, and GO names none");
        }
        Ok(Self { rounds, go })
    }

    /// Runs all rows.
    pub(crate) fn run(&self, rows: &[&'static Row], contenders: &[Contender], procs: usize) -> Vec<Summary> {
        rows.iter().map(|row| self.row(row, contenders, procs)).collect()
    }

    /// Runs one row.
    pub(crate) fn row(&self, row: &'static Row, contenders: &[Contender], procs: usize) -> Summary {
        let is_here = |contender: &Contender| *contender != Contender::Go || self.go.is_some();
        let takes_part = |contender: &&Contender| row.contenders.contains(contender) && is_here(contender);
        let contenders: Vec<_> = contenders.iter().filter(takes_part).copied().collect();
        let mut outcomes: Vec<Outcome> = contenders.iter().map(|_| Outcome::default()).collect();
        let mut disturbance: f64 = 0.0;
        for round in 0..self.rounds as usize {
            for turn in 0..contenders.len() {
                let index = (round + turn) % contenders.len();
                let outcome = &mut outcomes[index];
                if outcome.failure.is_none() {
                    let setup = Setup { contender: contenders[index], procs };
                    progress(&format!("{} · {} · round {}", row.name, setup.contender.name(), round + 1));
                    let watch = Watch::begin();
                    match self.process(row, setup) {
                        Ok(measured) => outcome.runs.push(measured),
                        Err(failure) => outcome.failure = Some(failure),
                    }
                    disturbance = watch.others().max(disturbance);
                }
            }
        }
        progress("");
        Summary { row, outcomes: contenders.into_iter().zip(outcomes).collect(), disturbance }
    }

    /// One run.
    fn process(&self, row: &Row, setup: Setup) -> Result<Measured, Failure> {
        let mut command = match (setup.contender, &self.go) {
            (Contender::Go, Some(go)) => go.command(row.name, setup.procs),
            _ => {
                let me = std::env::current_exe().map_err(|error| error.to_string())?;
                let mut command = Command::new(me);
                command.args(["measure", row.name, setup.contender.name(), &setup.procs.to_string()]);
                command
            }
        };
        let text = finish(&mut command, PATIENCE)?;
        Measured::read(&text, row).ok_or_else(|| format!("it printed no figure: {text}"))
    }
}

/// Sees what the machine does beside a run.
struct Watch {
    begun: Instant,
    machine: Duration,
    ours: Duration,
}

impl Watch {
    fn begin() -> Self {
        Self { begun: Instant::now(), machine: cpu_time_of_machine(), ours: cpu_time_of_children() }
    }

    /// Which part of a core others have used meanwhile.
    fn others(&self) -> f64 {
        let machine = cpu_time_of_machine().saturating_sub(self.machine);
        let ours = cpu_time_of_children().saturating_sub(self.ours);
        machine.saturating_sub(ours).as_secs_f64() / self.begun.elapsed().as_secs_f64()
    }
}

/// Waits for a process, and gives what it has printed.
fn finish(command: &mut Command, patience: Duration) -> Result<String, Failure> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    // Read aside, so that a child that says much does not wait for its reader.
    let (mut out, mut err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
    let out = thread::spawn(move || read(&mut out));
    let err = thread::spawn(move || read(&mut err));
    let begun = Instant::now();
    let status = loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(status) => break Some(status),
            None if begun.elapsed() > patience => break None,
            // Short beside any run, long beside what looking costs.
            None => thread::sleep(Duration::from_millis(10)),
        }
    };
    let Some(status) = status else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("it did not end within {} s", patience.as_secs()));
    };
    let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    if status.success() { Ok(out) } else { Err(reason(&err).unwrap_or_else(|| status.to_string())) }
}

fn read(pipe: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // What came before an error still tells something.
    let _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a panic said: in Rust the line after the one that names its place, in Go what follows a word on its line.
fn reason(err: &str) -> Option<String> {
    let mut lines = err.lines();
    while let Some(line) = lines.next() {
        if line.contains("panicked at") {
            return lines.next().map(str::to_owned);
        }
        if let Some(said) = ["panic: ", "fatal error: "].iter().find_map(|word| line.strip_prefix(word)) {
            return Some(said.to_owned());
        }
    }
    None
}

/// Says what is going on, if somebody watches.
fn progress(what: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        // Nobody is harmed if it cannot be said.
        let _ = write!(err, "\r\x1b[K{what}");
        let _ = err.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_that_ends_well_gives_what_it_printed() {
        assert_eq!(finish(&mut shell("echo ring 7"), PATIENCE).as_deref(), Ok("ring 7\n"));
    }

    #[test]
    fn a_process_that_panics_gives_the_reason() {
        let script = "echo \"thread 'main' panicked at x.rs:1:1:\" >&2; echo 'a value is lost' >&2; exit 101";
        assert_eq!(finish(&mut shell(script), PATIENCE), Err("a value is lost".to_owned()));
        let script = "echo 'panic: a value is lost' >&2; exit 2";
        assert_eq!(finish(&mut shell(script), PATIENCE), Err("a value is lost".to_owned()));
        assert!(finish(&mut shell("exit 3"), PATIENCE).unwrap_err().contains('3'));
    }

    #[test]
    fn a_process_that_hangs_is_ended() {
        let begun = Instant::now();
        let outcome = finish(&mut shell("exec sleep 60"), Duration::from_millis(20));
        assert!(outcome.unwrap_err().contains("did not end"));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
