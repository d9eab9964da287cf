//! A dump as plain text: tasks grouped, or one by one.
//!
//! Names come from the program and may have any content. Hidden characters are escaped, so that no
//! name can add a line or control the terminal. Not here: resources (`resources.rs`), JSON
//! (`json.rs`).

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::time::Duration;

use taskscope::text::Guard;
use taskscope::{
    CancelReason, Dump, TaskDump, TaskKind, Verdict,
    dump::{Missed, State},
    text::{Age, OneLine, Plain, Quoted},
};

use super::distinct::Distinct;
use super::fold::Listing;
use super::profile::{CUT, comments};
use super::resources::{self, Holdings};
use super::{Counts, DumpQuery, Groups, Head, Holds, KnownStacks, Likeness, Summary, fold};
use crate::error::Error;
use crate::heap::held::{self, HeldByTask};

/// Writes groups of similar tasks, the largest first: verdict, wait reason, spawn site, names,
/// scopes, ages and stack. After them come the [tracked](taskscope::Tracked) resources, by kind and
/// place.
///
/// # Errors
///
/// Those of `out`.
///
/// # Examples
///
/// ```
/// let dump = taskscope::DumpOptions::new().capture_blocking();
/// let mut text = Vec::new();
/// taskprof::tasks::grouped(&dump, &mut text)?;
/// assert!(text.starts_with(b"tasks: 0 tracked, 0 untracked;"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn grouped(dump: &Dump, out: &mut dyn Write) -> io::Result<()> {
    let (holdings, memory) = (dump.holdings(), held::by_task());
    let mut groups = Groups::default();
    for (at, task) in dump.tasks.iter().enumerate() {
        let held = holdings.get(&task.id).into_iter().flatten();
        let kinds: Vec<&'static str> = held.map(|resource| resource.kind).collect();
        groups.add(
            Likeness::of(task),
            at,
            task.clone(),
            Holds {
                kinds: &kinds,
                memory: memory.get(&task.id).copied().unwrap_or_default(),
            },
        );
    }
    let (left_out, groups) = (groups.left_out, groups.in_order());
    write_grouped(dump, &Counts::of(dump), &groups, left_out, out)
}

/// Groups of similar tasks, summed up while they were read.
#[derive(Debug)]
pub(crate) struct Grouped {
    head: Head,
    groups: Vec<Summary>,
    left_out: usize,
}

impl Grouped {
    /// Reads the tasks.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(crate) fn take(query: &DumpQuery) -> Result<Grouped, Error> {
        let mut groups = Groups::default();
        let head = fold::fold(query, &mut |at, task, held| {
            groups.add(Likeness::of(&task), at, task, held);
        })?;
        Ok(Grouped {
            head,
            left_out: groups.left_out,
            groups: groups.in_order(),
        })
    }

    /// As [`grouped`].
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Head { dump, counts, .. } = &self.head;
        write_grouped(dump, counts, &self.groups, self.left_out, out)
    }
}

fn write_grouped(
    dump: &Dump,
    counts: &Counts,
    groups: &[Summary],
    left_out: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let out: &mut dyn Write = &mut Guard::lines(out);
    write_header(out, dump, counts)?;
    groups
        .iter()
        .try_for_each(|group| write_group(out, group))?;
    if left_out > 0 {
        writeln!(out, "\nand {left_out} tasks in further groups")?;
    }
    resources::write_grouped(out, dump)
}

/// Writes every task, oldest first: id, name, state, verdict, wait reason and how long, scope,
/// spawn site, what it holds, and the async stack. After them comes every
/// [tracked](taskscope::Tracked) resource.
///
/// # Errors
///
/// Those of `out`.
pub fn listed(dump: &Dump, out: &mut dyn Write) -> io::Result<()> {
    let out: &mut dyn Write = &mut Guard::lines(out);
    write_header(out, dump, &Counts::of(dump))?;
    let (tree, holdings, memory) = (dump.tree(), dump.holdings(), held::by_task());
    let name = |id| tree.task(id).map(|parent| parent.name.as_deref());
    dump.tasks
        .iter()
        .try_for_each(|task| write_task(out, task, &name, &holdings, &memory))?;
    resources::write_listed(out, dump)
}

/// As [`listed`], of tasks that are read one after the other.
pub(super) fn listed_held(listing: Listing, out: &mut dyn Write) -> io::Result<()> {
    let Listing { head, held, query } = listing;
    let dump = &head.dump;
    let out: &mut dyn Write = &mut Guard::lines(out);
    write_header(out, dump, &head.counts)?;
    let parents = held.parents().map_err(io::Error::other)?;
    let (holdings, memory) = (dump.holdings(), held::by_task());
    let name = |id| parents.name(id);
    let (mut written, mut result) = (0, Ok(()));
    let mut stacks = KnownStacks::default();
    held.read(&mut |task| {
        if !query.keeps(&task, &mut stacks) {
            return ControlFlow::Continue(());
        }
        written += 1;
        result = write_task(out, &task, &name, &holdings, &memory);
        match result {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    result?;
    if written < head.counts.tasks {
        writeln!(
            out,
            "\nnote: {} tasks ended while this was written, or no longer match",
            head.counts.tasks - written
        )?;
    }
    resources::write_listed(out, dump)
}

fn write_header(out: &mut dyn Write, dump: &Dump, counts: &Counts) -> io::Result<()> {
    writeln!(
        out,
        "tasks: {} tracked, {} untracked; taken {} in {}",
        counts.tasks,
        dump.untracked(),
        httpdate::fmt_http_date(dump.taken_at),
        Age(dump.took)
    )?;
    let verdicts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| format!("{} {verdict}", counts.with(*verdict)))
        .collect();
    writeln!(out, "verdicts: {}", verdicts.join(", "))?;
    for comment in comments(dump, counts) {
        writeln!(out, "note: {}", OneLine(comment))?;
    }
    if dump.missed == Missed::default() && counts.tasks > 0 {
        writeln!(out, "note: every stack was captured")?;
    }
    Ok(())
}

fn write_names(out: &mut dyn Write, what: &str, names: &Distinct) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {what:<9}{names}")
}

fn write_group(out: &mut dyn Write, group: &Summary) -> io::Result<()> {
    let (first, count) = (&group.oldest, group.tasks);
    let range = |(shortest, longest): (Duration, Duration)| {
        let [shortest, longest] = [shortest, longest].map(|age| Age(age).to_string());
        if shortest == longest {
            longest
        } else {
            format!("{shortest} to {longest}")
        }
    };
    let tasks = if count == 1 { "task" } else { "tasks" };
    writeln!(
        out,
        "\n{count} {tasks}: {}, {}, for {}",
        first.verdict,
        OneLine(first.activity()),
        range(group.since)
    )?;
    write_names(out, "name", &group.names)?;
    write_names(out, "scope", &group.scopes)?;
    writeln!(out, "  spawned  at {}", Plain(first.site.to_string()))?;
    writeln!(out, "  future   {}", Plain(first.future))?;
    writeln!(out, "  age      {}", range(group.age))?;
    if group.detached > 0 {
        writeln!(
            out,
            "  detached {} of {count}: nobody has kept the JoinHandle",
            group.detached
        )?;
    }
    write_names(out, "thread", &group.threads)?;
    if first.background {
        writeln!(out, "  declared background")?;
    }
    resources::write_kinds(out, &group.held)?;
    held::write(out, group.memory)?;
    write_stack(out, first)
}

fn write_task<'a>(
    out: &mut dyn Write,
    task: &TaskDump,
    name: &dyn Fn(u64) -> Option<Option<&'a str>>,
    holdings: &Holdings<'_>,
    memory: &HeldByTask,
) -> io::Result<()> {
    write!(out, "\ntask {}", task.id)?;
    if let Some(name) = &task.name {
        write!(out, " {}", Quoted(name))?;
    }
    write!(out, " [{}", task.state.name())?;
    match task.kind {
        TaskKind::Blocking => write!(out, ", a call on the blocking pool")?,
        TaskKind::Driven => write!(out, ", driven by other code")?,
        TaskKind::Observed => write!(out, ", seen by runtime hooks")?,
        _ => {}
    }
    if let State::Running {
        thread: Some(thread),
        ..
    } = &task.state
    {
        write!(out, " on thread {} ({})", Plain(&thread.name), thread.os_id)?;
    }
    writeln!(
        out,
        "]: {}, {}, for {}",
        task.verdict,
        OneLine(task.activity()),
        Age(task.state.since())
    )?;
    if let Some(scope) = &task.scope {
        write!(out, "  scope    {}", Plain(scope.name()))?;
        for (key, value) in scope.labels() {
            write!(out, " {}={}", Plain(key), Plain(value))?;
        }
        match task.scope_ended {
            Some(ago) => {
                write!(out, ", ended {} ago", Age(ago))?;
                if scope.end_reason() == Some(CancelReason::ClientGone) {
                    write!(out, " ({})", CancelReason::ClientGone)?;
                }
            }
            None => write!(out, ", open")?,
        }
        if let Some(cancellation) = &task.scope_cancelled {
            write!(out, ", cancelled ({cancellation})")?;
            match task.token_polled {
                Some((_, last)) => write!(out, ", token last looked at {} ago", Age(last))?,
                None => write!(out, ", token never looked at")?,
            }
        }
        writeln!(out)?;
    }
    if !task.labels.is_empty() {
        write!(out, "  labels  ")?;
        for (key, value) in &task.labels {
            write!(out, " {}={}", Plain(key), Plain(value))?;
        }
        writeln!(out)?;
    }
    write!(
        out,
        "  spawned  {} ago at {}",
        Age(task.age),
        Plain(task.site.to_string())
    )?;
    if let Some(parent) = task.parent {
        match (task.parent_request(), name(parent)) {
            (Some(request), _) => write!(out, ", by the request {}", Plain(request.name()))?,
            (None, Some(Some(name))) => write!(out, ", by task {parent} {}", Quoted(name))?,
            (None, Some(None)) => write!(out, ", by task {parent}")?,
            // It has ended, or the dump was not about it.
            (None, None) => write!(out, ", by task {parent} (not in this dump)")?,
        }
    }
    writeln!(out)?;
    writeln!(out, "  future   {}", Plain(task.future))?;
    write!(out, "  polls    {}, busy {}; ", task.polls, Age(task.busy))?;
    if task.kind != TaskKind::Observed {
        write!(out, "wakers out {}; ", task.wakers)?;
    }
    write!(out, "runtime {}", task.runtime)?;
    if let Some(ago) = task.detached {
        write!(out, "; JoinHandle dropped {} ago", Age(ago))?;
    }
    writeln!(
        out,
        "{}",
        if task.background {
            "; declared background"
        } else {
            ""
        }
    )?;
    if let Some(held) = holdings.get(&task.id) {
        resources::write_held(out, held)?;
    }
    held::write(out, memory.get(&task.id).copied().unwrap_or_default())?;
    write_stack(out, task)
}

/// Writes the last long poll, if there was one.
fn write_long_poll(out: &mut dyn Write, task: &TaskDump) -> io::Result<()> {
    let Some(poll) = &task.long_poll else {
        return Ok(());
    };
    write!(out, "  blocked  its thread for {}", Age(poll.lasted))?;
    if poll.over {
        write!(out, ", {} ago", Age(poll.ago))?;
    }
    match &poll.trace {
        Ok(trace) => {
            write!(out, "; the thread was in\n{trace}")?;
            match trace.is_cut() {
                true => writeln!(out, "    {CUT}"),
                false => Ok(()),
            }
        }
        Err(why) => writeln!(out, "; no stack of the thread: {}", OneLine(why)),
    }
}

fn write_stack(out: &mut dyn Write, task: &TaskDump) -> io::Result<()> {
    write_long_poll(out, task)?;
    match &task.trace {
        Ok(trace) => {
            writeln!(out, "  stack")?;
            write!(out, "{trace}")?;
            if task.branches_dropped > 0 {
                writeln!(
                    out,
                    "    ({} more branches were not kept)",
                    task.branches_dropped
                )?;
            }
            if task.branches_cut > 0 {
                writeln!(
                    out,
                    "    (cut at the root in {} branches: too deep, or code without unwind tables)",
                    task.branches_cut
                )?;
            }
            Ok(())
        }
        Err(why) => writeln!(out, "  {why}"),
    }
}
