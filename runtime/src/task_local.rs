//! Values of a task: like a thread-local, but carried along when the task moves to another thread.
//!
//! A task has no storage of its own that user code could name, and needs none: a value is put around a future
//! by [`LocalKey::scope`], and stands in a thread-local for as long as that future is being polled.
//!
//! ```text
//!   poll of Scope     swap: slot ⇄ thread-local     poll the inner future     swap back
//!   ──────────────────────────┤  KEY.with sees the value  ├─────────────────────────────
//! ```
//!
//! Scopes nest: the swap leaves the outer value in the inner scope's slot meanwhile.
//!
//! # Invariants
//! L1. Each swap is undone by the guard that made it, also when the inner future panics. So a thread never
//!     keeps a value of a task that it is not polling.
//! L2. The inner future is dropped with the value in place: destructors may look at it too.
//! L3. No borrow of the thread-local is held while user code runs but inside `with`, which hands out shared
//!     borrows only; opening a scope inside `with` therefore panics instead of pulling the value away.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context as Cx, Poll};
use std::thread;

/// Declares values that belong to a task: each becomes a static [`LocalKey`].
///
/// ```
/// pirn::task_local! {
///     /// The number of the request that this task serves.
///     static REQUEST: u32;
/// }
///
/// pirn::block_on(async {
///     let seen = REQUEST
///         .scope(7, async {
///             pirn::yield_now().await;
///             REQUEST.get()
///         })
///         .await;
///     assert_eq!(seen, 7);
///     assert!(REQUEST.try_with(|_| ()).is_err());
/// });
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty; $($rest:tt)*) => {
        $crate::task_local!($(#[$attr])* $vis static $name: $t);
        $crate::task_local!($($rest)*);
    };
    ($(#[$attr:meta])* $vis:vis static $name:ident: $t:ty) => {
        $(#[$attr])*
        $vis static $name: $crate::task::LocalKey<$t> = {
            ::std::thread_local! {
                static __PIRN_VALUE: ::core::cell::RefCell<::core::option::Option<$t>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }
            $crate::task::LocalKey::__new(&__PIRN_VALUE)
        };
    };
}

/// The key of a value that belongs to a task; declared by [`task_local!`](macro@crate::task_local).
///
/// A spawned task does not inherit its spawner's values: put a scope around what it runs.
pub struct LocalKey<T: 'static> {
    value: &'static thread::LocalKey<RefCell<Option<T>>>,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn __new(value: &'static thread::LocalKey<RefCell<Option<T>>>) -> Self {
        Self { value }
    }

    /// Runs `future` with this key set to `value`, in every poll and when it is dropped.
    ///
    /// *Cancel safety*: that of `future`.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> Scope<T, F> {
        Scope { key: self, value: Some(value), future: Some(future) }
    }

    /// Runs `f` with this key set to `value`.
    ///
    /// # Panics
    /// Inside [`with`](Self::with) of the same key. On a thread that is ending and has dropped its thread-locals.
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut value = Some(value);
        let _inside = Inside::enter(self, &mut value);
        f()
    }

    /// Calls `f` with the value.
    ///
    /// # Panics
    /// Outside a [`scope`](Self::scope) of this key.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `f` with the value, if there is one.
    ///
    /// # Errors
    /// [`AccessError`] outside a [`scope`](Self::scope) of this key.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        self.value.try_with(|value| value.borrow().as_ref().map(f)).ok().flatten().ok_or(AccessError)
    }

    /// A copy of the value.
    ///
    /// # Panics
    /// Outside a [`scope`](Self::scope) of this key.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

/// A task-local value was asked for outside a scope of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this task-local is not set here: run the future inside `KEY.scope(value, future)`")
    }
}

impl std::error::Error for AccessError {}

/// The value is in the thread-local until this guard swaps it back (L1).
struct Inside<'a, T: 'static> {
    key: &'static LocalKey<T>,
    slot: &'a mut Option<T>,
}

impl<'a, T: 'static> Inside<'a, T> {
    /// Fails inside `with` of the same key, and on a thread that is being torn down.
    fn try_enter(key: &'static LocalKey<T>, slot: &'a mut Option<T>) -> Result<Self, NotNow> {
        let swapped = key.value.try_with(|value| {
            value
                .try_borrow_mut()
                .map(|mut value| std::mem::swap(&mut *value, slot))
                .map_err(|_| NotNow::Busy)
        });
        swapped.unwrap_or(Err(NotNow::ThreadEnds)).map(|()| Self { key, slot })
    }

    #[track_caller]
    fn enter(key: &'static LocalKey<T>, slot: &'a mut Option<T>) -> Self {
        match Self::try_enter(key, slot) {
            Ok(inside) => inside,
            Err(NotNow::Busy) => {
                panic!("a scope of a task-local was opened or polled inside `with` of the same key")
            }
            Err(NotNow::ThreadEnds) => {
                panic!(
                    "a scope of a task-local was opened or polled on a thread that has dropped its thread-locals"
                )
            }
        }
    }
}

/// Why the thread-local cannot be swapped now.
enum NotNow {
    /// Somebody looks at it.
    Busy,
    /// It is gone.
    ThreadEnds,
}

impl<T: 'static> Drop for Inside<'_, T> {
    fn drop(&mut self) {
        // `enter` could borrow it, and every borrow since has ended with the call that made it (L3).
        let _ = self.key.value.try_with(|value| std::mem::swap(&mut *value.borrow_mut(), self.slot));
    }
}

/// A future with a task-local value around it; made by [`LocalKey::scope`].
#[must_use = "futures do nothing unless polled or awaited"]
pub struct Scope<T: 'static, F> {
    key: &'static LocalKey<T>,
    /// The value, while the future is not being polled.
    value: Option<T>,
    /// `None` once it was ready.
    future: Option<F>,
}

impl<T: 'static, F: Future> Future for Scope<T, F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Cx<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned with the scope: polled in place, and dropped in place, here by `Pin::set`
        // and in `drop`. `value` and `key` are never pinned, and `Unpin` needs both to be.
        let (key, value, mut future) = unsafe {
            let this = self.get_unchecked_mut();
            (this.key, &mut this.value, Pin::new_unchecked(&mut this.future))
        };
        let _inside = Inside::enter(key, value);
        let running = future.as_mut().as_pin_mut().expect("a task-local scope was polled after it was ready");
        let polled = running.poll(cx);
        if polled.is_ready() {
            future.set(None);
        }
        polled
    }
}

impl<T: 'static, F> Drop for Scope<T, F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            // Where the value cannot be put in place, the future still has to go.
            let _inside = Inside::try_enter(self.key, &mut self.value);
            self.future = None;
        }
    }
}

impl<T: 'static, F> fmt::Debug for Scope<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("ready", &self.future.is_none()).finish_non_exhaustive()
    }
}
