//! How a storm is driven: on which executors, for how long, and under which limit.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use pirn_sync::random::seed;

use crate::{Dice, Task};

/// How long one round may take on one executor.
const LIMIT: Duration = Duration::from_secs(60);

/// Makes the tasks of a storm, and the check that follows when they have ended.
pub(crate) type Storm = fn(&Dice) -> (Vec<Task>, Box<dyn FnOnce() + Send>);

/// Runs tasks to their end.
pub(crate) type Executor = fn(Vec<Task>);

/// Runs a storm on every executor, and again with other seeds until `PIRN_STORM_SECS` are over, or else
/// `at_least`.
pub(crate) fn drive(executors: &[(&str, Executor)], at_least: Duration, storm: Storm) {
    let wanted = std::env::var("PIRN_STORM_SECS").ok();
    let lasts = wanted.map_or(at_least, |secs| {
        Duration::from_secs(secs.parse().expect("PIRN_STORM_SECS is a number of seconds"))
    });
    let start = Instant::now();
    loop {
        for (name, run) in executors {
            one_round(name, *run, storm);
        }
        if start.elapsed() >= lasts {
            return;
        }
    }
}

fn one_round(name: &str, run: Executor, storm: Storm) {
    let seed = seed();
    let (done, ended) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let (tasks, check) = storm(&Dice::new(seed));
        run(tasks);
        check();
        let _ = done.send(());
    });
    match ended.recv_timeout(LIMIT) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name}, seed {seed}: not done within {LIMIT:?}"),
        _ => assert!(thread.join().is_ok(), "{name}, seed {seed}: failed, see above"),
    }
}
