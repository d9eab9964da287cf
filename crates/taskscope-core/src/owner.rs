//! The owner of a task, as the core sees it.

use tokio::task::AbortHandle;

use crate::record::Record;
use crate::scope_info::ScopeFacts;

/// The owner of tasks: a scope of `taskscope`.
pub trait Owner: ScopeFacts {
    /// A task of the owner has started. Called before anybody else can see its record.
    fn task_started(&self);

    /// A task of the owner, which is marked as finished, has ended.
    fn task_ended(&self, task: &Record);

    /// Whether the owner wants the means to abort a task.
    fn aborts(&self) -> bool;

    /// Takes note of the means to abort a task that has been started.
    fn adopt(&self, task: &Record, handle: &dyn Fn() -> AbortHandle);
}
