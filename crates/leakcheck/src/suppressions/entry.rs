//! [`Entry`]: one entry of `leakcheck.toml`, and what it matches.
//!
//! Not here: its syntax ([`super::file`]).

use std::fmt;

use taskscope::TaskDump;

use crate::os::{Coverage, Descriptor, OsThread};
use crate::pattern::Pattern;
use crate::rules::Matcher;

/// Known leaks of one kind, of one test or of several.
#[derive(Debug)]
pub(super) struct Entry {
    /// The tests that it is about; `None` for all tests.
    pub(super) test: Option<Pattern>,
    pub(super) about: About,
    pub(super) count: usize,
    pub(super) reason: String,
    /// The line in the file, from 1.
    pub(super) line: usize,
}

/// The kind of leak that an entry lists.
#[derive(Debug)]
pub(super) enum About {
    /// Tasks that match all of this; or threads or descriptors, which have one matcher only.
    Matching {
        matchers: Vec<Matcher>,
        /// The whole type of a task's future.
        future: Option<Pattern>,
    },
    /// Tasks without a record.
    Untracked,
    /// Calls without a record.
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
        self.matching().0.iter().any(Matcher::needs_stacks)
    }

    pub(super) fn covers(&self, task: &TaskDump) -> bool {
        let (matchers, future) = self.matching();
        let has_future = |future: &Pattern| future.matches(task.future);
        let has_conditions = !matchers.is_empty() || future.is_some();
        has_conditions
            && future.is_none_or(has_future)
            && matchers.iter().all(|matcher| matcher.covers(task))
    }

    pub(super) fn covers_thread(&self, thread: &OsThread) -> bool {
        self.matching()
            .0
            .iter()
            .any(|matcher| matcher.ignores_thread(thread))
    }

    pub(super) fn covers_descriptor(&self, open: &Descriptor) -> bool {
        let (matchers, _) = self.matching();
        matchers
            .iter()
            .any(|matcher| matcher.ignores_descriptor(open))
    }

    pub(super) fn counts_untracked(&self) -> bool {
        matches!(self.about, About::Untracked)
    }

    pub(super) fn counts_calls(&self) -> bool {
        matches!(self.about, About::UntrackedCalls)
    }

    /// The noun for what the entry counts, and whether the check has inspected that.
    pub(super) fn counts(&self, coverage: Coverage) -> (&'static str, bool) {
        match (&self.about, self.matching().0) {
            (About::UntrackedCalls, _) => ("blocking call", coverage.calls),
            (_, [Matcher::Thread(_)]) => ("thread", coverage.threads),
            (_, [Matcher::Descriptor(_)]) => ("file descriptor", coverage.descriptors),
            _ => ("task", true),
        }
    }

    fn matching(&self) -> (&[Matcher], Option<&Pattern>) {
        match &self.about {
            About::Matching { matchers, future } => (matchers, future.as_ref()),
            About::Untracked | About::UntrackedCalls => (&[], None),
        }
    }
}

/// The conditions: `spawned at "src/mail.rs", future "shop::mail::send::{{closure}}"`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (matchers, future) = match &self.about {
            About::Matching { matchers, future } => (matchers, future),
            About::Untracked => return f.write_str("untracked"),
            About::UntrackedCalls => return f.write_str("untracked calls"),
        };
        let mut parts: Vec<String> = matchers.iter().map(Matcher::to_string).collect();
        let future = future.as_ref().map(Pattern::as_str);
        parts.extend(future.map(|future| format!("future {future:?}")));
        f.write_str(&parts.join(", "))
    }
}
