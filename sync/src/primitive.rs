//! The building blocks under every algorithm here, chosen in one place: std and parking_lot for real
//! programs, loom's twins under `cfg(loom)`.
//!
//! A model checked by loom is worth something only if it is the code that ships. So the algorithms name
//! these types and no others, and a `--cfg loom` build replaces all of them at once. `pirn-channel` and
//! `pirn` use the same module; it is no part of the public interface.
//!
//! Two habits of loom shape how this is used. It treats `SeqCst` accesses as `AcqRel`, so handshakes that
//! need a total order use [`fence(SeqCst)`](atomic::fence). And its constructors are not `const`: a
//! `const fn new` needs a plain twin under `cfg(loom)`, which [`const_fn!`](crate::const_fn) writes.

#[cfg(not(loom))]
mod chosen {
    pub use core::sync::atomic;
    pub use parking_lot::{Mutex, MutexGuard};
    pub use std::sync::Arc;
    pub use std::{hint, thread};

    /// An `UnsafeCell` whose accesses are closures, so that loom's twin can watch them.
    #[derive(Debug, Default)]
    pub struct UnsafeCell<T: ?Sized>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        /// Wraps `value`.
        pub const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        /// Unwraps the value.
        pub fn into_inner(self) -> T {
            self.0.into_inner()
        }
    }

    impl<T: ?Sized> UnsafeCell<T> {
        /// Hands out a pointer for reading.
        #[inline(always)]
        pub fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        /// Hands out a pointer for writing.
        #[inline(always)]
        pub fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(loom)]
mod chosen {
    pub use loom::cell::UnsafeCell;
    pub use loom::sync::{Arc, MutexGuard, atomic};
    pub use loom::{hint, thread};

    /// loom's mutex with parking_lot's face: no poisoning.
    #[derive(Debug)]
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// Wraps `value`.
        pub fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        /// Waits for the lock.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        /// Takes the lock if it is free.
        pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        /// The value, which nobody else can reach.
        pub fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner)
        }
    }

    impl<T: Default> Default for Mutex<T> {
        fn default() -> Self {
            Self::new(T::default())
        }
    }
}

pub use chosen::*;

/// Declares a function that is `const` except under loom, whose atomics cannot be made in a constant.
#[doc(hidden)]
#[macro_export]
macro_rules! const_fn {
    ($(#[$meta:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$meta])* #[cfg(not(loom))] $vis const fn $($rest)*
        $(#[$meta])* #[cfg(loom)] $vis fn $($rest)*
    };
}
