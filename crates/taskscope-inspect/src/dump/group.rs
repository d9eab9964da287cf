//! Groups of tasks that are alike.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;

use super::TaskDump;
use crate::verdict::Verdict;
use crate::wait::WaitKind;
use crate::{Name, Stack};
use taskscope_core::NoTrace;

/// Tasks with the same verdict, spawn site, declaration and trace. Never empty.
#[derive(Debug)]
#[non_exhaustive]
pub struct Group<'a> {
    /// Its tasks, oldest first.
    pub tasks: Vec<&'a TaskDump>,
}

impl<'a> Group<'a> {
    /// Groups these tasks, in the order of [`Dump::groups`](super::Dump::groups): for a part of a
    /// dump.
    pub fn of(tasks: impl IntoIterator<Item = &'a TaskDump>) -> Vec<Group<'a>> {
        by_likeness(tasks)
    }

    /// The task that has been alive for longest.
    #[must_use]
    pub fn oldest(&self) -> &'a TaskDump {
        self.tasks[0]
    }

    /// Their names, each once, in alphabetical order.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        distinct(self.tasks.iter().filter_map(|task| task.name.clone()))
    }

    /// The names of their scopes, each once, in alphabetical order.
    #[must_use]
    pub fn scopes(&self) -> Vec<Arc<str>> {
        distinct(
            self.tasks
                .iter()
                .filter_map(|task| task.scope.as_ref().map(|scope| scope.name().into())),
        )
    }
}

fn distinct<T: Ord>(names: impl Iterator<Item = T>) -> Vec<T> {
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Likeness {
    verdict: Verdict,
    background: bool,
    site: &'static Location<'static>,
    /// The stack also decides what is waited for.
    stack: Result<*const Stack, (NoTrace, WaitKind)>,
}

impl Likeness {
    fn of(task: &TaskDump) -> Likeness {
        Likeness {
            verdict: task.verdict,
            background: task.background,
            site: task.site,
            stack: match &task.trace {
                Ok(trace) => Ok(Arc::as_ptr(trace.stack())),
                Err(why) => Err((*why, task.wait_without_trace(*why))),
            },
        }
    }
}

pub(super) fn by_likeness<'a>(tasks: impl IntoIterator<Item = &'a TaskDump>) -> Vec<Group<'a>> {
    let mut known: HashMap<Likeness, usize> = HashMap::new();
    let mut groups: Vec<Group<'_>> = Vec::new();
    // Tasks that are alike mostly come one after the other.
    let mut last: Option<(Likeness, usize)> = None;
    for task in tasks {
        let likeness = Likeness::of(task);
        let at = match last {
            Some((before, at)) if before == likeness => at,
            _ => *known.entry(likeness).or_insert_with(|| {
                groups.push(Group { tasks: Vec::new() });
                groups.len() - 1
            }),
        };
        groups[at].tasks.push(task);
        last = Some((likeness, at));
    }
    // A total order, so that two dumps of the same tasks read alike.
    groups.sort_by_key(|group| {
        let first = group.oldest();
        (
            std::cmp::Reverse(group.tasks.len()),
            first.site.file(),
            first.site.line(),
            first.site.column(),
            first.id,
        )
    });
    groups
}
