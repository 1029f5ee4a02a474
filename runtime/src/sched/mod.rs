//! Floor 3: the scheduler. Processors, the machines that hold them, and the loop that runs tasks.
//!
//! ```text
//!                spawn, wake from outside ──► injector ──┐
//!                                                        ▼
//!   machine ══ holds ══► processor [next │ local queue │ timers] ──► run one task ──┐
//!      ▲                     ▲         steal   ▲                                    │
//!      │                     └───── other machines' processors       wake from inside: next
//!   parked, or waits in the netpoller with the next deadline, or runs a blocking job
//! ```
//!
//! # Reading order
//! | part | files |
//! |---|---|
//! | to run tasks | [`processor`]: what the right to run consists of. [`worker`]: the loop. [`find_work`]: the order of looking. [`counters`]: how others see whether it gets on. [`pace`]: how much a thief takes. [`visit`]: what the busy do for others |
//! | to rest and to be woken | [`idle`]: who searches, who is woken; the proof. [`machine`]: a thread's life. [`machines`]: all of them, and which is given what. [`waiting`]: those that have nothing to do. [`netwait`]: the one of them that waits for the network |
//! | to block, and to sleep | [`blocking`]: closures that may block. [`handoff`]: a task that blocks on purpose. [`timers`]: who looks at which deadline. [`timer_slot`]: what a sleeping future holds |
//! | to be watched | [`thread_state`]: what the kernel says of a thread. [`sysmon`]: who watches the machines. [`stuck`]: a processor as it sees it. [`crowd`]: when one processor fewer is better |
//! | to change and to end | [`resize`]: more processors, or fewer. [`shutdown`]: step by step. [`unhandled`]: a panic that nobody joins |
//! | beneath all of it | [`shared`]: what all machines share, and how a woken task comes back to it. [`roster`]: the list of processors. [`current`]: how a thread finds its runtime. [`count`]: what keeps that alive |

pub(crate) mod blocking;
mod count;
mod counters;
mod crowd;
pub(crate) mod current;
mod find_work;
pub(crate) mod handoff;
mod idle;
mod machine;
mod machines;
mod netwait;
mod pace;
mod processor;
mod resize;
mod roster;
pub(crate) mod shared;
pub(crate) mod shutdown;
mod stuck;
mod sysmon;
mod thread_state;
pub(crate) mod timer_slot;
pub(crate) mod timers;
mod unhandled;
mod visit;
mod waiting;
mod worker;

pub(crate) use count::Count;
pub(crate) use resize::MAX_PROCS;
pub(crate) use shared::{Config, Shared};
pub use shutdown::{Left, LeftKind, ShutdownReport};
pub use unhandled::{PanicInfo, UnhandledPanic};
