//! A sliding window: the counts of the last ticks, and their sum.
//!
//! ```text
//!   push ──► │ newest │ … │ oldest │ ──► falls out, and is taken off the sum
//!             ╰──── at most so many ───╯
//!   sum = newest + … + oldest, kept up to date: the window is never walked over
//! ```

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// How many kinds are told apart; what comes after that is counted under no name. Bounds the memory.
const MOST_KINDS: usize = 1000;

/// Counts: of one read, of one tick, of the window, or of all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Batch {
    pub(crate) lines: u64,
    pub(crate) bytes: u64,
    pub(crate) kinds: HashMap<Vec<u8>, u64>,
    /// Whether it is the first of its connection.
    pub(crate) is_first: bool,
}

impl Batch {
    /// Counts a line, without its end.
    pub(crate) fn count(&mut self, line: &[u8]) {
        self.lines += 1;
        let kind = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
        self.count_kind(&kind[..kind.len().min(32)], 1);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.lines += other.lines;
        self.bytes += other.bytes;
        other.kinds.iter().for_each(|(kind, lines)| self.count_kind(kind, *lines));
    }

    fn count_kind(&mut self, kind: &[u8], lines: u64) {
        if let Some(count) = self.kinds.get_mut(kind) {
            *count += lines;
        } else if self.kinds.len() < MOST_KINDS {
            self.kinds.insert(kind.to_owned(), lines);
        }
    }
}

/// The last ticks.
pub(crate) struct Window {
    /// What came, and in which time, the newest first.
    ticks: VecDeque<(Batch, Duration)>,
    most: usize,
    /// How much time the ticks cover.
    covered: Duration,
    /// How often each kind came in those ticks.
    sum: HashMap<Vec<u8>, u64>,
    empty: Batch,
}

impl Window {
    /// As many ticks as fit into `length`, at least one.
    pub(crate) fn new(length: Duration, every: Duration) -> Self {
        let most = (length.as_secs_f64() / every.as_secs_f64()) as usize;
        let most = most.clamp(1, 100_000);
        Self {
            ticks: VecDeque::new(),
            most,
            covered: Duration::ZERO,
            sum: HashMap::new(),
            empty: Batch::default(),
        }
    }

    /// Takes in a tick that took so long, and whose counts are also added to `total`; drops the oldest if there are
    /// too many.
    pub(crate) fn push(&mut self, tick: Batch, took: Duration, total: &mut Batch) {
        total.lines += tick.lines;
        total.bytes += tick.bytes;
        for (kind, lines) in &tick.kinds {
            *self.sum.entry(kind.clone()).or_default() += lines;
        }
        self.ticks.push_front((tick, took));
        self.covered += took;
        if self.ticks.len() > self.most {
            let (oldest, took) = self.ticks.pop_back().expect("there are some");
            self.covered -= took;
            for (kind, lines) in oldest.kinds {
                let left = self.sum.get_mut(&kind).expect("it was added when it came");
                *left -= lines;
                if *left == 0 {
                    self.sum.remove(&kind);
                }
            }
        }
    }

    /// The newest tick, and how long it took.
    pub(crate) fn last(&self) -> (&Batch, Duration) {
        self.ticks.front().map_or((&self.empty, Duration::ZERO), |(tick, took)| (tick, *took))
    }

    /// The time that the ticks in it cover.
    pub(crate) fn covered(&self) -> Duration {
        self.covered
    }

    /// The kinds that came most often, the most frequent first; equals in the order of their names.
    pub(crate) fn most_frequent(&self, most: usize) -> Vec<(&[u8], u64)> {
        let mut kinds: Vec<_> = self.sum.iter().map(|(kind, lines)| (kind.as_slice(), *lines)).collect();
        kinds.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        kinds.truncate(most);
        kinds
    }
}
