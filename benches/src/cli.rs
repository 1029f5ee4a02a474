//! The command line.

use std::path::PathBuf;
use std::thread;

use clap::{Parser, Subcommand};

use crate::contender::{self, Contender};
use crate::row::Row;
use crate::rows;

/// Measures pirn beside std threads, tokio, smol, Go, and the channels of others on tokio.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Cli {
    /// Rows, separated by commas; `hog_*` means all that begin so
    #[arg(long, value_name = "ROW,…", value_delimiter = ',')]
    only: Vec<String>,
    /// Contenders, separated by commas; `pirn` always takes part
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_enum)]
    contender: Vec<Contender>,
    /// Runs of each contender on each row; the median counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Workers of each contender; as many as there are cores unless told
    #[arg(long)]
    procs: Option<usize>,
    /// Print JSON instead of the table
    #[arg(long)]
    pub(crate) json: bool,
    /// Show what earlier runs have printed with `--json`, instead of measuring
    #[arg(long, value_name = "FILE.json,…", value_delimiter = ',')]
    pub(crate) load: Vec<PathBuf>,
    /// Also draw the ratios
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) plot: Option<PathBuf>,
    /// The rows on 1, 2, 4, 8 and 16 workers instead
    #[arg(long)]
    pub(crate) scaling: bool,
    /// Only name the rows
    #[arg(long)]
    pub(crate) list: bool,
    #[command(subcommand)]
    pub(crate) hidden: Option<Hidden>,
}

/// What this program asks of itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Hidden {
    /// One figure, in this process
    #[command(hide = true)]
    Measure { row: String, contender: Contender, procs: usize },
}

impl Cli {
    /// The rows that were asked for, in the order of the table.
    pub(crate) fn rows(&self) -> Result<Vec<&'static Row>, String> {
        if let Some(stranger) =
            self.only.iter().find(|pattern| !rows::all().any(|row| matches(pattern, row.name)))
        {
            return Err(format!("no row is called `{stranger}`; `--list` names them"));
        }
        let wanted =
            |row: &&Row| self.only.is_empty() || self.only.iter().any(|pattern| matches(pattern, row.name));
        Ok(rows::all().filter(wanted).collect())
    }

    /// The contenders that were asked for, pirn first.
    pub(crate) fn contenders(&self) -> Vec<Contender> {
        let wanted = |contender: &&Contender| {
            self.contender.is_empty() || **contender == Contender::Pirn || self.contender.contains(contender)
        };
        contender::ALL.iter().filter(wanted).copied().collect()
    }

    /// How many workers each contender has.
    pub(crate) fn procs(&self) -> usize {
        self.procs.unwrap_or_else(cores)
    }
}

/// How many cores this process may use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Cli {
        Cli::try_parse_from(["pirn-benches"].iter().chain(arguments)).expect("these arguments are right")
    }

    #[test]
    fn all_rows_and_contenders_unless_told() {
        let cli = parse(&[]);
        assert_eq!(cli.rows().unwrap().len(), rows::all().count());
        assert_eq!(cli.contenders(), contender::ALL);
        assert_eq!((cli.rounds, cli.procs()), (3, cores()));
    }

    #[test]
    fn rows_are_chosen_by_name_or_by_their_beginning() {
        let cli = parse(&["--only", "ring,hog_*"]);
        let names: Vec<_> = cli.rows().unwrap().iter().map(|row| row.name).collect();
        assert_eq!(names, ["ring", "hog_block", "hog_block_all", "hog_spin", "hog_spin_all"]);
        assert!(parse(&["--only", "ring,rong"]).rows().is_err());
    }

    #[test]
    fn pirn_takes_part_even_if_it_is_not_named() {
        assert_eq!(parse(&["--contender", "tokio"]).contenders(), [Contender::Pirn, Contender::Tokio]);
    }

    #[test]
    fn no_rounds_and_unknown_contenders_are_refused() {
        for wrong in [["--rounds", "0"], ["--contender", "toki"]] {
            assert!(Cli::try_parse_from(["pirn-benches"].iter().chain(&wrong)).is_err());
        }
    }
}
