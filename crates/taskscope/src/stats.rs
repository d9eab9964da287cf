//! What this crate itself holds, for tests and for people who want to know what it costs.

use crate::pool;
use crate::record::Record;
use crate::runtime::{self, Census, RuntimeInfo};

/// What this crate holds right now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Stats {
    /// Records that exist. They are reused and never freed.
    pub records: usize,
    /// Records that somebody refers to: a live task, a waker that was kept, or a dump.
    pub records_in_use: usize,
    /// Bytes of all records.
    pub record_bytes: usize,
    /// The runtimes that are known.
    pub runtimes: Vec<RuntimeInfo>,
}

/// What this crate holds right now. No task is asked for anything; every record is looked at.
#[must_use]
pub fn stats() -> Stats {
    let (mut records, mut records_in_use) = (0, 0);
    for record in pool::all() {
        records += 1;
        records_in_use += usize::from(record.is_in_use());
    }
    // Who asks may be waiting for a runtime's file descriptors to be closed.
    runtime::sweep();
    Stats {
        records,
        records_in_use,
        record_bytes: records * size_of::<Record>(),
        runtimes: Census::take().runtimes(),
    }
}
