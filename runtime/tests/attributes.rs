//! The attributes as users write them: what they accept, what they return, and that their options arrive.

use std::error::Error;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

#[pirn::test]
async fn a_test_runs_on_a_runtime_of_its_own() {
    let task = pirn::spawn(async { pirn::Handle::try_current().is_ok() });
    assert!(task.await.unwrap());
}

#[pirn::test(procs = 3, thread_name = "mine", timeout = "20s")]
async fn the_options_of_a_test_reach_its_runtime() {
    assert_eq!(pirn::procs(), 3);
    let name = pirn::spawn(async { std::thread::current().name().map(str::to_owned) }).await.unwrap();
    assert!(name.as_deref().is_some_and(|name| name.contains("mine")), "{name:?}");
}

const TWO: usize = 2;

#[pirn::test(procs = TWO)]
async fn an_option_may_be_any_expression() {
    assert_eq!(pirn::procs(), TWO);
}

#[pirn::test]
async fn a_test_may_return_a_result_that_is_not_send() -> Result<(), Box<dyn Error>> {
    let number: u8 = "7".parse()?;
    assert_eq!(number, 7);
    Ok(())
}

#[pirn::test]
#[should_panic(expected = "the test's own words")]
async fn a_panic_can_be_expected() {
    panic!("the test's own words");
}

#[pirn::test(timeout = "200ms")]
#[should_panic(expected = "has not ended after 200ms")]
async fn a_test_that_hangs_fails() {
    std::future::pending::<()>().await;
}

#[pirn::test]
#[ignore = "shows that the attribute is kept"]
async fn a_test_can_be_ignored() {
    panic!("this test is not to be run");
}

mod elsewhere {
    pub(crate) mod under_another_name {
        pub(crate) use pirn as renamed;
    }
}

#[pirn::test(crate = elsewhere::under_another_name::renamed)]
async fn the_crate_may_stand_under_another_name() {
    pirn::yield_now().await;
}

mod a_crowded_module {
    //! Nothing that a user's module defines changes what the attribute means.
    #![allow(dead_code, non_camel_case_types)]

    struct Builder;
    struct Result;
    mod core {}
    mod std {}
    fn block_on() {}

    #[pirn::test]
    async fn paths_are_absolute() {
        pirn::yield_now().await;
    }
}

/// A `main` under another name is an ordinary function.
#[pirn::main]
async fn program() -> Result<usize, pirn::JoinError> {
    pirn::spawn(async { 7 }).await
}

#[test]
fn main_gives_what_its_body_gives() {
    assert_eq!(program().unwrap(), 7);
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

#[pirn::main]
async fn counted() {
    CALLS.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn main_without_options_can_be_called_again() {
    counted();
    counted();
    assert_eq!(CALLS.load(Ordering::SeqCst), 2);
}

#[test]
#[ignore = "a child of the test below: its runtime cannot start"]
fn child_that_cannot_start() {
    counted();
}

#[test]
fn a_main_without_a_runtime_ends_the_process_with_one_line() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_that_cannot_start", "--ignored", "--nocapture"]);
    let ended = child.env("PIRN_PROCS", "many").output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.starts_with("pirn: ") && said.contains("\"many\""), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[pirn::test(timeout = "50ms")]
#[ignore = "a child of the test below: it never ends"]
async fn child_that_is_late() {
    let _task = pirn::task::Builder::new().name("waits for ever").spawn(std::future::pending::<()>());
    std::future::pending::<()>().await;
}

#[test]
fn a_test_that_is_late_prints_what_its_tasks_wait_for_and_fails() {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_that_is_late", "--ignored", "--nocapture"]);
    let ended = child.output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success());
    assert!(said.contains("child_that_is_late has not ended after 50ms; these tasks live:"), "{said}");
    assert!(said.contains("1 live tasks") && said.contains("(waits for ever), spawned at "), "{said}");
}
