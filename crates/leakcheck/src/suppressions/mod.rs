//! `leakcheck.toml`, the known leaks of a workspace: those that it lists pass, new ones fail.
//!
//! Here: which entries are about a test, and what they take out of its leaks. The file is read once
//! in a process, unless `LEAKCHECK_UPDATE` is set. It is parsed in [`file`], an entry is matched in
//! [`entry`], tasks are assigned to entries in [`assign`], and the file is written in [`update`].
//!
//! Not here: how an entry is worded in a report ([`crate::report`]).

mod assign;
mod edit;
mod entry;
mod file;
mod update;

use std::sync::OnceLock;

use taskscope::TaskDump;

use self::assign::{Assignment, Owners};
use self::entry::Entry;
use self::file::Source;
use crate::os::{Coverage, OsLeftovers};
use crate::report::{Found, ListedEntry};

/// The entries about one test.
pub(crate) struct Listing {
    /// The entries, in the order of the file.
    entries: Vec<&'static Entry>,
    problem: Option<&'static str>,
    /// Whether the check brings the file up to date.
    update: bool,
}

impl Listing {
    /// Finds the entries for this test; `None` if its name is not known.
    pub(crate) fn for_test(test: Option<&str>) -> Listing {
        static FILE: OnceLock<Result<Vec<Entry>, String>> = OnceLock::new();
        let nothing = Listing {
            entries: Vec::new(),
            problem: None,
            // Without a name, nobody could say whose leaks these are.
            update: update::is_enabled() && test.is_some(),
        };
        // An update reads the file when the check ends, because other tests write it meanwhile.
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

    /// Whether the check brings the file up to date.
    pub(crate) fn is_updated(&self) -> bool {
        self.update
    }

    /// Whether all of this is listed.
    pub(crate) fn covers(&self, tasks: &[TaskDump], untracked: usize, os: &OsLeftovers) -> bool {
        let assignment = || Assignment::new(&self.entries, tasks, untracked, os);
        !self.entries.is_empty() && assignment().new == 0
    }

    /// Takes out what is listed, and returns how many are not. An entry that is exceeded takes
    /// nothing out: nobody knows which of its leaks is the new one.
    ///
    /// `failed` says that the test has failed for another reason.
    pub(crate) fn take_listed(&self, found: &mut Found, failed: bool) -> usize {
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
        let matches = matches.map(|(entry, count)| listed_entry(entry, *count, found.os.coverage));
        found.listed = matches.collect();
        if update {
            // Entries without a match are those of a failed test or of its other checks; line
            // numbers are about to change.
            found.listed.retain(|entry| entry.found > 0);
            found.listed.iter_mut().for_each(|entry| entry.line = None);
        }
        assignment.new
    }
}

/// The entry as a report has it.
fn listed_entry(entry: &Entry, found: usize, coverage: Coverage) -> ListedEntry {
    let (noun, is_covered) = entry.counts(coverage);
    ListedEntry {
        conditions: entry.to_string(),
        noun,
        reason: entry.reason.clone(),
        line: Some(entry.line),
        listed: entry.count,
        found,
        is_due: is_covered && entry.is_about_one_test(),
    }
}

/// Keeps what no entry lists, and what belongs to an entry that is exceeded.
fn retain_new<T>(left: &mut Vec<T>, owners: &Owners, is_exceeded: impl Fn(usize) -> bool) {
    let mut owners = owners.iter();
    left.retain(|_| {
        let owner = owners.next().copied().flatten();
        owner.is_none_or(&is_exceeded)
    });
}
