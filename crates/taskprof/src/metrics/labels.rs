//! Values of labels: short, and no more of them than a number.
//!
//! A store keeps a series for each value that it was ever sent. So the first values keep their
//! series for the life of the process, and later ones share one: a metric of its own, named
//! `overflow`, so that it cannot be mistaken for a value called "other". Not here: the metrics
//! (`table.rs`).

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use taskscope::Verdict;
use taskscope::census::{Breakdown, Counts, ScopeNames};
use taskscope::text::{bounded, bounded_end};

/// At most this many names of scopes.
pub(super) const MAX_SCOPES: usize = 100;
/// At most this many runtimes.
pub(super) use crate::source::runtime::MAX_SERIES as MAX_RUNTIMES;
/// At most this many kinds of tracked values.
pub(super) const MAX_KINDS: usize = 50;
/// At most this many spawn sites that only grow: those that grow most. They change, but they are
/// places in the source.
pub(super) const MAX_SITES: usize = 20;
/// The longest value, in characters.
pub(super) const MAX_CHARS: usize = 120;

/// Values that have a series.
pub(super) struct Series {
    pub(super) scopes: Option<ScopeNames>,
    runtimes: Vec<u64>,
    kinds: Vec<&'static str>,
    /// Names of scopes whose tasks have allocated held memory.
    holders: Vec<String>,
}

static SERIES: Mutex<Series> = Mutex::new(Series {
    scopes: None,
    runtimes: Vec::new(),
    kinds: Vec::new(),
    holders: Vec::new(),
});

/// Locks the values. Only scrapes wait for this.
pub(super) fn series() -> MutexGuard<'static, Series> {
    // Series are added one by one, each as a whole.
    crate::sync::lock(&SERIES)
}

impl Series {
    pub(super) fn scopes(&mut self) -> &mut ScopeNames {
        self.scopes
            .get_or_insert_with(|| ScopeNames::new(MAX_SCOPES))
    }

    pub(super) fn admit_runtime(&mut self, number: u64) -> bool {
        admit(&mut self.runtimes, number, MAX_RUNTIMES)
    }

    pub(super) fn admit_holder(&mut self, scope: &str) -> bool {
        admit(&mut self.holders, scope.to_owned(), MAX_SCOPES)
    }

    pub(super) fn admit_kind(&mut self, kind: &'static str) -> bool {
        admit(&mut self.kinds, kind, MAX_KINDS)
    }
}

/// Whether a value has a series; a new value gets one while there are some left.
fn admit<T: PartialEq>(known: &mut Vec<T>, wanted: T, most: usize) -> bool {
    let has = known.contains(&wanted);
    let room = known.len() < most;
    if !has && room {
        known.push(wanted);
    }
    has || room
}

/// Cuts a value that is too long, and says by how much.
pub(super) fn cut(text: &str) -> String {
    bounded(text, MAX_CHARS).into_owned()
}

/// Cuts the beginning of a place in the source, because its end says most.
pub(super) fn cut_path(path: &str) -> String {
    bounded_end(path, MAX_CHARS).into_owned()
}

/// Counts of tasks for all scopes with one label.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ScopeCounts {
    pub(super) by_verdict: [usize; Verdict::ALL.len()],
    pub(super) suspects: usize,
}

impl ScopeCounts {
    fn add(&mut self, counts: &Counts) {
        for (sum, verdict) in self.by_verdict.iter_mut().zip(Verdict::ALL) {
            *sum += counts.of(verdict);
        }
        self.suspects += counts.suspects();
    }
}

/// Counts of tasks by the label of their scope. Names that become equal when they are cut are added
/// up: a scraper drops the whole answer for two points with the same labels.
pub(super) fn by_scope(breakdown: &Breakdown) -> BTreeMap<String, ScopeCounts> {
    let mut scopes: BTreeMap<String, ScopeCounts> = BTreeMap::new();
    for (name, counts) in breakdown.scopes() {
        scopes.entry(cut(name)).or_default().add(counts);
    }
    scopes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_values_keep_their_series_and_later_ones_get_none() {
        let mut series = Vec::new();
        let admitted: Vec<bool> = [7, 8, 9, 7, 9].map(|it| admit(&mut series, it, 2)).into();
        assert_eq!(admitted, [true, true, false, true, false]);
    }

    #[test]
    fn a_value_is_cut_between_characters_and_shows_that_it_was() {
        assert_eq!(cut(&"ü".repeat(MAX_CHARS)), "ü".repeat(MAX_CHARS));
        let long = cut(&"ü".repeat(MAX_CHARS + 1));
        assert!(long.chars().count() <= MAX_CHARS);
        assert!(long.ends_with("ü… (24 more characters)"), "{long}");
        let path = format!("{}/src/main.rs:12:9", "/folder".repeat(MAX_CHARS));
        let cut = cut_path(&path);
        assert!(cut.chars().count() <= MAX_CHARS);
        assert!(
            cut.contains(" more characters) …") && cut.ends_with("r/src/main.rs:12:9"),
            "{cut}"
        );
    }
}
