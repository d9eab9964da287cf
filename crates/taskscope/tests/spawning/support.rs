//! Dumps without stacks, and waiting for events.

pub(crate) use testkit::until_some as until;

use taskscope::{DumpOptions, Stacks, TaskDump};

/// All tasks of the process, as they stand.
pub(crate) fn dumped() -> taskscope::Dump {
    DumpOptions::new().stacks(Stacks::None).capture_blocking()
}

/// The one task with this name.
pub(crate) fn named(name: &str) -> Option<TaskDump> {
    let mut tasks = dumped().tasks.into_iter();
    tasks.find(|task| task.name.as_deref() == Some(name))
}
