//! Who takes part, and how a row's work finds the types of a contender.
//!
//! A contender is an executor (see [`Exec`](crate::exec::Exec)) and a channel on it (see
//! [`Chan`](crate::chan::Chan)). Work is written once, generic over the two; [`on_executor!`] and [`on_channel!`]
//! choose the instance. Go is a program of its own, in `benches/go`, with the same rows under the same names.

use clap::ValueEnum;
use clap::builder::PossibleValue;

/// One column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Pirn,
    Tokio,
    Smol,
    Std,
    /// Threads with `parking_lot`'s locks, in the rows about locks.
    StdParkingLot,
    Go,
    TokioKanal,
    TokioFlume,
    TokioAsyncChannel,
    TokioCrossfire,
}

use Contender::*;

/// Everyone, in the order of the columns.
pub(crate) const ALL: &[Contender] =
    &[Pirn, Tokio, Smol, Go, Std, StdParkingLot, TokioKanal, TokioFlume, TokioAsyncChannel, TokioCrossfire];
/// For rows in which tasks, timers or sockets are compared.
pub(crate) const EXECUTORS: &[Contender] = &[Pirn, Tokio, Smol, Go, Std];
/// For rows about locks.
pub(crate) const LOCKS: &[Contender] = &[Pirn, Tokio, Smol, Go, Std, StdParkingLot];
/// For rows about channels.
pub(crate) const CHANNELS: &[Contender] =
    &[Pirn, Tokio, Smol, Go, Std, TokioKanal, TokioFlume, TokioAsyncChannel, TokioCrossfire];
/// For rows about channels with several receivers, which tokio's own has not.
pub(crate) const SHARED_CHANNELS: &[Contender] =
    &[Pirn, Smol, Go, Std, TokioKanal, TokioFlume, TokioAsyncChannel, TokioCrossfire];

impl Contender {
    /// As in the table and on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Pirn => "pirn",
            Tokio => "tokio",
            Smol => "smol",
            Std => "std",
            StdParkingLot => "std+parking_lot",
            Go => "go",
            TokioKanal => "tokio+kanal",
            TokioFlume => "tokio+flume",
            TokioAsyncChannel => "tokio+async-channel",
            TokioCrossfire => "tokio+crossfire",
        }
    }
}

impl ValueEnum for Contender {
    fn value_variants<'a>() -> &'a [Self] {
        ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// `on_executor!(setup, work)` calls `work::<E>(setup)` for the executor of `setup.contender`.
macro_rules! on_executor {
    ($setup:expr, $work:ident) => {
        match $setup.contender {
            $crate::contender::Contender::Pirn => $work::<$crate::exec::Pirn>($setup),
            $crate::contender::Contender::Tokio => $work::<$crate::exec::Tokio>($setup),
            $crate::contender::Contender::Smol => $work::<$crate::exec::Smol>($setup),
            $crate::contender::Contender::Std => $work::<$crate::exec::Threads>($setup),
            other => panic!("{} takes no part in this row", other.name()),
        }
    };
}
pub(crate) use on_executor;

/// `on_channel!(setup, Crossfire, work)` calls `work::<E, C>(setup)` for the executor and the channel of
/// `setup.contender`; crossfire has a type for each number of senders and receivers, so a row names the one it uses.
macro_rules! on_channel {
    ($setup:expr, $crossfire:ident, $work:ident) => {
        match $setup.contender {
            $crate::contender::Contender::Pirn => $work::<$crate::exec::Pirn, $crate::chan::Pirn>($setup),
            $crate::contender::Contender::Tokio => $work::<$crate::exec::Tokio, $crate::chan::Tokio>($setup),
            $crate::contender::Contender::Smol => {
                $work::<$crate::exec::ParkedSmol, $crate::chan::AsyncChannel>($setup)
            }
            $crate::contender::Contender::Std => {
                $work::<$crate::exec::Threads, $crate::chan::Crossbeam>($setup)
            }
            $crate::contender::Contender::TokioKanal => {
                $work::<$crate::exec::Tokio, $crate::chan::Kanal>($setup)
            }
            $crate::contender::Contender::TokioFlume => {
                $work::<$crate::exec::Tokio, $crate::chan::Flume>($setup)
            }
            $crate::contender::Contender::TokioAsyncChannel => {
                $work::<$crate::exec::Tokio, $crate::chan::AsyncChannel>($setup)
            }
            $crate::contender::Contender::TokioCrossfire => {
                $work::<$crate::exec::Tokio, $crate::chan::$crossfire>($setup)
            }
            other => panic!("{} takes no part in this row", other.name()),
        }
    };
}
pub(crate) use on_channel;
