//! Counts of what this crate itself holds, for tests and for people who want to know what it costs.

use taskscope_core::record::Record;
use taskscope_core::{RuntimeInfo, pool, sweep};
use taskscope_inspect::resources;

use crate::scope;

/// Counts of what this crate holds right now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stats {
    /// Records that have memory. They are used again; the memory of those that no task needs goes
    /// back to the system after a second or two.
    pub records: usize,
    /// Records that somebody refers to: a live task, a waker that was kept, or a dump.
    pub records_in_use: usize,
    /// Bytes of all records.
    pub record_bytes: usize,
    /// Deadlines of scopes, and graces before an abort, that have not come yet.
    pub scope_alarms: usize,
    /// Scopes that have ended with live tasks and wait for these to be reported, at most
    /// [`MAX_PENDING_REPORTS`](crate::scope::MAX_PENDING_REPORTS).
    pub scopes_ended: usize,
    /// Scopes that ended with live tasks while so many were waiting. Nobody was told of their
    /// survivors; dumps show them all the same.
    pub scopes_unreported: u64,
    /// [Tracked](crate::Tracked) values that exist.
    pub resources: usize,
    /// The runtimes that are known.
    pub runtimes: Vec<RuntimeInfo>,
}

/// Counts what this crate holds right now. No task is asked for anything; every record is looked
/// at.
#[must_use]
pub fn stats() -> Stats {
    let (records, records_in_use) = pool::counts();
    let (scope_alarms, scopes_ended, scopes_unreported) = scope::counts();
    Stats {
        scope_alarms,
        scopes_ended,
        scopes_unreported,
        records,
        records_in_use,
        record_bytes: records * size_of::<Record>(),
        resources: resources::count(),
        runtimes: sweep::known_runtimes(),
    }
}
