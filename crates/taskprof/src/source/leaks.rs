//! Tasks that should not be there any more: survivors of ended scopes, tasks that ignore their cancellation, stuck ones, and the tasks of
//! spawn sites that only grow.

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
        // Who waits in peace, and belongs to nobody who has gone, need not be asked where.
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
