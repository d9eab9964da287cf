//! The readers of Taskscope: dumps of tokio tasks with async stacks, what tasks wait for, why they
//! are still alive, counts, sampled time.
//!
//! Use it through `taskscope`, which re-exports it. Not here: how tasks get records and how a
//! capture works (`taskscope-core`); spawning, scopes and tokens (`taskscope`).
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::unwrap_used))]

pub mod census;
mod dump;
mod evidence;
mod growth;
pub mod heap;
mod install;
pub mod long_jobs;
pub mod lost_wakeups;
pub mod resources;
pub mod sampling;
mod verdict;
mod wait;
mod watchdog;

use taskscope_core::{
    Age, Cancellation, Name, NoTrace, Plain, Quoted, RuntimeInfo, ScopeInfo, Stack, attribution,
    capture, clock, current, ids, maintenance, poll_sampler, pool, record, runtime, text, threads,
};

pub use self::census::{
    CENSUS_HISTORY_LEN, CENSUS_PERIOD, CENSUS_RUNTIMES, Census, RuntimeLoad, WorkerLoad,
};
pub use self::dump::{
    Branch, DEFAULT_DEADLINE, DEFAULT_STALL, Dump, DumpOptions, Frame, Group, HeldTasks, LongPoll,
    Missed, NoMemory, Parents, SpawnTree, Stacks, State, TaskDump, ThreadInfo, Trace, dump,
    of_scopes,
};
pub use self::growth::{
    GROWTH_MIN_SAMPLES, GROWTH_PERIOD, GROWTH_SAMPLES, SiteGrowth, growth, sample_growth,
};
pub use self::install::install;
pub use self::resources::{Holder, HolderState, ResourceDump};
pub use self::verdict::{BLOCKING_THRESHOLD, CANCEL_GRACE, SPINNING_RATE, Verdict};
pub use self::wait::{WaitKind, WaitReason};
pub use self::watchdog::{Watchdog, WatchdogError};
