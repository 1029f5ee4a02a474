//! One command that measures `pirn` beside std threads, tokio, smol, Go, and the channels of others on tokio.
//!
//! ```text
//!   cargo run --release -p pirn-benches --                      everything, three rounds
//!   cargo run --release -p pirn-benches -- --only ring,hog_*    some rows
//!   cargo run --release -p pirn-benches -- --scaling            the same on 1, 2, 4, 8 and 16 workers
//! ```
//!
//! What is compared stands in `rows/`, a file for each family; who takes part in `contender.rs`, with what is asked
//! of them in `exec.rs` and `chan.rs`. The rest is the measuring: `runner.rs` starts a process for each figure,
//! `summary.rs` makes medians and ratios of what they print, `table.rs`, `plot.rs` and `json.rs` show them.
//! `docs/benchmarks.md` tells how to read the result.

mod chan;
mod cli;
mod contender;
mod exec;
mod go;
mod json;
mod plot;
mod process;
mod row;
mod rows;
mod runner;
mod scaling;
mod summary;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Hidden};
use row::{Row, Setup};
use runner::Runner;
use summary::Summary;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Some(Hidden::Measure { row, contender, procs }) = cli.hidden {
        return measure(&row, Setup { contender, procs });
    }
    match report(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("pirn-benches: {problem}");
            ExitCode::from(2)
        }
    }
}

/// One figure, in this process.
fn measure(row: &str, setup: Setup) -> ExitCode {
    let Some(row) = rows::named(row) else {
        return ExitCode::from(2);
    };
    let measured = (row.run)(setup);
    print!("{}", measured.lines(row));
    // Not by returning: what still runs (tasks that spin, threads that wait) ends with the process.
    std::process::exit(0);
}

fn report(cli: &Cli) -> Result<(), String> {
    let rows = cli.rows()?;
    if cli.list {
        rows.iter().for_each(|row| println!("{}", row.name));
        return Ok(());
    }
    let contenders = cli.contenders();
    let summaries = if cli.load.is_empty() {
        let runner = Runner::new(&contenders, cli.rounds)?;
        let rows = without_obstacles(rows)?;
        if cli.scaling {
            print!("{}", scaling::report(&runner, &rows, &contenders));
            return Ok(());
        }
        runner.run(&rows, &contenders, cli.procs())
    } else {
        load(&cli.load, &rows)?
    };
    let contenders = summary::present(&summaries, &contenders);
    if cli.json {
        println!("{}", json::report(&summaries, cli.procs(), cli.rounds));
    } else {
        print!("{}", table::report(&summaries, &contenders));
    }
    match &cli.plot {
        Some(path) => {
            plot::write(path, &summaries, &contenders).map_err(|error| format!("{}: {error}", path.display()))
        }
        None => Ok(()),
    }
}

/// The rows that can be run here; the others are named.
fn without_obstacles(mut rows: Vec<&'static Row>) -> Result<Vec<&'static Row>, String> {
    let obstacles: Vec<_> = rows.iter().filter_map(|row| rows::obstacle(row)).collect();
    rows.retain(|row| rows::obstacle(row).is_none());
    if rows.is_empty() {
        return Err(obstacles.join("; "));
    }
    obstacles.iter().for_each(|obstacle| eprintln!("{obstacle}"));
    Ok(rows)
}

/// The rows in earlier reports, in the order of the table; of one that is in several, the last.
fn load(paths: &[PathBuf], rows: &[&'static Row]) -> Result<Vec<Summary>, String> {
    let mut summaries = Vec::new();
    for path in paths {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let report = json::read(&text).ok_or_else(|| format!("{} is no report", path.display()))?;
        summaries.extend(report);
    }
    let last = |row: &&'static Row| summaries.iter().rposition(|summary| summary.row.name == row.name);
    let places: Vec<usize> = rows.iter().filter_map(last).collect();
    let mut summaries: Vec<Option<Summary>> = summaries.into_iter().map(Some).collect();
    Ok(places.into_iter().filter_map(|place| summaries[place].take()).collect())
}
