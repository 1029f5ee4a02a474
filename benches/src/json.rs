//! The result for machines.

use serde_json::{Map, Value, json};

use crate::row::{Better, Size};
use crate::summary::{Cell, Summary};

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
                    let size = match size {
                        Size::Full => "full",
                        Size::PerOperation => "per-operation",
                        Size::Smaller => "smaller",
                    };
                    json!({ "median": median, "lead": lead, "runs": runs, "size": size })
                }
                Cell::Absent | Cell::Failed => json!({ "failure": outcome.failure, "runs": runs }),
            };
            contenders.insert(contender.name().to_owned(), value);
        }
        json!({ "name": figure.name, "unit": figure.unit, "better": better, "contenders": contenders })
    };
    (0..summary.row.figures.len()).map(figure).collect()
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
}
