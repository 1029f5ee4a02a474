//! What a row of the table is, and what a run of it yields.
//!
//! A run happens in a process of its own and prints its figures as lines, which the runner reads back; a Go
//! program prints the same lines. A row may yield several figures (a median and a tail): the first bears the row's
//! name, the others `row:figure`.
//!
//! ```text
//!   wake_latency 19.2
//!   wake_latency:p99_us 68.8
//!   size per-operation                only if it ran a smaller size than the others
//! ```

use std::time::Duration;

use crate::contender::Contender;

/// Who runs, and on how many workers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) contender: Contender,
    pub(crate) procs: usize,
}

/// Which figures are good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Better {
    Less,
    More,
}

/// One figure that a row yields.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figure {
    /// `row` or `row:figure`.
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) better: Better,
}

impl Figure {
    /// A cost.
    pub(crate) const fn less(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit, better: Better::Less }
    }

    /// A rate.
    pub(crate) const fn more(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit, better: Better::More }
    }
}

/// One workload.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The row's own first.
    pub(crate) figures: &'static [Figure],
    /// Who can run it.
    pub(crate) contenders: &'static [Contender],
    pub(crate) run: fn(Setup) -> Measured,
}

/// Whether a run had the size that the others have.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) enum Size {
    #[default]
    Full,
    /// Smaller, but its figure is one per operation, or is scaled up by their number.
    PerOperation,
    /// Smaller, and not to be compared.
    Smaller,
}

impl Size {
    /// As in what a run prints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::PerOperation => "per-operation",
            Self::Smaller => "smaller",
        }
    }

    /// The one of that name; of full size unless told.
    pub(crate) fn named(name: &str) -> Self {
        let others = [Self::PerOperation, Self::Smaller];
        others.into_iter().find(|size| size.name() == name).unwrap_or_default()
    }
}

/// What a run yields: a value for each of its row's figures, in their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measured {
    pub(crate) values: Vec<f64>,
    pub(crate) size: Size,
}

impl Measured {
    /// Of a run of full size.
    pub(crate) fn new(values: impl Into<Vec<f64>>) -> Self {
        Self { values: values.into(), size: Size::Full }
    }

    /// Nanoseconds per operation.
    pub(crate) fn ns_each(time: Duration, operations: u64) -> Self {
        Self::new([time.as_nanos() as f64 / operations as f64])
    }

    /// Of another size, if `smaller`.
    pub(crate) fn sized(mut self, smaller: bool, size: Size) -> Self {
        if smaller {
            self.size = size;
        }
        self
    }

    /// The lines that a run prints.
    pub(crate) fn lines(&self, row: &Row) -> String {
        let values = row.figures.iter().zip(&self.values);
        let mut text: String = values.map(|(figure, value)| format!("{} {value}\n", figure.name)).collect();
        if self.size != Size::Full {
            text.push_str(&format!("size {}\n", self.size.name()));
        }
        text
    }

    /// Reads them back; `None` if a figure is missing.
    pub(crate) fn read(text: &str, row: &Row) -> Option<Self> {
        let said = |name: &str| {
            text.lines()
                .find_map(|line| line.split_once(' ').filter(|(key, _)| *key == name))
                .map(|(_, value)| value.trim())
        };
        let values = row.figures.iter().map(|figure| said(figure.name)?.parse().ok());
        let size = Size::named(said("size").unwrap_or_default());
        Some(Self { values: values.collect::<Option<_>>()?, size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Row = Row {
        name: "nap",
        figures: &[Figure::less("nap", "us"), Figure::less("nap:p99_us", "us")],
        contenders: &[Contender::Pirn],
        run: |_| Measured::new([]),
    };

    #[test]
    fn what_a_run_prints_is_read_back() {
        let measured = Measured::new([1.5, 20.0]).sized(true, Size::PerOperation);
        assert_eq!(Measured::read(&measured.lines(&ROW), &ROW), Some(measured));
    }

    #[test]
    fn a_run_that_leaves_a_figure_out_has_failed() {
        assert_eq!(Measured::read("nap 1.5\n", &ROW), None);
        assert_eq!(Measured::read("nap 1.5\nnap:p99_us many\n", &ROW), None);
    }

    #[test]
    fn only_a_smaller_run_is_marked() {
        assert_eq!(Measured::new([1.0]).sized(false, Size::Smaller).size, Size::Full);
        assert_eq!(Measured::new([1.0]).sized(true, Size::Smaller).size, Size::Smaller);
    }
}
