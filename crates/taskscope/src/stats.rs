//! What this crate itself holds, for tests and for people who want to know what it costs.

use crate::pool;
use crate::runtime::{RuntimeEntry, RuntimeInfo};

/// What this crate holds right now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stats {
    /// Records that exist. They are reused and never freed.
    pub records: usize,
    /// Records that somebody refers to: a live task, a `JoinHandle`, a waker that was kept, or a dump.
    pub records_in_use: usize,
    /// Bytes of all records.
    pub record_bytes: usize,
    /// The runtimes that are known.
    pub runtimes: Vec<RuntimeInfo>,
}

/// What this crate holds right now. Cheap: no task is asked for anything.
#[must_use]
pub fn stats() -> Stats {
    let (records, records_in_use) = pool::size();
    let runtimes = RuntimeEntry::all()
        .into_iter()
        .map(|entry| entry.info())
        .collect();
    Stats {
        records,
        records_in_use,
        record_bytes: records * size_of::<crate::record::Record>(),
        runtimes,
    }
}
