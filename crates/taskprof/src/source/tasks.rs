//! The source of live tasks.
//!
//! Not here: how they are read and grouped (`tasks/`).

use super::{Seconds, Source, What, always};
use crate::tasks::DumpQuery;

pub(super) static SOURCE: Source = Source {
    name: "tasks",
    summary: "Every live task with a record: what it waits for, since when, for which scope, and its async stack. \
              Each idle task is polled once more to find its stack, unless it has not been polled since the last time.",
    sample_types: &[("tasks", "count")],
    seconds: Seconds::Instantaneous,
    what: What::Tasks(DumpQuery::all),
    ready: always,
};
