//! Task groups, supervisors, scopes and task-local values, promise by promise.

mod err_group;
mod join_set;
mod leaks;
mod scope;
mod supervisor;
mod support;
mod task_local;
mod waits;
