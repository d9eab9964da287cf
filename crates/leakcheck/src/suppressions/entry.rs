//! One entry of `leakcheck.toml`, and what it is about. Not here: its syntax (`file.rs`).

use std::fmt;

use taskscope::TaskDump;

use crate::os::{Descriptor, OsThread, Seen};
use crate::rules::{Pattern, What};

/// Some of what one test leaves, or some tests, or all.
#[derive(Debug)]
pub(super) struct Entry {
    /// `None`: all tests.
    pub(super) test: Option<Pattern>,
    pub(super) about: About,
    pub(super) count: usize,
    pub(super) reason: String,
    /// In the file, from 1.
    pub(super) line: usize,
}

#[derive(Debug)]
pub(super) enum About {
    /// Those to which all of this applies. A thread and a descriptor have nothing but one pattern.
    Like {
        what: Vec<What>,
        /// The whole type of the future.
        future: Option<Pattern>,
    },
    /// The tasks without a record.
    Untracked,
    /// The calls without a record.
    UntrackedCalls,
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
        self.like().0.iter().any(What::needs_stacks)
    }

    pub(super) fn covers(&self, task: &TaskDump) -> bool {
        let (what, future) = self.like();
        let is_its = |future: &Pattern| future.matches(task.future);
        let is_like = !what.is_empty() || future.is_some();
        is_like && future.is_none_or(is_its) && what.iter().all(|what| what.covers(task))
    }

    pub(super) fn covers_thread(&self, thread: &OsThread) -> bool {
        self.like().0.iter().any(|what| what.ignores_thread(thread))
    }

    pub(super) fn covers_descriptor(&self, open: &Descriptor) -> bool {
        let (what, _) = self.like();
        what.iter().any(|what| what.ignores_descriptor(open))
    }

    pub(super) fn counts_untracked(&self) -> bool {
        matches!(self.about, About::Untracked)
    }

    pub(super) fn counts_calls(&self) -> bool {
        matches!(self.about, About::UntrackedCalls)
    }

    /// What it counts, in a word, and whether the check would have seen that.
    pub(super) fn counts(&self, seen: Seen) -> (&'static str, bool) {
        match (&self.about, self.like().0) {
            (About::UntrackedCalls, _) => ("blocking call", seen.calls),
            (_, [What::Thread(_)]) => ("thread", seen.threads),
            (_, [What::Descriptor(_)]) => ("file descriptor", seen.descriptors),
            _ => ("task", true),
        }
    }

    fn like(&self) -> (&[What], Option<&Pattern>) {
        match &self.about {
            About::Like { what, future } => (what, future.as_ref()),
            About::Untracked | About::UntrackedCalls => (&[], None),
        }
    }
}

/// What it is about: `spawned at "src/mail.rs", future "shop::mail::send::{{closure}}"`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, future) = match &self.about {
            About::Like { what, future } => (what, future),
            About::Untracked => return f.write_str("untracked"),
            About::UntrackedCalls => return f.write_str("untracked calls"),
        };
        let mut parts: Vec<String> = what.iter().map(What::to_string).collect();
        let future = future.as_ref().map(Pattern::as_str);
        parts.extend(future.map(|future| format!("future {future:?}")));
        f.write_str(&parts.join(", "))
    }
}
