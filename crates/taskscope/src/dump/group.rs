//! Tasks that are alike, together.

use std::collections::HashMap;
use std::panic::Location;
use std::sync::Arc;

use super::{NoTrace, TaskDump, Trace};
use crate::Name;
use crate::verdict::Verdict;

/// Tasks with the same verdict, spawn site, declaration and trace. Never empty.
#[derive(Debug)]
#[non_exhaustive]
pub struct Group<'a> {
    /// Its tasks, oldest first.
    pub tasks: Vec<&'a TaskDump>,
}

impl<'a> Group<'a> {
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

#[derive(PartialEq, Eq, Hash)]
struct Likeness {
    verdict: Verdict,
    background: bool,
    site: &'static Location<'static>,
    wait: String,
    trace: Result<*const Trace, NoTrace>,
}

pub(super) fn by_likeness(tasks: &[TaskDump]) -> Vec<Group<'_>> {
    let mut groups: HashMap<Likeness, Vec<&TaskDump>> = HashMap::new();
    for task in tasks {
        let likeness = Likeness {
            verdict: task.verdict,
            background: task.background,
            site: task.site,
            wait: task.wait_reason().to_string(),
            trace: task.trace.as_ref().map(Arc::as_ptr).map_err(|why| *why),
        };
        groups.entry(likeness).or_default().push(task);
    }
    let mut groups: Vec<_> = groups.into_values().map(|tasks| Group { tasks }).collect();
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
