//! What the programs beside this file share: how one checks its own result, and how it ends.
//!
//! Every program here is one file that can be read from top to bottom, or a folder if it is larger: what it shows,
//! its arguments, a thin `main`, and `run`, which is the program. `run` is a function of its own so that `tour` can
//! call it too. A program ends with one of three exit codes:
//!
//! | code | when |
//! |---|---|
//! | 0 | it did its work, and every check held |
//! | 1 | a check or a job failed, its runtime cannot start, or what it prints cannot be written |
//! | 2 | its arguments or its input made no sense |

use std::fmt::{self, Debug, Display};
use std::io::{self, Write};
use std::panic;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;

pub mod server;

/// The first program that newcomers see, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// What the book says about servers, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../docs/servers.md")]
struct Servers;

/// What a program comes to.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a program ends with an exit code other than 0.
#[derive(Debug)]
pub enum Failure {
    /// A check did not hold, or a job failed.
    Wrong(String),
    /// The arguments or the input made no sense.
    Input(String),
}

impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(message) | Self::Input(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

/// Runs a program to its end: reads its arguments, prints why it failed, if it did, and gives the exit code.
///
/// It is what [`start`] does, for a program that is in the runtime already.
pub async fn finish<A: Parser>(program: impl AsyncFnOnce(A) -> Outcome) -> ExitCode {
    end_when_a_print_fails();
    let arguments = arguments();
    let outcome = match room_to_begin() {
        Ok(()) => program(arguments).await,
        Err(too_few) => Err(too_few),
    };
    exit(outcome)
}

/// Starts the global runtime, and runs a program there to its end: prints why it failed, if it did, and gives the exit
/// code.
///
/// A program that cannot print has nobody to work for, as when it stands before `head`. So `print!` may be used freely:
/// if it fails, in whichever task, the program ends there and then with exit code 1, and says why, unless it is that
/// the reader has left.
pub fn start(program: impl Future<Output = Outcome>) -> ExitCode {
    end_when_a_print_fails();
    let started = pirn::start_global().map_err(|error| Failure::Wrong(error.to_string()));
    exit(started.and_then(|()| room_to_begin()).and_then(|()| pirn::block_on(program)))
}

/// Whether there are the few descriptors that the runtime asks for later, to listen to signals for one: it panics where
/// they are not there.
fn room_to_begin() -> Outcome {
    const LATER: usize = 2;
    let too_few =
        |error: io::Error| Failure::Wrong(format!("{error}; `ulimit -n` raises how many there may be"));
    server::room_for(LATER).map_err(too_few)
}

/// Changes what the panic of a failed `print!` comes to; all other panics stay what they are.
fn end_when_a_print_fails() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let why = info.payload_as_str().and_then(|says| says.strip_prefix("failed printing to stdout: "));
        match why {
            Some(why) => cannot_write(why),
            None => hook(info),
        }
    }));
}

/// The command line's arguments. Where it asks for help instead, or makes no sense, the process ends here.
pub fn arguments<A: Parser>() -> A {
    A::try_parse().unwrap_or_else(|instead| {
        let written = instead.print().and_then(|()| io::stdout().flush());
        match written {
            // Help that nobody can read is a failure; that nobody hears a complaint changes nothing about its reason.
            Err(error) if !instead.use_stderr() => cannot_write(&error.to_string()),
            _ => std::process::exit(instead.exit_code()),
        }
    })
}

/// Ends the process, since standard output takes nothing.
fn cannot_write(why: &str) -> ! {
    // Held to the end, so that of many tasks only the first says so. It may fail as well, and that is all then.
    let mut stderr = io::stderr().lock();
    if why != io::Error::from_raw_os_error(libc::EPIPE).to_string() {
        let _ = writeln!(stderr, "{}: cannot write: {why}", name());
    }
    std::process::exit(1);
}

fn exit(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(format_args!("{}: {failure}", name()));
            match failure {
                Failure::Wrong(_) => ExitCode::from(1),
                Failure::Input(_) => ExitCode::from(2),
            }
        }
    }
}

/// Writes a line to standard error.
///
/// Where it cannot be written, since the disk is full, it is lost and nothing else: `eprintln!` would panic, and a
/// program does not give up its work because nobody hears it complain.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn name() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map_or("pirn".into(), |name| name.to_string_lossy().into_owned())
}

/// Checks a claim about the result and says on standard output that it holds.
pub fn check(claim: &str, holds: bool) -> Outcome {
    if !holds {
        return Err(Failure::Wrong(format!("this does not hold: {claim}")));
    }
    println!("  ✓ {claim}");
    Ok(())
}

/// Checks that what was found is what was expected.
pub fn check_eq<T: PartialEq + Debug>(claim: &str, found: T, expected: T) -> Outcome {
    if found != expected {
        let message = format!("this does not hold: {claim}\n  expected {expected:?}\n  found    {found:?}");
        return Err(Failure::Wrong(message));
    }
    check(claim, true)
}

/// The most that a program takes for how many tasks it starts: they all fit into any machine's memory.
pub const MOST: i64 = 100_000;

/// How many tasks live in the current runtime.
pub fn live_tasks() -> usize {
    pirn::Handle::current().metrics().live_tasks
}

/// How many more tasks live than `before`, once those that were told to stop had the time for it.
///
/// They get five seconds, which is long enough for any machine and short enough for somebody who waits.
pub async fn tasks_left(before: usize) -> usize {
    let begun = Instant::now();
    while live_tasks() > before && begun.elapsed() < Duration::from_secs(5) {
        pirn::time::sleep(Duration::from_millis(1)).await;
    }
    live_tasks().saturating_sub(before)
}

/// Checks that the number of live tasks returns to what it was `before`.
pub async fn check_no_task_is_left(before: usize) -> Outcome {
    check_eq("no task is left behind", tasks_left(before).await, 0)
}

/// Reads a duration from the command line: `10s`, `250ms`, `1.5s`, `2m`, `1h`; a plain number means seconds.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(pirn_examples::duration("1.5s"), Ok(Duration::from_millis(1500)));
/// assert_eq!(pirn_examples::duration("2"), Ok(Duration::from_secs(2)));
/// assert!(pirn_examples::duration("soon").is_err());
/// ```
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let seconds = match unit.trim() {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("`{unit}` is no unit of time; there are us, ms, s, m and h")),
    };
    let number: f64 = number.parse().map_err(|_| "a number is needed, as in 10s or 250ms".to_owned())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| "that is too long".to_owned())
}
