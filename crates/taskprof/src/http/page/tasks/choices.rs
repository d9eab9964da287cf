//! The choices that the filter of the tab with the tasks offers: wait reasons, scopes and verdicts
//! that tasks have.
//!
//! Not here: the form (`list.rs`), the filter itself (`crate::tasks::TaskFilter`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use taskscope::{ScopeInfo, TaskDump, Verdict};

use crate::tasks::{KnownStacks, wait_kinds};

/// Scopes, and waits, that are counted by name; others are found by text.
const MAX_NAMES: usize = 8192;

/// The choices of a snapshot, each with the number of tasks that have it.
#[derive(Debug, Default)]
pub(super) struct Choices {
    pub(super) verdicts: BTreeMap<Verdict, usize>,
    waits: HashMap<Arc<str>, usize>,
    scopes: HashMap<String, usize>,
    stacks: KnownStacks,
}

impl Choices {
    pub(super) fn add(&mut self, task: &TaskDump) {
        *self.verdicts.entry(task.verdict).or_default() += 1;
        let wait = self.stacks.wait(task);
        if self.waits.len() < MAX_NAMES || self.waits.contains_key(&wait) {
            *self.waits.entry(wait).or_default() += 1;
        }
        let mut chain: Vec<ScopeInfo> = Vec::new();
        let mut next = task.scope.clone();
        while let Some(scope) = next {
            next = scope.parent();
            if !chain.iter().any(|other| other.name() == scope.name()) {
                chain.push(scope);
            }
        }
        let room = self.scopes.len() < MAX_NAMES;
        for scope in chain {
            match self.scopes.get_mut(scope.name()) {
                Some(count) => *count += 1,
                None if room => {
                    self.scopes.insert(scope.name().to_owned(), 1);
                }
                None => {}
            }
        }
    }

    /// Each kind of wait, the most frequent first.
    pub(super) fn waits(&self) -> Vec<(String, usize)> {
        let mut single: HashMap<&str, usize> = HashMap::new();
        for (wait, count) in &self.waits {
            for kind in wait_kinds(wait) {
                *single.entry(kind).or_default() += count;
            }
        }
        sorted(
            single
                .into_iter()
                .map(|(kind, count)| (kind.to_owned(), count)),
        )
    }

    /// The scopes by name, those above a task's own included; the most frequent first.
    pub(super) fn scopes(&self) -> Vec<(String, usize)> {
        sorted(self.scopes.clone())
    }
}

/// Counts from the largest; equal ones by name.
fn sorted(counts: impl IntoIterator<Item = (String, usize)>) -> Vec<(String, usize)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts
}
