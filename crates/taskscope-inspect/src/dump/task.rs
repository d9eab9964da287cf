//! One task as a dump saw it. Not here: how that is read from its record (`read.rs`).

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::{State, Trace};
use crate::verdict::{Verdict, is_suspect};
use crate::wait::{WaitKind, WaitReason};
use crate::{Cancellation, Name, ScopeInfo};
use taskscope_core::{NoTrace, TaskKind};

/// One task as a dump saw it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskDump {
    /// Tokio's id of the task, as `tokio::task::id()` prints it. A [driven](TaskKind::Driven)
    /// future has an id of its own, above 2^52.
    pub id: u64,
    /// How the task came to be: spawned, observed, driven or on the blocking pool.
    pub kind: TaskKind,
    /// The name it was spawned with.
    pub name: Option<Name>,
    /// The labels it was spawned with; labels of its scope are in `scope`.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Whether it was idle, scheduled or running, and for how long.
    pub state: State,
    /// Why it is still alive.
    pub verdict: Verdict,
    /// Whether it was declared long-lived, and so is never a leak.
    pub background: bool,
    /// The scope it belongs to.
    pub scope: Option<ScopeInfo>,
    /// How long ago that scope, or one above it, had ended.
    pub scope_ended: Option<Duration>,
    /// Why the token of that scope had been cancelled, where the cancellation began, and how long
    /// ago.
    pub scope_cancelled: Option<Box<Cancellation>>,
    /// How long ago it polled a token of its scope for the first and for the last time. `None`:
    /// never.
    pub token_polled: Option<(Duration, Duration)>,
    /// Where it was spawned.
    pub site: &'static Location<'static>,
    /// The type of its future: for an `async fn`, its path and `{{closure}}`.
    pub future: &'static str,
    /// The number of its runtime.
    pub runtime: u64,
    /// Id of the task that spawned it, if that had a record.
    pub parent: Option<u64>,
    /// Time since it was spawned.
    pub age: Duration,
    /// Time spent in polls that have ended.
    pub busy: Duration,
    /// Polls so far, captures included.
    pub polls: u64,
    /// Wakers of the task that exist. An idle task without any can never be woken. The wakers of an
    /// [observed](TaskKind::Observed) task are not known, and 0 is no evidence.
    pub wakers: u64,
    /// Time since its `JoinHandle` was dropped.
    pub detached: Option<Duration>,
    /// The stack on which it is suspended, or why that is not known.
    pub trace: Result<Arc<Trace>, NoTrace>,
    /// The last poll that took longer than the watchdog's threshold, if the watchdog caught one.
    pub long_poll: Option<Box<LongPoll>>,
    /// Branches of the trace that did not fit into its buffer.
    pub branches_dropped: u32,
    /// Branches that lack frames at their root: deeper than [`callstack::MAX_FRAMES`], or through
    /// code without unwind tables.
    pub branches_cut: u32,
}

/// A poll that took too long, with the native stack of its thread, taken while it was going on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LongPoll {
    /// How long ago its stack was taken.
    pub ago: Duration,
    /// How long it took when it was last observed: to some 10 ms.
    pub lasted: Duration,
    /// Whether it is over.
    pub over: bool,
    /// The functions that the thread was in, innermost first, up to the task's own, as one branch;
    /// or why they are not known.
    pub trace: Result<Arc<Trace>, Arc<str>>,
}

impl TaskDump {
    /// The wait reason by the leaf of its trace; for a `select!` or `join!`, one of each kind.
    #[must_use]
    pub fn wait_reason(&self) -> WaitReason {
        match &self.trace {
            Ok(trace) => trace.wait_reason(),
            Err(why) => WaitReason::of(self.wait_without_trace(*why)),
        }
    }

    /// The wait kind of a task without a trace.
    pub(super) fn wait_without_trace(&self, why: NoTrace) -> WaitKind {
        match (why, &self.state) {
            (_, State::Running { .. }) => WaitKind::Running,
            (_, State::Scheduled { .. }) => WaitKind::Scheduled,
            (NoTrace::NoWaker, _) if self.verdict == Verdict::Stuck => WaitKind::Nothing,
            _ => WaitKind::Unknown,
        }
    }

    /// Its activity in words: `waiting for sleep`, `running`, `about to run`.
    #[must_use]
    pub fn activity(&self) -> String {
        match (
            &self.state,
            self.wait_reason().kinds[..] == [WaitKind::Unknown],
        ) {
            (State::Running { .. }, _) => "running".to_owned(),
            (State::Scheduled { .. }, _) => "about to run".to_owned(),
            (State::Idle { .. }, true) => "waiting".to_owned(),
            (State::Idle { .. }, false) => format!("waiting for {}", self.wait_reason()),
        }
    }

    /// The scope of the request that spawned this task, if its [`parent`](Self::parent) is a
    /// request and no task.
    ///
    /// `None` if a task spawned it, or if it belongs to no scope of that request.
    #[must_use]
    pub fn parent_request(&self) -> Option<ScopeInfo> {
        let parent = self.parent?;
        let mut scopes = std::iter::successors(self.scope.clone(), ScopeInfo::parent);
        scopes.find(|scope| scope.request() == Some(parent))
    }

    /// Whether this task looks like a leak: not declared background, and its scope has ended, or it
    /// goes on although that was cancelled, or it can never be woken.
    #[must_use]
    pub fn is_leak_suspect(&self) -> bool {
        is_suspect(self.verdict, self.background, self.scope_ended.is_some())
    }
}
