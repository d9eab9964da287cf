//! The tasks that a query finds in a snapshot: filtered, then sorted or grouped.
//!
//! Of tasks that are listed only the order is kept, as their positions in the snapshot. Not here:
//! the filter itself (`crate::tasks::TaskFilter`), how tasks are shown (`list.rs`).

use std::borrow::Cow;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use taskscope::{Name, TaskDump, Verdict};

pub(super) use super::choices::Choices;
use super::query::{Grouping, Sort, TaskQuery};
use crate::tasks::{Groups, Holds, KnownStacks, Likeness, Summary, TaskFilter};

/// Bytes of the order for each task.
pub(super) const ORDER_BYTES: usize = size_of::<u32>();

/// The tasks that a query found.
#[derive(Debug)]
pub(super) struct Matches {
    /// The number of tasks.
    pub(super) tasks: usize,
    /// Their positions in the snapshot, sorted; empty if they are grouped. Shorter than `tasks` if
    /// memory ran out.
    pub(super) order: Vec<u32>,
    /// The groups, largest first; empty if the tasks are listed.
    pub(super) groups: Vec<GroupRow>,
    /// The number of tasks in groups beyond the limit.
    pub(super) left_out: usize,
}

/// Collects the tasks that a query finds, while they are read.
pub(super) struct MatchCollector<'a> {
    query: &'a TaskQuery,
    stacks: KnownStacks,
    tasks: usize,
    rows: Rows,
    groups: Groups<GroupKey>,
}

/// The sort key of each row, with its position in the snapshot.
enum Rows {
    /// Sorted by number, ascending.
    Numbers(Vec<(u64, u32)>),
    /// Sorted by text.
    Labels(Vec<(Label, u32)>),
}

/// The label of a task, shared with its record.
enum Label {
    Name(Name),
    Future(&'static str),
}

impl Label {
    fn as_str(&self) -> &str {
        match self {
            Label::Name(name) => name.as_str(),
            Label::Future(future) => future,
        }
    }
}

impl Rows {
    /// Adds a row; leaves it out if there is no memory for it.
    fn add(&mut self, sort: Sort, at: usize, task: &TaskDump) {
        let Ok(at) = u32::try_from(at) else {
            return;
        };
        match self {
            Rows::Numbers(rows) => {
                if rows.try_reserve(1).is_ok() {
                    rows.push((number(sort, task), at));
                }
            }
            Rows::Labels(rows) => {
                if rows.try_reserve(1).is_ok() {
                    let name = task.name.clone().map(Label::Name);
                    rows.push((name.unwrap_or(Label::Future(task.future)), at));
                }
            }
        }
    }

    /// The positions in sorted order. Rows with equal keys stay in the order of age, or its
    /// reverse.
    fn in_order(self, reversed: bool) -> Vec<u32> {
        let mut order: Vec<u32> = match self {
            Rows::Numbers(mut rows) => {
                rows.sort_unstable();
                rows.into_iter().map(|(_, at)| at).collect()
            }
            Rows::Labels(mut rows) => {
                rows.sort_unstable_by(|(one, at), (other, other_at)| {
                    let order = one.as_str().cmp(other.as_str());
                    order.then(at.cmp(other_at))
                });
                rows.into_iter().map(|(_, at)| at).collect()
            }
        };
        // It may reuse the memory of the rows, which is several times as large.
        order.shrink_to_fit();
        if reversed {
            order.reverse();
        }
        order
    }
}

/// The sort key of a task: small for what comes first.
fn number(sort: Sort, task: &TaskDump) -> u64 {
    let nanos = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    match sort {
        Sort::Age | Sort::Name => 0,
        Sort::Since => u64::MAX - nanos(task.state.since()),
        Sort::Polls => u64::MAX - task.polls,
        Sort::Busy => u64::MAX - nanos(task.busy),
        Sort::Verdict => {
            let rank = Verdict::ALL.iter().position(|it| *it == task.verdict);
            rank.unwrap_or(Verdict::ALL.len()) as u64
        }
        Sort::Id => task.id,
    }
}

/// The property that the tasks of a group share.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum GroupKey {
    Alike(Likeness),
    Verdict(Verdict),
    Wait(Arc<str>),
    Scope(Option<String>),
    Site(&'static Location<'static>),
    Name(Option<String>),
}

impl<'a> MatchCollector<'a> {
    pub(super) fn new(query: &'a TaskQuery) -> Self {
        MatchCollector {
            query,
            stacks: KnownStacks::default(),
            tasks: 0,
            rows: match query.sort {
                Sort::Name => Rows::Labels(Vec::new()),
                _ => Rows::Numbers(Vec::new()),
            },
            groups: Groups::default(),
        }
    }

    /// Adds a task if the query finds it. `at`: its position in the snapshot, by age.
    pub(super) fn add(&mut self, at: usize, task: Cow<'_, TaskDump>, held: Holds<'_>) {
        if !self.query.filter.keeps(&task, &mut self.stacks) {
            return;
        }
        self.tasks += 1;
        let key = match self.query.grouping {
            Grouping::None => {
                self.rows.add(self.query.sort, at, &task);
                return;
            }
            Grouping::Alike => GroupKey::Alike(Likeness::of(&task)),
            Grouping::Verdict => GroupKey::Verdict(task.verdict),
            Grouping::Wait => GroupKey::Wait(self.stacks.wait(&task)),
            Grouping::Scope => {
                GroupKey::Scope(task.scope.as_ref().map(|scope| scope.name().to_owned()))
            }
            Grouping::Site => GroupKey::Site(task.site),
            Grouping::Name => GroupKey::Name(task.name.as_deref().map(str::to_owned)),
        };
        self.groups.add(key, at, task.into_owned(), held);
    }

    pub(super) fn finish(mut self) -> Matches {
        Matches {
            tasks: self.tasks,
            order: self.rows.in_order(self.query.reversed),
            left_out: self.groups.left_out,
            groups: group_rows(self.groups, self.query, &mut self.stacks),
        }
    }
}

/// The name of a task, or else the type of its future.
pub(in crate::http::page) fn label(task: &TaskDump) -> &str {
    task.name.as_deref().unwrap_or(task.future)
}

/// A row of the table of groups.
#[derive(Debug)]
pub(super) struct GroupRow {
    /// The shared property in words; empty for similar tasks.
    pub(super) common: String,
    pub(super) summary: Summary,
    /// The query that lists the tasks of the group.
    pub(super) query: TaskQuery,
}

/// The rows of the table of groups, largest first.
fn group_rows(
    groups: Groups<GroupKey>,
    query: &TaskQuery,
    stacks: &mut KnownStacks,
) -> Vec<GroupRow> {
    let every = TaskQuery {
        grouping: Grouping::None,
        snapshot: query.snapshot,
        ..query.without_position()
    };
    let mut groups: Vec<GroupRow> = groups
        .into_groups()
        .into_iter()
        .map(|(key, summary)| {
            let mut query = every.clone();
            let common = key.narrow(&mut query.filter, &summary, stacks);
            GroupRow {
                common,
                summary,
                query,
            }
        })
        .collect();
    groups.sort_by(|one, other| {
        let (first, second) = (&one.summary, &other.summary);
        let place = |group: &Summary| {
            let site = group.oldest.site;
            (site.file(), site.line(), site.column(), group.oldest.id)
        };
        let order = second.tasks.cmp(&first.tasks);
        let order = order.then_with(|| one.common.cmp(&other.common));
        order.then_with(|| place(first).cmp(&place(second)))
    });
    groups
}

impl GroupKey {
    /// Narrows a filter to the tasks of this group, and names the group; similar tasks need no
    /// name.
    fn narrow(
        self,
        filter: &mut TaskFilter,
        summary: &Summary,
        stacks: &mut KnownStacks,
    ) -> String {
        match self {
            GroupKey::Alike(_) => {
                let first = &summary.oldest;
                filter.verdict = Some(first.verdict);
                filter.wait = Some(stacks.wait(first).to_string());
                filter.site = Some(first.site.to_string());
                String::new()
            }
            GroupKey::Verdict(verdict) => {
                filter.verdict = Some(verdict);
                verdict.to_string()
            }
            GroupKey::Wait(wait) => filter.wait.insert(wait.to_string()).clone(),
            GroupKey::Scope(Some(name)) => filter.scope.insert(name).clone(),
            GroupKey::Scope(None) => "no scope".to_owned(),
            GroupKey::Site(site) => filter.site.insert(site.to_string()).clone(),
            GroupKey::Name(Some(name)) => filter.name.insert(name).clone(),
            GroupKey::Name(None) => "no name".to_owned(),
        }
    }
}
