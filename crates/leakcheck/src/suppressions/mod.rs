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

use taskscope::Dump;

use self::assign::Assignment;
use self::entry::Entry;
use self::file::Source;
use crate::report::Found;
use crate::report::text::tasks;

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
    pub(crate) reason: String,
    /// In the file; `None` while that is being rewritten.
    pub(crate) line: Option<usize>,
    pub(crate) listed: usize,
    pub(crate) found: usize,
    /// Whether it is about this very test, so that it should match something.
    pub(crate) is_own: bool,
}

impl Match {
    fn new(entry: &Entry, found: usize) -> Match {
        Match {
            what: entry.to_string(),
            reason: entry.reason.clone(),
            line: Some(entry.line),
            listed: entry.count,
            found,
            is_own: entry.is_about_one_test(),
        }
    }

    /// More of the same than listed.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.found > self.listed
    }

    /// About this test, and nothing of the kind is left.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_own && self.found == 0
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(file::NAME)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let listed = tasks(self.listed);
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
                tasks(found),
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
    pub(crate) fn covers(&self, dump: &Dump, untracked: usize) -> bool {
        !self.entries.is_empty() && Assignment::new(&self.entries, &dump.tasks, untracked).new == 0
    }

    /// Takes out what is listed, and returns how many tasks are not. An entry that is exceeded takes nothing out: nobody knows
    /// which of the tasks is the new one.
    ///
    /// `failed`: the test has failed already.
    pub(crate) fn sift(&self, found: &mut Found, failed: bool) -> usize {
        if let (true, Some(test)) = (self.update, found.test.clone()) {
            match update::record(&test, found, failed) {
                Ok(listed) => {
                    found.listed = listed;
                    found.dump.tasks.clear();
                    found.untracked = 0;
                }
                Err(problem) => found.problem = Some(problem),
            }
            return found.count();
        }
        found.problem = self.problem.map(str::to_owned);
        let assignment = Assignment::new(&self.entries, &found.dump.tasks, found.untracked);
        let is_exceeded = |at: usize| assignment.found[at] > self.entries[at].count;
        let mut owners = assignment.owners.iter();
        found.dump.tasks.retain(|_| {
            let owner = owners.next().copied().flatten();
            owner.is_none_or(is_exceeded)
        });
        if assignment.untracked.is_some_and(|at| !is_exceeded(at)) {
            found.untracked = 0;
        }
        let entries = self.entries.iter().zip(&assignment.found);
        found.listed = entries
            .map(|(entry, found)| Match::new(entry, *found))
            .collect();
        assignment.new
    }
}
