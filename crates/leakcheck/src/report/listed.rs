//! One entry of `leakcheck.toml` in a report: what it lists, and how much of that is left.
//!
//! Not here: which tasks an entry matches ([`crate::suppressions`]).

use std::fmt;

use crate::os::counted;
use crate::paths;

/// An entry, and what it has matched in one check.
#[derive(Debug, Clone)]
pub(crate) struct ListedEntry {
    /// The entry's conditions, in words.
    pub(crate) conditions: String,
    /// The noun for what it counts: `task`, `thread`, `file descriptor` or `blocking call`.
    pub(crate) noun: &'static str,
    pub(crate) reason: String,
    /// The line in the file; `None` while the file is being rewritten.
    pub(crate) line: Option<usize>,
    pub(crate) listed: usize,
    pub(crate) found: usize,
    /// Whether it is about this very test and a kind that the check has inspected, so that it
    /// should match something.
    pub(crate) is_due: bool,
}

impl ListedEntry {
    /// Whether more is left than the entry lists.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.found > self.listed
    }

    /// Whether it should match something, and nothing of the kind is left.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_due && self.found == 0
    }
}

impl fmt::Display for ListedEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(paths::SUPPRESSIONS)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        let listed = counted(self.listed, self.noun);
        match self.found {
            0 => write!(
                f,
                " lists {listed}, and none was found (take it out, or run with {}=1)",
                paths::UPDATE_VARIABLE
            )?,
            found if self.is_exceeded() => write!(f, " lists {listed}, and {found} were found")?,
            found => write!(
                f,
                " lists {} that {} left",
                counted(found, self.noun),
                if found == 1 { "is" } else { "are" }
            )?,
        }
        write!(f, ": {} ({})", self.conditions, self.reason)
    }
}
