//! Crowding: how many processors to leave unused while other threads want the cores.
//!
//! # Problem
//! Where more threads are ready than there are cores, a machine waits for its core with a processor in its hands: the
//! tasks in that processor's queue wait, and the connections in its set. When the machine gets a core at last, it throws
//! off whoever was there, a client of ours perhaps. So two machines that share two cores with their client serve less,
//! and later, than one machine that has a core to itself. But if the other threads are strangers, every machine is a
//! claim to a share of the cores, and to give up a machine is to give that share away. From inside the two cases look
//! alike. So it is tried.
//!
//! # Terms
//! Time is cut into *windows* of about [`WINDOW`].
//!
//! | term | meaning |
//! |---|---|
//! | crowded | of a window: the machines in use spent more than a tenth of it waiting for a core. The kernel tells ([`thread_state`](super::thread_state)) |
//! | late | of a window: at its rate of polls it takes more than [`LATE`] until all that is queued has had its turn |
//! | trial | fewer processors against all of them, by turns, until it is clear which get more polls done |
//! | verdict | what a trial was decided for: so many are left unused, the *level*, or none |
//! | trust | how long a verdict holds before the same trial is made again |
//! | patience | how long there is no trial after a lost one |
//! | pause | all processors are in use for now; verdict and trial are kept until it is crowded again |
//!
//! # The trial
//! How fast cores are changes from one moment to the next where they are shared, and by more than the difference that
//! is looked for. So what gets done with fewer processors is compared with what gets done with all of them *just before
//! or after*, again and again:
//!
//! ```text
//!   some crowded windows in a row, and patience is over: a trial of one processor fewer
//!
//!     all · fewer   fewer · all   all · fewer   …         a block is BLOCK windows, a pair is two blocks
//!     └── pair ─┘   └── pair ─┘   └── pair ─┘
//!        after each: score += what the fewer have done more, as a part of the larger, MOST_GAIN at most
//!        │
//!        ├─► score ≤ −VERDICT: lost. As before; patience doubles
//!        └─► score ≥ VERDICT: won. So many are left unused; if it is still crowded, a trial of one more
//!               │
//!               ▼
//!            trust is over: the same trial again
//!               ├─► lost: all are in use; patience doubles
//!               └─► won: trust doubles; patience with one more goes on
//! ```
//! This is Wald's sequential test ("Sequential Tests of Statistical Hypotheses", 1945): what is clear is decided soon,
//! what is not takes longer, and after [`MOST_PAIRS`] the sign of the score decides. The order turns round from pair to
//! pair, which cancels a steady drift. No pair counts for more than [`MOST_GAIN`], which bounds what a jump can do.
//! Whatever its score, a trial is lost if fewer than half of its windows with all processors were crowded.
//!
//! # When a verdict no longer fits
//! - *There is room again.* Nobody hears of that: a machine that has a core to itself cannot see whether another core
//!   is free. So after each [`UNASKED`] there is a pause, and the verdict is back after one window if that is crowded.
//! - *A stranger has come in the client's place.* A pause does not show that; hence trust, which ends in a trial.
//!
//! Trust is spent only while fewer processors are in use, not by rest: otherwise each visit of a client that comes and
//! goes would begin with a trial. Nor does rest spend patience: otherwise each burst beside a stranger would begin with
//! one.
//!
//! # Late windows
//! With too few processors it is we who keep everybody waiting, clients included: our queues grow, and the core that was
//! left to the clients idles half of the time. How long the last task in the queues must wait shows it: their length
//! divided by the rate of polls. (A processor that rests now and then can do more polls than that rate. That errs on
//! the side of using all.)
//! - No trial of one processor fewer begins after a late window.
//! - [`MOST_LATE`] of them in one block end a trial: it is lost. Blocks of all processors count as well, and so do the
//!   windows in which a block settles.
//! - [`IN_A_ROW`] of them take a verdict back in whole, and patience begins.
//!
//! (With `wrk` beside it on two cores, one processor serves 64 connections better than two do, a few hundred as well, and
//! 1,000 worse: `cargo bench -p pirn-benches --bench http`.)
//!
//! # Bounds
//! - C1. One processor at least is in use.
//! - C2. A poll that lasts pauses it at sysmon's next look, within milliseconds, and so does rest
//!   ([`pause`](Crowd::pause)): no task waits longer than that for a processor that is left unused. When it is crowded
//!   again a verdict is back without a trial, if trust is not over, and a trial goes on with the pair that was
//!   interrupted. But neither does so more than [`MOST_RESTARTS`] times in a row: beside polls that last again and again
//!   the processors would change hands all the time.
//! - C3. What a wrong verdict costs is a part of the processors: for [`MOST_TRUST`] of use at most; where there is room
//!   for all of them, for [`UNASKED`], and in half of the windows of a trial that was just beginning. (Where there is
//!   room for some but not for all, it is the former.) A trial that fails costs that part in half of its windows, and in
//!   the end comes once in [`MOST_PATIENCE`] of use.
//! - C4. Each trial is against all processors, not against one more than are in use: many small losses are not taken
//!   for none.
//!
//! Polls are counted because they can be counted everywhere. They are not the work done: whoever finds more to do in
//! each poll polls less often. That errs on the side of using all processors.
//!
//! # Rejected
//! - To go by the time that machines wait, without a trial: it gives one's own share to every stranger.
//! - To compare with what was done before the first trial: a client that was just about to begin, or a core that became
//!   faster since, makes the verdict look good for as long as trust lasts.
//! - To wake fewer machines, and leave the processors in use: who is awake is not woken, and who has work does not rest.

use std::time::{Duration, Instant};

const WINDOW: Duration = Duration::from_millis(10);
/// A window is crowded if the machines in use waited for more than a `CROWDED`th of it.
const CROWDED: u32 = 10;
/// Crowded windows in a row before a trial; late ones before a verdict is taken back.
const IN_A_ROW: u32 = 3;
/// The windows of a block.
const BLOCK: u32 = 6;
/// How many of them, the first ones, do not count for the score: connections and tasks are changing hands.
const SETTLING: u32 = 2;
/// How much less the fewer may do without a loss, as a part of the share of the processors that is withheld.
const NO_LOSS: f64 = 0.05;
/// The most that one pair adds to the score, or takes from it.
const MOST_GAIN: f64 = 0.25;
/// The score that decides: more than one pair can give.
const VERDICT: f64 = 0.3;
const MOST_PAIRS: u32 = 6;
/// A window is late if it takes longer than this until all that is queued has had its turn.
const LATE: Duration = Duration::from_millis(5);
/// So many late windows of one block end a trial.
const MOST_LATE: u32 = 2;
/// So many times in a row a pair may be interrupted, or a verdict before its first window is over.
const MOST_RESTARTS: u32 = 3;
/// Trust in a new verdict, and the most that it grows to.
const TRUST: Duration = Duration::from_secs(2);
const MOST_TRUST: Duration = Duration::from_secs(16);
/// For how long a verdict is acted upon before a pause asks whether it is still crowded.
const UNASKED: Duration = Duration::from_secs(1);
/// Patience after a first lost trial, and the most that it grows to. Rest does not spend it.
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

/// The decision, as data: sysmon feeds it samples, and does what it says.
#[derive(Debug)]
pub(super) struct Crowd {
    procs: usize,
    /// How many are left unused by the last verdict.
    level: usize,
    /// Verdict and trial wait until it is crowded again.
    paused: bool,
    trial: Option<Trial>,
    /// The sample with which the present window began.
    since: Sample,
    /// The last windows in a row that were crowded, and not late.
    crowded: u32,
    /// The last windows in a row that were late, with fewer processors than all in use.
    late: u32,
    /// Pauses since a window with fewer was complete.
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
    /// By how many processors the fewer are fewer.
    level: usize,
    /// Windows that are over.
    windows: u32,
    /// Polls a second in the windows of this pair that count, summed up: with fewer, and with all.
    fewer: f64,
    all: f64,
    score: f64,
    /// Windows with all processors that count, and how many of those were crowded.
    of_all: u32,
    crowded: u32,
    /// Late windows of this block.
    late: u32,
    /// Interruptions since a pair was complete.
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
            // There was nothing to do for a while, which says nothing for or against either side.
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
                // It says nothing new about one processor more, of which trials may have failed: patience stays.
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

    /// A window is over in which no trial was going on, or it was paused.
    fn decide(&mut self) {
        let over = self.level > 0 && self.trust_left.is_zero();
        if self.late == IN_A_ROW {
            self.take_back();
        } else if over && !self.paused {
            self.trial = Some(Trial::new(self.level));
        } else if self.unasked >= UNASKED {
            // To go on one crowded window is enough, the next one.
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
