//! The same alternation as in `ping_pong_channels`, through shared memory: a [`Mutex`], a [`Cond`], a [`WaitGroup`].
//!
//! The turn is a variable under the mutex. A player waits until the variable names it, plays, names the other one
//! and wakes it. The wait stands in a loop (`wait_while` is that loop), because between the wake-up and the
//! moment at which the mutex is held again somebody else may have changed the variable.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use pirn::sync::{Cond, Mutex, WaitGroup};
use pirn_examples::{Outcome, check_eq, finish};

/// Two tasks alternate through a mutex and a condition variable.
#[derive(Parser)]
pub(crate) struct Args {
    /// How often each player plays
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[pirn::main]
async fn main() -> ExitCode {
    finish(run).await
}

struct Table {
    game: Mutex<Game>,
    turn_changed: Cond,
}

struct Game {
    turn: &'static str,
    played: Vec<(&'static str, usize)>,
}

pub(crate) async fn run(args: Args) -> Outcome {
    let Args { rounds } = args;
    let table = Arc::new(Table {
        game: Mutex::new(Game { turn: "ping", played: Vec::new() }),
        turn_changed: Cond::new(),
    });
    let players = WaitGroup::new();
    for (name, other) in [("ping", "pong"), ("pong", "ping")] {
        let done = players.guard();
        let table = table.clone();
        pirn::go!({
            play(&table, name, other, rounds).await;
            drop(done);
        });
    }
    players.wait().await;

    let game = table.game.lock().await;
    let expected = (1..=rounds).flat_map(|round| [("ping", round), ("pong", round)]).collect::<Vec<_>>();
    check_eq("ping and pong alternated, and neither missed a turn", &game.played, &expected)
}

async fn play(table: &Table, name: &'static str, other: &'static str, rounds: usize) {
    for round in 1..=rounds {
        let game = table.game.lock().await;
        let mut game = table.turn_changed.wait_while(game, |game| game.turn != name).await;
        println!("{name} {round}");
        game.played.push((name, round));
        game.turn = other;
        drop(game);
        table.turn_changed.notify_one();
    }
}
