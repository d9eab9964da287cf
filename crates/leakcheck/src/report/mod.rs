//! The report of a check: all that is known when it ends ([`Found`]), and the error [`Leaks`].
//!
//! The message is made in [`text`], the line of JSON in [`json`]; [`file`] appends the line to a
//! file. Not here: what counts as a leak ([`crate::checker`], [`crate::outcome`]).

pub(crate) mod file;
mod json;
mod listed;
mod stack;
pub(crate) mod text;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use taskscope::{Dump, Verdict, dump::Group};

pub(crate) use self::listed::ListedEntry;
use crate::os::{Descriptor, OsLeftovers, OsThread};
use crate::rules::Allowed;

/// Tasks that were alive when they should not have been.
///
/// `Display` is the report, of at most [`MAX_LINES`](crate::MAX_LINES) lines: a headline, then a
/// block for each distinct verdict, spawn site and stack, the most likely cause first.
#[derive(Clone)]
pub struct Leaks(Box<Found>);

/// The data of a report.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) test: Option<Cow<'static, str>>,
    /// The tasks that are left, without those that a rule ignores or `leakcheck.toml` lists.
    pub(crate) dump: Dump,
    pub(crate) untracked: usize,
    /// Threads, descriptors and calls that are left.
    pub(crate) os: OsLeftovers,
    pub(crate) waited: Duration,
    /// Every rule, with the highest number of tasks that it has ignored in one count.
    pub(crate) ignored: Vec<Ignored>,
    /// Rules that matched nothing and should have.
    pub(crate) unused: Vec<String>,
    pub(crate) allowed: Option<Allowed>,
    /// The entries of `leakcheck.toml` about this test, and what each has matched.
    pub(crate) listed: Vec<ListedEntry>,
    /// Why `leakcheck.toml` cannot be used.
    pub(crate) problem: Option<String>,
}

/// A rule, and how many tasks it has ignored.
#[derive(Debug, Clone)]
pub(crate) struct Ignored {
    pub(crate) rule: String,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) tasks: usize,
}

/// How a check ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing is left.
    Clean,
    /// All that is left is allowed, or listed in `leakcheck.toml`.
    Known,
    /// More is left than that.
    Leaked,
    /// A rule matched nothing, and [`deny_unused`](crate::Options::deny_unused) is set.
    UnusedRule,
    /// `leakcheck.toml` cannot be used.
    Unusable,
}

impl Outcome {
    pub(crate) fn passes(self) -> bool {
        matches!(self, Outcome::Clean | Outcome::Known)
    }

    fn name(self) -> &'static str {
        match self {
            Outcome::Clean => "clean",
            Outcome::Known => "known",
            Outcome::Leaked => "leaked",
            Outcome::UnusedRule => "unused rule",
            Outcome::Unusable => "unusable leakcheck.toml",
        }
    }
}

impl Found {
    pub(crate) fn count(&self) -> usize {
        self.dump.tasks.len() + self.untracked
    }

    /// The groups of tasks: the most likely cause first, then the largest group.
    fn groups(&self) -> Vec<Group<'_>> {
        let mut groups = self.dump.groups();
        // Verdicts are ordered from the strongest; the sort is stable.
        let order = |verdict| (verdict != Verdict::LostWakeup, verdict);
        groups.sort_by_key(|group| order(group.oldest().verdict));
        groups
    }
}

impl Leaks {
    pub(crate) fn new(found: Found) -> Leaks {
        Leaks(Box::new(found))
    }

    /// How many tasks are left, tracked and untracked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// How many of them have no record, because plain `tokio::spawn` spawned them.
    #[must_use]
    pub fn untracked(&self) -> usize {
        self.0.untracked
    }

    /// The tasks with a record, and all that is known about them.
    #[must_use]
    pub fn dump(&self) -> &Dump {
        &self.0.dump
    }

    /// The threads that are left, if the check [inspected](crate::Options::threads) them. They may
    /// belong to anything in the process.
    #[must_use]
    pub fn threads(&self) -> &[OsThread] {
        &self.0.os.threads
    }

    /// The file descriptors that are still open, if the check
    /// [inspected](crate::Options::descriptors) them. They may belong to anything in the process.
    #[must_use]
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.0.os.descriptors
    }

    /// How many calls on the blocking pool have no record, because plain
    /// `tokio::task::spawn_blocking` made them. 0 without `--cfg tokio_unstable`.
    #[must_use]
    pub fn untracked_calls(&self) -> usize {
        self.0.os.calls
    }

    /// The rules that matched nothing, with their reasons.
    #[must_use]
    pub fn unused_rules(&self) -> &[String] {
        &self.0.unused
    }

    /// How long the check waited for tasks to end.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.0.waited
    }

    /// The name of the test, if it is known: see [`Options::test`](crate::Options::test).
    #[must_use]
    pub fn test(&self) -> Option<&str> {
        self.0.test.as_deref()
    }
}

impl Error for Leaks {}

/// Writes the text of `Display`, because a test that returns a `Result`, or unwraps one, shows
/// `Debug`.
impl fmt::Debug for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Leaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::message(&self.0)
            .iter()
            .try_for_each(|line| writeln!(f, "{line}"))
    }
}
