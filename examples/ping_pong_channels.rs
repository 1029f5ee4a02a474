//! Two players alternate strictly, by handing the turn to each other through two unbuffered channels.
//!
//! ```text
//!                 ──── ping's turn ────►
//!          pong                           ping          both report to the main task
//!                 ◄──── pong's turn ────                through a buffered channel
//! ```
//!
//! An unbuffered channel is a meeting: `send` completes when a receiver has been claimed for the value. The
//! value here is `()`, which takes no space; all that is passed on is the right to go next. The order of the
//! reports is the order of the turns, because each player reports *before* it passes the turn on.

use std::process::ExitCode;

use clap::Parser;
use pirn::channel::{Receiver, Sender, bounded};
use pirn_examples::{Outcome, check, check_eq, finish};

/// Two tasks alternate through two unbuffered channels and report on a buffered one.
#[derive(Parser)]
pub(crate) struct Args {
    /// How often each player plays
    #[arg(long, default_value_t = 5)]
    rounds: u32,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

pub(crate) async fn run(args: Args) -> Outcome {
    let Args { rounds } = args;
    let (to_ping, pings_turn) = bounded(0);
    let (to_pong, pongs_turn) = bounded(0);
    let (report, reports) = bounded(2 * rounds as usize);

    pirn::go!(play("ping", rounds, pings_turn, to_pong, report.clone()));
    pirn::go!(play("pong", rounds, pongs_turn, to_ping.clone(), report));
    let served = to_ping.send(()).await.is_ok();
    drop(to_ping);

    // Ranging over a channel ends when the last of its senders is gone: here, when both players are done.
    let mut played = Vec::new();
    while let Ok((name, round)) = reports.recv().await {
        println!("{name} {round}");
        played.push((name, round));
    }

    check("the first turn was taken", served || rounds == 0)?;
    let expected = (1..=rounds).flat_map(|round| [("ping", round), ("pong", round)]).collect();
    check_eq("ping and pong alternated, and neither missed a turn", played, expected)
}

async fn play(
    name: &'static str,
    rounds: u32,
    turn: Receiver<()>,
    other: Sender<()>,
    report: Sender<(&'static str, u32)>,
) {
    for round in 1..=rounds {
        if turn.recv().await.is_err() || report.send((name, round)).await.is_err() {
            return;
        }
        // After the last round the other player has left the table; passing it the turn is then no error.
        let _ = other.send(()).await;
    }
}
