//! Which entry of `leakcheck.toml` each thing that is left belongs to.

use taskscope::TaskDump;

use super::entry::Entry;
use crate::os::OsLeft;

/// One for each of a kind: the first entry that covers it and has room; if none has room, the first that covers it.
pub(super) type Owners = Vec<Option<usize>>;

/// Which entry each of them belongs to.
pub(super) struct Assignment {
    pub(super) tasks: Owners,
    pub(super) threads: Owners,
    pub(super) descriptors: Owners,
    /// The entry of those tasks, and of those calls, that have no record.
    pub(super) untracked: Option<usize>,
    pub(super) calls: Option<usize>,
    /// One for each entry: how many belong to it.
    pub(super) found: Vec<usize>,
    /// How many belong to none, or are more than the entry lists.
    pub(super) new: usize,
}

impl Assignment {
    pub(super) fn new(
        entries: &[&Entry],
        tasks: &[TaskDump],
        untracked: usize,
        os: &OsLeft,
    ) -> Assignment {
        let mut book = Book {
            entries,
            found: vec![0; entries.len()],
            new: 0,
        };
        Assignment {
            tasks: book.owners(tasks, Entry::covers),
            threads: book.owners(&os.threads, Entry::covers_thread),
            descriptors: book.owners(&os.descriptors, Entry::covers_descriptor),
            untracked: book.owner(untracked, Entry::counts_untracked),
            calls: book.owner(os.calls, Entry::counts_calls),
            found: book.found,
            new: book.new,
        }
    }
}

/// What has been given away so far.
struct Book<'a> {
    entries: &'a [&'a Entry],
    found: Vec<usize>,
    new: usize,
}

impl Book<'_> {
    fn owners<T>(&mut self, left: &[T], covers: fn(&Entry, &T) -> bool) -> Owners {
        left.iter()
            .map(|one| self.one(|entry| covers(entry, one)))
            .collect()
    }

    fn one(&mut self, covers: impl Fn(&Entry) -> bool) -> Option<usize> {
        let covering = || (0..self.entries.len()).filter(|at| covers(self.entries[*at]));
        let roomy = covering().find(|at| self.found[*at] < self.entries[*at].count);
        let owner = roomy.or_else(|| covering().next());
        self.new += usize::from(roomy.is_none());
        if let Some(at) = owner {
            self.found[at] += 1;
        }
        owner
    }

    /// Of those that are known by their number alone.
    fn owner(&mut self, number: usize, counts: fn(&Entry) -> bool) -> Option<usize> {
        let listing = self.entries.iter().position(|entry| counts(entry));
        let owner = listing.filter(|_| number > 0);
        let listed = owner.map_or(0, |at| self.entries[at].count);
        self.new += number.saturating_sub(listed);
        if let Some(at) = owner {
            self.found[at] = number;
        }
        owner
    }
}
