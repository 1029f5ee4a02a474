//! The words of a sentence are handed to tasks one by one, under a deadline; they arrive in any order.
//!
//! Each word goes to a task of its own *by move*: the task owns it, so there is no loop variable that all tasks
//! share by accident, a mistake that Go programmers made for years. An [`ErrGroup`] starts the tasks, waits for
//! all of them, and cancels the rest if one fails or the deadline passes.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use pirn::channel::unbounded;
use pirn::task::ErrGroup;
use pirn::{Context, ContextError};
use pirn_examples::{Failure, Outcome, check_eq, duration, finish};

/// Hands the words of a sentence to tasks, one by one; all of them arrive, in any order.
#[derive(Parser)]
pub(crate) struct Args {
    /// The sentence
    #[arg(default_value = "the quick brown fox jumps over the lazy dog")]
    sentence: String,
    /// How long all of it may take
    #[arg(long, default_value = "10s", value_parser = duration)]
    deadline: Duration,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

pub(crate) async fn run(args: Args) -> Outcome {
    let (deadline, _cancel) = Context::background().with_timeout(args.deadline);
    let (group, ctx) = ErrGroup::<ContextError>::with_context(&deadline);
    let (say, said) = unbounded();
    for word in args.sentence.split_whitespace() {
        let (word, say, ctx) = (word.to_owned(), say.clone(), ctx.clone());
        group
            .go(async move {
                ctx.run(async {
                    pirn::yield_now().await;
                    println!("a task says: {word}");
                    let _ = say.send(word).await;
                })
                .await
            })
            .await;
    }
    drop(say);
    group.wait().await.map_err(|error| Failure::Wrong(format!("not all words were said: {error}")))?;

    let mut heard: Vec<String> = said.try_iter().collect();
    println!("heard: {}", heard.join(" "));
    heard.sort();
    let mut expected: Vec<String> = args.sentence.split_whitespace().map(str::to_owned).collect();
    expected.sort();
    check_eq("every word arrived exactly once", heard, expected)
}
