//! A dump as a profile: one sample for tasks that are alike, so every profile format can show tasks.

use std::panic::Location;
use std::sync::Arc;

use taskscope::text::{MAX_NAME, bounded};
use taskscope::{Branch, Dump, NoTrace, TaskDump, Trace};

use crate::heap::held;
use crate::profile::{Frame, Label, Profile, Sample, SampleType};

/// Counts live tasks by where they are suspended.
///
/// One column, `tasks`/`count`. A stack is the task's async functions, leaf first; its root is a frame
/// `spawned at FILE:LINE`. A task that waits in several branches (`select!`, `join!`) is one sample: the functions that all branches share, with a leaf
/// that names what it waits for. Labels: `verdict`, `wait`, `state`, and where they apply `name`, `scope`, `route` (the scope's label of this key) and `background`.
/// Task ids are not among them: stores make a series of each distinct label.
///
/// Comments say how many stacks are missing and why, and how many live tasks have no record.
///
/// # Examples
///
/// ```
/// let dump = taskscope::DumpOptions::new().capture_blocking();
/// let profile = taskprof::tasks::profile(&dump);
/// assert_eq!(profile.total(0), 0);
/// ```
pub fn profile(dump: &Dump) -> Profile {
    profile_labelled(dump, |_| None)
}

/// The same, with one more label for each task.
pub(crate) fn profile_labelled(dump: &Dump, label: impl Fn(&TaskDump) -> Option<Label>) -> Profile {
    let mut profile = Profile::new([SampleType::new("tasks", "count")]);
    profile.period_type = Some(SampleType::new("tasks", "count"));
    profile.period = 1;
    profile.time = dump.taken_at;
    let sample = |task| {
        let mut sample = sample(task);
        sample.labels.extend(label(task));
        sample
    };
    profile.samples = dump.tasks.iter().map(sample).collect();
    profile.aggregate();
    profile.comments = remarks(dump);
    profile
}

/// What a dump could not see, in sentences; empty if it saw everything.
pub(crate) fn remarks(dump: &Dump) -> Vec<String> {
    let mut remarks = Vec::new();
    for (count, why) in [
        (dump.missed.running, "being polled"),
        (dump.missed.no_answer, "not polled by their runtime in time"),
        (dump.missed.no_waker, "took no waker when polled"),
        (dump.missed.not_asked, "not asked for one"),
        (dump.missed.not_allowed, "declared never to be captured"),
        (
            dump.missed.observed,
            "spawned with tokio's own function, seen by the runtime's hooks",
        ),
    ] {
        if count > 0 {
            remarks.push(format!(
                "{count} of {} tasks without a stack: {why}",
                dump.tasks.len()
            ));
        }
    }
    if dump.left_out > 0 {
        remarks.push(format!("{} more tasks beyond the limit", dump.left_out));
    }
    let unnamed = dump.tasks.iter().filter(|task| has_unnamed(task)).count();
    if unnamed > 0 {
        remarks.push(format!(
            "{unnamed} of {} stacks have frames without a symbol (build with debug = 1, unstripped)",
            dump.tasks.len()
        ));
    }
    for runtime in dump.runtimes.iter().filter(|runtime| runtime.untracked > 0) {
        remarks.push(format!(
            "{} untracked on runtime {} (plain tokio::spawn)",
            runtime.untracked, runtime.number
        ));
    }
    remarks.extend(held::of_suspects(dump));
    remarks
}

fn has_unnamed(task: &TaskDump) -> bool {
    let branches = task.trace.as_ref().map(|trace| trace.branches());
    let mut frames = branches
        .unwrap_or_default()
        .iter()
        .flat_map(|branch| &branch.frames);
    frames.any(|frame| !frame.has_symbol)
}

fn sample(task: &TaskDump) -> Sample {
    let mut labels = vec![
        Label::str("verdict", task.verdict.name()),
        Label::str("wait", tag(&task.wait_reason().to_string())),
        Label::str("state", task.state.name()),
    ];
    if let Some(name) = &task.name {
        labels.push(Label::str("name", tag(name)));
    }
    if let Some(scope) = &task.scope {
        labels.push(Label::str("scope", tag(scope.name())));
        // The scope of a request is named after its route; one that says its route itself has it as a label.
        let route = scope
            .labels()
            .into_iter()
            .find(|(key, _)| &**key == "route");
        labels.extend(route.map(|(_, route)| Label::str("route", tag(&route))));
    }
    if task.background {
        labels.push(Label::str("background", "yes"));
    }
    Sample {
        stack: stack(task),
        values: vec![1],
        labels,
    }
}

/// A name as a label: `go tool pprof` hands labels to dot as they are, which a quote confuses. What cannot be seen is the
/// writers' business.
pub(crate) fn tag(name: &str) -> String {
    bounded(name, MAX_NAME).replace('"', "'")
}

fn stack(task: &TaskDump) -> Vec<Frame> {
    let mut stack = suspended(&task.trace, task.future);
    let is_deep = task.trace.as_ref().is_ok_and(|trace| trace.is_cut());
    if task.branches_cut > 0 && !is_deep {
        stack.push(Frame::named("(stack cut here: no unwind tables)"));
    }
    stack.push(spawned_at(task.site));
    stack
}

/// The root of a stack of which the frames at its root are missing.
pub(crate) const CUT: &str = "(stack cut here: deeper than 1,024 frames)";

/// Where a task is suspended, leaf first, without its root; or why that is not known, and the type of its future.
pub(crate) fn suspended(trace: &Result<Arc<Trace>, NoTrace>, future: &str) -> Vec<Frame> {
    let trace = match trace {
        Err(why) => return vec![Frame::named(format!("({why})")), Frame::named(future)],
        Ok(trace) => trace,
    };
    let mut stack = match trace.branches() {
        [only] => frames(only, only.frames.len()),
        branches => {
            let (count, wait) = (branches.len(), trace.wait_reason());
            let mut stack = vec![Frame::named(format!("({count} branches: {wait})"))];
            if let Some(first) = branches.first() {
                stack.extend(frames(first, shared(branches)));
            }
            stack
        }
    };
    if trace.is_cut() {
        stack.push(Frame::named(CUT));
    }
    stack
}

/// The root of a task's stack.
pub(crate) fn spawned_at(site: &Location<'_>) -> Frame {
    Frame::Named {
        name: format!("spawned at {}:{}", site.file(), site.line()).into(),
        file: Some(site.file().into()),
        line: Some(site.line()),
    }
}

/// The outermost `count` frames of a branch, leaf first.
fn frames(branch: &Branch, count: usize) -> Vec<Frame> {
    let hidden = branch.frames.len().saturating_sub(count);
    let shown = branch.frames.iter().skip(hidden);
    shown
        .map(|frame| Frame::Named {
            name: frame.function.clone(),
            file: frame.file.clone(),
            line: frame.line,
        })
        .collect()
}

/// How many functions, from the root, all branches have in common. The innermost of them stands at a line of its own in
/// each branch, so only names are compared.
fn shared(branches: &[Branch]) -> usize {
    let Some((first, rest)) = branches.split_first() else {
        return 0;
    };
    let common = |branch: &Branch| {
        let pairs = first.frames.iter().rev().zip(branch.frames.iter().rev());
        pairs
            .take_while(|(one, other)| one.function == other.function)
            .count()
    };
    rest.iter().map(common).min().unwrap_or(0)
}
