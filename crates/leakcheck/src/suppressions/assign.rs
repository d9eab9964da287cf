//! Which entry of `leakcheck.toml` each task belongs to.

use taskscope::TaskDump;

use super::entry::Entry;

/// Which entry each task belongs to.
pub(super) struct Assignment {
    /// One for each task: the first entry that covers it and has room; if none has room, the first that covers it.
    pub(super) owners: Vec<Option<usize>>,
    /// The entry of the untracked ones.
    pub(super) untracked: Option<usize>,
    /// One for each entry: how many tasks belong to it.
    pub(super) found: Vec<usize>,
    /// How many tasks belong to none, or are more than the entry lists.
    pub(super) new: usize,
}

impl Assignment {
    pub(super) fn new(entries: &[&Entry], tasks: &[TaskDump], untracked: usize) -> Assignment {
        let mut found = vec![0; entries.len()];
        let mut new = 0;
        let mut owners = Vec::with_capacity(tasks.len());
        for task in tasks {
            let covering = || (0..entries.len()).filter(|at| entries[*at].covers(task));
            let roomy = covering().find(|at| found[*at] < entries[*at].count);
            let owner = roomy.or_else(|| covering().next());
            new += usize::from(roomy.is_none());
            if let Some(at) = owner {
                found[at] += 1;
            }
            owners.push(owner);
        }
        let of_untracked = match untracked {
            0 => None,
            _ => entries.iter().position(|entry| entry.counts_untracked()),
        };
        match of_untracked {
            Some(at) => {
                found[at] = untracked;
                new += untracked.saturating_sub(entries[at].count);
            }
            None => new += untracked,
        }
        Assignment {
            owners,
            untracked: of_untracked,
            found,
            new,
        }
    }
}
