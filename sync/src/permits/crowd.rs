//! The crowd: many who have been called and are on their way, summed up.
//!
//! A release looks at everybody at the front of the [`queue`](super::queue) who has been called, and so does who
//! comes, goes to sleep or tries in vain. Those are a few, as a rule. But a writer that leaves may let in a hundred
//! thousand readers, and a semaphore may get as many permits, one by one: then each would look at all the others.
//! So a walk that has passed many keeps what it has found, and the next ones begin behind them:
//!
//! ```text
//!                ┌────────────── crowd ─────────────┐
//!   the queue    called   absent   called  …  called   waiting   waiting  …
//!                └── want so much together ─────────┘   └─ behind
//! ```
//!
//! # Invariants
//! R1. Those who stand before `behind`, and they alone, are marked as members, and each of them is called and
//!     entitled, or absent. Where one begins to wait or to watch, or somebody queues up before them, the crowd is
//!     forgotten.
//! R2. `reserved` is what the members want together who are not absent.
//! R3. A crowd is trusted for as long as a call is, and three times as long as the walk took on top of it. Then a
//!     walk looks at everybody again, for a call may have lapsed. So a lapsed call is found that much later in a crowd,
//!     and looking at everybody takes a quarter of the time at most.
//! R4. A task that goes to sleep behind a crowd may have an entry in it, to which it is then deaf (Q4). The crowd is not
//!     searched for that entry. Instead it is taken for granted that there is one: the crowd is doubted, and a witness
//!     called. That happens once, and again only after others have joined; otherwise the witness, who goes to sleep
//!     behind the crowd as well, would have itself called again. When the crowd is forgotten, all who were members
//!     at such a moment are deaf. Model: `loom::tasks_that_turn_away_from_their_turns_and_wait_anew_are_served`.

use std::time::Instant;

use crate::patience;
use crate::wait_list::Key;

/// Fewer are looked at each time. (One is a crowd in a model, which has but a few.)
pub(super) const MANY: usize = if cfg!(loom) { 1 } else { 64 };

/// What a walk past many has found.
#[derive(Debug)]
pub(super) struct Crowd {
    /// So many permits are wanted by those who are called (R2).
    pub(super) reserved: usize,
    /// The first who is not a member.
    pub(super) behind: Option<Key>,
    /// Whether somebody is needed to watch whether they come.
    pub(super) doubtful: bool,
    /// Whether the first of those who are called is starved.
    pub(super) first_starved: bool,
    /// Each of those who are called wants a single permit and is not starved.
    pub(super) passable: bool,
    /// How many times it was taken for granted that somebody has turned away from it (R4).
    pub(super) turned_away: u32,
    /// Somebody has joined since.
    pub(super) joined: bool,
    /// Since when it is trusted for as long as a call.
    since: Instant,
}

impl Crowd {
    /// For a walk that fills in the rest.
    pub(super) fn found(begun: Instant, ended: Instant) -> Self {
        let since = ended + 3 * ended.saturating_duration_since(begun);
        Self {
            reserved: 0,
            behind: None,
            doubtful: false,
            first_starved: false,
            passable: true,
            turned_away: 0,
            joined: true,
            since,
        }
    }

    /// Somebody goes to sleep behind it. Whether it has to be doubted because of that, and was not before (R4).
    pub(super) fn may_be_turned_away_from(&mut self) -> bool {
        let news = self.reserved > 0 && std::mem::take(&mut self.joined);
        self.doubtful |= news;
        self.turned_away += u32::from(news);
        news
    }

    /// Whether it is still to be trusted (R3).
    pub(super) fn stands(&self, now: Instant) -> bool {
        !patience::has_lapsed(self.since, now)
    }
}
