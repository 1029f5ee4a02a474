//! The result for machines, and back: results of several runs can be shown as one.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use crate::contender::Contender;
use crate::row::{Better, Measured, Row, Size};
use crate::rows;
use crate::summary::{Cell, Outcome, Summary};

/// One object: how it was measured, and for each figure the runs, the median and the lead of each contender.
pub(crate) fn report(summaries: &[Summary], procs: usize, rounds: u32) -> String {
    let figures: Vec<Value> = summaries.iter().flat_map(figures).collect();
    json!({ "procs": procs, "cores": crate::cli::cores(), "rounds": rounds, "figures": figures }).to_string()
}

fn figures(summary: &Summary) -> Vec<Value> {
    let figure = |index: usize| {
        let figure = &summary.row.figures[index];
        let better = if figure.better == Better::Less { "less" } else { "more" };
        let mut contenders = Map::new();
        for (contender, outcome) in &summary.outcomes {
            let runs: Vec<f64> = outcome.runs.iter().map(|run| run.values[index]).collect();
            let value = match summary.cell(*contender, index) {
                Cell::Value { median, lead, size } => {
                    json!({ "median": median, "lead": lead, "runs": runs, "size": size.name() })
                }
                Cell::Absent | Cell::Failed => json!({ "failure": outcome.failure, "runs": runs }),
            };
            contenders.insert(contender.name().to_owned(), value);
        }
        json!({ "name": figure.name, "unit": figure.unit, "better": better, "contenders": contenders,
                "disturbance": summary.disturbance })
    };
    (0..summary.row.figures.len()).map(figure).collect()
}

/// Reads what [`report`] has written; `None` if it is something else.
pub(crate) fn read(text: &str) -> Option<Vec<Summary>> {
    let report: Value = serde_json::from_str(text).ok()?;
    let figures = report["figures"].as_array()?;
    let is_there = |row: &&'static Row| figures.iter().any(|figure| figure["name"] == row.name);
    rows::all().filter(is_there).map(|row| summary(row, figures)).collect()
}

/// A row's summary, from all figures that were written.
fn summary(row: &'static Row, figures: &[Value]) -> Option<Summary> {
    let written = |name: &str| figures.iter().find(|figure| figure["name"] == name);
    let figures: Option<Vec<&Value>> = row.figures.iter().map(|figure| written(figure.name)).collect();
    let figures = figures?;
    let mut outcomes = Vec::new();
    for (name, first) in figures[0]["contenders"].as_object()? {
        let contender = Contender::from_str(name, false).ok()?;
        let mut runs = Vec::new();
        for run in 0..first["runs"].as_array()?.len() {
            let values = figures.iter().map(|figure| figure["contenders"][name]["runs"][run].as_f64());
            let size = Size::named(first["size"].as_str().unwrap_or_default());
            runs.push(Measured { values: values.collect::<Option<_>>()?, size });
        }
        outcomes.push((contender, Outcome { runs, failure: first["failure"].as_str().map(str::to_owned) }));
    }
    Some(Summary { row, outcomes, disturbance: figures[0]["disturbance"].as_f64().unwrap_or(0.0) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Contender::Tokio;
    use crate::summary::tests::{runs, summary};

    #[test]
    fn every_figure_has_its_runs_and_its_lead() {
        let summaries = [summary(vec![(Tokio, runs(&[[100.0, 5.0]]))])];
        let value: Value = serde_json::from_str(&report(&summaries, 2, 3)).expect("it is JSON");
        assert_eq!(value["rounds"], 3);
        let rate = &value["figures"][0];
        assert_eq!((&rate["name"], &rate["better"]), (&json!("echo"), &json!("more")));
        assert_eq!(rate["contenders"]["pirn"]["runs"], json!([100.0, 200.0, 900.0]));
        assert_eq!(rate["contenders"]["tokio"]["lead"], json!(2.0));
        assert_eq!(value["figures"][1]["contenders"]["tokio"]["median"], json!(5.0));
    }

    #[test]
    fn what_was_written_is_read_back() {
        let row = rows::named("tcp_echo").expect("there is such a row");
        let lost = Outcome { failure: Some("a value is lost".to_owned()), runs: Vec::new() };
        let outcomes = vec![(Contender::Pirn, runs(&[[9.0, 1.0], [8.0, 2.0]])), (Tokio, lost)];
        let written = report(&[Summary { row, outcomes, disturbance: 0.5 }], 2, 3);
        let read = read(&written).expect("it is a report");
        assert_eq!(report(&read, 2, 3), written);
        assert!(super::read("{}").is_none());
    }
}
