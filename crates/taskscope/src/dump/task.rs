//! One task as a dump saw it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::Trace;
use super::collect::Traces;
use crate::record::{Hold, Kind, Record};
use crate::verdict::{self, Evidence, Verdict};
use crate::wait::{WaitKind, WaitReason};
use crate::{CancelReason, ScopeRef, clock, threads};

/// One task as a dump saw it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskDump {
    /// Tokio's id of the task, as `tokio::task::id()` prints it.
    pub id: u64,
    /// The name it was spawned with.
    pub name: Option<Arc<str>>,
    /// What it was doing, and for how long.
    pub state: State,
    /// Why it is still alive.
    pub verdict: Verdict,
    /// Declared long-lived: never a leak.
    pub background: bool,
    /// The scope it belongs to.
    pub scope: Option<ScopeRef>,
    /// How long ago that scope, or one above it, had ended.
    pub scope_ended: Option<Duration>,
    /// Why that scope's token had been cancelled, and how long ago, as [`ScopeRef::cancelled`] tells.
    pub scope_cancelled: Option<(CancelReason, Option<Duration>)>,
    /// Where it was spawned.
    pub site: &'static Location<'static>,
    /// The type of its future: for an `async fn`, its path and `{{closure}}`.
    pub future: &'static str,
    /// The number of its runtime; 0 if it was spawned into a `LocalSet` before there was a runtime.
    pub runtime: u64,
    /// The id of the task that spawned it, if that had a record.
    pub parent: Option<u64>,
    /// Time since it was spawned.
    pub age: Duration,
    /// Time spent in polls that have ended.
    pub busy: Duration,
    /// Polls so far, captures included.
    pub polls: u64,
    /// Wakers of the task that are kept somewhere. None, in an idle task: nothing can wake it.
    pub wakers: u64,
    /// Time since its `JoinHandle` was dropped.
    pub detached: Option<Duration>,
    /// Where it is suspended, or why that is not known.
    pub trace: Result<Arc<Trace>, NoTrace>,
    /// Branches of the trace that did not fit into its buffer.
    pub branches_dropped: u32,
    /// Branches that lack frames at their root: deeper than [`callstack::MAX_FRAMES`], or through code without unwind tables.
    pub branches_cut: u32,
}

/// What a task was doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// In a poll.
    Running {
        /// The thread; `None` if it is ending.
        thread: Option<ThreadInfo>,
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

    /// How long it has been so.
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
    /// Its name.
    pub name: Arc<str>,
    /// The kernel's id, as `top -H` shows it; 0 where there is no `/proc`.
    pub os_id: u32,
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
        })
    }
}

impl TaskDump {
    /// What it waits for, by the leaf of its trace; for a `select!` or `join!`, one of each kind.
    #[must_use]
    pub fn wait_reason(&self) -> WaitReason {
        match (&self.trace, &self.state) {
            (Ok(trace), _) => trace.wait_reason(),
            (Err(_), State::Running { .. }) => WaitReason::of(WaitKind::Running),
            (Err(_), State::Scheduled { .. }) => WaitReason::of(WaitKind::Scheduled),
            (Err(NoTrace::NoWaker), _) if self.verdict == Verdict::Stuck => {
                WaitReason::of(WaitKind::Nothing)
            }
            (Err(_), _) => WaitReason::of(WaitKind::Unknown),
        }
    }

    /// What it is doing, in words: `waiting for sleep`, `running`, `about to run`.
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

    /// Whether this task looks like a leak: not declared background, and its scope has ended or it can never be woken.
    #[must_use]
    pub fn is_leak_suspect(&self) -> bool {
        !self.background && matches!(self.verdict, Verdict::Stuck | Verdict::Outlived)
    }
}

/// Which captures count as this dump's.
pub(super) enum Asked {
    /// Those that were true when the task had been polled so often, and later ones.
    Since(u64),
    /// Any that is still true.
    Cached,
    /// None.
    No,
}

/// A record's moving parts, read as of one moment.
struct Reading {
    polls: u64,
    thread: u32,
    since: u64,
    woken_at: u64,
    wakers: u64,
}

/// Reads until nothing has moved meanwhile. After a few tries the task is plainly busy, and any reading is as good.
fn steady(record: &Record) -> Reading {
    let once = || Reading {
        polls: record.polls(),
        thread: record.thread(),
        since: record.since(),
        woken_at: record.woken_at(),
        wakers: record.wakers(),
    };
    let mut reading = once();
    for _ in 0..8 {
        // After the rest: a poll that began meanwhile has set the thread before it took the wake away.
        if record.thread() == reading.thread && record.polls() == reading.polls {
            return reading;
        }
        reading = once();
    }
    // Not steady: never take this one for a task without wakers.
    Reading {
        wakers: reading.wakers.max(1),
        ..reading
    }
}

/// The task of a record, unless it has ended meanwhile.
pub(super) fn read(hold: &Hold, asked: Asked, now: u64, traces: &mut Traces) -> Option<TaskDump> {
    let (record, meta) = (hold.record(), hold.meta());
    let reading = steady(record);
    if record.finished() {
        return None;
    }
    let state = if reading.thread != 0 {
        let thread = threads::get(reading.thread).map(|thread| ThreadInfo {
            name: thread.name,
            os_id: thread.os_id,
        });
        State::Running {
            thread,
            since: clock::between(reading.since, now),
        }
    } else if reading.woken_at != 0 {
        State::Scheduled {
            since: clock::between(reading.woken_at, now),
        }
    } else {
        State::Idle {
            since: clock::between(reading.since, now),
        }
    };
    let (trace, [branches_dropped, branches_cut]) = trace(record, &reading, asked, &state, traces);
    let scope = meta.scope.clone().map(ScopeRef::from_inner);
    let scope_ended = scope.as_ref().and_then(ScopeRef::ended);
    let verdict = verdict::of(&Evidence {
        state: &state,
        wakers: reading.wakers,
        scope_ended: scope_ended.is_some(),
        background: meta.kind == Kind::Background,
    });
    Some(TaskDump {
        id: record.id(),
        name: meta.name.as_deref().cloned(),
        verdict,
        background: meta.kind == Kind::Background,
        scope_cancelled: scope.as_ref().and_then(ScopeRef::cancelled),
        scope_ended,
        scope,
        site: meta.site,
        future: (meta.future)(),
        runtime: meta.runtime.as_ref().map_or(0, |entry| entry.number()),
        parent: (meta.parent != 0).then_some(meta.parent),
        age: clock::between(meta.spawned_at, now),
        busy: clock::length(record.busy()),
        polls: reading.polls,
        wakers: reading.wakers,
        detached: (record.detached_at() != 0).then(|| clock::between(record.detached_at(), now)),
        trace,
        branches_dropped,
        branches_cut,
        state,
    })
}

fn trace(
    record: &Record,
    reading: &Reading,
    asked: Asked,
    state: &State,
    traces: &mut Traces,
) -> (Result<Arc<Trace>, NoTrace>, [u32; 2]) {
    let none = match (&asked, state) {
        (Asked::No | Asked::Cached, _) => NoTrace::NotAsked,
        (Asked::Since(_), State::Running { .. }) => NoTrace::Running,
        (Asked::Since(_), _) => NoTrace::NoAnswer,
    };
    // Copied out, so that the record's lock is not held while symbols are looked up.
    let captured = record
        .captured()
        .as_ref()
        .map(|it| (it.polls, it.stack.clone(), [it.dropped, it.cut]));
    let Some((polls, stack, missing)) = captured else {
        return (Err(none), [0; 2]);
    };
    let counts = match asked {
        Asked::No => false,
        Asked::Cached => polls == reading.polls,
        Asked::Since(before) => polls == reading.polls || polls >= before,
    };
    match stack {
        _ if !counts => (Err(none), [0; 2]),
        Some(stack) => (Ok(traces.get(&stack)), missing),
        None => (Err(NoTrace::NoWaker), missing),
    }
}
