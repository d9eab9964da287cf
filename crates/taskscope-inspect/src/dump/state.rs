//! The state of a task: running, scheduled or idle. Not here: the other facts of a task
//! (`task.rs`).

use std::sync::Arc;
use std::time::Duration;

/// The state of a task, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// In a poll.
    Running {
        /// The thread; `None` if it is ending, or comes after 65,534 others.
        thread: Option<Box<ThreadInfo>>,
        /// Time since the poll began.
        since: Duration,
    },
    /// Woken, or new, and not polled yet.
    Scheduled {
        /// Time since the wake.
        since: Duration,
    },
    /// Suspended.
    Idle {
        /// Time since its last poll ended, captures left aside.
        since: Duration,
    },
}

impl State {
    /// `running`, `scheduled` or `idle`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            State::Running { .. } => "running",
            State::Scheduled { .. } => "scheduled",
            State::Idle { .. } => "idle",
        }
    }

    /// Time since the task came into this state.
    #[must_use]
    pub fn since(&self) -> Duration {
        match self {
            State::Running { since, .. } | State::Scheduled { since } | State::Idle { since } => {
                *since
            }
        }
    }
}

/// A thread that polls tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadInfo {
    /// Name of the thread.
    pub name: Arc<str>,
    /// The kernel's id, as `top -H` shows it; 0 where there is no `/proc`.
    pub os_id: u32,
}
