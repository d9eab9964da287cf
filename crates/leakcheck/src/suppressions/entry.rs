//! One entry of `leakcheck.toml`, and which tasks it is about. Not here: its syntax (`file.rs`).

use std::fmt;

use taskscope::TaskDump;

use crate::rules::{Pattern, What};

/// Some tasks of one test, of some tests, or of all.
#[derive(Debug)]
pub(super) struct Entry {
    /// `None`: all tests.
    pub(super) test: Option<Pattern>,
    pub(super) tasks: Tasks,
    pub(super) count: usize,
    pub(super) reason: String,
    /// In the file, from 1.
    pub(super) line: usize,
}

#[derive(Debug)]
pub(super) enum Tasks {
    /// Those to which all of this applies.
    Like {
        what: Vec<What>,
        /// The whole type of the future.
        future: Option<Pattern>,
    },
    /// Those without a record.
    Untracked,
}

impl Entry {
    pub(super) fn is_for(&self, test: Option<&str>) -> bool {
        match &self.test {
            Some(pattern) => test.is_some_and(|test| pattern.matches(test)),
            None => true,
        }
    }

    pub(super) fn is_about_one_test(&self) -> bool {
        self.test.as_ref().is_some_and(Pattern::is_exact)
    }

    pub(super) fn needs_stacks(&self) -> bool {
        match &self.tasks {
            Tasks::Like { what, .. } => what.iter().any(What::needs_stacks),
            Tasks::Untracked => false,
        }
    }

    pub(super) fn covers(&self, task: &TaskDump) -> bool {
        match &self.tasks {
            Tasks::Like { what, future } => {
                let is_its = |future: &Pattern| future.matches(task.future);
                future.as_ref().is_none_or(is_its) && what.iter().all(|what| what.covers(task))
            }
            Tasks::Untracked => false,
        }
    }

    pub(super) fn counts_untracked(&self) -> bool {
        matches!(self.tasks, Tasks::Untracked)
    }
}

/// What it is about: `spawned at "src/mail.rs", future "shop::mail::send::{{closure}}"`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tasks::Like { what, future } = &self.tasks else {
            return f.write_str("untracked");
        };
        let mut parts: Vec<String> = what.iter().map(What::to_string).collect();
        let future = future.as_ref().map(Pattern::as_str);
        parts.extend(future.map(|future| format!("future {future:?}")));
        f.write_str(&parts.join(", "))
    }
}
