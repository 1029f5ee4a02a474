//! Tests of the decision: a day on a machine that others use as well, window by window.

use super::*;

/// A runtime of which only the figures are left.
struct Played {
    crowd: Crowd,
    now: Sample,
    procs: usize,
}

impl Played {
    fn new(procs: usize) -> Self {
        let now = Sample { at: pirn_sync::clock::now(), polls: 0, waited: Duration::ZERO, queued: 0 };
        Self { crowd: Crowd::new(now, procs), now, procs }
    }

    /// One window with so many polls, in which machines waited for cores for such a part of it.
    fn window(&mut self, polls: u64, waited: f64) -> usize {
        self.now.at += WINDOW;
        self.now.polls += polls;
        self.now.waited += WINDOW.mul_f64(waited);
        assert!(self.crowd.is_due(self.now.at));
        self.crowd.observe(self.now, self.procs)
    }

    /// For so long: what is withheld at the end of each window, as long as `polls` and the waiting follow from it.
    fn play(&mut self, time: Duration, mut world: impl FnMut(usize) -> (u64, f64)) -> Vec<usize> {
        let end = self.now.at + time;
        let mut withheld = Vec::new();
        while self.now.at < end {
            let (polls, waited) = world(self.crowd.withheld());
            withheld.push(self.window(polls, waited));
        }
        withheld
    }
}

/// What part of the time `count` were withheld.
fn part(withheld: &[usize], count: usize) -> f64 {
    withheld.iter().filter(|&&withheld| withheld == count).count() as f64 / withheld.len() as f64
}

/// A client on the same two cores: two machines get less done than one.
fn beside_a_client(withheld: usize) -> (u64, f64) {
    if withheld == 0 { (1_300, 0.6) } else { (1_600, 0.02) }
}

/// A stranger on the same two cores: two machines get two thirds of them, one gets one.
fn beside_a_stranger(withheld: usize) -> (u64, f64) {
    if withheld == 0 { (1_333, 1.0) } else { (1_000, 0.02) }
}

#[test]
fn without_a_crowd_all_are_in_use() {
    let mut played = Played::new(4);
    let withheld = played.play(Duration::from_secs(10), |_| (1_000, 0.1));
    assert_eq!(part(&withheld, 0), 1.0);
}

#[test]
fn one_crowded_window_is_no_crowd() {
    let mut played = Played::new(2);
    let mut turn = 0;
    let withheld = played.play(Duration::from_secs(10), |_| {
        turn += 1;
        (1_000, f64::from(turn % 2))
    });
    assert_eq!(part(&withheld, 0), 1.0);
}

#[test]
fn beside_a_client_one_is_withheld_nearly_always() {
    let mut played = Played::new(2);
    let withheld = played.play(Duration::from_secs(60), beside_a_client);
    assert!(part(&withheld, 1) > 0.97, "{}", part(&withheld, 1));
    let first = withheld.iter().position(|&withheld| withheld == 1).unwrap();
    assert!(first < 10, "it took {first} windows");
}

#[test]
fn beside_a_stranger_all_are_in_use_nearly_always() {
    let mut played = Played::new(2);
    let withheld = played.play(Duration::from_secs(60), beside_a_stranger);
    assert!(part(&withheld, 0) > 0.97, "{}", part(&withheld, 0));
    assert!(part(&withheld, 1) > 0.0, "it was never tried");
}

/// How long it is until fewer are in use for the last time.
fn last_of(withheld: &[usize]) -> Duration {
    WINDOW * withheld.iter().rposition(|&withheld| withheld > 0).map_or(0, |last| last + 1) as u32
}

#[test]
fn when_the_client_has_gone_all_are_in_use_again_in_two_seconds() {
    for before in 20..30 {
        let mut played = Played::new(2);
        played.play(Duration::from_secs(before), beside_a_client);
        let after = played.play(Duration::from_secs(30), |withheld| (2_000 - 1_000 * withheld as u64, 0.0));
        assert!(last_of(&after) <= Duration::from_secs(2), "{:?} after {before} s", last_of(&after));
    }
}

/// It is as crowded as before.
#[test]
fn when_a_stranger_takes_the_place_of_the_client_it_is_found_out_when_trust_is_over() {
    let mut played = Played::new(2);
    played.play(Duration::from_secs(60), beside_a_client);
    let before_patience_is_over = MOST_TRUST + WINDOW * 2 * BLOCK * MOST_PAIRS;
    let after = played.play(before_patience_is_over + PATIENCE, beside_a_stranger);
    assert!(last_of(&after) <= before_patience_is_over, "{:?}", last_of(&after));
}

#[test]
fn rest_takes_nothing_from_trust() {
    let mut played = Played::new(2);
    played.play(Duration::from_secs(1), beside_a_client);
    let left = played.crowd.trust_left;
    for _ in 0..100 {
        played.now.at += Duration::from_secs(60);
        played.crowd.pause(played.now.at);
        assert_eq!(played.play(WINDOW * IN_A_ROW, beside_a_client), [0, 0, 1], "no trial is needed");
    }
    assert_eq!(played.crowd.trust_left, left);
}

/// Bursts that are shorter than a trial: one of a verdict that is no longer trusted goes on in the next.
#[test]
fn rest_in_a_trial_takes_nothing_from_trust() {
    let mut played = Played::new(2);
    for _ in 0..600 {
        played.play(Duration::from_millis(200), beside_a_client);
        played.now.at += Duration::from_millis(60);
        played.crowd.pause(played.now.at);
    }
    assert_eq!((played.crowd.level, played.crowd.trust), (1, MOST_TRUST));
}

#[test]
fn a_large_crowd_makes_more_room_and_never_all() {
    let mut played = Played::new(8);
    let withheld = played
        .play(Duration::from_secs(60), |withheld| (1_000, 3_f64.max(withheld as f64) - withheld as f64));
    assert!(part(&withheld, 3) > 0.8, "{}", part(&withheld, 3));
    let mut played = Played::new(3);
    let withheld = played.play(Duration::from_secs(10), |_| (1_000, 1.0));
    assert!(part(&withheld, 2) > 0.8, "{}", part(&withheld, 2));
    assert_eq!(part(&withheld, 3), 0.0);
}

/// It is crowded with one withheld still, and with two of them less is done than with none.
#[test]
fn a_verdict_that_holds_is_no_reason_to_try_another_one_again() {
    let mut played = Played::new(4);
    let withheld =
        played.play(Duration::from_secs(300), |withheld| ([1_000, 1_300, 900, 800][withheld], 2.0));
    assert!(part(&withheld, 1) > 0.91, "{}", part(&withheld, 1));
}

#[test]
fn what_lasts_ends_it_until_it_is_crowded_again() {
    let mut played = Played::new(2);
    played.play(Duration::from_secs(1), beside_a_client);
    assert_eq!(played.crowd.withheld(), 1);
    played.crowd.pause(played.now.at);
    assert_eq!(played.crowd.withheld(), 0);
    let again = played.play(WINDOW * IN_A_ROW, beside_a_client);
    assert_eq!(again, [0, 0, 1], "what was seen to be good is done again at once");

    let mut played = Played::new(2);
    for _ in 0..=MOST_RESTARTS {
        let trial = played.play(WINDOW * (IN_A_ROW + BLOCK), beside_a_client);
        assert_eq!(trial.last(), Some(&1), "a trial that it interrupts goes on");
        played.crowd.pause(played.now.at);
    }
    let waits = played.play(PATIENCE, beside_a_client);
    assert_eq!(part(&waits, 0), 1.0, "not for ever");
    assert_eq!(played.play(WINDOW * (BLOCK + 1), beside_a_client).last(), Some(&1));
}

/// It does not come to a window with fewer, so no trust is spent.
#[test]
fn a_verdict_that_is_interrupted_again_and_again_is_taken_back() {
    let mut played = Played::new(2);
    played.play(Duration::from_secs(1), beside_a_client);
    let mut interrupted = 0;
    for _ in 0..6_000 {
        if played.crowd.withheld() > 0 {
            played.now.at += WINDOW / 10;
            played.crowd.pause(played.now.at);
            interrupted += 1;
        }
        played.play(WINDOW, beside_a_client);
    }
    assert!(interrupted < 60, "{interrupted} times in a minute");
}

/// It is crowded when the trial begins, and then only now and then, with as many polls all the time.
#[test]
fn without_a_crowd_a_trial_is_lost() {
    let mut played = Played::new(2);
    let mut turn = 0;
    let withheld = played.play(Duration::from_secs(60), |_| {
        turn += 1;
        (1_000, f64::from(u8::from(turn < 6 || turn % 20 == 0)))
    });
    assert!(part(&withheld, 0) > 0.95, "{}", part(&withheld, 0));
}

/// Windows without work, as between two bursts, are no loss of whoever has them.
#[test]
fn a_lull_in_a_trial_decides_nothing() {
    for lull in 1..40 {
        let mut played = Played::new(2);
        let mut turn = 0;
        let withheld = played.play(Duration::from_secs(2), |withheld| {
            turn += 1;
            if (lull..lull + 3).contains(&turn) { (0, 0.0) } else { beside_a_client(withheld) }
        });
        assert!(part(&withheld, 1) > 0.7, "{} with a lull at {lull}", part(&withheld, 1));
    }
}

/// The number changes while a try is on that would fail at this very window.
#[test]
fn another_number_of_processors_begins_anew() {
    for windows in 0..20 {
        for procs in [1, 2, 5] {
            let mut played = Played::new(8);
            played.play(Duration::from_millis(100), |_| (1_000, 8.0));
            assert!(played.crowd.withheld() > 0);
            for _ in 0..windows {
                played.window(1, 0.0);
            }
            played.procs = procs;
            assert_eq!(played.window(1, 0.0), 0);
            played.procs = 8;
            assert_eq!(played.window(1, 0.0), 0);
        }
    }
}

/// Each step costs less than a try notices; all of them together are noticed.
#[test]
fn many_small_losses_are_not_one_small_loss() {
    for procs in [8, 64] {
        let mut played = Played::new(procs);
        let mut all = 0.0;
        let windows = 12_000;
        for _ in 0..windows {
            let left = 1.0 - 0.14 * played.crowd.withheld() as f64 / procs as f64;
            all += left;
            played.window((10_000.0 * left) as u64, procs as f64);
        }
        assert!(all / f64::from(windows) > 0.97, "{procs} processors did {}", all / f64::from(windows));
    }
}

/// A loss that the end of a series would notice, and polls that last often enough to keep it from ending.
#[test]
fn polls_that_last_do_not_hide_a_loss() {
    let mut played = Played::new(2);
    let mut all = 0.0;
    for window in 0..6_000 {
        let left = 1.0 - 0.07 * played.crowd.withheld() as f64;
        all += left;
        played.window((10_000.0 * left) as u64, 1.0);
        if window % 30 == 0 && played.crowd.withheld() > 0 {
            played.crowd.pause(played.now.at);
        }
    }
    assert!(all / 6_000.0 > 0.98, "{}", all / 6_000.0);
}

/// As many polls as beside a client, but with one of two processors what is queued takes 6 ms, and with both 3.
#[test]
fn a_trial_in_which_everything_waits_is_lost_at_once() {
    let mut played = Played::new(2);
    let mut withheld = Vec::new();
    for _ in 0..6_000 {
        let before = played.crowd.withheld();
        played.now.queued = if before == 1 { 960 } else { 390 };
        let (polls, waited) = beside_a_client(before);
        withheld.push(played.window(polls, waited));
    }
    assert!(part(&withheld, 0) > 0.99, "{}", part(&withheld, 0));
    assert!(part(&withheld, 1) > 0.0, "it was never tried");
}

#[test]
fn where_everything_waits_with_all_no_trial_begins_until_it_does_not() {
    let mut played = Played::new(2);
    played.now.queued = 1_300;
    for _ in 0..1_000 {
        played.play(WINDOW, beside_a_client);
        assert!(played.crowd.trial.is_none());
    }
    played.now.queued = 0;
    played.play(WINDOW * IN_A_ROW, beside_a_client);
    assert!(played.crowd.trial.is_some());
}

#[test]
fn two_late_windows_with_all_end_a_trial() {
    let mut played = Played::new(2);
    played.play(WINDOW * IN_A_ROW, beside_a_client);
    assert!(played.crowd.trial.is_some());
    played.now.queued = 1_300;
    played.play(2 * WINDOW, beside_a_client);
    played.now.queued = 0;
    let after = played.play(PATIENCE - 2 * WINDOW, beside_a_client);
    assert_eq!(part(&after, 0), 1.0);
}

#[test]
fn a_late_window_now_and_then_decides_nothing() {
    let mut played = Played::new(2);
    let mut withheld = Vec::new();
    for window in 0..6_000 {
        played.now.queued = if window % BLOCK == 0 { 1_600 } else { 0 };
        let (polls, waited) = beside_a_client(played.crowd.withheld());
        withheld.push(played.window(polls, waited));
    }
    assert!(part(&withheld, 1) > 0.95, "{}", part(&withheld, 1));
}

#[test]
fn more_to_do_than_before_takes_a_verdict_back() {
    let mut played = Played::new(2);
    played.play(Duration::from_secs(1), beside_a_client);
    assert_eq!(played.crowd.withheld(), 1);
    played.now.queued = 1_600;
    let late = played.play(WINDOW * IN_A_ROW, beside_a_client);
    assert_eq!(late.iter().position(|&withheld| withheld == 0), Some(IN_A_ROW as usize - 1));
    played.now.queued = 0;
    let after = played.play(PATIENCE, beside_a_client);
    assert_eq!(part(&after, 0), 1.0, "and there is patience");
}

/// Late windows on both sides of a trial are not in a row.
#[test]
fn a_trial_that_is_won_counts_late_windows_anew() {
    let mut played = Played::new(2);
    while played.crowd.level == 0 {
        played.play(WINDOW, beside_a_client);
    }
    played.crowd.trust_left = 2 * WINDOW;
    played.now.queued = 1_600;
    played.play(2 * WINDOW, beside_a_client);
    played.now.queued = 0;
    while played.crowd.trial.is_some() {
        played.play(WINDOW, beside_a_client);
    }
    played.now.queued = 1_600;
    assert_eq!(played.play(WINDOW, beside_a_client), [1]);
}

/// Bursts beside a stranger: what was learnt in one holds in the next, and one that is too short for a trial learns too.
#[test]
fn rest_is_no_reason_to_try_again() {
    let lengths = (50..300).step_by(10);
    for (length, rest) in lengths.flat_map(|length| [(length, 60), (length, 10_000)]) {
        let mut played = Played::new(2);
        let (mut tried, mut windows) = (0.0, 0.0);
        for _ in 0..300 {
            let burst = played.play(Duration::from_millis(length), beside_a_stranger);
            tried += part(&burst, 1) * burst.len() as f64;
            windows += burst.len() as f64;
            played.now.at += Duration::from_millis(rest);
            played.crowd.pause(played.now.at);
            assert_eq!(played.crowd.withheld(), 0);
        }
        assert!(tried / windows < 0.06, "{} in bursts of {length} ms, {rest} apart", tried / windows);
    }
}

/// What is done, of what the better choice would do at each moment, where withholding one makes the rate `fewer` times
/// what it is. Windows differ by a seventh for no reason, and cores are half as fast again for a while, and then not. A
/// client comes for two seconds, again and again, and takes a moment to begin.
fn done_in_noise(fewer: f64) -> f64 {
    let (mut done, mut windows) = (0.0, 0.0);
    for seed in 1..=20 {
        let random = pirn_sync::random::Random::new(seed);
        let noise = || (0..4).map(|_| f64::from(random.below(1_000))).sum::<f64>() / 4_000.0 + 0.5;
        let mut played = Played::new(2);
        let (mut speed, mut lasts) = (1.0, 0);
        for _ in 0..10 {
            let mut begun = 0.25;
            played.play(Duration::from_secs(2), |withheld| {
                if lasts == 0 {
                    (speed, lasts) = (2.5 - speed, 5 + random.below(60));
                }
                lasts -= 1;
                begun = f64::min(begun + 0.15, 1.0);
                let rate = if withheld == 0 { 1.0 } else { fewer };
                (done, windows) = (done + rate, windows + 1.0);
                ((1_000.0 * rate * noise() * speed * begun) as u64, 0.6)
            });
            played.now.at += Duration::from_millis(60);
            played.crowd.pause(played.now.at);
        }
    }
    done / windows / f64::max(1.0, fewer)
}

#[test]
fn noise_is_neither_taken_for_a_loss_nor_hides_one() {
    for fewer in [0.75, 0.85, 0.93, 1.12, 1.25] {
        let done = done_in_noise(fewer);
        assert!(done > 0.975, "{done} where one fewer does {fewer}");
    }
}
