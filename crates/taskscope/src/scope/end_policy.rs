//! The policies for tasks that are alive when their scope ends.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Decides what happens to the tasks that are alive when their scope ends.
///
/// Under every policy the tasks that are still alive
/// [`SURVIVOR_REPORT_DELAY`](crate::scope::SURVIVOR_REPORT_DELAY) later are reported, each once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AtEnd {
    /// Nothing: reports call them `outlived`.
    #[default]
    Report,
    /// The token is cancelled.
    Cancel,
    /// The token is cancelled, and what is alive after the grace is aborted: the scope's tasks and
    /// those of scopes below.
    ///
    /// The grace counts by the clock of the runtime where the scope ended. Say it before the first
    /// task is spawned: from then on the scope keeps an abort handle of each live task. The task
    /// that drops the last guard is not aborted, should it belong to the scope itself. As always
    /// with tokio, a task that blocks its thread cannot be aborted.
    Abort {
        /// Time between the cancellation and the abort.
        grace: Duration,
    },
}

/// An [`AtEnd`] that can be read and set from any thread: 0 and 1 for the first two, else 2 + the
/// grace in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Policy(AtomicU64);

impl Policy {
    pub(super) fn set(&self, policy: AtEnd) {
        let word = match policy {
            AtEnd::Report => 0,
            AtEnd::Cancel => 1,
            AtEnd::Abort { grace } => u64::try_from(grace.as_nanos())
                .unwrap_or(u64::MAX)
                .saturating_add(2),
        };
        self.0.store(word, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> AtEnd {
        match self.0.load(Ordering::Relaxed) {
            0 => AtEnd::Report,
            1 => AtEnd::Cancel,
            word => AtEnd::Abort {
                grace: Duration::from_nanos(word - 2),
            },
        }
    }
}
