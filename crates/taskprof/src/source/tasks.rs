//! Tasks that are alive.

use taskscope::DumpOptions;

use super::{Seconds, Source, What, always};
use crate::tasks;

pub(super) static SOURCE: Source = Source {
    name: "tasks",
    summary: "Every live task with a record: what it waits for, since when, for which scope, and its async stack. \
              Each idle task is polled once more to find its stack, unless it has not been polled since the last time.",
    sample_types: &[("tasks", "count")],
    seconds: Seconds::Instantaneous,
    what: What::Tasks(DumpOptions::capture_blocking, tasks::profile),
    ready: always,
};
