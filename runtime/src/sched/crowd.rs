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
//! # The trial
//! How fast cores are changes from one moment to the next where they are shared, by more than what is to be found out.
//! So what is done with fewer processors is compared with what is done with all of them *just before or after*, again and
//! again:
//!
//! ```text
//!   crowded for some windows in a row, and patience is over: a trial of one processor fewer
//!
//!     all · fewer   fewer · all   all · fewer   …         blocks of some windows; two are a pair
//!     └── pair ─┘   └── pair ─┘   └── pair ─┘
//!          score := score + what the fewer have done more, as a part of the larger, and never more than so much
//!        │
//!        ├─► the score falls below −VERDICT: as before; patience doubles
//!        └─► it rises above VERDICT: so many are left unused; while it is crowded still, a trial of another one
//!               │
//!               ▼
//!            trust is over: the same trial again
//!               ├─► lost: all are in use; patience doubles
//!               └─► won: trust doubles, and patience with another one goes on
//! ```
//! It is Wald's sequential test ("Sequential Tests of Statistical Hypotheses", 1945): what is clear is decided at once,
//! what is not takes longer, and after [`MOST_PAIRS`] the sign decides. That the order turns round from pair to pair
//! takes a steady drift out; that no pair counts for more than [`MOST_GAIN`] bounds what a jump can do.
//!
//! Nobody hears that there is room again: a machine that has a core to itself cannot see whether another one is free.
//! So after each [`UNASKED`] one window goes with all of them, and if it is not crowded the verdict waits until it is.
//! That does not tell a client from a stranger who came in its place: so trust ends too, and doubles each time that it was
//! deserved. It is spent while fewer are in use, and not by rest: of a client that comes and goes each visit would else
//! begin with a trial. Nor does rest spend patience: so would each burst beside a stranger. A trial that finds it crowded
//! in less than half of the windows with all is lost, whatever its score.
//!
//! # What waits
//! With fewer processors it may be us whom everybody waits for, clients too, and the core that they were left is idle
//! half of the time. What is queued tells, by the number of polls in the window: one is *late* if at that rate it takes more
//! than [`LATE`] until all of it has had its turn. (A processor that rests now and then is faster than that. The error is on the
//! side of using all.) No first trial begins after such a window; two of them in a block end any, with fewer or with all, and
//! its first windows count too: it is lost. After a verdict a few in a row take it back, all of it, and patience begins.
//! (With `wrk` beside it on two cores one processor serves 64 connections better than two, up to a few hundred as well,
//! and 1,000 worse.)
//!
//! # Bounds
//! - C1. One processor at least is in use.
//! - C2. A poll that lasts ends it at sysmon's next look, within milliseconds; so does rest ([`pause`](Crowd::pause)).
//!   What is withheld delays nothing for longer. A verdict outlives both: when it is crowded again, and trust is not over,
//!   no trial is needed. A trial goes on with the pair that was interrupted. But neither does so more often than
//!   [`MOST_RESTARTS`] in a row: a poll that lasts on and on would have the processors change hands all the time.
//! - C3. A wrong guess costs a part of the processors for [`MOST_TRUST`] of use at most, and where there is room for all
//!   of them for [`UNASKED`], and in half of the windows of a trial that was just beginning. Where there is room for some
//!   of them, but not for all, it is the former. The other way round, a trial that fails costs that part in half of its
//!   windows, and in the end once in [`MOST_PATIENCE`] of use.
//! - C4. Each trial is against all processors, not against one more than are in use: many small losses are not taken
//!   for none.
//!
//! The number of polls is what can be counted everywhere, not what is done: who finds more to do in each poll polls less
//! often. That errs towards using all processors.
//!
//! # Rejected
//! To go by the time that machines wait, without a trial: it gives one's own share to every stranger. To compare with
//! what was done before the first trial: a client that was just about to begin, or a core that became faster since, makes
//! it look good for as long as trust goes on. To wake fewer machines, and leave the processors in use: who is awake is
//! not woken, and who has work does not rest.

use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(10);
/// A window is crowded if the machines in use waited for more than one such part of their time.
const CROWDED: u32 = 10;
/// Crowded windows in a row before a trial; late ones before a verdict is taken back.
const IN_A_ROW: u32 = 3;
/// The windows of a block, and how many of them do not count: connections and tasks change hands.
const BLOCK: u32 = 6;
const SETTLING: u32 = 2;
/// What the fewer have done less, as a part of the share of what is withheld, is no loss.
const NO_LOSS: f64 = 0.05;
/// More or less than that is not seen in one pair.
const MOST_GAIN: f64 = 0.25;
/// The score that decides: more than one pair can give.
const VERDICT: f64 = 0.3;
const MOST_PAIRS: u32 = 6;
/// A window is late if it takes longer until all that is queued has had its turn.
const LATE: Duration = Duration::from_millis(5);
/// So many late windows of one block end a trial.
const MOST_LATE: u32 = 2;
/// So many times in a row may a pair be interrupted, or a verdict before a window is over.
const MOST_RESTARTS: u32 = 3;
/// For how long a verdict is acted upon before there is a trial again.
const TRUST: Duration = Duration::from_secs(2);
const MOST_TRUST: Duration = Duration::from_secs(16);
/// For how long it is acted upon before it is asked whether it is crowded still.
const UNASKED: Duration = Duration::from_secs(1);
/// How long there is no trial after one that failed, rest apart.
const PATIENCE: Duration = Duration::from_secs(1);
const MOST_PATIENCE: Duration = Duration::from_secs(8);

/// What has been counted up to a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    pub(super) polls: u64,
    /// How long machines have waited for cores, all together.
    pub(super) waited: Duration,
    /// Tasks in the queues and the injector, just now.
    pub(super) queued: usize,
}

/// The decision. It changes nothing itself.
#[derive(Debug)]
pub(super) struct Crowd {
    procs: usize,
    /// So many are left unused, by the last verdict.
    level: usize,
    /// The verdict waits until it is crowded again.
    paused: bool,
    trial: Option<Trial>,
    /// The present window began with it.
    since: Sample,
    /// Crowded windows up to now, in a row, none of them late.
    crowded: u32,
    /// Late ones with fewer.
    late: u32,
    /// Since a window with fewer was complete.
    interrupted: u32,
    /// What is left of `trust`.
    trust_left: Duration,
    trust: Duration,
    /// How long fewer have been in use since all of them were, or a verdict was new.
    unasked: Duration,
    /// What is left of `patience`: no trial before.
    patience_left: Duration,
    patience: Duration,
}

/// Fewer against all.
#[derive(Debug)]
struct Trial {
    /// So many fewer.
    level: usize,
    /// Windows that are over.
    windows: u32,
    /// Polls a second in the windows of this pair that count, summed up: with fewer, and with all.
    fewer: f64,
    all: f64,
    score: f64,
    /// Windows with all that count, and those of them in which it was crowded.
    of_all: u32,
    crowded: u32,
    /// Late windows of this block.
    late: u32,
    /// Since a pair was complete.
    restarts: u32,
}

/// A window that is over.
#[derive(Clone, Copy)]
struct Window {
    /// Polls a second.
    rate: f64,
    crowded: bool,
    late: bool,
}

impl Trial {
    fn new(level: usize) -> Self {
        let (windows, of_all, crowded, late, restarts) = (0, 0, 0, 0, 0);
        Self { level, windows, fewer: 0.0, all: 0.0, score: 0.0, of_all, crowded, late, restarts }
    }

    /// All, fewer; fewer, all; and so on.
    fn is_of_fewer(&self) -> bool {
        matches!(self.windows / BLOCK % 4, 1 | 2)
    }

    /// The present pair begins anew. False if that has happened too often.
    fn restart(&mut self) -> bool {
        self.windows -= self.windows % (2 * BLOCK);
        (self.fewer, self.all) = (0.0, 0.0);
        self.restarts += 1;
        self.restarts <= MOST_RESTARTS
    }

    /// A window is over. Whether the fewer have done as much, once that is decided.
    fn observe(&mut self, window: Window, procs: usize) -> Option<bool> {
        if window.rate == 0.0 {
            // There was nothing to do for a while, which is nobody's merit or fault.
            return if self.restart() { None } else { Some(false) };
        }
        self.late = u32::from(window.late) + if self.windows.is_multiple_of(BLOCK) { 0 } else { self.late };
        if self.late == MOST_LATE {
            return Some(false);
        }
        if self.windows % BLOCK >= SETTLING {
            if self.is_of_fewer() {
                self.fewer += window.rate;
            } else {
                self.all += window.rate;
                self.of_all += 1;
                self.crowded += u32::from(window.crowded);
            }
        }
        self.windows += 1;
        if !self.windows.is_multiple_of(2 * BLOCK) {
            return None;
        }
        let gain = (self.fewer - self.all) / self.fewer.max(self.all);
        let no_loss = NO_LOSS * self.level as f64 / procs as f64;
        self.score += (gain + no_loss).clamp(-MOST_GAIN, MOST_GAIN);
        (self.fewer, self.all, self.restarts) = (0.0, 0.0, 0);
        let decided = self.score.abs() >= VERDICT || self.windows == 2 * BLOCK * MOST_PAIRS;
        decided.then_some(self.score >= 0.0 && 2 * self.crowded >= self.of_all)
    }
}

impl Crowd {
    pub(super) fn new(now: Sample, procs: usize) -> Self {
        Self {
            procs,
            level: 0,
            paused: false,
            trial: None,
            since: now,
            crowded: 0,
            late: 0,
            interrupted: 0,
            trust_left: Duration::ZERO,
            trust: TRUST,
            unasked: Duration::ZERO,
            patience_left: Duration::ZERO,
            patience: PATIENCE,
        }
    }

    /// Whether it is time for the next [`observe`](Self::observe).
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now.duration_since(self.since.at) >= WINDOW
    }

    /// How many processors are to be left unused.
    pub(super) fn withheld(&self) -> usize {
        match &self.trial {
            _ if self.paused => 0,
            Some(trial) => {
                if trial.is_of_fewer() {
                    trial.level
                } else {
                    0
                }
            }
            None => self.level,
        }
    }

    /// A poll lasts, or nothing runs: all are in use until it is crowded again (C2).
    pub(super) fn pause(&mut self, now: Instant) {
        if self.trial.is_none() && self.withheld() > 0 && !self.is_due(now) {
            self.interrupted += 1;
            if self.interrupted > MOST_RESTARTS {
                self.take_back();
            }
        }
        self.since.at = now;
        self.paused = true;
        self.crowded = 0;
        if self.trial.as_mut().is_some_and(|trial| !trial.restart()) {
            self.end_trial(false);
        }
    }

    /// A window is over. How many of `procs` processors are to be left unused from now on.
    pub(super) fn observe(&mut self, now: Sample, procs: usize) -> usize {
        let window = now.at.duration_since(self.since.at);
        let rate = now.polls.saturating_sub(self.since.polls) as f64 / window.as_secs_f64();
        let waited = now.waited.saturating_sub(self.since.waited);
        self.since = now;
        if procs != self.procs {
            *self = Self::new(now, procs);
            return 0;
        }
        self.patience_left = self.patience_left.saturating_sub(window);
        let crowded = waited * CROWDED > window * (procs - self.withheld()) as u32;
        let late = now.queued as f64 > rate * LATE.as_secs_f64();
        match &mut self.trial {
            Some(trial) if !self.paused => {
                if let Some(won) = trial.observe(Window { rate, crowded, late }, procs) {
                    self.end_trial(won);
                }
            }
            _ => {
                self.crowded = if crowded && !late { self.crowded.saturating_add(1) } else { 0 };
                let fewer_in_use = self.withheld() > 0;
                self.late = if late && fewer_in_use { self.late + 1 } else { 0 };
                if fewer_in_use {
                    self.trust_left = self.trust_left.saturating_sub(window);
                    self.unasked += window;
                    self.interrupted = 0;
                }
                self.decide();
            }
        }
        self.withheld()
    }

    fn end_trial(&mut self, won: bool) {
        let Some(trial) = self.trial.take() else { return };
        (self.crowded, self.late, self.interrupted) = (0, 0, 0);
        let again = trial.level == self.level;
        if won {
            if again {
                // It says nothing new about another one, of which trials may have failed.
                self.trust = (2 * self.trust).min(MOST_TRUST);
            } else {
                (self.trust, self.patience) = (TRUST, PATIENCE);
            }
            self.level = trial.level;
            (self.trust_left, self.unasked) = (self.trust, Duration::ZERO);
        } else {
            if again {
                self.level = 0;
            }
            self.be_patient();
        }
    }

    /// No trial is going on.
    fn decide(&mut self) {
        let over = self.level > 0 && self.trust_left.is_zero();
        if self.late == IN_A_ROW {
            self.take_back();
        } else if over && !self.paused {
            self.trial = Some(Trial::new(self.level));
        } else if self.unasked >= UNASKED {
            // One crowded window, the next one, is enough to go on.
            (self.paused, self.crowded, self.unasked) = (true, IN_A_ROW - 1, Duration::ZERO);
        } else if self.crowded >= IN_A_ROW {
            let resumes = self.paused && (self.level > 0 || self.trial.is_some());
            self.paused = false;
            // C1.
            if !resumes && self.patience_left.is_zero() && self.level + 1 < self.procs {
                self.trial = Some(Trial::new(self.level + 1));
            }
            if resumes || self.trial.is_some() {
                self.crowded = 0;
            }
        }
    }

    fn take_back(&mut self) {
        (self.level, self.late, self.interrupted) = (0, 0, 0);
        self.be_patient();
    }

    fn be_patient(&mut self) {
        self.patience_left = self.patience;
        self.patience = (2 * self.patience).min(MOST_PATIENCE);
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
