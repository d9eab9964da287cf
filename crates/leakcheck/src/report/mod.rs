//! What a check has found, and how it is told.
//!
//! Here: all that is known when a check ends, and the order of its groups. Not here: the message ([`text`]), the line of JSON ([`json`]), where
//! that is written ([`file`]), and what is a leak at all ([`crate::conclude`]).

pub(crate) mod file;
mod json;
mod stack;
pub(crate) mod text;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use taskscope::{Dump, Group, Verdict};

use crate::os::{Descriptor, OsLeft, OsThread};
use crate::rules::Allowed;
use crate::suppressions::Match;

/// Tasks that were alive when they should not have been.
///
/// `Display` is the report, of at most [`MAX_LINES`](crate::MAX_LINES) lines: a headline, then a block for each distinct verdict, spawn site and stack,
/// the most likely cause first.
#[derive(Clone)]
pub struct Leaks(Box<Found>);

/// All that a check knows at its end.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) test: Option<Cow<'static, str>>,
    /// The tasks that are left, without those that rules ignore and those that `leakcheck.toml` lists.
    pub(crate) dump: Dump,
    pub(crate) untracked: usize,
    /// Threads, descriptors and calls that are left.
    pub(crate) os: OsLeft,
    pub(crate) waited: Duration,
    /// The rules, each with how many tasks it has ignored at most.
    pub(crate) ignored: Vec<Ignored>,
    /// Rules that matched nothing and should have.
    pub(crate) unused: Vec<String>,
    pub(crate) allowed: Option<Allowed>,
    /// The entries of `leakcheck.toml` about this test, with how many tasks each has matched.
    pub(crate) listed: Vec<Match>,
    /// Why `leakcheck.toml` cannot be used.
    pub(crate) problem: Option<String>,
}

/// What one rule did.
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
    /// What is left is allowed, or listed in `leakcheck.toml`.
    Known,
    /// More is left than that.
    Leaked,
    /// A rule matched nothing, and that is denied.
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

    /// The most likely cause first, then the largest group.
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

    /// How many tasks there are, tracked and untracked.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.count()
    }

    /// How many of them have no record, because plain `tokio::spawn` started them.
    #[must_use]
    pub fn untracked(&self) -> usize {
        self.0.untracked
    }

    /// All that is known about those that have one.
    #[must_use]
    pub fn dump(&self) -> &Dump {
        &self.0.dump
    }

    /// Threads that were left, if they were [asked for](crate::Options::threads). They are the process's.
    #[must_use]
    pub fn threads(&self) -> &[OsThread] {
        &self.0.os.threads
    }

    /// File descriptors that were left open, if they were [asked for](crate::Options::descriptors). They are the process's.
    #[must_use]
    pub fn descriptors(&self) -> &[Descriptor] {
        &self.0.os.descriptors
    }

    /// Calls on the blocking pool that have no record, because plain `tokio::task::spawn_blocking` made them; 0 without `--cfg tokio_unstable`.
    #[must_use]
    pub fn untracked_calls(&self) -> usize {
        self.0.os.calls
    }

    /// The rules that matched nothing, with their reasons.
    #[must_use]
    pub fn unused_rules(&self) -> &[String] {
        &self.0.unused
    }

    /// How long the check waited for them to end.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.0.waited
    }

    /// The test that left them, if its name is known: see [`Options::test`](crate::Options::test).
    #[must_use]
    pub fn test(&self) -> Option<&str> {
        self.0.test.as_deref()
    }
}

impl Error for Leaks {}

/// The report, as `Display` writes it: this is what a test that returns `Result` or unwraps one shows.
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
