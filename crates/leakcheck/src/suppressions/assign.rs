//! Assigns everything that is left to an entry of `leakcheck.toml`.
//!
//! Not here: what an entry matches ([`super::entry`]).

use taskscope::TaskDump;

use super::entry::Entry;
use crate::os::OsLeftovers;

/// For each task, thread or descriptor, in their order: the index of its entry. That is the first
/// entry that covers it and has room; if none has room, the first that covers it.
pub(super) type Owners = Vec<Option<usize>>;

/// The entries that everything is assigned to.
pub(super) struct Assignment {
    pub(super) tasks: Owners,
    pub(super) threads: Owners,
    pub(super) descriptors: Owners,
    /// The entry of tasks without a record.
    pub(super) untracked: Option<usize>,
    /// The entry of calls without a record.
    pub(super) calls: Option<usize>,
    /// How many are assigned to each entry.
    pub(super) found: Vec<usize>,
    /// How many have no entry, or are more than their entry lists.
    pub(super) new: usize,
}

impl Assignment {
    pub(super) fn new(
        entries: &[&Entry],
        tasks: &[TaskDump],
        untracked: usize,
        os: &OsLeftovers,
    ) -> Assignment {
        let mut assigner = Assigner {
            entries,
            found: vec![0; entries.len()],
            new: 0,
        };
        Assignment {
            tasks: assigner.owners(tasks, Entry::covers),
            threads: assigner.owners(&os.threads, Entry::covers_thread),
            descriptors: assigner.owners(&os.descriptors, Entry::covers_descriptor),
            untracked: assigner.owner(untracked, Entry::counts_untracked),
            calls: assigner.owner(os.calls, Entry::counts_calls),
            found: assigner.found,
            new: assigner.new,
        }
    }
}

/// An assignment in the making.
struct Assigner<'a> {
    entries: &'a [&'a Entry],
    found: Vec<usize>,
    new: usize,
}

impl Assigner<'_> {
    /// Assigns all things of a kind.
    fn owners<T>(&mut self, left: &[T], covers: fn(&Entry, &T) -> bool) -> Owners {
        left.iter()
            .map(|one| self.one(|entry| covers(entry, one)))
            .collect()
    }

    /// Assigns one thing.
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

    /// Assigns things of which only the number is known.
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
