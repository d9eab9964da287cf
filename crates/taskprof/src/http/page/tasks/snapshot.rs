//! What the tab with the tasks is about while somebody reads it page by page: all tasks if they are few, else the rows that were asked for.
//!
//! Not here: how long it is kept (`looks.rs`), which tasks are wanted (`select.rs`).

use taskscope::TaskDump;

use super::select::{Choices, Selected, Selection};
use super::wanted::{Grouping, Wanted};
use crate::error::Error;
use crate::tasks::{self, Chosen, Head, Holds};

/// So many tasks are kept as they are: 3 MB.
const FEW: usize = 8_192;
/// Of more, so many rows are.
const ROWS: usize = 4_096;

/// A look at the tasks.
#[derive(Debug)]
pub(in crate::http::page) struct Snapshot(Option<Look>);

#[derive(Debug)]
struct Look {
    head: Head,
    choices: Choices,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    /// Every task, oldest first.
    All(Vec<TaskDump>),
    /// What came of one question.
    Part(Box<(Wanted, Selected)>),
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
            rows: Rows::All(tasks.into_iter().map(|(_, task)| task).collect()),
        })))
    }

    /// What is wanted of tasks that are too many to be kept.
    pub(super) fn of_many(chosen: &Chosen, wanted: &Wanted) -> Result<Snapshot, Error> {
        let mut choices = Choices::default();
        let mut selection = Selection::new(wanted, ROWS);
        let head = tasks::fold(chosen, &mut |at, task, held| {
            choices.add(&task);
            selection.add(at, task, held);
        })?;
        let part = Box::new((wanted.question(), selection.finish()));
        Ok(Snapshot(Some(Look {
            head,
            choices,
            rows: Rows::Part(part),
        })))
    }

    /// Whether there is anything in it.
    pub(super) fn is_there(&self) -> bool {
        self.0.is_some()
    }

    /// Whether this is enough for that question.
    pub(super) fn serves(&self, wanted: &Wanted) -> bool {
        match self.0.as_ref().map(|look| &look.rows) {
            Some(Rows::All(_)) => true,
            Some(Rows::Part(part)) => part.0 == wanted.question(),
            None => false,
        }
    }

    /// Tasks that it keeps.
    pub(in crate::http::page) fn tasks(&self) -> usize {
        match self.0.as_ref().map(|look| &look.rows) {
            Some(Rows::All(tasks)) => tasks.len(),
            Some(Rows::Part(part)) => part.1.rows.len() + part.1.groups.len(),
            None => 0,
        }
    }

    /// What is wanted, with what there is to choose from. `None`: there is nothing in it.
    pub(super) fn with<T>(
        &self,
        wanted: &Wanted,
        show: impl FnOnce(&Head, &Choices, &Selected) -> T,
    ) -> Option<T> {
        let look = self.0.as_ref()?;
        Some(match &look.rows {
            Rows::All(tasks) => {
                let most = if wanted.grouping == Grouping::None {
                    tasks.len()
                } else {
                    0
                };
                let mut selection = Selection::new(wanted, most);
                for (at, task) in tasks.iter().enumerate() {
                    selection.add(at, task.clone(), Holds::default());
                }
                show(&look.head, &look.choices, &selection.finish())
            }
            Rows::Part(part) => show(&look.head, &look.choices, &part.1),
        })
    }
}
