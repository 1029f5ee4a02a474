//! Scopes: a place in the code that is left only when the tasks started in it are over.
//!
//! [`Runtime::scope`](crate::Runtime::scope) is a call that blocks, so its tasks may borrow from its caller, as
//! the threads of `std::thread::scope` do. [`scope`] is a future, so its tasks own what they use.
//!
//! # Why borrowing is sound
//! A task must be `'static`, because a runtime may keep it as long as it likes. [`Scope::spawn`] makes a future
//! that lives only for `'scope` pass for one, and nothing but the following makes that right:
//!
//! B1. `Runtime::scope` returns, by value or by panic, only when no child's future exists any more: it counts
//!     them in a ledger whose count falls behind each future's destructor. If the wait itself were to
//!     panic, the process is aborted.
//! B2. What of a child outlives its future knows nothing of `'scope`: the task's memory (its output is `()`),
//!     wakers, abort handles, a panic's payload, which is `'static` by std's own rule.
//! B3. An output that borrows lies in a packet held by the child's future (gone by B1) and by its handle,
//!     whose type has `'scope` in it and so cannot leave the scope.
//! B4. `'scope` is invariant and chosen by the callee (`for<'scope>`), so no borrow shorter than the whole call
//!     can be passed off for it; `'env: 'scope` is what may be borrowed from outside.
//!
//! A future that is *forgotten* instead of dropped keeps the count up: the scope then waits for ever, which is
//! a hang, but sound.

mod handle;
mod ledger;
mod owning;

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;

use pirn_sync::block;
use pirn_sync::primitive::Mutex;

pub use self::handle::ScopedJoinHandle;
pub use self::owning::{ScopeFuture, TaskScope, scope};

use self::ledger::{Body, Ledger};
use crate::{Handle, Runtime};

impl Runtime {
    /// Calls `f` with a scope whose tasks may borrow from the caller, and returns when all of them are over.
    ///
    /// Like `std::thread::scope`, with tasks. Blocks the calling thread; inside a task the processor is given
    /// away meanwhile. A task that never ends keeps it for ever, so whoever awaits in a task what only code
    /// after the scope would do, hangs. When the runtime is shut down meanwhile, the tasks are dropped and the
    /// scope goes on.
    ///
    /// # Panics
    /// As `f` does; the tasks are aborted then, and waited for. Otherwise, when all tasks have ended, if one
    /// of them panicked and its handle was not joined.
    ///
    /// ```
    /// let runtime = pirn::Runtime::new()?;
    /// let words = ["warp", "weft", "pirn"];
    /// let lengths = std::sync::Mutex::new(Vec::new());
    /// runtime.scope(|scope| {
    ///     for word in &words {
    ///         scope.spawn(async { lengths.lock().unwrap().push(word.len()) });
    ///     }
    /// });
    /// assert_eq!(lengths.into_inner().unwrap(), [4, 4, 4]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn scope<'env, F, R>(&self, f: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let scope = Scope {
            handle: self.handle().clone(),
            ledger: Arc::new(Ledger::default()),
            scope: PhantomData,
            env: PhantomData,
        };
        let at = Location::caller();
        let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
        if result.is_err() {
            scope.ledger.abort_all();
        }
        wait_for_all(&scope.ledger, at);
        match result {
            Err(panic) => resume_unwind(panic),
            Ok(_) if scope.ledger.has_panicked() => panic!("a task of the scope panicked"),
            Ok(value) => value,
        }
    }
}

/// Blocks until no child is left (B1).
fn wait_for_all(ledger: &Ledger, at: &'static Location<'static>) {
    struct AbortOnUnwind;
    impl Drop for AbortOnUnwind {
        fn drop(&mut self) {
            std::process::abort();
        }
    }
    let bomb = AbortOnUnwind;
    crate::block_in_place(|| {
        block::wait(std::future::poll_fn(|cx| ledger.poll_empty(cx, at)));
    });
    mem::forget(bomb);
}

/// Spawns tasks that may borrow what outlives the scope; given by [`Runtime::scope`].
pub struct Scope<'scope, 'env: 'scope> {
    handle: Handle,
    ledger: Arc<Ledger>,
    /// B4: invariant.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope> Scope<'scope, '_> {
    /// Starts `future` as a task of this scope, on the runtime whose scope it is.
    ///
    /// The handle may be dropped: the scope waits for the task all the same. Tasks may spawn others.
    ///
    /// What is borrowed must outlive the scope, and nothing that belongs to the scope can leave it:
    ///
    /// ```compile_fail,E0373
    /// let runtime = pirn::Runtime::new().unwrap();
    /// runtime.scope(|scope| {
    ///     let inside = 7;
    ///     scope.spawn(async { println!("{inside}") });
    /// });
    /// ```
    /// ```compile_fail
    /// let runtime = pirn::Runtime::new().unwrap();
    /// let escaped = runtime.scope(|scope| scope.spawn(async {}));
    /// ```
    #[track_caller]
    pub fn spawn<F>(&'scope self, future: F) -> ScopedJoinHandle<'scope, F::Output>
    where
        F: Future + Send + 'scope,
        F::Output: Send + 'scope,
    {
        let packet = Arc::new(Mutex::new(None));
        let body: Pin<Box<dyn Future<Output = ()> + Send + 'scope>> = {
            let packet = Arc::clone(&packet);
            Box::pin(async move {
                let output = future.await;
                *packet.lock() = Some(output);
            })
        };
        // SAFETY: only the lifetime changes. The future is dropped before `Runtime::scope` returns (B1), hence
        // within `'scope`, and nothing of it is left behind (B2, B3). The ledger's token is made for it, and
        // lies behind it, before anybody else can see it.
        let body = unsafe { mem::transmute::<Pin<Box<dyn Future<Output = ()> + Send + 'scope>>, Body>(body) };
        let task = self.ledger.spawn(body, Some(&self.handle), Location::caller());
        ScopedJoinHandle::new(task, packet, Arc::clone(&self.ledger))
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").finish_non_exhaustive()
    }
}
