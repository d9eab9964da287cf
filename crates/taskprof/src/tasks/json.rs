//! A dump as JSON: everything that the text has, for scripts.
//!
//! Owns how tasks and resources of a dump become the types of [`taskprof_format::tasks`], one at a
//! time. Not here: the types themselves, which are what a client reads.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer};
use taskprof_format::tasks as format;
use taskscope::heap::Held;
use taskscope::text::{Guard, MAX_PATH, bounded};
use taskscope::{
    Cancellation, Dump, ScopeInfo, TaskDump, TaskKind, WaitReason,
    dump::{Branch, HeldTasks, Holder, LongPoll, ResourceDump, RuntimeInfo, State},
};

use super::fold::Listing;
use super::profile::comments;
use super::resources::Holdings;
use super::{Counts, DumpQuery, KnownStacks};
use crate::heap::held::{self, HeldByTask};

/// Writes a dump as one JSON object.
///
/// The types of its fields are in [`taskprof_format::tasks`], which reads it back;
/// `docs/tasks.schema.json` in the repository is its schema. A part of one:
///
/// ```json
/// {
///   "version": 1,
///   "taken_unix_seconds": 1795209608.25,
///   "notes": ["3 untracked on runtime 1 (plain tokio::spawn)"],
///   "tasks": [
///     {
///       "id": 17, "kind": "task", "name": "audit", "state": "idle", "state_seconds": 4.5, "verdict": "outlived",
///       "wait": ["mpsc recv"],
///       "scope": {"name": "POST /orders", "labels": {"id": "7"}, "ended_seconds": 4.4, "end_reason": "scope ended"},
///       "spawned": {"file": "src/main.rs", "line": 40, "column": 9}, "parent": 12, "age_seconds": 4.6, "polls": 2,
///       "branches": [
///         {
///           "wait": ["mpsc recv"],
///           "frames": [{"function": "app::audit::{{closure}}", "file": "src/main.rs", "line": 41}]
///         }
///       ]
///     }
///   ]
/// }
/// ```
///
/// Texts are as the program made them. Characters that [cannot be seen](taskscope::text::is_hidden)
/// are written as JSON's own escapes (`\u202e`), which every parser reads back. What is not known
/// is `null`.
///
/// # Errors
///
/// Those of `out`.
pub fn json(dump: &Dump, out: &mut dyn Write) -> io::Result<()> {
    let holdings = dump.holdings();
    let tasks = DumpedTasks {
        tasks: &dump.tasks,
        holdings: &holdings,
        memory: &held::by_task(),
    };
    write(dump, &Counts::of(dump), &tasks, out)
}

/// As [`json`], of tasks that are read one after the other.
pub(super) fn json_held(listing: Listing, out: &mut dyn Write) -> io::Result<()> {
    let Listing { head, held, query } = listing;
    let holdings = head.dump.holdings();
    let tasks = TasksToRead {
        held: Cell::new(Some(held)),
        query: &query,
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
    let object = format::Tasks {
        version: format::VERSION,
        taken_unix_seconds: dump
            .taken_at
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64()),
        took_seconds: dump.took.as_secs_f64(),
        notes: comments(dump, counts),
        missed: format::Missed {
            running: dump.missed.running,
            no_answer: dump.missed.no_answer,
            no_waker: dump.missed.no_waker,
            not_asked: dump.missed.not_asked,
            not_allowed: dump.missed.not_allowed,
            observed: dump.missed.observed,
        },
        left_out: dump.left_out,
        runtimes: dump.runtimes.iter().map(runtime).collect(),
        tasks,
        resources: dump.resources.iter().map(resource).collect(),
    };
    serde_json::to_writer_pretty(Guard::json(&mut *out), &object)?;
    writeln!(out)
}

/// The tasks of a dump, made into their JSON types one after the other: a million of them never
/// exist at once.
struct DumpedTasks<'a> {
    tasks: &'a [TaskDump],
    holdings: &'a Holdings<'a>,
    memory: &'a HeldByTask,
}

impl Serialize for DumpedTasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tasks = self.tasks.iter();
        serializer.collect_seq(tasks.map(|it| {
            let memory = self.memory.get(&it.id).copied();
            task(it, held_by(it, self.holdings), memory)
        }))
    }
}

/// Tasks that are read from their records while they are written, which can be done once.
struct TasksToRead<'a> {
    held: Cell<Option<HeldTasks>>,
    query: &'a DumpQuery,
    holdings: &'a Holdings<'a>,
    memory: &'a HeldByTask,
}

impl Serialize for TasksToRead<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tasks = serializer.serialize_seq(None)?;
        let mut result = Ok(());
        if let Some(held) = self.held.take() {
            let mut stacks = KnownStacks::default();
            held.read(&mut |it| {
                if !self.query.keeps(&it, &mut stacks) {
                    return ControlFlow::Continue(());
                }
                let memory = self.memory.get(&it.id).copied();
                let task = task(&it, held_by(&it, self.holdings), memory);
                result = tasks.serialize_element(&task);
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

fn runtime(runtime: &RuntimeInfo) -> format::Runtime<'_> {
    format::Runtime {
        id: runtime.number,
        name: runtime.name.as_deref().map(Cow::Borrowed),
        flavor: runtime.flavor.into(),
        workers: runtime.workers,
        tracked: runtime.tracked,
        untracked: runtime.untracked,
    }
}

fn task<'a>(
    task: &'a TaskDump,
    held: &[&'a ResourceDump],
    memory: Option<Held>,
) -> format::Task<'a> {
    let thread = match &task.state {
        State::Running {
            thread: Some(thread),
            ..
        } => Some(format::Thread {
            name: Cow::Borrowed(&*thread.name),
            os_id: thread.os_id,
        }),
        _ => None,
    };
    let branches = task.trace.as_ref().map(|trace| trace.branches());
    format::Task {
        id: task.id,
        kind: task.kind.name().into(),
        name: task.name.as_deref().map(Cow::Borrowed),
        labels: labels(&task.labels),
        state: task.state.name().into(),
        state_seconds: task.state.since().as_secs_f64(),
        thread,
        verdict: task.verdict.name().into(),
        wait: waits(&task.wait_reason()),
        background: task.background,
        scope: task
            .scope
            .as_ref()
            .map(|it| scope(it, task.scope_ended, task.scope_cancelled.as_deref())),
        spawned: site(task.site),
        parent: task.parent,
        parent_request: task.parent_request().map(|it| it.name().to_owned()),
        future: bounded(task.future, MAX_PATH),
        runtime: task.runtime,
        age_seconds: task.age.as_secs_f64(),
        busy_seconds: task.busy.as_secs_f64(),
        polls: task.polls,
        wakers: (task.kind != TaskKind::Observed).then_some(task.wakers),
        detached_seconds: task.detached.map(|ago| ago.as_secs_f64()),
        token_first_seconds: task.token_polled.map(|(first, _)| first.as_secs_f64()),
        token_last_seconds: task.token_polled.map(|(_, last)| last.as_secs_f64()),
        long_poll: task.long_poll.as_deref().map(long_poll),
        branches: branches.unwrap_or_default().iter().map(branch).collect(),
        no_stack: task.trace.as_ref().err().map(ToString::to_string),
        branches_dropped: task.branches_dropped,
        branches_cut: task.branches_cut,
        holds: held.iter().map(|it| Cow::Borrowed(it.kind)).collect(),
        held_bytes: memory.map(Held::bytes),
    }
}

fn branch(branch: &Branch) -> format::Branch<'_> {
    format::Branch {
        wait: waits(&branch.wait),
        frames: frames(branch).collect(),
    }
}

fn frames(branch: &Branch) -> impl Iterator<Item = format::Frame<'_>> {
    branch.frames.iter().map(|frame| format::Frame {
        function: Cow::Borrowed(&*frame.function),
        file: frame.file.as_deref().map(Cow::Borrowed),
        line: frame.line,
    })
}

fn long_poll(poll: &LongPoll) -> format::LongPoll<'_> {
    let branches = poll.trace.as_ref().map(|trace| trace.branches());
    format::LongPoll {
        seconds: poll.lasted.as_secs_f64(),
        over: poll.over,
        frames: branches
            .unwrap_or_default()
            .iter()
            .flat_map(frames)
            .collect(),
        no_stack: poll.trace.as_ref().err().map(|why| Cow::Borrowed(&**why)),
    }
}

fn waits(reason: &WaitReason) -> Vec<String> {
    reason.to_string().split(" | ").map(str::to_owned).collect()
}

fn resource(resource: &ResourceDump) -> format::Resource<'_> {
    format::Resource {
        kind: resource.kind.into(),
        age_seconds: resource.age.as_secs_f64(),
        acquired: site(resource.site),
        acquired_by: resource.acquired_by.as_ref().map(holder),
        last_used_by: resource.last_used_by.as_ref().map(holder),
        unused_seconds: resource.unused_for.as_secs_f64(),
        scope: resource
            .scope
            .as_ref()
            .map(|it| scope(it, resource.scope_ended, it.cancellation().as_ref())),
        leak_suspect: resource.is_leak_suspect(),
    }
}

fn holder(holder: &Holder) -> format::Holder<'_> {
    format::Holder {
        task: holder.task,
        name: holder.name.as_deref().map(Cow::Borrowed),
        state: holder.state.to_string(),
    }
}

fn site(site: &'static Location<'static>) -> format::Site<'static> {
    format::Site {
        file: site.file().into(),
        line: site.line(),
        column: site.column(),
    }
}

fn scope(
    scope: &ScopeInfo,
    ended: Option<Duration>,
    cancelled: Option<&Cancellation>,
) -> format::Scope {
    format::Scope {
        name: scope.name().to_owned(),
        labels: labels(&scope.labels()),
        ended_seconds: ended.map(|ago| ago.as_secs_f64()),
        // A scope that was open when the dump was taken has no reason, even if it has one by now.
        end_reason: ended.and(scope.end_reason()).map(|why| why.to_string()),
        cancelled: cancelled.map(|it| it.reason.to_string()),
        cancelled_root_reason: cancelled.map(|it| it.root.to_string()),
        cancelled_root_scope: cancelled.map(|it| it.scope.name().to_owned()),
        cancelled_seconds: cancelled.and_then(|it| it.ago).map(|ago| ago.as_secs_f64()),
    }
}

fn labels(labels: &[(Arc<str>, Arc<str>)]) -> BTreeMap<String, String> {
    let pairs = labels.iter();
    pairs
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}
