//! Tests of the arithmetic behind the table: medians, leads and their means, and who counts.

use super::*;
use crate::contender::Contender::{Go, Pirn, Smol, Tokio};

pub(crate) static ROW: Row = Row {
    name: "echo",
    figures: &[Figure::more("echo", "1/s"), Figure::less("echo:p99_us", "us")],
    contenders: &[Pirn, Tokio, Smol, Go],
    run: |_| Measured::new([]),
};

/// Pirn has a rate of 200 and a tail of 10.
pub(crate) fn summary(others: Vec<(Contender, Outcome)>) -> Summary {
    let mut outcomes = vec![(Pirn, runs(&[[100.0, 10.0], [200.0, 30.0], [900.0, 1.0]]))];
    outcomes.extend(others);
    Summary { row: &ROW, outcomes, disturbance: 0.0 }
}

pub(crate) fn runs(values: &[[f64; 2]]) -> Outcome {
    Outcome { runs: values.iter().map(|values| Measured::new(*values)).collect(), failure: None }
}

#[test]
fn the_median_is_the_middle_value_or_between_the_two() {
    assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
    assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
    assert_eq!(median(std::iter::empty()), None);
}

#[test]
fn a_lead_is_above_one_when_pirn_is_better() {
    let summary = summary(vec![(Tokio, runs(&[[100.0, 5.0]]))]);
    assert_eq!(summary.cell(Tokio, 0), Cell::Value { median: 100.0, lead: Some(2.0), size: Size::Full });
    assert_eq!(summary.cell(Tokio, 1), Cell::Value { median: 5.0, lead: Some(0.5), size: Size::Full });
    assert_eq!(summary.cell(Pirn, 0), Cell::Value { median: 200.0, lead: None, size: Size::Full });
    assert_eq!(summary.cell(Go, 0), Cell::Absent);
}

#[test]
fn one_failure_spoils_the_row() {
    let failed = Outcome { failure: Some("lost".to_owned()), ..runs(&[[1.0, 1.0]]) };
    assert_eq!(summary(vec![(Smol, failed)]).cell(Smol, 0), Cell::Failed);
}

#[test]
fn a_smaller_run_is_compared_only_per_operation() {
    let of = |size| {
        let mut outcome = runs(&[[100.0, 10.0]]);
        outcome.runs[0].size = size;
        match summary(vec![(Smol, outcome)]).cell(Smol, 0) {
            Cell::Value { lead, .. } => lead,
            _ => None,
        }
    };
    assert_eq!(of(Size::PerOperation), Some(2.0));
    assert_eq!(of(Size::Smaller), None);
}

#[test]
fn leads_are_averaged_geometrically() {
    let summaries = [summary(vec![(Tokio, runs(&[[50.0, 10.0]]))])];
    let mean = mean_lead(&summaries, Tokio, |_| true).expect("there are figures");
    assert!((mean - 2.0).abs() < 1e-9, "of 4 and 1");
    let rate = mean_lead(&summaries, Tokio, |figure| figure.name == "echo").expect("there is one");
    assert!((rate - 4.0).abs() < 1e-9);
    assert_eq!(mean_lead(&summaries, Go, |_| true), None);
}

#[test]
fn the_widest_gap_comes_first() {
    let summaries = [summary(vec![(Tokio, runs(&[[400.0, 9.0]])), (Smol, runs(&[[100.0, 1.0]]))])];
    let behind: Vec<_> = behind(&summaries).into_iter().map(|(figure, who, _)| (figure.name, who)).collect();
    assert_eq!(behind, [("echo:p99_us", Smol), ("echo", Tokio), ("echo:p99_us", Tokio)]);
}

#[test]
fn who_is_in_no_row_has_no_column() {
    let summaries = [summary(vec![(Smol, Outcome::default())])];
    assert_eq!(present(&summaries, &[Pirn, Tokio, Smol]), [Pirn, Smol]);
}
