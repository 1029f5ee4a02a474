//! Tests of the queues: how much a thief takes. The tasks are only carried about; those that lie in a queue at the end
//! are cancelled there.

use super::local::Local;
use crate::task::{Owned, Runnable, Schedule, TaskId, UnhandledTaskPanic, new_task};
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

struct Nowhere;

impl Schedule for Nowhere {
    unsafe fn schedule(_: NonNull<Self>, _: Runnable) {
        unreachable!("nobody wakes these tasks");
    }

    fn coarse_now(&self) -> u64 {
        0
    }

    fn registry(&self) -> *const Owned {
        std::ptr::null()
    }

    fn count_end(&self, _: Option<TaskId>) -> Option<Arc<str>> {
        None
    }

    fn completed(&self) {}

    fn unhandled_panic(&self, _: UnhandledTaskPanic) {}
}

fn queue_of(tasks: usize) -> Local {
    let queue = Local::new();
    for _ in 0..tasks {
        queue.push(new_task(std::future::pending::<()>(), Nowhere, TaskId::next(), Location::caller()).0);
    }
    queue
}

#[test]
fn a_thief_takes_no_more_than_it_asks_for_and_no_more_than_half() {
    for (tasks, most, taken) in [(0, 32, 0), (1, 32, 1), (10, 32, 5), (10, 3, 3), (10, 1, 1), (3, 2, 2)] {
        let (victim, own) = (queue_of(tasks), Local::new());
        let one = victim.thief().steal(&own, most);
        assert_eq!(own.len() + usize::from(one.is_some()), taken, "up to {most} of {tasks}");
        assert_eq!(victim.len(), tasks - taken);
    }
}
