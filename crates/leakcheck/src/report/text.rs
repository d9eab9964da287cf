//! The message: a headline, a block for each group of tasks, remarks; at most [`MAX_LINES`] lines.
//!
//! If not all blocks fit, long stacks are cut first; then whole blocks are left out and counted.
//! Not here: how a stack is cut ([`super::stack`]), the lines about threads and descriptors
//! ([`crate::os`]).

use taskscope::heap::Held;
use taskscope::text::bounded;
use taskscope::{
    dump::{Group, ResourceDump},
    text::{Age, Listed, OneLine},
};

use super::{Found, stack};
use crate::os::{self, counted};
use crate::paths;

/// The most lines that a message has: 100.
pub const MAX_LINES: usize = 100;

/// The most characters that a line has.
const MAX_WIDTH: usize = 400;

/// Line limits for a stack, tried in this order until all blocks fit.
const STACK_LIMITS: [usize; 3] = [usize::MAX, 24, 12];

/// Line limits for the stack of the first block and of the others, if not all blocks fit.
const CROWDED: (usize, usize) = (24, 12);

/// The fewest lines of a block, with the empty line before it.
const MIN_BLOCK: usize = 3;

/// The most remarks of one kind that are shown; the rest is counted.
const MAX_REMARKS: usize = 5;

type Lines = Vec<String>;

/// The lines of the message, without line ends.
pub(super) fn message(found: &Found) -> Lines {
    let (mut lines, remarks) = (headline(found), remarks(found));
    let os = os::lines(&found.os);
    let room = MAX_LINES.saturating_sub(lines.len() + remarks.len() + os.len());
    lines.extend(blocks(found, room));
    lines.extend(os);
    lines.extend(remarks);
    lines.iter().map(|line| one_line(line)).collect()
}

fn headline(found: &Found) -> Lines {
    let test = match &found.test {
        Some(test) => format!(" (test {test})"),
        None => String::new(),
    };
    let count = found.count();
    let mut lines = Lines::new();
    if let Some(problem) = &found.problem {
        lines.push(format!("leakcheck: {problem}"));
    }
    let waited = Age(found.waited);
    match count + found.os.count() {
        0 if found.problem.is_some() => {}
        0 => lines.push(format!(
            "leakcheck: nothing is left, but a rule matched nothing{test}"
        )),
        _ => lines.push(format!(
            "leakcheck: {} still alive after {waited}{test}",
            os::subject(count, &found.os)
        )),
    }
    lines
}

/// The blocks, each after an empty line, in at most `room` lines.
fn blocks(found: &Found, room: usize) -> Lines {
    let groups = found.groups();
    let holdings = found.dump.holdings();
    let memory = taskscope::heap::held_by_task().unwrap_or_default();
    let block = |at: usize, stack: usize| {
        let mut lines = vec![String::new()];
        match groups.get(at) {
            Some(group) => {
                let held = group.tasks.iter().filter_map(|task| holdings.get(&task.id));
                let mut held = ResourceDump::kinds(held.flatten().copied());
                let bytes = group.tasks.iter().filter_map(|task| memory.get(&task.id));
                let bytes: Held = bytes.copied().sum();
                if !bytes.is_nothing() {
                    held.push(format!("{bytes} (sampled)"));
                }
                describe(&mut lines, at + 1, group, &held, stack);
            }
            None => describe_untracked(&mut lines, at + 1, found.untracked),
        }
        lines
    };
    let count = groups.len() + usize::from(found.untracked > 0);
    if count * MIN_BLOCK <= room {
        for stack in STACK_LIMITS {
            let lines: Lines = (0..count).flat_map(|at| block(at, stack)).collect();
            if lines.len() <= room {
                return lines;
            }
        }
    }
    let mut lines = Lines::new();
    let mut shown = 0;
    while shown < count {
        let stack = if shown == 0 { CROWDED.0 } else { CROWDED.1 };
        let next = block(shown, stack);
        // Two more lines say how many blocks are left out.
        if lines.len() + next.len() + 2 > room {
            break;
        }
        lines.extend(next);
        shown += 1;
    }
    let more = count - shown;
    let left_out: usize = groups
        .iter()
        .skip(shown)
        .map(|group| group.tasks.len())
        .sum();
    let groups = if more == 1 { "group" } else { "groups" };
    lines.push(String::new());
    lines.push(format!(
        "... and {more} more {groups} with {}",
        counted(left_out + found.untracked, "task")
    ));
    lines
}

/// Adds the block of a group. `held` is its resources, counted by kind; `stack` the limit of lines
/// for its stack.
fn describe(lines: &mut Lines, number: usize, group: &Group<'_>, held: &[String], stack: usize) {
    let first = group.oldest();
    let youngest = group.tasks.last().map_or(first.age, |task| task.age);
    let count = group.tasks.len();
    lines.push(format!(
        "{number}. {} {}, {} since {}",
        counted(count, "task"),
        first.verdict,
        first.activity(),
        Age(first.state.since())
    ));
    lines.push(format!("   spawned at {}", paths::site(first.site)));
    lines.push(format!("   future     {}", first.future));
    lines.extend(names("name", &group.names()));
    lines.extend(names("scope", &group.scopes()));
    if let Some(ended) = first.scope_ended {
        lines.push(format!("              ended {} ago", Age(ended)));
    }
    let (shortest, longest) = (Age(youngest).to_string(), Age(first.age).to_string());
    lines.push(if shortest == longest {
        format!("   age        {longest}")
    } else {
        format!("   age        {shortest} to {longest}")
    });
    let detached = group
        .tasks
        .iter()
        .filter(|task| task.detached.is_some())
        .count();
    if detached > 0 {
        lines.push(format!(
            "   detached   {detached} of {count}: nobody has kept the JoinHandle"
        ));
    }
    if !held.is_empty() {
        lines.push(format!("   holds      {}", Listed(held)));
    }
    match &first.trace {
        Ok(trace) => {
            lines.push("   stack".to_owned());
            lines.extend(stack::lines(trace, stack));
            if first.branches_dropped + first.branches_cut > 0 {
                lines.push(format!(
                    "    (not the whole stack: {} branches were not kept, {} were cut at the root)",
                    first.branches_dropped, first.branches_cut
                ));
            }
        }
        Err(why) => {
            let why = why.to_string();
            lines.push(format!(
                "   stack      {}",
                why.trim_start_matches("no stack: ")
            ));
        }
    }
    lines.push(format!("   hint       {}", first.verdict.advice()));
}

fn names<T: AsRef<str>>(what: &str, names: &[T]) -> Option<String> {
    (!names.is_empty()).then(|| format!("   {what:<10} {}", Listed(names)))
}

/// The advice about tasks without a record.
pub(super) const UNTRACKED_ADVICE: &str = "spawn with taskscope::spawn to see names, scopes and stacks; connections count: end the test's clients, then its server, before the check";

fn describe_untracked(lines: &mut Lines, number: usize, untracked: usize) {
    lines.push(format!(
        "{number}. {} untracked: spawned with plain tokio::spawn, by this program or a library",
        counted(untracked, "task")
    ));
    lines.push(format!("   hint       {UNTRACKED_ADVICE}"));
}

/// The lines after the blocks: entries that are exceeded, and rules and entries that matched
/// nothing.
fn remarks(found: &Found) -> Lines {
    let exceeded = found.listed.iter().filter(|entry| entry.is_exceeded());
    let stale = found.listed.iter().filter(|entry| entry.is_stale());
    let mut lines = Lines::new();
    few(&mut lines, exceeded.map(ToString::to_string).collect());
    few(&mut lines, stale.map(ToString::to_string).collect());
    let unused = found.unused.iter();
    few(
        &mut lines,
        unused
            .map(|rule| format!("this rule matched nothing: {rule}"))
            .collect(),
    );
    if !lines.is_empty() {
        lines.insert(0, String::new());
    }
    lines
}

fn few(lines: &mut Lines, mut remarks: Lines) {
    let more = remarks.len().saturating_sub(MAX_REMARKS);
    remarks.truncate(MAX_REMARKS);
    lines.append(&mut remarks);
    if more > 0 {
        lines.push(format!("... and {more} more like it"));
    }
}

/// Escapes and cuts a line, so that no name or type in it can add a line, hide, send commands to a
/// terminal, or fill the screen.
fn one_line(text: &str) -> String {
    bounded(&OneLine(text).to_string(), MAX_WIDTH).into_owned()
}
