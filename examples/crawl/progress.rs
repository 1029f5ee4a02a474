//! The progress line: on a terminal one line that is drawn again and again, elsewhere a plain line now and then.
//!
//! All of it goes to standard error, so that standard output holds the result and nothing else.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use pirn_examples::complain;

pub(crate) struct Progress {
    /// None where nobody watches.
    bar: Option<ProgressBar>,
    begun: Instant,
}

impl Progress {
    pub(crate) fn start() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {pos} files, {per_sec}, {elapsed}");
            ProgressBar::no_length().with_style(style.expect("the template is well formed"))
        });
        Self { bar, begun: Instant::now() }
    }

    /// How often [`show`](Self::show) is to be called.
    pub(crate) fn period(&self) -> Duration {
        Duration::from_millis(if self.bar.is_some() { 100 } else { 1000 })
    }

    pub(crate) fn show(&mut self, files: usize) {
        match &self.bar {
            Some(bar) => bar.set_position(files as u64),
            None => complain(format_args!("{files} files after {:.1?}", self.begun.elapsed())),
        }
    }

    /// Prints a line of its own, above the bar where there is one.
    pub(crate) fn complain(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| complain(line)),
            None => complain(line),
        }
    }

    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
