//! The storms of `pirn-sync` on the runtime itself: tasks at random, futures dropped half-way or never
//! polled again, on one processor, on two, and on more than there are cores.
//!
//! The storms stand beside the primitives, in `sync/tests/storm`, where they run on other executors and on
//! plain threads; here are only the runtimes. `PIRN_STORM_SECS` says for how many seconds each is repeated.

use std::time::Duration;

use pirn::Builder;

#[path = "../../sync/tests/storm/driver.rs"]
mod driver;
#[path = "../../sync/tests/storm/locks.rs"]
mod locks;
#[path = "../../sync/tests/storm/signals.rs"]
mod signals;
#[path = "../../sync/tests/storm/smaller.rs"]
mod smaller;
#[path = "../../sync/tests/storm/steps.rs"]
mod steps;

use driver::{Executor, Storm};
use steps::{Dice, Task, linger, perhaps, poll_once, yield_once};

mod executors {
    use super::{Builder, Duration, Executor, Storm, Task, driver};

    /// Ten storms of this length are over in less than three seconds.
    const LASTS: Duration = Duration::from_millis(500);

    pub(crate) fn everywhere(storm: Storm) {
        let executors: [(&str, Executor); 3] = [
            ("pirn, one processor", |tasks| on_pirn(1, tasks)),
            ("pirn, two processors", |tasks| on_pirn(2, tasks)),
            ("pirn, four processors", |tasks| on_pirn(4, tasks)),
        ];
        driver::drive(&executors, LASTS, storm);
    }

    fn on_pirn(procs: usize, tasks: Vec<Task>) {
        let runtime = Builder::new().procs(procs).build().unwrap();
        let tasks: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert_eq!(runtime.metrics().live_tasks, 0);
    }
}
