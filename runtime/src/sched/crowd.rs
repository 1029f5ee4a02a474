//! Crowding: how many processors are left unused while other threads want the cores.
//!
//! Where more threads are ready than there are cores, a machine waits for its core with a processor in its hands: tasks
//! in the queue, connections in the set. And whoever has the core instead, a client of ours perhaps, is thrown off it
//! when the machine's turn comes. Two machines that share two cores with their client serve less, and later, than one
//! that has a core to itself. But beside a stranger every machine is a claim to a share of the cores, and to give one
//! up is to give the share away. From inside the two look alike; so it is tried.
//!
//! Time is cut into windows of some [`WINDOW`]. Of each it is known how many polls there were, and how long machines
//! waited for a core although they were ready to run: the kernel tells
//! ([`thread_state`](super::thread_state)). A window is *crowded* if that was more than a tenth of the time of those
//! in use.
//!
//! ```text
//!   crowded for some windows in a row, and patience is over: one processor fewer, on trial
//!        │
//!        ├─► fewer polls after some windows: one more again, patience doubles
//!        ▼
//!   the series goes on; while it is crowded still, another one fewer on trial
//!        │
//!        ▼
//!   trust is over, or there have been fewer polls than before the series for a while: all are in use again
//!        ├─► fewer: patience doubles
//!        └─► as many: trust doubles
//! ```
//!
//! Nobody hears that there is room again: a machine that has a core to itself cannot see whether another one is free.
//! So trust ends, and doubles each time that it was deserved.
//!
//! # Bounds
//! - C1. One processor at least is in use.
//! - C2. A poll that lasts ends it at sysmon's next look ([`disperse`](Crowd::disperse)), within milliseconds; so does
//!   rest. What is withheld delays nothing for longer.
//! - C3. A wrong guess costs a part of the processors until the loss stands out of the noise, and for [`MOST_TRUST`] at
//!   most. The other way round, a try that fails costs some 60 ms of a processor, and in the end that once in
//!   [`MOST_PATIENCE`].
//!
//! The number of polls is what can be counted everywhere, not what is done: who finds more to do in each poll polls less
//! often. That errs towards using all processors.
//!
//! # Rejected
//! To go by the time that machines wait, without a try: it gives one's own share to every stranger. To compare the polls
//! of single windows: on a machine that others use they differ by a tenth for no reason. To wake fewer machines, and
//! leave the processors in use: who is awake is not woken, and who has work does not rest.

use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(10);
/// A window is crowded if the machines in use waited for more than one such part of their time.
const CROWDED: u32 = 10;
/// Crowded windows in a row before a try.
const IN_A_ROW: u32 = 3;
/// The first windows of a try do not count: connections and tasks change hands.
const SETTLING: u32 = 2;
/// A try is judged after so many that do.
const JUDGED: u32 = 4;
/// Fewer polls than before are as many if what is missing is less than this part of the share of what is withheld: for a
/// try, which has seen little, and for a series.
const TRY_LOSS: f64 = 0.15;
const SERIES_LOSS: f64 = 0.05;
/// A series is watched for a loss once it has as many windows as tell a loss from noise; without one it goes on.
const NOTICED: u32 = 16;
/// How long a series goes on.
const TRUST: Duration = Duration::from_secs(1);
const MOST_TRUST: Duration = Duration::from_secs(4);
/// How long none is made after one that failed.
const PATIENCE: Duration = Duration::from_millis(250);
const MOST_PATIENCE: Duration = Duration::from_secs(5);

/// What has been counted up to a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) polls: u64,
    /// How long machines have waited for cores, all together.
    pub(super) waited: Duration,
}

/// The decision. It changes nothing itself.
#[derive(Debug)]
pub(super) struct Crowd {
    procs: usize,
    withheld: usize,
    /// The present window began with it.
    since: Sample,
    /// The crowded windows up to now, in a row.
    crowded: Rates,
    /// Since none was withheld.
    series: Option<Series>,
    /// What was withheld last, until it is judged.
    tried: Option<Try>,
    trust: Duration,
    /// No try before.
    patient_until: Instant,
    patience: Duration,
}

/// Polls a second, in some windows.
#[derive(Clone, Copy, Debug, Default)]
struct Rates {
    windows: u32,
    sum: f64,
}

#[derive(Debug)]
struct Series {
    before: f64,
    /// With what is withheld now.
    since: Rates,
    until: Instant,
}

#[derive(Debug)]
struct Try {
    before: f64,
    settling: u32,
    since: Rates,
}

impl Rates {
    fn add(&mut self, rate: f64) {
        self.windows += 1;
        self.sum += rate;
    }

    fn mean(self) -> f64 {
        self.sum / f64::from(self.windows.max(1))
    }
}

impl Crowd {
    pub(super) fn new(now: Sample, procs: usize) -> Self {
        Self {
            procs,
            withheld: 0,
            since: now,
            crowded: Rates::default(),
            series: None,
            tried: None,
            trust: TRUST,
            patient_until: now.at,
            patience: PATIENCE,
        }
    }

    /// Whether it is time for the next [`observe`](Self::observe).
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.since.at) >= WINDOW
    }

    /// Whether any processor is to be left unused.
    pub(super) fn withholds(&self) -> bool {
        self.withheld > 0
    }

    /// A poll lasts: all are in use again (C2). What was not judged yet, or would not stand, has failed.
    pub(super) fn disperse(&mut self, now: Instant) {
        if self.tried.is_some() || self.series_has_failed() {
            self.be_patient(now);
        }
        self.use_all();
    }

    /// Nothing runs: all are in use again. What was learnt holds: a burst that follows tries nothing sooner.
    pub(super) fn rest(&mut self, now: Instant) {
        self.since.at = now;
        self.use_all();
    }

    /// A window is over. How many of `procs` processors are to be left unused from now on.
    pub(super) fn observe(&mut self, now: Sample, procs: usize) -> usize {
        if procs != self.procs {
            self.procs = procs;
            self.use_all();
        }
        let window = now.at.duration_since(self.since.at);
        let rate = now.polls.saturating_sub(self.since.polls) as f64 / window.as_secs_f64();
        let waited = now.waited.saturating_sub(self.since.waited);
        self.since = now;
        if waited * CROWDED <= window * self.in_use() as u32 {
            self.crowded = Rates::default();
        } else if self.tried.is_none() {
            self.crowded.add(rate);
        }
        match (&mut self.tried, &mut self.series) {
            (Some(tried), _) if tried.settling > 0 => tried.settling -= 1,
            (Some(tried), _) => tried.since.add(rate),
            (None, Some(series)) => series.since.add(rate),
            (None, None) => {}
        }
        self.decide(now.at);
        self.withheld
    }

    fn decide(&mut self, now: Instant) {
        if !self.judge(now) {
            return;
        }
        if let Some(series) = &self.series {
            let has_failed = self.series_has_failed();
            if now >= series.until || has_failed && series.since.windows >= NOTICED {
                if has_failed {
                    self.be_patient(now);
                } else {
                    self.trust = (2 * self.trust).min(MOST_TRUST);
                    self.patience = PATIENCE;
                }
                self.use_all();
            }
        }
        // C1.
        if self.crowded.windows >= IN_A_ROW && self.in_use() > 1 && now >= self.patient_until {
            self.try_fewer(now);
        }
    }

    /// False while a try has not been judged.
    fn judge(&mut self, now: Instant) -> bool {
        let Some(tried) = self.tried.take_if(|tried| tried.since.windows >= JUDGED) else {
            return self.tried.is_none();
        };
        // It was one more.
        let least = tried.before * (1.0 - TRY_LOSS / (self.in_use() + 1) as f64);
        if tried.since.mean() >= least {
            self.series.iter_mut().for_each(|series| series.since = tried.since);
            return true;
        }
        self.withheld -= 1;
        if self.withheld == 0 {
            self.use_all();
        }
        self.be_patient(now);
        true
    }

    fn try_fewer(&mut self, now: Instant) {
        let before = std::mem::take(&mut self.crowded).mean();
        let until = now + self.trust;
        let series = self.series.get_or_insert(Series { before, since: Rates::default(), until });
        series.since = Rates::default();
        self.tried = Some(Try { before, settling: SETTLING, since: Rates::default() });
        self.withheld += 1;
    }

    fn in_use(&self) -> usize {
        self.procs - self.withheld
    }

    fn series_has_failed(&self) -> bool {
        self.series.as_ref().is_some_and(|series| {
            let least = series.before * (1.0 - SERIES_LOSS * self.withheld as f64 / self.procs as f64);
            series.since.windows > 0 && series.since.mean() < least
        })
    }

    fn be_patient(&mut self, now: Instant) {
        self.patient_until = now + self.patience;
        self.patience = (2 * self.patience).min(MOST_PATIENCE);
        self.trust = TRUST;
    }

    fn use_all(&mut self) {
        self.withheld = 0;
        self.series = None;
        self.tried = None;
        self.crowded = Rates::default();
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
