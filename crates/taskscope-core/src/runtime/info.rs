//! One runtime, as dumps show it.

use std::fmt;
use std::sync::Arc;

use tokio::runtime::{Handle, Id};

/// One runtime, as a dump saw it.
#[derive(Clone)]
#[non_exhaustive]
pub struct RuntimeInfo {
    /// Tokio's id of the runtime.
    pub id: Id,
    /// The same as a number, as `Display` prints it.
    pub number: u64,
    /// The name given with `runtime::Builder::name`.
    pub name: Option<Arc<str>>,
    /// `current_thread` or `multi_thread`, as tokio's attribute macros call them.
    pub flavor: &'static str,
    /// Worker threads.
    pub workers: usize,
    /// Live tasks that have a record.
    pub tracked: usize,
    /// Live tasks of this runtime without a record: spawned with plain `tokio::spawn`, often by a
    /// library. They can be counted and not looked into. A task that is ending at this moment may
    /// be counted here once more.
    pub untracked: usize,
    pub(super) handle: Handle,
}

impl RuntimeInfo {
    /// The runtime's handle, for example for its metrics. Keep it no longer than you need it: a
    /// handle keeps the runtime's file descriptors open.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl fmt::Debug for RuntimeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeInfo")
            .field("number", &self.number)
            .field("name", &self.name)
            .field("flavor", &self.flavor)
            .field("workers", &self.workers)
            .field("tracked", &self.tracked)
            .field("untracked", &self.untracked)
            .finish_non_exhaustive()
    }
}
