//! `leakcheck.toml`: the leaks that a workspace knows about. They are listed and pass; new ones fail.
//!
//! Here: which entries are about a test, and what they take out of its leaks. The file is read once in a process, unless
//! `LEAKCHECK_UPDATE` is set. Not here: how it is read ([`file`]), what an entry matches ([`entry`]), who gets which task ([`assign`]), how it is
//! brought up to date ([`update`]).

mod assign;
mod edit;
mod entry;
mod file;
mod update;

use std::fmt;
use std::sync::OnceLock;

use self::assign::{Assignment, Owners};
use self::entry::Entry;
use self::file::Source;
use crate::field::Left;
use crate::os::{Seen, counted};
use crate::report::Found;

/// The entries about one test.
pub(crate) struct Listing {
    /// In the order of the file.
    entries: Vec<&'static Entry>,
    problem: Option<&'static str>,
    update: bool,
}

/// What one entry has matched.
#[derive(Debug, Clone)]
pub(crate) struct Match {
    /// In words.
    pub(crate) what: String,
    /// What is counted.
    noun: &'static str,
    pub(crate) reason: String,
    /// In the file; `None` while that is being rewritten.
    pub(crate) line: Option<usize>,
    pub(crate) listed: usize,
    pub(crate) found: usize,
    /// Whether it is about this very test and what that has looked at, so that it should match something.
    is_due: bool,
}

impl Match {
    fn new(entry: &Entry, found: usize, seen: Seen) -> Match {
        let (noun, is_seen) = entry.counts(seen);
        Match {
            what: entry.to_string(),
            noun,
            reason: entry.reason.clone(),
            line: Some(entry.line),
            listed: entry.count,
            found,
            is_due: is_seen && entry.is_about_one_test(),
        }
    }

    /// More of the same than listed.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.found > self.listed
    }

    /// About this test, and nothing of the kind is left.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_due && self.found == 0
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(file::NAME)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let listed = counted(self.listed, self.noun);
        match self.found {
            0 => write!(
                f,
                " lists {listed}, and none was found (take it out, or run with {}=1)",
                update::VARIABLE
            )?,
            found if self.is_exceeded() => write!(f, " lists {listed}, and {found} were found")?,
            found => write!(
                f,
                " lists {} that {} left",
                counted(found, self.noun),
                if found == 1 { "is" } else { "are" }
            )?,
        }
        write!(f, ": {} ({})", self.what, self.reason)
    }
}

impl Listing {
    /// Of this test, if its name is known.
    pub(crate) fn of(test: Option<&str>) -> Listing {
        static FILE: OnceLock<Result<Vec<Entry>, String>> = OnceLock::new();
        let nothing = Listing {
            entries: Vec::new(),
            problem: None,
            // Without a name nobody could say whose leaks these are.
            update: update::is_wanted() && test.is_some(),
        };
        // Then the file changes; it is read when the check ends.
        if nothing.update {
            return nothing;
        }
        let read = || Source::find().map_or(Ok(Vec::new()), |source| source.read());
        match FILE.get_or_init(read) {
            Ok(entries) => Listing {
                entries: entries.iter().filter(|entry| entry.is_for(test)).collect(),
                ..nothing
            },
            Err(problem) => Listing {
                problem: Some(problem),
                ..nothing
            },
        }
    }

    pub(crate) fn needs_stacks(&self) -> bool {
        self.entries.iter().any(|entry| entry.needs_stacks())
    }

    /// Whether the file is being written.
    pub(crate) fn is_updated(&self) -> bool {
        self.update
    }

    /// Whether all of this is listed.
    pub(crate) fn covers(&self, left: &Left) -> bool {
        let assignment =
            || Assignment::new(&self.entries, &left.dump.tasks, left.untracked, &left.os);
        !self.entries.is_empty() && assignment().new == 0
    }

    /// Takes out what is listed, and returns how many are not. An entry that is exceeded takes nothing out: nobody knows
    /// which of them is the new one.
    ///
    /// `failed`: the test has failed already.
    pub(crate) fn sift(&self, found: &mut Found, failed: bool) -> usize {
        let (update, mut updated) = (self.update, Vec::new());
        if let (true, Some(test)) = (update, found.test.clone()) {
            match update::record(&test, found, failed) {
                Ok(entries) => updated = entries,
                Err(problem) => found.problem = Some(problem),
            }
        } else {
            found.problem = self.problem.map(str::to_owned);
        }
        let updated = updated.iter();
        let updated = updated.filter(|entry| entry.is_for(found.test.as_deref()));
        let entries: Vec<&Entry> = self.entries.iter().copied().chain(updated).collect();
        let assignment = Assignment::new(&entries, &found.dump.tasks, found.untracked, &found.os);
        let is_exceeded = |at: usize| assignment.found[at] > entries[at].count;
        retain_new(&mut found.dump.tasks, &assignment.tasks, is_exceeded);
        retain_new(&mut found.os.threads, &assignment.threads, is_exceeded);
        retain_new(
            &mut found.os.descriptors,
            &assignment.descriptors,
            is_exceeded,
        );
        if assignment.untracked.is_some_and(|at| !is_exceeded(at)) {
            found.untracked = 0;
        }
        if assignment.calls.is_some_and(|at| !is_exceeded(at)) {
            found.os.calls = 0;
        }
        let matches = entries.iter().zip(&assignment.found);
        let matches = matches.map(|(entry, count)| Match::new(entry, *count, found.os.seen));
        found.listed = matches.collect();
        if update {
            // What stays without a match is that of a test that failed, or of its other checks; and lines are about to move.
            found.listed.retain(|entry| entry.found > 0);
            found.listed.iter_mut().for_each(|entry| entry.line = None);
        }
        assignment.new
    }
}

/// Leaves those that no entry lists, and those of an entry that is exceeded.
fn retain_new<T>(left: &mut Vec<T>, owners: &Owners, is_exceeded: impl Fn(usize) -> bool) {
    let mut owners = owners.iter();
    left.retain(|_| {
        let owner = owners.next().copied().flatten();
        owner.is_none_or(&is_exceeded)
    });
}
