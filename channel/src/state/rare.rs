//! What only few channels have: a name, and somebody to tell when the last receiver goes.
//!
//! Most channels have neither, and there may be hundreds of thousands of them. So all of it lies behind one pointer,
//! which is null until something is set.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::State;

/// Called once, when the last receiver goes.
pub(super) type Hook = Option<Box<dyn FnOnce() + Send>>;

#[derive(Default)]
pub(super) struct Rare {
    name: Option<Arc<str>>,
    /// The channel's place in the list of those that have a name. To drop it is to leave that list.
    listed: Option<Box<dyn Any + Send>>,
    on_abandoned: Hook,
}

impl<T> State<T> {
    /// Has `hook` called when the last receiver goes: takes it, unless that one has gone. Returns the hook that it
    /// replaces.
    pub(crate) fn on_abandoned(&mut self, hook: &mut Hook) -> Hook {
        if self.abandoned {
            return None;
        }
        std::mem::replace(&mut self.rare.get_or_insert_default().on_abandoned, hook.take())
    }

    /// The hook, to be called: the last receiver has gone.
    pub(super) fn take_hook(&mut self) -> Hook {
        self.rare.as_mut()?.on_abandoned.take()
    }

    /// Names the channel; returns the name before.
    pub(crate) fn rename(&mut self, name: Arc<str>) -> Option<Arc<str>> {
        self.rare.get_or_insert_default().name.replace(name)
    }

    pub(crate) fn name(&self) -> Option<Arc<str>> {
        self.rare.as_ref().and_then(|rare| rare.name.clone())
    }

    /// Keeps the channel's place in the list of those that have a name.
    pub(crate) fn set_listed(&mut self, listed: Box<dyn Any + Send>) {
        self.rare.get_or_insert_default().listed = Some(listed);
    }
}

impl fmt::Debug for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rare").field("name", &self.name).finish_non_exhaustive()
    }
}
