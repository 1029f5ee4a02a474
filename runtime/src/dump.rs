//! Every live task and what it waits on: the answer to "why does my program hang?".
//!
//! A dump reads the record that each leaf future leaves in its task as it returns `Pending`. It polls nothing
//! and stops nobody, so it is a picture of tasks that go on meanwhile.

use crate::sched::Shared;
use crate::task::{TaskId, TaskView};
use pirn_sync::host::WaitKind;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Instant;

/// Every live task of a runtime, as [`Handle::dump`](crate::Handle::dump) saw it.
///
/// ```
/// let runtime = pirn::Builder::new().procs(1).build()?;
/// let (tx, rx) = pirn::channel::bounded::<()>(1);
/// let task = runtime.spawn(async move { rx.recv().await.is_err() });
/// # runtime.block_on(async { for _ in 0..100 { pirn::spawn(async {}).await.unwrap() } });
/// let dump = runtime.handle().dump();
/// assert_eq!(dump.len(), 1);
/// println!("{dump}");
/// drop(tx);
/// assert!(runtime.block_on(task).unwrap());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TaskDump {
    tasks: Vec<TaskInfo>,
}

/// One live task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskInfo {
    /// Its id.
    pub id: TaskId,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// What it does.
    pub state: TaskState,
    /// What it waits on; `None` if it does not wait, or waits on a future that is none of `pirn`'s.
    pub waiting_on: Option<Wait>,
}

/// What a task does at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// It is being polled.
    Running,
    /// It is in a run queue.
    Scheduled,
    /// It waits to be woken.
    Waiting,
}

/// What a task waits on.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Wait {
    /// The kind of operation.
    pub kind: WaitKind,
    /// Where in the source it was called.
    pub at: Option<&'static Location<'static>>,
    /// Since when, to about the time between two looks at the clock.
    pub since: Instant,
}

impl TaskDump {
    /// How many tasks live.
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether no task lives.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The tasks.
    pub fn iter(&self) -> std::slice::Iter<'_, TaskInfo> {
        self.tasks.iter()
    }
}

impl IntoIterator for TaskDump {
    type Item = TaskInfo;
    type IntoIter = std::vec::IntoIter<TaskInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.tasks.into_iter()
    }
}

impl<'a> IntoIterator for &'a TaskDump {
    type Item = &'a TaskInfo;
    type IntoIter = std::slice::Iter<'a, TaskInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for TaskDump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} live tasks", self.len())?;
        self.iter().try_for_each(|task| writeln!(f, "{task}"))
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " ({name})")?;
        }
        write!(f, ", spawned at {}: {}", self.spawned_at, self.state)?;
        match &self.waiting_on {
            Some(wait) => write!(f, " {wait}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
        })
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "on {}", self.kind)?;
        if let Some(at) = self.at {
            write!(f, " at {at}")?;
        }
        write!(f, " for {:.1?}", pirn_sync::clock::now().saturating_duration_since(self.since))
    }
}

impl Shared {
    pub(crate) fn dump(&self) -> TaskDump {
        let tasks = self.task_views().into_iter().map(|view| self.task_info(view)).collect();
        TaskDump { tasks }
    }

    fn task_info(&self, view: TaskView) -> TaskInfo {
        let state = match (view.running, view.scheduled) {
            (true, _) => TaskState::Running,
            (false, true) => TaskState::Scheduled,
            (false, false) => TaskState::Waiting,
        };
        let wait = view.wait.filter(|_| state == TaskState::Waiting).map(|wait| Wait {
            kind: wait.kind,
            at: Some(wait.at),
            since: self.moment(view.since),
        });
        TaskInfo { id: view.id, name: view.name, spawned_at: view.spawned_at, state, waiting_on: wait }
    }
}
