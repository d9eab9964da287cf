//! The result of a check as one line of JSON. Its fields are documented in `known_leaks.md`, which
//! is part of the crate's documentation.
//!
//! Not here: where the line is written ([`super::file`]).

use std::io;

use serde::Serialize;
use taskscope::{
    WaitReason,
    dump::{Branch, Group, ResourceDump},
    text,
};

use super::text::UNTRACKED_ADVICE;
use super::{Found, ListedEntry, Outcome};
use crate::os::{Descriptor, OsThread};
use crate::paths;

/// The line, with its end.
pub(super) fn line(found: &Found, outcome: Outcome) -> io::Result<String> {
    let line = serde_json::to_string(&Check::new(found, outcome))?;
    // Names stay as they are, but hidden characters are escaped.
    Ok(text::json(&line).into_owned() + "\n")
}

#[derive(Serialize)]
struct Check<'a> {
    version: u32,
    test: Option<&'a str>,
    process: u32,
    outcome: &'static str,
    passed: bool,
    count: usize,
    untracked: usize,
    untracked_calls: usize,
    threads: Vec<ThreadOut<'a>>,
    descriptors: Vec<DescriptorOut<'a>>,
    waited_seconds: f64,
    allowed: Option<Allowed<'a>>,
    ignored: Vec<Ignored<'a>>,
    unused: &'a [String],
    listed: Vec<Listed<'a>>,
    problem: Option<&'a str>,
    groups: Vec<GroupOut<'a>>,
    untracked_hint: Option<&'static str>,
}

impl<'a> Check<'a> {
    fn new(found: &'a Found, outcome: Outcome) -> Self {
        let holdings = found.dump.holdings();
        let group = |group: Group<'a>| {
            let held = group.tasks.iter().filter_map(|task| holdings.get(&task.id));
            let held = ResourceDump::kinds(held.flatten().copied());
            GroupOut::new(&group, held)
        };
        let allowed = found.allowed.as_ref();
        Check {
            version: 1,
            test: found.test.as_deref(),
            process: std::process::id(),
            outcome: outcome.name(),
            passed: outcome.passes(),
            count: found.count(),
            untracked: found.untracked,
            untracked_calls: found.os.calls,
            threads: found.os.threads.iter().map(ThreadOut::new).collect(),
            descriptors: (found.os.descriptors.iter())
                .map(DescriptorOut::new)
                .collect(),
            waited_seconds: found.waited.as_secs_f64(),
            allowed: allowed.map(|allowed| Allowed {
                tasks: allowed.most,
                reason: &allowed.reason,
            }),
            ignored: found.ignored.iter().map(Ignored::new).collect(),
            unused: &found.unused,
            listed: found.listed.iter().map(Listed::new).collect(),
            problem: found.problem.as_deref(),
            groups: found.groups().into_iter().map(group).collect(),
            untracked_hint: (found.untracked > 0).then_some(UNTRACKED_ADVICE),
        }
    }
}

#[derive(Serialize)]
struct Allowed<'a> {
    tasks: usize,
    reason: &'a str,
}

#[derive(Serialize)]
struct Ignored<'a> {
    rule: &'a str,
    reason: &'a str,
    tasks: usize,
}

impl<'a> Ignored<'a> {
    fn new(ignored: &'a super::Ignored) -> Self {
        Ignored {
            rule: &ignored.rule,
            reason: &ignored.reason,
            tasks: ignored.tasks,
        }
    }
}

#[derive(Serialize)]
struct Listed<'a> {
    entry: &'a str,
    reason: &'a str,
    line: Option<usize>,
    listed: usize,
    found: usize,
    stale: bool,
}

impl<'a> Listed<'a> {
    fn new(entry: &'a ListedEntry) -> Self {
        Listed {
            entry: &entry.conditions,
            reason: &entry.reason,
            line: entry.line,
            listed: entry.listed,
            found: entry.found,
            stale: entry.is_stale(),
        }
    }
}

#[derive(Serialize)]
struct ThreadOut<'a> {
    name: &'a str,
    os_id: u32,
    state: &'static str,
    waits_in: Option<&'a str>,
    age_seconds: f64,
    began_after_seconds: f64,
}

impl<'a> ThreadOut<'a> {
    fn new(thread: &'a OsThread) -> Self {
        ThreadOut {
            name: &thread.name,
            os_id: thread.os_id,
            state: thread.state,
            waits_in: thread.waits_in.as_deref(),
            age_seconds: thread.age.as_secs_f64(),
            began_after_seconds: thread.began_after.as_secs_f64(),
        }
    }
}

#[derive(Serialize)]
struct DescriptorOut<'a> {
    number: u32,
    target: &'a str,
    other_end: Option<u32>,
}

impl<'a> DescriptorOut<'a> {
    fn new(open: &'a Descriptor) -> Self {
        DescriptorOut {
            number: open.number,
            target: &open.target,
            other_end: open.other_end,
        }
    }
}

#[derive(Serialize)]
struct GroupOut<'a> {
    count: usize,
    verdict: &'static str,
    hint: &'static str,
    activity: String,
    since_seconds: f64,
    wait: Vec<String>,
    spawned: Site<'a>,
    future: &'a str,
    names: Vec<String>,
    scopes: Vec<String>,
    scope_ended_seconds: Option<f64>,
    youngest_seconds: f64,
    oldest_seconds: f64,
    detached: usize,
    holds: Vec<String>,
    branches: Vec<BranchOut<'a>>,
    no_stack: Option<String>,
    branches_dropped: u32,
    branches_cut: u32,
}

#[derive(Serialize)]
struct Site<'a> {
    file: &'a str,
    line: u32,
    column: u32,
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

impl<'a> GroupOut<'a> {
    fn new(group: &Group<'a>, holds: Vec<String>) -> Self {
        let first = group.oldest();
        let youngest = group.tasks.last().map_or(first.age, |task| task.age);
        let branches = first.trace.as_ref().map(|trace| trace.branches());
        let detached = group.tasks.iter().filter(|task| task.detached.is_some());
        GroupOut {
            count: group.tasks.len(),
            verdict: first.verdict.name(),
            hint: first.verdict.advice(),
            activity: first.activity(),
            since_seconds: first.state.since().as_secs_f64(),
            wait: waits(&first.wait_reason()),
            spawned: Site {
                file: paths::without_registry(first.site.file()),
                line: first.site.line(),
                column: first.site.column(),
            },
            future: first.future,
            names: group
                .names()
                .iter()
                .map(|name| name.as_str().to_owned())
                .collect(),
            scopes: group.scopes().iter().map(ToString::to_string).collect(),
            scope_ended_seconds: first.scope_ended.map(|ago| ago.as_secs_f64()),
            youngest_seconds: youngest.as_secs_f64(),
            oldest_seconds: first.age.as_secs_f64(),
            detached: detached.count(),
            holds,
            branches: branches
                .unwrap_or_default()
                .iter()
                .map(BranchOut::new)
                .collect(),
            no_stack: first.trace.as_ref().err().map(ToString::to_string),
            branches_dropped: first.branches_dropped,
            branches_cut: first.branches_cut,
        }
    }
}

impl<'a> BranchOut<'a> {
    fn new(branch: &'a Branch) -> Self {
        let frames = branch.frames.iter().map(|frame| FrameOut {
            function: &frame.function,
            file: frame.file.as_deref().map(paths::without_registry),
            line: frame.line,
        });
        BranchOut {
            wait: waits(&branch.wait),
            frames: frames.collect(),
        }
    }
}

fn waits(reason: &WaitReason) -> Vec<String> {
    reason.to_string().split(" | ").map(str::to_owned).collect()
}
