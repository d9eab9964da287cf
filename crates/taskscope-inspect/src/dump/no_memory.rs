//! The error of a dump for whose tasks there is no memory.

use std::error::Error;
use std::fmt;

/// There is no memory to hold the tasks of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoMemory {
    tasks: usize,
}

impl NoMemory {
    pub(super) fn for_tasks(tasks: usize) -> NoMemory {
        NoMemory { tasks }
    }

    /// Number of the tasks.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks
    }
}

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no memory for a look at {} tasks", self.tasks)
    }
}

impl Error for NoMemory {}
