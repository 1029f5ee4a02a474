//! Medians, and how far ahead pirn is.
//!
//! The lead over a contender is a ratio that is above 1 when pirn is better: its cost by ours, or our rate by its.
//! Ratios are averaged geometrically, because being twice as fast once and half as fast once is to be no faster.

use crate::contender::Contender;
use crate::row::{Better, Figure, Measured, Row, Size};

/// One contender's runs of a row.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) runs: Vec<Measured>,
    pub(crate) failure: Option<String>,
}

/// A row, with the outcome of everyone who took part.
pub(crate) struct Summary {
    pub(crate) row: &'static Row,
    pub(crate) outcomes: Vec<(Contender, Outcome)>,
    /// Which part of a core others have used during a run, at worst.
    pub(crate) disturbance: f64,
}

/// What stands in a cell of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell {
    /// The contender takes no part in the row.
    Absent,
    /// It failed.
    Failed,
    Value {
        median: f64,
        /// How much better pirn is; not for pirn itself, nor for figures that cannot be compared.
        lead: Option<f64>,
        size: Size,
    },
}

impl Summary {
    /// The cell of a contender, for the row's figure of that index.
    pub(crate) fn cell(&self, contender: Contender, figure: usize) -> Cell {
        let Some((_, outcome)) = self.outcomes.iter().find(|(who, _)| *who == contender) else {
            return Cell::Absent;
        };
        let (None, Some(value)) = (&outcome.failure, outcome.median(figure)) else {
            return Cell::Failed;
        };
        let size = outcome.runs[0].size;
        let ours = self.outcomes.iter().find(|(who, _)| *who == Contender::Pirn);
        let ours = ours.and_then(|(_, outcome)| outcome.median(figure));
        let lead = match (contender, size, ours) {
            (Contender::Pirn, ..) | (_, Size::Smaller, _) | (.., None) => None,
            (.., Some(ours)) => lead(&self.row.figures[figure], ours, value),
        };
        Cell::Value { median: value, lead, size }
    }

    /// The row's figures, with their indices.
    pub(crate) fn figures(&self) -> impl Iterator<Item = (usize, &'static Figure)> {
        self.row.figures.iter().enumerate()
    }
}

impl Outcome {
    fn median(&self, figure: usize) -> Option<f64> {
        median(self.runs.iter().map(|run| run.values[figure]))
    }
}

/// The middle of the values, or of the two in the middle.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count.is_multiple_of(2) => Some((values[middle - 1] + values[middle]) / 2.0),
        _ => Some(values[middle]),
    }
}

/// How much better ours is; `None` where one of them is too small to be measured.
fn lead(figure: &Figure, ours: f64, theirs: f64) -> Option<f64> {
    let ratio = match figure.better {
        Better::Less => theirs / ours,
        Better::More => ours / theirs,
    };
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

/// The geometric mean of pirn's leads over a contender, in the figures that `counts` lets count.
pub(crate) fn mean_lead(
    summaries: &[Summary],
    contender: Contender,
    counts: impl Fn(&Figure) -> bool,
) -> Option<f64> {
    let cells = summaries.iter().flat_map(|summary| {
        summary
            .figures()
            .filter(|(_, figure)| counts(figure))
            .map(|(index, _)| summary.cell(contender, index))
    });
    let logarithms = cells.filter_map(|cell| match cell {
        Cell::Value { lead, .. } => lead.map(f64::ln),
        _ => None,
    });
    let (count, sum) = logarithms.fold((0, 0.0), |(count, sum), ln| (count + 1, sum + ln));
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

/// Where pirn is behind: the figure, the contender, and the lead, which is below 1; the widest gap first.
pub(crate) fn behind(summaries: &[Summary]) -> Vec<(&'static Figure, Contender, f64)> {
    let mut behind = Vec::new();
    for summary in summaries {
        for (index, figure) in summary.figures() {
            for (contender, _) in &summary.outcomes {
                if let Cell::Value { lead: Some(lead), .. } = summary.cell(*contender, index)
                    && lead < 1.0
                {
                    behind.push((figure, *contender, lead));
                }
            }
        }
    }
    behind.sort_by(|one, other| one.2.total_cmp(&other.2));
    behind
}

/// Those of the contenders that have a cell in some row.
pub(crate) fn present(summaries: &[Summary], contenders: &[Contender]) -> Vec<Contender> {
    let took_part = |contender: &&Contender| {
        summaries.iter().any(|summary| summary.outcomes.iter().any(|(who, _)| who == *contender))
    };
    contenders.iter().filter(took_part).copied().collect()
}

#[cfg(test)]
pub(crate) mod tests;
