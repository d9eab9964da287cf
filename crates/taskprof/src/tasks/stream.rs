//! Every task, in one of two forms: from a dump if they are few, else read a second time while they are written.
//!
//! The head of each form counts what comes after it, so a first reading counts. A dump of some thousand tasks is kept for the second; of more, only their records
//! are. Not here: how a task looks (`text.rs`, `json.rs`).

use std::io::{self, Write};

use taskscope::{Dump, HeldTasks, TaskDump};

use super::{DumpQuery, Head, fold, json, text};
use crate::error::Error;

/// So many tasks are kept as they were read the first time: 3 MB.
const FEW: usize = 8192;

/// How every task is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Text,
    Json,
}

/// Tasks that are read a second time while they are written.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(super) head: Head,
    pub(super) held: HeldTasks,
    pub(super) query: DumpQuery,
}

/// A look at every task that can be written.
#[derive(Debug)]
pub(crate) enum Listed {
    Few(Dump),
    Many(Box<Listing>),
}

impl Listed {
    /// Looks at the tasks.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(crate) fn take(query: DumpQuery) -> Result<Listed, Error> {
        fold::hold(&query.clone(), |mut held| {
            if held.len() > FEW {
                let head = fold::visit(&query, &mut held, &mut |_, _, _| {});
                return Listed::Many(Box::new(Listing { head, held, query }));
            }
            let mut tasks: Vec<(usize, TaskDump)> = Vec::with_capacity(held.len());
            let head = fold::visit(&query, &mut held, &mut |at, task, _| {
                tasks.push((at, task));
            });
            tasks.sort_unstable_by_key(|(at, _)| *at);
            let mut dump = head.dump;
            dump.tasks = tasks.into_iter().map(|(_, task)| task).collect();
            Listed::Few(dump)
        })
    }

    /// Tasks whose records it keeps, or which it keeps itself.
    pub(crate) fn tasks(&self) -> usize {
        match self {
            Listed::Few(dump) => dump.tasks.len(),
            Listed::Many(listing) => listing.held.len(),
        }
    }

    /// Writes every task, and lets each go.
    pub(crate) fn write(self, view: View, out: &mut dyn Write) -> io::Result<()> {
        match (self, view) {
            (Listed::Few(dump), View::Text) => text::listed(&dump, out),
            (Listed::Few(dump), View::Json) => json::json(&dump, out),
            (Listed::Many(listing), View::Text) => text::listed_held(*listing, out),
            (Listed::Many(listing), View::Json) => json::json_held(*listing, out),
        }
    }
}
