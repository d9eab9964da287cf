//! Every task as text or JSON: from a dump if they are few, else read a second time while they are
//! written.
//!
//! The head of the output counts the tasks after it, so all of them are read once before. Up to
//! some thousand tasks are stored for the second pass; of more, only the records are held. Not
//! here: the two forms (`text.rs`, `json.rs`).

use std::io::{self, Write};

use taskscope::{Dump, TaskDump};

use super::fold::Listing;
use super::{DumpQuery, fold, json, text};
use crate::error::Error;

/// At most this many tasks are stored for the second pass: 3 MB.
const MAX_STORED: usize = 8192;

/// The form in which every task is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    Text,
    Json,
}

/// A dump of every task, ready to be written.
#[derive(Debug)]
pub(crate) enum Listed {
    Few(Dump),
    Many(Box<Listing>),
}

impl Listed {
    /// Reads the tasks for the first time.
    ///
    /// # Errors
    ///
    /// If there is no memory for it.
    pub(crate) fn take(query: DumpQuery) -> Result<Listed, Error> {
        fold::hold(&query.clone(), |mut held| {
            if held.len() > MAX_STORED {
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

    /// The number of tasks, or of records, that it keeps in memory.
    pub(crate) fn tasks(&self) -> usize {
        match self {
            Listed::Few(dump) => dump.tasks.len(),
            Listed::Many(listing) => listing.held.len(),
        }
    }

    /// Writes every task, and frees each afterwards.
    pub(crate) fn write(self, view: View, out: &mut dyn Write) -> io::Result<()> {
        match (self, view) {
            (Listed::Few(dump), View::Text) => text::listed(&dump, out),
            (Listed::Few(dump), View::Json) => json::json(&dump, out),
            (Listed::Many(listing), View::Text) => text::listed_held(*listing, out),
            (Listed::Many(listing), View::Json) => json::json_held(*listing, out),
        }
    }
}
