//! Tasks that look leaked: survivors of ended scopes, tasks that ignore their cancellation, stuck
//! ones, and the tasks of spawn sites that only grow.
//!
//! Not here: verdicts (`taskscope-inspect`), growth (`tasks/growing.rs`).

use taskscope::{DumpOptions, Verdict};

use super::{Seconds, Source, What, always};
use crate::tasks::{DumpQuery, Growing};

pub(super) static SOURCE: Source = Source {
    name: "leaks",
    summary: "Tasks that look leaked: they have survived their scope, go on although it was cancelled, can never be woken, \
              or come from a spawn site whose tasks only become more.",
    sample_types: &[("tasks", "count")],
    seconds: Seconds::Instantaneous,
    what: What::Tasks(filter),
    ready: always,
};

fn filter(mut options: DumpOptions) -> DumpQuery {
    let growing = Growing::now();
    if growing.is_empty() {
        // Idle and active tasks are no suspects, so they are not polled for their stacks.
        let suspicious = Verdict::ALL
            .into_iter()
            .filter(|verdict| !matches!(verdict, Verdict::Idle | Verdict::Active));
        for verdict in suspicious {
            options = options.verdict(verdict);
        }
    }
    DumpQuery {
        options,
        suspects: Some(growing),
        filter: None,
    }
}
