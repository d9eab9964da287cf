//! The workloads. Each file says what one operation is.

pub(crate) mod askers;
pub(crate) mod blocked;
mod clean_check;
mod dump;
pub(crate) mod http;
mod idle;
#[cfg(feature = "enable")]
mod known;
mod parked;
mod ping_pong;
mod self_wake;
mod spawn;
mod ticker;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

pub(crate) use self::clean_check::{clean_check, first_check};
pub(crate) use self::dump::dump;
pub(crate) use self::idle::idle;
#[cfg(feature = "enable")]
pub(crate) use self::known::known;
pub(crate) use self::parked::Kinds;
pub(crate) use self::ping_pong::ping_pong;
pub(crate) use self::self_wake::self_wake;
pub(crate) use self::spawn::spawn;

/// The kinds of sums of `known`: the name in figures, and a description.
pub(crate) const KINDS: [(&str, &str); 7] = [
    ("short", "`block`: sleeps of 7 ms"),
    ("long", "`block`: sleeps of 430 ms"),
    ("open", "`block`: one wait that goes on since the beginning"),
    (
        "lock",
        "`lock`: three tasks and a mutex that each keeps for 3 ms",
    ),
    ("sched", "`sched`: a worker that polls for 3 ms at a time"),
    ("bursts", "`busy`: polls of 0.7 ms"),
    ("hogs", "`busy`: polls of 150 ms"),
];

/// Measures nothing: without the feature `enable` nothing is sampled.
#[cfg(not(feature = "enable"))]
pub(crate) async fn known(_: u64, _: bool) -> crate::worker::Values {
    crate::worker::Values::default()
}

/// The name of a workload, in commands and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Name {
    /// Spawn a task that does nothing, and join it
    Spawn,
    /// Poll a task that has woken itself
    SelfWake,
    /// Poll a task that receives from and sends to another one
    PingPong,
    /// Check for leaks where there are none; in no report
    CleanCheck,
    /// Memory of tasks that wait
    Idle,
    /// Dump tasks that all wait for the same
    DumpAlike,
    /// Dump tasks that wait for six different things
    DumpMixed,
    /// Answer HTTP requests, for n seconds
    Http,
    /// The same, with and without ten dumps a second in turn
    HttpDumps,
    /// Wait and run for times that are known, for n seconds
    Known,
    /// The same beside tasks that only yield
    KnownBusy,
    /// The demo's latency with and without a crowd that asks for profiles, for n seconds of each
    Askers,
    /// The same, without the demo's leaks
    AskersFixed,
    /// Ask for profiles while every worker is blocked, n times
    Blocked,
}

/// How often an operation is done, by how many tasks at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) operations: u64,
    /// One for each worker thread, so that all of them meet in whatever the variant shares.
    pub(crate) drivers: u64,
}

impl Load {
    fn of_each(self) -> u64 {
        self.operations / self.drivers
    }
}

/// Operations before a measurement begins: whole batches, for each driver.
pub(crate) const WARM_UP: u64 = 4 * spawn::BATCH;
