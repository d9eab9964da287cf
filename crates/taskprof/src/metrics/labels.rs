//! Values of labels: short, and no more of them than a number.
//!
//! A store keeps a series for each value that it has ever seen. So whoever came first has a place for the life of the process, and those who come later share one; what
//! is shared has a metric of its own, so it cannot be mistaken for one whose name is "other".

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use taskscope::Verdict;
use taskscope::census::{Breakdown, Counts, ScopeNames};
use taskscope::text::{bounded, bounded_end};

/// Names of scopes.
pub(super) const MAX_SCOPES: usize = 100;
/// Runtimes.
pub(super) use crate::source::runtime::MAX_SERIES as MAX_RUNTIMES;
/// Kinds of tracked values.
pub(super) const MAX_KINDS: usize = 50;
/// Spawn sites that only grow: those that grow most. They change, but they are places in the source.
pub(super) const MAX_SITES: usize = 20;
/// Characters of a value.
pub(super) const MAX_CHARS: usize = 120;

/// What has a place.
pub(super) struct Places {
    pub(super) scopes: Option<ScopeNames>,
    runtimes: Vec<u64>,
    kinds: Vec<&'static str>,
    /// Names of scopes whose tasks have allocated what is held.
    holders: Vec<String>,
}

static PLACES: Mutex<Places> = Mutex::new(Places {
    scopes: None,
    runtimes: Vec::new(),
    kinds: Vec::new(),
    holders: Vec::new(),
});

/// Those that have a place. Only scrapes wait for this.
pub(super) fn places() -> MutexGuard<'static, Places> {
    // Places are added one by one, each as a whole.
    crate::sync::lock(&PLACES)
}

impl Places {
    pub(super) fn scopes(&mut self) -> &mut ScopeNames {
        self.scopes
            .get_or_insert_with(|| ScopeNames::new(MAX_SCOPES))
    }

    pub(super) fn has_runtime(&mut self, number: u64) -> bool {
        has_place(&mut self.runtimes, number, MAX_RUNTIMES)
    }

    pub(super) fn has_holder(&mut self, scope: &str) -> bool {
        has_place(&mut self.holders, scope.to_owned(), MAX_SCOPES)
    }

    pub(super) fn has_kind(&mut self, kind: &'static str) -> bool {
        has_place(&mut self.kinds, kind, MAX_KINDS)
    }
}

/// Whether it has a place, which it gets if there is one left.
fn has_place<T: PartialEq>(places: &mut Vec<T>, wanted: T, most: usize) -> bool {
    let has = places.contains(&wanted);
    let room = places.len() < most;
    if !has && room {
        places.push(wanted);
    }
    has || room
}

/// The value of a label: cut where it is too long, which says by how much.
pub(super) fn cut(text: &str) -> String {
    bounded(text, MAX_CHARS).into_owned()
}

/// The same for a place in the source, of which the end tells most.
pub(super) fn cut_path(path: &str) -> String {
    bounded_end(path, MAX_CHARS).into_owned()
}

/// Tasks of all scopes of one label.
#[derive(Debug, Default, PartialEq)]
pub(super) struct OfScope {
    pub(super) by_verdict: [usize; Verdict::ALL.len()],
    pub(super) suspects: usize,
}

impl OfScope {
    fn add(&mut self, counts: &Counts) {
        for (sum, verdict) in self.by_verdict.iter_mut().zip(Verdict::ALL) {
            *sum += counts.of(verdict);
        }
        self.suspects += counts.suspects();
    }
}

/// Tasks by the label of their scope. Names that are the same when they are cut are counted together: two points with the same labels would cost the whole scrape.
pub(super) fn by_scope(breakdown: &Breakdown) -> BTreeMap<String, OfScope> {
    let mut scopes: BTreeMap<String, OfScope> = BTreeMap::new();
    for (name, counts) in breakdown.scopes() {
        scopes.entry(cut(name)).or_default().add(counts);
    }
    scopes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_came_first_keeps_the_place_and_who_is_too_late_gets_none() {
        let mut places = Vec::new();
        let has: Vec<bool> = [7, 8, 9, 7, 9]
            .map(|it| has_place(&mut places, it, 2))
            .into();
        assert_eq!(has, [true, true, false, true, false]);
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
