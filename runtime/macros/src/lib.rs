//! `#[pirn::main]` and `#[pirn::test]`: attributes that turn an `async fn` into the ordinary function that
//! rustc and libtest want, with a runtime around it.
//!
//! Nothing here runs tasks. Each attribute reads its options (`options`), checks the function's signature
//! (`function`) and writes a few lines that call the public interface of `pirn` (`expand`), so whatever
//! an attribute does could have been written by hand:
//!
//! ```text
//! #[pirn::main(procs = 4)]             fn main() -> io::Result<()> {
//! async fn main() -> io::Result<()> {      async fn main() -> io::Result<()> { BODY }
//!     BODY                        ──►      ::pirn::Builder::new().procs(4).install_global()…;
//! }                                        ::pirn::start_or_exit();
//!                                          ::pirn::block_on(main())
//!                                      }
//! ```
//!
//! The body stays an `async fn` of its own, inside the new one. So its return type is written once and checked
//! by rustc where the user wrote it, `?` needs no annotation, and every message about the body points into
//! the user's file. An `async` block instead would lose the type for bodies that end in `?` alone.
//!
//! The body is passed on as the tokens it came in, never parsed: a half-written body then gives rustc's own
//! errors, and completion in an editor works inside it.

mod expand;
mod function;
mod options;
#[cfg(test)]
mod tests;

use expand::Attribute;
use proc_macro::TokenStream;

/// Runs an `async fn main` on the global runtime.
///
/// ```ignore
/// #[pirn::main]
/// async fn main() -> Result<(), pirn::JoinError> {
///     let hello = pirn::spawn(async { "hello" }).await?;
///     println!("{hello}");
///     Ok(())
/// }
/// ```
///
/// The body is polled on the main thread, so it need not be `Send`. When it returns, the process ends without
/// waiting for tasks that still run, as in Go. What it returns is treated as std treats it: an `Err` is printed
/// and the process ends with exit code 1.
///
/// # Options
/// `#[pirn::main(procs = 4, max_threads = 64, thread_name = "worker", thread_stack_size = 1 << 20)]`: each sets
/// what the method of the same name on `pirn::Builder` sets, and may be any expression.
/// `crate = some::path` names `pirn` where it is re-exported under another path.
///
/// Where the runtime cannot start, since `PIRN_PROCS` is no number or there are too few descriptors, the process ends
/// with a line on standard error that says so, and exit code 1.
///
/// # Panics
/// The function panics when it has options and the global runtime was already in use, and for an option that no runtime
/// can have, such as `procs = 0`.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Main, options.into(), item.into()).into()
}

/// Makes an `async fn` a test with a runtime of its own and a time limit.
///
/// ```ignore
/// #[pirn::test(procs = 2, timeout = "10s")]
/// async fn a_task_gives_its_result() {
///     assert_eq!(pirn::spawn(async { 7 }).await.unwrap(), 7);
/// }
/// ```
///
/// Every test gets a fresh runtime, which is shut down before the test ends. A test that does not end within
/// its time limit (60 s unless told) prints a dump of all its tasks, with what each waits on and where, and
/// fails; a poll that never returns changes nothing about that. `#[ignore]`, `#[should_panic]` and results are
/// treated as in any other test.
///
/// # Options
/// Those of [`macro@main`], and `timeout = "10s"`: a whole number followed by `us`, `ms`, `s`, `m` or `h`.
#[proc_macro_attribute]
pub fn test(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(Attribute::Test, options.into(), item.into()).into()
}
