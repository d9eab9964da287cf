//! How a task came to be, and why there may be no trace of it.

use std::fmt;

use crate::record::Traits;

/// How a task came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskKind {
    /// Spawned on a runtime.
    Task,
    /// Spawned with `spawn_local`.
    Local,
    /// A call on the blocking pool.
    Blocking,
    /// A future that somebody else drives: see [`instrument`](crate::instrument).
    Driven,
    /// Spawned with tokio's own function, and seen by the hooks of the runtime.
    Observed,
}

impl TaskKind {
    /// The kind of a task with these traits.
    #[must_use]
    pub fn of(traits: Traits) -> TaskKind {
        if traits.has(Traits::OBSERVED) {
            TaskKind::Observed
        } else if traits.has(Traits::DRIVEN) {
            TaskKind::Driven
        } else if traits.has(Traits::BLOCKING) {
            TaskKind::Blocking
        } else if traits.has(Traits::LOCAL) {
            TaskKind::Local
        } else {
            TaskKind::Task
        }
    }

    /// `task`, `local`, `blocking`, `driven` or `observed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TaskKind::Task => "task",
            TaskKind::Local => "local",
            TaskKind::Blocking => "blocking",
            TaskKind::Driven => "driven",
            TaskKind::Observed => "observed",
        }
    }
}

/// Why there is no trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoTrace {
    /// The task is being polled.
    Running,
    /// Nothing polled the task before the dump gave up waiting.
    NoAnswer,
    /// The task took no waker when it was polled.
    NoWaker,
    /// The dump did not ask.
    NotAsked,
    /// The task was declared never to be captured.
    NotAllowed,
    /// A call on the blocking pool has no async stack.
    Call,
    /// The task was spawned with tokio's own function: its wakers are not ours.
    Observed,
    /// The wait was over before its stack could be taken. Only in sampled time.
    Ended,
    /// There were more different stacks than are kept. Only in sampled time.
    NoRoom,
}

impl fmt::Display for NoTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoTrace::Running => "no stack: being polled right now",
            NoTrace::NoAnswer => "no stack: its runtime did not poll it in time",
            NoTrace::NoWaker => {
                "no stack: it took no waker when polled, so nothing shows where it waits"
            }
            NoTrace::NotAsked => "no stack: not asked for",
            NoTrace::NotAllowed => "no stack: declared never to be captured",
            NoTrace::Call => "no async stack: a call on the blocking pool",
            NoTrace::Observed => "no stack: spawned with tokio's own function",
            NoTrace::Ended => "no stack: the wait was over before it could be taken",
            NoTrace::NoRoom => "no stack: more different ones than are kept",
        })
    }
}
