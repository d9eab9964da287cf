//! The different texts of many tasks, such as their names: the first ones in full, the others as a
//! number.
//!
//! Not here: how groups use them (`group.rs`).

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::hash::{Hash as _, Hasher as _};

use taskscope::text::{LISTED, Listed};

/// At most this many different texts are counted exactly; beyond that, the count is a lower bound.
const MAX_COUNTED: usize = 1 << 12;

/// A set of texts that keeps the first ones by the alphabet, and a hash of eight bytes of each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Distinct {
    first: BTreeSet<String>,
    /// Hashes of all texts. Two of 4,096 are the same once in some 10^12 dumps.
    hashes: HashSet<u64>,
    /// The hash that was added last: the next text is mostly the same.
    last: Option<u64>,
    beyond: bool,
}

impl Distinct {
    pub(crate) fn add(&mut self, text: &str) {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = hasher.finish();
        if self.last.replace(hash) == Some(hash) || self.hashes.contains(&hash) {
            return;
        }
        if self.hashes.len() < MAX_COUNTED {
            self.hashes.insert(hash);
        } else {
            self.beyond = true;
        }
        if self.first.len() < LISTED {
            self.first.insert(text.to_owned());
        } else if self.first.last().is_some_and(|last| text < last.as_str())
            && self.first.insert(text.to_owned())
        {
            self.first.pop_last();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_empty()
    }
}

impl fmt::Display for Distinct {
    /// The first ones, and how many more there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first: Vec<&str> = self.first.iter().map(String::as_str).collect();
        write!(f, "{}", Listed(&first))?;
        match self.hashes.len().saturating_sub(first.len()) {
            0 => Ok(()),
            more if self.beyond => write!(f, " and at least {more} more"),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: impl Iterator<Item = usize>) -> String {
        let mut distinct = Distinct::default();
        texts.for_each(|n| distinct.add(&format!("{n:07}")));
        distinct.to_string()
    }

    // Through a private door: from outside, these would be as many tasks.
    #[test]
    fn the_first_are_named_and_the_others_counted_as_far_as_there_is_room() {
        assert_eq!(of([2, 1, 2, 1].into_iter()), "0000001, 0000002");
        let all = |count| of((0..count).rev().chain(0..count));
        let eight: Vec<String> = (0..LISTED).map(|n| format!("{n:07}")).collect();
        let eight = eight.join(", ");
        assert_eq!(all(LISTED), eight);
        assert_eq!(all(1_000), format!("{eight} and 992 more"));
        assert_eq!(
            all(MAX_COUNTED + 10),
            format!("{eight} and at least {} more", MAX_COUNTED - LISTED)
        );
    }
}
