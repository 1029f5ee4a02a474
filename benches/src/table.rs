//! The result as a Markdown table, which reads well in a terminal too.
//!
//! A cell is the median, and behind it how far ahead pirn is: `241 (3.2)` is 3.2 times pirn's cost, or a rate of
//! which pirn's is 3.2 times. Below 1 pirn is behind, and the cell is bold.

use std::fmt::Write;

use crate::contender::Contender;
use crate::row::{Better, Figure, Size};
use crate::summary::{Cell, Summary, behind, mean_lead};

/// Everything: the table, the means, where pirn is behind, who failed, and when the machine was not quiet.
pub(crate) fn report(summaries: &[Summary], contenders: &[Contender]) -> String {
    let mut rows = vec![heading(contenders)];
    for summary in summaries {
        for (index, figure) in summary.figures() {
            let mut row = vec![figure.name.to_owned(), unit(figure)];
            row.extend(contenders.iter().map(|contender| cell(summary.cell(*contender, index))));
            rows.push(row);
        }
    }
    rows.push(means("mean lead", summaries, contenders, |_| true));
    rows.push(means("mean lead without hog_*", summaries, contenders, |figure| {
        !figure.name.starts_with("hog_")
    }));
    let mut text = markdown(&rows);
    text.push_str("\n↑: more is better, else less. (n): pirn is n times better; bold: pirn is behind. †: a smaller run, per operation; ‡: a smaller run, not comparable.\n");
    gaps(&mut text, summaries);
    failures(&mut text, summaries);
    disturbances(&mut text, summaries);
    text
}

fn heading(contenders: &[Contender]) -> Vec<String> {
    let names = contenders.iter().map(|contender| contender.name().to_owned());
    ["row".to_owned(), "unit".to_owned()].into_iter().chain(names).collect()
}

fn unit(figure: &Figure) -> String {
    match figure.better {
        Better::Less => figure.unit.to_owned(),
        Better::More => format!("{} ↑", figure.unit),
    }
}

/// One cell's text.
pub(crate) fn cell(cell: Cell) -> String {
    match cell {
        Cell::Absent => String::new(),
        Cell::Failed => "FAIL".to_owned(),
        Cell::Value { median, lead, size } => {
            let mark = match size {
                Size::Full => "",
                Size::PerOperation => "†",
                Size::Smaller => "‡",
            };
            let value = format!("{}{mark}", number(median));
            match lead {
                None => value,
                Some(lead) if lead < 1.0 => format!("**{value} ({lead:.2})**"),
                Some(lead) if lead < 10.0 => format!("{value} ({lead:.2})"),
                Some(lead) => format!("{value} ({lead:.0})"),
            }
        }
    }
}

/// Three significant digits.
fn number(value: f64) -> String {
    match value.abs() {
        small if small < 1.0 => format!("{value:.3}"),
        small if small < 10.0 => format!("{value:.2}"),
        small if small < 100.0 => format!("{value:.1}"),
        _ => thousands(value.round() as i64),
    }
}

fn thousands(value: i64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn means(
    name: &str,
    summaries: &[Summary],
    contenders: &[Contender],
    counts: impl Fn(&Figure) -> bool,
) -> Vec<String> {
    let means = contenders.iter().map(|contender| match mean_lead(summaries, *contender, &counts) {
        Some(mean) => format!("({mean:.2})"),
        None => String::new(),
    });
    [name.to_owned(), String::new()].into_iter().chain(means).collect()
}

/// Rows as Markdown, the columns padded to one width.
pub(crate) fn markdown(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let length = |column: usize, row: &Vec<String>| row.get(column).map_or(0, |text| text.chars().count());
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| length(column, row)).max().unwrap_or(0).max(3))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, width) in widths.iter().enumerate() {
            let cell = row.get(column).map_or("", String::as_str);
            // The names to the left, the figures to the right.
            let written = if column < 2 {
                write!(text, "| {cell:<width$} ")
            } else {
                write!(text, "| {cell:>width$} ")
            };
            written.expect("a string takes everything");
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                text.push_str(&format!("|{}{}", "-".repeat(width + 1), if column < 2 { "-" } else { ":" }));
            }
            text.push_str("|\n");
        }
    }
    text
}

fn gaps(text: &mut String, summaries: &[Summary]) {
    let behind = behind(summaries);
    if behind.is_empty() {
        return;
    }
    text.push_str("\nWhere pirn is behind, the widest gap first:\n");
    for (figure, contender, lead) in behind {
        text.push_str(&format!(
            "- {}: {} is {:.2} times better\n",
            figure.name,
            contender.name(),
            1.0 / lead
        ));
    }
}

fn failures(text: &mut String, summaries: &[Summary]) {
    for summary in summaries {
        for (contender, outcome) in &summary.outcomes {
            if let Some(failure) = &outcome.failure {
                text.push_str(&format!("\nFAIL {}: {}: {failure}\n", summary.row.name, contender.name()));
            }
        }
    }
}

/// Above this part of a core, what others did may have decided a figure. An idle system needs less.
const QUIET: f64 = 0.15;

fn disturbances(text: &mut String, summaries: &[Summary]) {
    for summary in summaries.iter().filter(|summary| summary.disturbance > QUIET) {
        let part = summary.disturbance * 100.0;
        text.push_str(&format!(
            "\nDISTURBED {}: others used up to {part:.0} % of a core\n",
            summary.row.name
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Contender::{Pirn, Smol, Tokio};
    use crate::summary::tests::{runs, summary};

    #[test]
    fn figures_have_three_digits() {
        let numbers = [0.05, 1.234, 23.45, 155.4, 146_554.2, 1_234_567.0].map(number);
        assert_eq!(numbers, ["0.050", "1.23", "23.4", "155", "146,554", "1,234,567"]);
    }

    #[test]
    fn a_cell_says_how_far_ahead_pirn_is() {
        let text = |lead, size| cell(Cell::Value { median: 241.0, lead, size });
        assert_eq!(text(None, Size::Full), "241");
        assert_eq!(text(Some(3.2), Size::Full), "241 (3.20)");
        assert_eq!(text(Some(32.4), Size::PerOperation), "241† (32)");
        assert_eq!(text(Some(0.5), Size::Full), "**241 (0.50)**");
        assert_eq!(cell(Cell::Failed), "FAIL");
        assert_eq!(cell(Cell::Absent), "");
    }

    #[test]
    fn the_report_names_means_gaps_failures_and_disturbances() {
        let mut failed = runs(&[]);
        failed.failure = Some("a value is lost".to_owned());
        let mut summaries = [summary(vec![(Tokio, runs(&[[400.0, 10.0]])), (Smol, failed)])];
        summaries[0].disturbance = 0.5;
        let text = report(&summaries, &[Pirn, Tokio, Smol]);
        let line = |beginning: &str| text.lines().find(|line| line.starts_with(beginning)).expect(beginning);
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(line("| echo ")).contains("| 200 | **400 (0.50)** |"));
        assert!(line("| mean lead ").contains("(0.71)"));
        assert_eq!(line("- echo"), "- echo: tokio is 2.00 times better");
        assert_eq!(line("DISTURBED"), "DISTURBED echo: others used up to 50 % of a core");
        assert_eq!(line("FAIL"), "FAIL echo: smol: a value is lost");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows =
            [["row", "unit", "pirn"], ["a_long_name", "ns", "7"]].map(|row| row.map(str::to_owned).to_vec());
        let text = markdown(&rows);
        let widths: Vec<_> = text.lines().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        assert!(text.lines().nth(1).unwrap().ends_with(":|"));
    }
}
