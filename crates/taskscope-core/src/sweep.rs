//! The sweep of the tables that tasks and runtimes leave entries in, and what is left after it.
//!
//! Not here: which entries go (`observed_tasks.rs`, `runtime.rs`); when it is done without anybody
//! asking (`maintenance.rs`).

#[cfg(tokio_unstable)]
use crate::observed_tasks;
use crate::runtime::{self, RuntimeInfo, Tally};

/// Removes entries that are nobody's: first those of tasks, which may keep a runtime.
pub(crate) fn tables() {
    #[cfg(tokio_unstable)]
    observed_tasks::sweep();
    runtime::sweep();
}

/// The runtimes that are known right now.
pub fn known_runtimes() -> Vec<RuntimeInfo> {
    // The caller may be waiting for a runtime's file descriptors to be closed.
    tables();
    Tally::take().runtimes()
}
