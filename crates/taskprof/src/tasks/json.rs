//! A dump as JSON: everything that the text has, for scripts.

use std::borrow::Cow;
use std::cell::Cell;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use taskscope::heap::Held;
use taskscope::text::{Guard, MAX_PATH, bounded};
use taskscope::{
    Branch, Cancellation, Dump, HeldTasks, LongPoll, ResourceDump, RuntimeInfo, ScopeInfo, State,
    TaskDump, TaskKind,
};

use super::profile::remarks;
use super::resources::{Holdings, ResourceOut};
use super::{Chosen, Counts, Listing};
use crate::heap::held::{self, HeldByTask};

/// Writes a dump as one JSON object.
///
/// The schema, version 1; a later version may add fields:
///
/// ```json
/// {
///   "version": 1,
///   "taken_unix_seconds": 1795209608.25,
///   "took_seconds": 0.012,
///   "notes": ["3 untracked on runtime 1 (plain tokio::spawn)"],
///   "missed": {"running": 0, "no_answer": 0, "no_waker": 1, "not_asked": 0, "not_allowed": 0, "observed": 0},
///   "left_out": 0,
///   "runtimes": [{"id": 1, "name": "orders", "flavor": "multi_thread", "workers": 2, "tracked": 5, "untracked": 3}],
///   "tasks": [
///     {
///       "id": 17, "kind": "task", "name": "audit", "labels": {}, "state": "idle", "state_seconds": 4.5, "thread": null,
///       "verdict": "outlived", "wait": ["mpsc recv"], "background": false,
///       "scope": {"name": "POST /orders", "labels": {"id": "7"}, "ended_seconds": 4.4, "end_reason": "scope ended", "cancelled": null, "cancelled_seconds": null},
///       "spawned": {"file": "src/main.rs", "line": 40, "column": 9}, "parent": 12, "future": "app::audit::{{closure}}",
///       "runtime": 1, "age_seconds": 4.6, "busy_seconds": 0.00002, "polls": 2, "wakers": 1, "detached_seconds": 4.6,
///       "token_first_seconds": null, "token_last_seconds": null, "long_poll": null,
///       "branches": [{"wait": ["mpsc recv"], "frames": [{"function": "app::audit::{{closure}}", "file": "src/main.rs", "line": 41}]}],
///       "no_stack": null, "branches_dropped": 0, "branches_cut": 0, "holds": ["pg connection"], "held_bytes": 48000000
///     }
///   ],
///   "resources": [
///     {
///       "kind": "pg connection", "age_seconds": 4.5, "acquired": {"file": "src/db.rs", "line": 12, "column": 9},
///       "acquired_by": {"task": 17, "name": "audit", "state": "alive"}, "last_used_by": {"task": 17, "name": "audit", "state": "alive"},
///       "unused_seconds": 4.4, "scope": null, "leak_suspect": false
///     }
///   ]
/// }
/// ```
///
/// Texts are as the program made them. Characters that [cannot be seen](taskscope::text::is_hidden) are written as JSON's
/// own escapes (`\u202e`), which every parser reads back.
///
/// `kind` is `task`, `local`, `blocking` (a call on the blocking pool), `driven` or `observed`. `token_…_seconds`: how long ago the task looked
/// at its scope's cancellation token. `long_poll` is `{"seconds", "over", "frames", "no_stack"}` of the last poll that took too long.
/// Tasks are listed oldest first; frames innermost first. `thread` is `{"name", "os_id"}` of a running task. `no_stack` says
/// why `branches` is empty. `holds` are the kinds of the resources that the task used last; their `scope` is as that of a task.
/// `held_bytes`: memory that the task has allocated and that is held, estimated from samples; `null` if there is no sample of it.
/// `state` of a task that holds one is `alive`, `gone` or `untracked`. What is not known is `null`.
///
/// # Errors
///
/// Those of `out`.
pub fn json(dump: &Dump, out: &mut dyn Write) -> io::Result<()> {
    let holdings = dump.holdings();
    let tasks = TasksOut {
        tasks: &dump.tasks,
        holdings: &holdings,
        memory: &held::by_task(),
    };
    write(dump, &Counts::of(dump), &tasks, out)
}

/// As [`json`], of tasks that are read one after the other.
pub(super) fn json_held(listing: Listing, out: &mut dyn Write) -> io::Result<()> {
    let Listing { head, held, chosen } = listing;
    let holdings = head.dump.holdings();
    let tasks = HeldOut {
        held: Cell::new(Some(held)),
        chosen: &chosen,
        holdings: &holdings,
        memory: &held::by_task(),
    };
    write(&head.dump, &head.counts, &tasks, out)
}

fn write(
    dump: &Dump,
    counts: &Counts,
    tasks: &impl Serialize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let object = DumpOut {
        version: 1,
        taken_unix_seconds: dump
            .taken_at
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64()),
        took_seconds: dump.took.as_secs_f64(),
        notes: remarks(dump, counts),
        missed: MissedOut {
            running: dump.missed.running,
            no_answer: dump.missed.no_answer,
            no_waker: dump.missed.no_waker,
            not_asked: dump.missed.not_asked,
            not_allowed: dump.missed.not_allowed,
            observed: dump.missed.observed,
        },
        left_out: dump.left_out,
        runtimes: dump.runtimes.iter().map(RuntimeOut::new).collect(),
        tasks,
        resources: dump.resources.iter().map(ResourceOut::new).collect(),
    };
    serde_json::to_writer_pretty(Guard::json(&mut *out), &object)?;
    writeln!(out)
}

#[derive(Serialize)]
struct DumpOut<'a, T> {
    version: u32,
    taken_unix_seconds: f64,
    took_seconds: f64,
    notes: Vec<String>,
    missed: MissedOut,
    left_out: usize,
    runtimes: Vec<RuntimeOut<'a>>,
    tasks: &'a T,
    resources: Vec<ResourceOut<'a>>,
}

/// One task after the other: a million of them need not exist as objects at the same time.
struct TasksOut<'a> {
    tasks: &'a [TaskDump],
    holdings: &'a Holdings<'a>,
    memory: &'a HeldByTask,
}

impl Serialize for TasksOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tasks = self.tasks.iter();
        serializer.collect_seq(tasks.map(|task| {
            let memory = self.memory.get(&task.id).copied();
            TaskOut::new(task, held_by(task, self.holdings), memory)
        }))
    }
}

/// The same of tasks that are read while they are written, which can be done once.
struct HeldOut<'a> {
    held: Cell<Option<HeldTasks>>,
    chosen: &'a Chosen,
    holdings: &'a Holdings<'a>,
    memory: &'a HeldByTask,
}

impl Serialize for HeldOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tasks = serializer.serialize_seq(None)?;
        let mut result = Ok(());
        if let Some(held) = self.held.take() {
            held.read(&mut |task| {
                if !self.chosen.keeps(&task) {
                    return ControlFlow::Continue(());
                }
                let held = held_by(&task, self.holdings);
                result = tasks.serialize_element(&TaskOut::new(
                    &task,
                    held,
                    self.memory.get(&task.id).copied(),
                ));
                match result {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            });
        }
        result?;
        tasks.end()
    }
}

fn held_by<'a>(task: &TaskDump, holdings: &'a Holdings<'a>) -> &'a [&'a ResourceDump] {
    holdings.get(&task.id).map_or(&[][..], Vec::as_slice)
}

#[derive(Serialize)]
struct MissedOut {
    running: usize,
    no_answer: usize,
    no_waker: usize,
    not_asked: usize,
    not_allowed: usize,
    observed: usize,
}

#[derive(Serialize)]
struct RuntimeOut<'a> {
    id: u64,
    name: Option<&'a str>,
    flavor: &'static str,
    workers: usize,
    tracked: usize,
    untracked: usize,
}

impl<'a> RuntimeOut<'a> {
    fn new(runtime: &'a RuntimeInfo) -> Self {
        RuntimeOut {
            id: runtime.number,
            name: runtime.name.as_deref(),
            flavor: runtime.flavor,
            workers: runtime.workers,
            tracked: runtime.tracked,
            untracked: runtime.untracked,
        }
    }
}

#[derive(Serialize)]
struct TaskOut<'a> {
    id: u64,
    kind: &'static str,
    name: Option<&'a str>,
    labels: serde_json::Map<String, serde_json::Value>,
    state: &'static str,
    state_seconds: f64,
    thread: Option<ThreadOut<'a>>,
    verdict: &'static str,
    wait: Vec<String>,
    background: bool,
    scope: Option<ScopeOut>,
    spawned: SiteOut,
    parent: Option<u64>,
    future: Cow<'a, str>,
    runtime: u64,
    age_seconds: f64,
    busy_seconds: f64,
    polls: u64,
    wakers: Option<u64>,
    detached_seconds: Option<f64>,
    token_first_seconds: Option<f64>,
    token_last_seconds: Option<f64>,
    long_poll: Option<LongPollOut<'a>>,
    branches: Vec<BranchOut<'a>>,
    no_stack: Option<String>,
    branches_dropped: u32,
    branches_cut: u32,
    holds: Vec<&'a str>,
    held_bytes: Option<u64>,
}

#[derive(Serialize)]
struct ThreadOut<'a> {
    name: &'a str,
    os_id: u32,
}

#[derive(Serialize)]
pub(super) struct SiteOut {
    file: &'static str,
    line: u32,
    column: u32,
}

impl SiteOut {
    pub(super) fn new(site: &'static Location<'static>) -> Self {
        SiteOut {
            file: site.file(),
            line: site.line(),
            column: site.column(),
        }
    }
}

#[derive(Serialize)]
struct LongPollOut<'a> {
    seconds: f64,
    over: bool,
    frames: Vec<FrameOut<'a>>,
    no_stack: Option<&'a str>,
}

#[derive(Serialize)]
struct BranchOut<'a> {
    wait: Vec<String>,
    frames: Vec<FrameOut<'a>>,
}

#[derive(Serialize)]
struct FrameOut<'a> {
    function: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct ScopeOut {
    name: String,
    labels: serde_json::Map<String, serde_json::Value>,
    ended_seconds: Option<f64>,
    end_reason: Option<String>,
    cancelled: Option<String>,
    cancelled_root_reason: Option<String>,
    cancelled_root_scope: Option<String>,
    cancelled_seconds: Option<f64>,
}

impl ScopeOut {
    pub(super) fn new(
        scope: &ScopeInfo,
        ended: Option<Duration>,
        cancelled: Option<&Cancellation>,
    ) -> Self {
        ScopeOut {
            name: scope.name().to_owned(),
            labels: labels(&scope.labels()),
            ended_seconds: ended.map(|ago| ago.as_secs_f64()),
            // What has not ended when the dump was taken has no reason, even if it has one by now.
            end_reason: ended.and(scope.end_reason()).map(|why| why.to_string()),
            cancelled: cancelled.map(|cancellation| cancellation.reason.to_string()),
            cancelled_root_reason: cancelled.map(|cancellation| cancellation.root.to_string()),
            cancelled_root_scope: cancelled
                .map(|cancellation| cancellation.scope.name().to_owned()),
            cancelled_seconds: cancelled
                .and_then(|cancellation| cancellation.ago)
                .map(|ago| ago.as_secs_f64()),
        }
    }
}

fn labels(labels: &[(Arc<str>, Arc<str>)]) -> serde_json::Map<String, serde_json::Value> {
    labels
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string().into()))
        .collect()
}

fn waits(reason: &taskscope::WaitReason) -> Vec<String> {
    reason.to_string().split(" | ").map(str::to_owned).collect()
}

impl<'a> TaskOut<'a> {
    fn new(task: &'a TaskDump, held: &[&'a ResourceDump], memory: Option<Held>) -> Self {
        let thread = match &task.state {
            State::Running {
                thread: Some(thread),
                ..
            } => Some(ThreadOut {
                name: &thread.name,
                os_id: thread.os_id,
            }),
            _ => None,
        };
        let branches = task
            .trace
            .as_ref()
            .map(|trace| trace.branches())
            .unwrap_or_default();
        TaskOut {
            id: task.id,
            kind: task.kind.name(),
            name: task.name.as_deref(),
            labels: labels(&task.labels),
            state: task.state.name(),
            state_seconds: task.state.since().as_secs_f64(),
            thread,
            verdict: task.verdict.name(),
            wait: waits(&task.wait_reason()),
            background: task.background,
            scope: task.scope.as_ref().map(|scope| {
                ScopeOut::new(scope, task.scope_ended, task.scope_cancelled.as_deref())
            }),
            spawned: SiteOut::new(task.site),
            parent: task.parent,
            future: bounded(task.future, MAX_PATH),
            runtime: task.runtime,
            age_seconds: task.age.as_secs_f64(),
            busy_seconds: task.busy.as_secs_f64(),
            polls: task.polls,
            wakers: (task.kind != TaskKind::Observed).then_some(task.wakers),
            detached_seconds: task.detached.map(|ago| ago.as_secs_f64()),
            token_first_seconds: task.token_polled.map(|(first, _)| first.as_secs_f64()),
            token_last_seconds: task.token_polled.map(|(_, last)| last.as_secs_f64()),
            long_poll: task.long_poll.as_deref().map(LongPollOut::new),
            branches: branches.iter().map(BranchOut::new).collect(),
            no_stack: task.trace.as_ref().err().map(ToString::to_string),
            branches_dropped: task.branches_dropped,
            branches_cut: task.branches_cut,
            holds: held.iter().map(|resource| resource.kind).collect(),
            held_bytes: memory.map(Held::bytes),
        }
    }
}

impl<'a> FrameOut<'a> {
    fn all(branch: &'a Branch) -> Vec<Self> {
        let frames = branch.frames.iter();
        frames
            .map(|frame| FrameOut {
                function: &frame.function,
                file: frame.file.as_deref(),
                line: frame.line,
            })
            .collect()
    }
}

impl<'a> BranchOut<'a> {
    fn new(branch: &'a Branch) -> Self {
        BranchOut {
            wait: waits(&branch.wait),
            frames: FrameOut::all(branch),
        }
    }
}

impl<'a> LongPollOut<'a> {
    fn new(poll: &'a LongPoll) -> Self {
        let branches = poll.trace.as_ref().map(|trace| trace.branches());
        LongPollOut {
            seconds: poll.lasted.as_secs_f64(),
            over: poll.over,
            frames: branches
                .unwrap_or_default()
                .iter()
                .flat_map(FrameOut::all)
                .collect(),
            no_stack: poll.trace.as_ref().err().map(AsRef::as_ref),
        }
    }
}
