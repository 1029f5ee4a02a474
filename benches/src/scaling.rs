//! The rows on 1, 2, 4, 8 and 16 workers.
//!
//! More workers than cores cannot be faster; what is seen there is what it costs to have too many, which is what a
//! container with a fraction of its host's cores has. Their columns bear a star.

use crate::cli::cores;
use crate::contender::Contender;
use crate::row::Row;
use crate::runner::Runner;
use crate::summary::{Cell, Summary};
use crate::table::{cell, markdown};

const PROCS: [usize; 5] = [1, 2, 4, 8, 16];

/// Runs them all: a line for each figure and contender, a column for each number of workers.
pub(crate) fn report(runner: &Runner, rows: &[&'static Row], contenders: &[Contender]) -> String {
    let mut lines = vec![heading(cores())];
    for row in rows {
        let summaries: Vec<Summary> = PROCS.iter().map(|procs| runner.row(row, contenders, *procs)).collect();
        lines.extend(scaled(&summaries, contenders));
    }
    let legend =
        "\n*: more workers than this machine has cores. (n): pirn, on as many workers, is n times better.\n";
    markdown(&lines) + legend
}

fn heading(cores: usize) -> Vec<String> {
    let column = |procs: usize| if procs > cores { format!("{procs}*") } else { procs.to_string() };
    ["row".to_owned(), "contender".to_owned()].into_iter().chain(PROCS.map(column)).collect()
}

/// The lines of one row, of which there is a summary for each number of workers.
fn scaled(summaries: &[Summary], contenders: &[Contender]) -> Vec<Vec<String>> {
    let mut lines = Vec::new();
    for (index, figure) in summaries.iter().take(1).flat_map(Summary::figures) {
        for contender in contenders {
            let cells: Vec<Cell> = summaries.iter().map(|summary| summary.cell(*contender, index)).collect();
            if cells.iter().any(|cell| *cell != Cell::Absent) {
                let names = [format!("{} {}", figure.name, figure.unit), contender.name().to_owned()];
                lines.push(names.into_iter().chain(cells.into_iter().map(cell)).collect());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Contender::{Pirn, Smol, Tokio};
    use crate::summary::tests::{runs, summary};

    #[test]
    fn more_workers_than_cores_are_marked() {
        assert_eq!(heading(2), ["row", "contender", "1", "2", "4*", "8*", "16*"]);
    }

    #[test]
    fn a_line_for_each_figure_and_contender_that_took_part() {
        let summaries = [summary(vec![(Tokio, runs(&[[100.0, 5.0]]))]), summary(vec![])];
        let lines = scaled(&summaries, &[Pirn, Tokio, Smol]);
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[1], ["echo 1/s", "tokio", "100 (2.00)", ""]);
    }
}
