//! A snapshot behind the tab with the tasks: all tasks if they are few, else what one query found.
//!
//! Where many tasks are listed, their records are held, and each page of rows is read from them
//! when it is asked for. Such a page shows the tasks as they are by then, and one that has ended as
//! ended. Not here: how long a snapshot is stored (`snapshots.rs`), which tasks a query finds
//! (`filter.rs`).

use std::borrow::Cow;

use taskscope::{TaskDump, dump::HeldTasks};

use super::filter::{Choices, MatchCollector, Matches, ORDER_BYTES};
use super::query::{Grouping, ROWS, TaskQuery};
use crate::error::Error;
use crate::tasks::{self, DumpQuery, Head, Holds};

/// At most this many tasks are stored as they are: 3 MB.
const MAX_STORED_TASKS: usize = 8_192;
/// Estimated bytes of one stored task, or of one group.
const TASK_BYTES: usize = 400;
/// Bytes of one task whose record is held.
const HELD_BYTES: usize = 29;

/// The tasks of one moment, or what a query found among them.
#[derive(Debug)]
pub(in crate::http::page) struct Snapshot(Option<Contents>);

#[derive(Debug)]
struct Contents {
    head: Head,
    choices: Choices,
    found: Found,
}

#[derive(Debug)]
enum Found {
    /// Every task, oldest first.
    All(Vec<TaskDump>),
    /// The matches of one query.
    Matches(Box<FoundMatches>),
}

#[derive(Debug)]
struct FoundMatches {
    query: TaskQuery,
    matches: Matches,
    /// The records that the order refers to; `None` if the tasks are grouped.
    held: Option<HeldTasks>,
}

/// One page of a snapshot, with the choices of its filter.
pub(super) struct View<'a> {
    pub(super) head: &'a Head,
    pub(super) choices: &'a Choices,
    pub(super) matches: &'a Matches,
    /// The rows of the page; `None` is a task that has ended since the snapshot.
    pub(super) rows: Vec<Option<Cow<'a, TaskDump>>>,
}

impl Snapshot {
    /// Takes a snapshot of all tasks. It is empty if they are too many to be stored.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(in crate::http::page) fn of_few(query: DumpQuery) -> Result<Snapshot, Error> {
        if taskscope::stats().records_in_use > MAX_STORED_TASKS {
            return Ok(Snapshot(None));
        }
        let mut choices = Choices::default();
        let mut tasks: Vec<(usize, TaskDump)> = Vec::new();
        let head = tasks::fold(&query, &mut |at, task, _| {
            choices.add(&task);
            tasks.push((at, task));
        })?;
        tasks.sort_unstable_by_key(|(at, _)| *at);
        Ok(Snapshot(Some(Contents {
            head,
            choices,
            found: Found::All(tasks.into_iter().map(|(_, task)| task).collect()),
        })))
    }

    /// Takes a snapshot of the matches of a query, for tasks that are too many to be stored.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(super) fn of_many(dumped: &DumpQuery, query: &TaskQuery) -> Result<Snapshot, Error> {
        tasks::hold(dumped, |mut held| {
            let mut choices = Choices::default();
            let mut collector = MatchCollector::new(query);
            let head = tasks::visit(dumped, &mut held, &mut |at, task, holds| {
                choices.add(&task);
                collector.add(at, Cow::Owned(task), holds);
            });
            let found = Box::new(FoundMatches {
                query: query.without_position(),
                matches: collector.finish(),
                held: (query.grouping == Grouping::None).then_some(held),
            });
            Snapshot(Some(Contents {
                head,
                choices,
                found: Found::Matches(found),
            }))
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a query can be answered from this snapshot.
    pub(super) fn answers(&self, query: &TaskQuery) -> bool {
        match self.0.as_ref().map(|contents| &contents.found) {
            Some(Found::All(_)) => true,
            Some(Found::Matches(found)) => found.query == query.without_position(),
            None => false,
        }
    }

    /// Whether it keeps records of tasks in use.
    pub(in crate::http::page) fn holds_records(&self) -> bool {
        let found = self.0.as_ref().map(|contents| &contents.found);
        matches!(found, Some(Found::Matches(found)) if found.held.is_some())
    }

    /// Its memory in bytes, estimated.
    pub(in crate::http::page) fn bytes(&self) -> usize {
        match self.0.as_ref().map(|contents| &contents.found) {
            Some(Found::All(tasks)) => tasks.len() * TASK_BYTES,
            Some(Found::Matches(found)) => {
                let held = found.held.as_ref().map_or(0, HeldTasks::len);
                held * HELD_BYTES
                    + found.matches.order.len() * ORDER_BYTES
                    + found.matches.groups.len() * TASK_BYTES
            }
            None => 0,
        }
    }

    /// Shows the page of a query; `None` if the snapshot is empty.
    pub(super) fn with_page<T>(
        &self,
        query: &TaskQuery,
        show: impl FnOnce(View<'_>) -> T,
    ) -> Option<T> {
        let contents = self.0.as_ref()?;
        let among_all;
        let (matches, rows) = match &contents.found {
            Found::All(tasks) => {
                let mut collector = MatchCollector::new(query);
                for (at, task) in tasks.iter().enumerate() {
                    collector.add(at, Cow::Borrowed(task), Holds::default());
                }
                among_all = collector.finish();
                let row = |at| tasks.get(at).map(Cow::Borrowed);
                (&among_all, rows(&among_all, query, row))
            }
            Found::Matches(found) => {
                let row = |at| found.held.as_ref()?.at(at).map(Cow::Owned);
                (&found.matches, rows(&found.matches, query, row))
            }
        };
        Some(show(View {
            head: &contents.head,
            choices: &contents.choices,
            matches,
            rows,
        }))
    }
}

/// The rows of the page that a query asks for.
fn rows<'a>(
    matches: &Matches,
    query: &TaskQuery,
    row: impl Fn(usize) -> Option<Cow<'a, TaskDump>>,
) -> Vec<Option<Cow<'a, TaskDump>>> {
    let order = matches.order.iter().skip(query.from).take(ROWS);
    order.map(|at| row(*at as usize)).collect()
}
