//! The source of tasks that nothing can ever wake.
//!
//! Not here: the verdict (`taskscope-inspect`).

use taskscope::Verdict;

use super::{Seconds, Source, What, always};
use crate::tasks::DumpQuery;

pub(super) static SOURCE: Source = Source {
    name: "stuck",
    summary: "Tasks that nothing can ever wake: idle, and no waker of them exists.",
    sample_types: &[("tasks", "count")],
    seconds: Seconds::Instantaneous,
    what: What::Tasks(|options| DumpQuery::all(options.verdict(Verdict::Stuck))),
    ready: always,
};
