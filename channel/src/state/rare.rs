//! What only few channels have: a name, somebody to tell when the last receiver goes, and those who wait for the close alone.
//!
//! Most channels have none of it, and there may be hundreds of thousands of them. So all of it lies behind one pointer,
//! which is null until something is set.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use pirn_sync::slab::Slab;

use super::State;

/// Called once, when the last receiver goes.
pub(super) type Hook = Option<Box<dyn FnOnce() + Send>>;

#[derive(Default)]
pub(super) struct Rare {
    name: Option<Arc<str>>,
    /// The channel's place in the list of those that have a name. To drop it is to leave that list.
    listed: Option<Box<dyn Any + Send>>,
    on_abandoned: Hook,
    /// Those who wait for the close. It takes them all, and afterwards nobody waits for it: so their keys are good as long as
    /// the channel is open.
    waiting: Slab<Waker>,
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

    /// Has `waker` called by the close, unless the channel is closed; returns the one that it replaces, which `key` names.
    pub(crate) fn wait_for_close(
        &mut self,
        key: &mut Option<usize>,
        waker: &mut Option<Waker>,
    ) -> Option<Waker> {
        if self.closed {
            return None;
        }
        let waiting = &mut self.rare.get_or_insert_default().waiting;
        let old = key.take().map(|key| waiting.remove(key));
        *key = waker.take().map(|waker| waiting.insert(waker));
        old
    }

    /// Ends the wait of `key`, unless the close has done so.
    pub(crate) fn no_more_wait_for_close(&mut self, key: usize) -> Option<Waker> {
        let rare = self.rare.as_mut().filter(|_| !self.closed)?;
        Some(rare.waiting.remove(key))
    }

    /// Those who wait for the close, which has come.
    pub(crate) fn take_waiting_for_close(&mut self) -> impl Iterator<Item = Waker> {
        let waiting = self.rare.as_mut().map(|rare| std::mem::take(&mut rare.waiting));
        waiting.into_iter().flat_map(Slab::into_values)
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
