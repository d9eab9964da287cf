//! What the tab with the tasks is about while somebody reads it page by page: all tasks if they are few, else what came of one question.
//!
//! Of many tasks shown one by one their records are held, and each page of rows is read from them when it is asked for. So it shows the tasks as they are then, and one
//! that has ended as ended; and the record of a task that ends stays in use until the look is forgotten.
//! Not here: how long it is kept (`looks.rs`), which tasks are wanted (`select.rs`).

use std::borrow::Cow;

use taskscope::{HeldTasks, TaskDump};

use super::filter::{Choices, ORDER_BYTES, Selected, Selection};
use super::list::ROWS;
use super::query::{Grouping, Wanted};
use crate::error::Error;
use crate::tasks::{self, Chosen, Head, Holds};

/// So many tasks are kept as they are: 3 MB.
const FEW: usize = 8_192;
/// Bytes of one that is kept as it is, or of a group: about.
const TASK_BYTES: usize = 400;
/// Bytes of one whose record is held.
const HELD_BYTES: usize = 29;

/// A look at the tasks.
#[derive(Debug)]
pub(in crate::http::page) struct Snapshot(Option<Look>);

#[derive(Debug)]
struct Look {
    head: Head,
    choices: Choices,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// Every task, oldest first.
    All(Vec<TaskDump>),
    /// What came of one question.
    Part(Box<Part>),
}

#[derive(Debug)]
struct Part {
    question: Wanted,
    selected: Selected,
    /// Those that the order is about; `None`: tasks that are put together.
    held: Option<HeldTasks>,
}

/// What is wanted, with what there is to choose from.
pub(super) struct Shown<'a> {
    pub(super) head: &'a Head,
    pub(super) choices: &'a Choices,
    pub(super) selected: &'a Selected,
    /// The rows of the page that is asked for; `None`: a task that has ended since the look.
    pub(super) rows: Vec<Option<Cow<'a, TaskDump>>>,
}

impl Snapshot {
    /// All tasks; nothing if they are too many for that.
    pub(in crate::http::page) fn of_few(chosen: Chosen) -> Result<Snapshot, Error> {
        if taskscope::stats().records_in_use > FEW {
            return Ok(Snapshot(None));
        }
        let mut choices = Choices::default();
        let mut tasks: Vec<(usize, TaskDump)> = Vec::new();
        let head = tasks::fold(&chosen, &mut |at, task, _| {
            choices.add(&task);
            tasks.push((at, task));
        })?;
        tasks.sort_unstable_by_key(|(at, _)| *at);
        Ok(Snapshot(Some(Look {
            head,
            choices,
            kept: Kept::All(tasks.into_iter().map(|(_, task)| task).collect()),
        })))
    }

    /// What is wanted of tasks that are too many to be kept.
    pub(super) fn of_many(chosen: &Chosen, wanted: &Wanted) -> Result<Snapshot, Error> {
        tasks::hold(chosen, |mut held| {
            let mut choices = Choices::default();
            let mut selection = Selection::new(wanted);
            let head = tasks::visit(chosen, &mut held, &mut |at, task, holds| {
                choices.add(&task);
                selection.add(at, Cow::Owned(task), holds);
            });
            let part = Box::new(Part {
                question: wanted.question(),
                selected: selection.finish(),
                held: (wanted.grouping == Grouping::None).then_some(held),
            });
            Snapshot(Some(Look {
                head,
                choices,
                kept: Kept::Part(part),
            }))
        })
    }

    /// Whether there is anything in it.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this is enough for that question.
    pub(super) fn serves(&self, wanted: &Wanted) -> bool {
        match self.0.as_ref().map(|look| &look.kept) {
            Some(Kept::All(_)) => true,
            Some(Kept::Part(part)) => part.question == wanted.question(),
            None => false,
        }
    }

    /// Whether records are held for it.
    pub(in crate::http::page) fn holds(&self) -> bool {
        let kept = self.0.as_ref().map(|look| &look.kept);
        matches!(kept, Some(Kept::Part(part)) if part.held.is_some())
    }

    /// What it takes, about.
    pub(in crate::http::page) fn bytes(&self) -> usize {
        match self.0.as_ref().map(|look| &look.kept) {
            Some(Kept::All(tasks)) => tasks.len() * TASK_BYTES,
            Some(Kept::Part(part)) => {
                let held = part.held.as_ref().map_or(0, HeldTasks::len);
                held * HELD_BYTES
                    + part.selected.order.len() * ORDER_BYTES
                    + part.selected.groups.len() * TASK_BYTES
            }
            None => 0,
        }
    }

    /// What is wanted. `None`: there is nothing in it.
    pub(super) fn with<T>(&self, wanted: &Wanted, show: impl FnOnce(Shown<'_>) -> T) -> Option<T> {
        let look = self.0.as_ref()?;
        let of_all;
        let (selected, rows) = match &look.kept {
            Kept::All(tasks) => {
                let mut selection = Selection::new(wanted);
                for (at, task) in tasks.iter().enumerate() {
                    selection.add(at, Cow::Borrowed(task), Holds::default());
                }
                of_all = selection.finish();
                let row = |at| tasks.get(at).map(Cow::Borrowed);
                (&of_all, rows(&of_all, wanted, row))
            }
            Kept::Part(part) => {
                let row = |at| part.held.as_ref()?.at(at).map(Cow::Owned);
                (&part.selected, rows(&part.selected, wanted, row))
            }
        };
        Some(show(Shown {
            head: &look.head,
            choices: &look.choices,
            selected,
            rows,
        }))
    }
}

/// Those of the page that is asked for.
fn rows<'a>(
    selected: &Selected,
    wanted: &Wanted,
    row: impl Fn(usize) -> Option<Cow<'a, TaskDump>>,
) -> Vec<Option<Cow<'a, TaskDump>>> {
    let order = selected.order.iter().skip(wanted.from).take(ROWS);
    order.map(|at| row(*at as usize)).collect()
}
