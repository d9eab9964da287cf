//! One task as a dump saw it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::Trace;
use super::collect::Traces;
use crate::record::{Hold, Record, Side, Traits};
use crate::verdict::{self, Evidence, SPINNING_RATE, Verdict, WATCH};
use crate::wait::{WaitKind, WaitReason};
use crate::{CancelReason, Name, ScopeRef, clock, runtime, threads, watchdog};

/// One task as a dump saw it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskDump {
    /// Tokio's id of the task, as `tokio::task::id()` prints it. Of a [driven](TaskKind::Driven) future, an id of its own, above 2^52.
    pub id: u64,
    /// How it came to be.
    pub kind: TaskKind,
    /// The name it was spawned with.
    pub name: Option<Name>,
    /// The labels it was spawned with; those of its scope are with the scope.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
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
    /// How long ago it looked at a token of its scope for the first and for the last time. `None`: never.
    pub token_polled: Option<(Duration, Duration)>,
    /// Where it was spawned.
    pub site: &'static Location<'static>,
    /// The type of its future: for an `async fn`, its path and `{{closure}}`.
    pub future: &'static str,
    /// The number of its runtime.
    pub runtime: u64,
    /// The id of the task that spawned it, if that had a record.
    pub parent: Option<u64>,
    /// Time since it was spawned.
    pub age: Duration,
    /// Time spent in polls that have ended.
    pub busy: Duration,
    /// Polls so far, captures included.
    pub polls: u64,
    /// Wakers of the task that are kept somewhere. None, in an idle task: nothing can wake it. Those of an
    /// [observed](TaskKind::Observed) task are not known, and 0 is no evidence.
    pub wakers: u64,
    /// Time since its `JoinHandle` was dropped.
    pub detached: Option<Duration>,
    /// Where it is suspended, or why that is not known.
    pub trace: Result<Arc<Trace>, NoTrace>,
    /// The last poll that took longer than the watchdog's threshold, if it caught one.
    pub long_poll: Option<LongPoll>,
    /// Branches of the trace that did not fit into its buffer.
    pub branches_dropped: u32,
    /// Branches that lack frames at their root: deeper than [`callstack::MAX_FRAMES`], or through code without unwind tables.
    pub branches_cut: u32,
}

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
    fn of(traits: Traits) -> TaskKind {
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

/// A poll that took too long, with the native stack of its thread, taken while it was going on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LongPoll {
    /// How long ago its stack was taken.
    pub ago: Duration,
    /// How long it took, as far as it was seen: to some 10 ms.
    pub lasted: Duration,
    /// Whether it is over.
    pub over: bool,
    /// The functions that the thread was in, innermost first, up to the task's own; one branch. Or why they are not known.
    pub trace: Result<Arc<Trace>, Arc<str>>,
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
    /// The task was declared never to be captured.
    NotAllowed,
    /// A call on the blocking pool has no async stack.
    Call,
    /// The task was spawned with tokio's own function: its wakers are not ours.
    Observed,
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

    /// Whether this task looks like a leak: not declared background, and its scope has ended, or it goes on although that was cancelled,
    /// or it can never be woken.
    #[must_use]
    pub fn is_leak_suspect(&self) -> bool {
        let by_verdict = matches!(
            self.verdict,
            Verdict::Stuck | Verdict::CancelIgnored | Verdict::CancelSlow
        );
        !self.background && (by_verdict || self.scope_ended.is_some())
    }
}

/// Which captures count as this dump's.
#[derive(Clone, Copy)]
pub(super) enum Captures {
    /// Those that were true when the dump began, and later ones.
    Fresh,
    /// Any that is still true.
    Cached,
    /// None.
    No,
}

/// What a dump has to go by when it reads a record.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) captures: Captures,
    /// Polls of the task when the dump began.
    pub(super) polls: u64,
    /// How long ago that was; `None`: the task was not watched.
    pub(super) watched: Option<Duration>,
}

impl Asked {
    /// What is known without asking, traces left aside.
    pub(super) const NOTHING: Asked = Asked {
        captures: Captures::No,
        polls: 0,
        watched: None,
    };

    /// Whether the task was polled thousands of times a second since the dump began, by nobody's doing but its own.
    fn spins(&self, record: &Record, polls: u64) -> bool {
        self.watched.is_some_and(|watched| {
            watched >= WATCH
                && record.only_wakes_itself()
                && polls.saturating_sub(self.polls) as f64 >= SPINNING_RATE * watched.as_secs_f64()
        })
    }
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
    if record.is_finished() {
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
    let traits = record.traits();
    let background = traits.has(Traits::BACKGROUND);
    let scope = meta.scope.clone().map(ScopeRef::from_inner);
    let scope_ended = scope.as_ref().and_then(ScopeRef::ended);
    let looks = record.side().and_then(Side::token);
    let verdict = verdict::of(&Evidence {
        state: &state,
        // Nothing is known of the wakers of a task that others spawned.
        wakers: if traits.has(Traits::OBSERVED) {
            1
        } else {
            reading.wakers
        },
        spinning: asked.spins(record, reading.polls),
        cancelled: meta.scope.as_ref().and_then(|scope| scope.cancelled_for()),
        saw_cancelled: looks.is_some_and(|looks| looks.saw_cancelled),
        scope_ended: scope_ended.is_some(),
        background,
        threshold: watchdog::threshold(),
        may_block: traits.has(Traits::BLOCKING),
    });
    let long_poll = record.long_poll().map(|poll| LongPoll {
        ago: clock::between(poll.seen_at, now),
        lasted: clock::length(poll.lasted),
        over: poll.polls != reading.polls || reading.thread == 0,
        trace: poll.stack.map(|stack| traces.of_thread(&stack)),
    });
    let (name, labels) = match record.side() {
        Some(side) => {
            let kept = side.kept();
            (kept.name.clone(), kept.labels.clone())
        }
        None => (None, Vec::new()),
    };
    Some(TaskDump {
        id: record.id(),
        kind: TaskKind::of(traits),
        name,
        labels,
        verdict,
        background,
        scope_cancelled: scope.as_ref().and_then(ScopeRef::cancelled),
        scope_ended,
        token_polled: looks.map(|looks| {
            let ago = |at| clock::between(at, now);
            (ago(looks.first), ago(looks.last))
        }),
        scope,
        site: meta.site,
        future: (meta.future)(),
        runtime: runtime::get(record.runtime()).map_or(0, |runtime| runtime.number()),
        parent: (meta.parent != 0).then_some(meta.parent),
        age: clock::between(meta.spawned_at, now),
        busy: clock::length(record.busy()),
        polls: reading.polls,
        wakers: reading.wakers,
        detached: (record.detached_at() != 0).then(|| clock::between(record.detached_at(), now)),
        trace,
        long_poll,
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
    let traits = record.traits();
    let none = match (asked.captures, state) {
        _ if traits.has(Traits::BLOCKING) => NoTrace::Call,
        _ if traits.has(Traits::OBSERVED) => NoTrace::Observed,
        _ if traits.has(Traits::NO_CAPTURE) => NoTrace::NotAllowed,
        _ if record.is_beyond_waking() => NoTrace::NoWaker,
        (Captures::No | Captures::Cached, _) => NoTrace::NotAsked,
        (Captures::Fresh, State::Running { .. }) => NoTrace::Running,
        (Captures::Fresh, _) => NoTrace::NoAnswer,
    };
    let Some(captured) = record.captured() else {
        return (Err(none), [0; 2]);
    };
    let counts = match asked.captures {
        Captures::No => false,
        Captures::Cached => captured.polls == reading.polls,
        Captures::Fresh => captured.polls == reading.polls || captured.polls >= asked.polls,
    };
    let missing = [captured.dropped, captured.cut];
    match captured.stack {
        _ if !counts => (Err(none), [0; 2]),
        Some(stack) => (Ok(traces.get(&stack)), missing),
        None => (Err(NoTrace::NoWaker), missing),
    }
}
