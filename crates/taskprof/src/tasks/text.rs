//! A dump as plain text: tasks grouped, or one by one.
//!
//! Names come from the program and may hold anything: what cannot be seen is written as escapes, so that nobody can add
//! a line to the text or talk to the terminal.

use std::io::{self, Write};

use taskscope::text::Guard;
use taskscope::{
    Age, CancelReason, Dump, Group, Listed, Missed, OneLine, Plain, Quoted, SpawnTree, State,
    TaskDump, TaskKind, Verdict,
};

use super::profile::{CUT, remarks};
use super::resources::{self, Holdings};
use crate::heap::held::{self, HeldByTask};

/// Writes tasks that are alike together, the largest group first: verdict, wait reason, spawn site, names, scopes, ages and stack. After
/// them the [tracked](taskscope::Tracked) resources, by kind and place.
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
    let out: &mut dyn Write = &mut Guard::lines(out);
    write_header(out, dump)?;
    let (holdings, memory) = (dump.holdings(), held::by_task());
    dump.groups()
        .iter()
        .try_for_each(|group| write_group(out, group, &holdings, &memory))?;
    resources::write_grouped(out, dump)
}

/// Writes every task, oldest first: id, name, state, verdict, wait reason and how long, scope, spawn site, what
/// it holds, and the async stack. After them every [tracked](taskscope::Tracked) resource.
///
/// # Errors
///
/// Those of `out`.
pub fn listed(dump: &Dump, out: &mut dyn Write) -> io::Result<()> {
    let out: &mut dyn Write = &mut Guard::lines(out);
    write_header(out, dump)?;
    let (tree, holdings, memory) = (dump.tree(), dump.holdings(), held::by_task());
    dump.tasks
        .iter()
        .try_for_each(|task| write_task(out, task, &tree, &holdings, &memory))?;
    resources::write_listed(out, dump)
}

fn write_header(out: &mut dyn Write, dump: &Dump) -> io::Result<()> {
    writeln!(
        out,
        "tasks: {} tracked, {} untracked; taken {} in {}",
        dump.tasks.len(),
        dump.untracked(),
        httpdate::fmt_http_date(dump.taken_at),
        Age(dump.took)
    )?;
    let verdicts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| {
            let of = dump.tasks.iter().filter(|task| task.verdict == *verdict);
            format!("{} {verdict}", of.count())
        })
        .collect();
    writeln!(out, "verdicts: {}", verdicts.join(", "))?;
    for remark in remarks(dump) {
        writeln!(out, "note: {}", OneLine(remark))?;
    }
    if dump.missed == Missed::default() && !dump.tasks.is_empty() {
        writeln!(out, "note: every stack was captured")?;
    }
    Ok(())
}

fn write_names<T: AsRef<str>>(out: &mut dyn Write, what: &str, names: &[T]) -> io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {what:<9}{}", Listed(names))
}

/// The thread that is polling the task, and the kernel's id of it.
fn thread(task: &TaskDump) -> Option<String> {
    match &task.state {
        State::Running {
            thread: Some(thread),
            ..
        } => Some(format!("{} ({})", thread.name, thread.os_id)),
        _ => None,
    }
}

fn write_group(
    out: &mut dyn Write,
    group: &Group<'_>,
    holdings: &Holdings<'_>,
    memory: &HeldByTask,
) -> io::Result<()> {
    let first = group.oldest();
    let count = group.tasks.len();
    let sinces = || group.tasks.iter().map(|task| task.state.since());
    let ages = || group.tasks.iter().map(|task| task.age);
    let range = |shortest: Option<_>, longest: Option<_>| {
        let [shortest, longest] =
            [shortest, longest].map(|age| Age(age.unwrap_or_default()).to_string());
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
        range(sinces().min(), sinces().max())
    )?;
    write_names(out, "name", &group.names())?;
    write_names(out, "scope", &group.scopes())?;
    writeln!(out, "  spawned  at {}", Plain(first.site.to_string()))?;
    writeln!(out, "  future   {}", Plain(first.future))?;
    writeln!(out, "  age      {}", range(ages().min(), ages().max()))?;
    let detached = group
        .tasks
        .iter()
        .filter(|task| task.detached.is_some())
        .count();
    if detached > 0 {
        writeln!(
            out,
            "  detached {detached} of {count}: nobody has kept the JoinHandle"
        )?;
    }
    let mut threads: Vec<String> = group.tasks.iter().filter_map(|task| thread(task)).collect();
    threads.sort_unstable();
    threads.dedup();
    if !threads.is_empty() {
        writeln!(out, "  thread   {}", Listed(&threads))?;
    }
    if first.background {
        writeln!(out, "  declared background")?;
    }
    let held = |task: &&TaskDump| holdings.get(&task.id);
    resources::write_kinds(out, group.tasks.iter().filter_map(held).flatten())?;
    held::write(out, memory, group.tasks.iter().copied())?;
    write_stack(out, first)
}

fn write_task(
    out: &mut dyn Write,
    task: &TaskDump,
    tree: &SpawnTree<'_>,
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
        write!(out, ", by task {parent}")?;
        match tree.task(parent).map(|parent| &parent.name) {
            Some(Some(name)) => write!(out, " {}", Quoted(name))?,
            Some(None) => {}
            // It has ended, or the dump was not about it.
            None => write!(out, " (not in this dump)")?,
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
    held::write(out, memory, [task])?;
    write_stack(out, task)
}

/// The poll that took too long, if there was one.
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
