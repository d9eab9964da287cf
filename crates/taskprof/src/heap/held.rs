//! Memory that tasks and scopes hold, for dumps, reports, the page and the metrics.
//!
//! Not here: the samples ([`taskscope::heap`]), profiles (`profile.rs`).

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use taskscope::heap::Held;
use taskscope::{TaskDump, text::Plain};

use super::profile::ready;
use super::table;

/// At most this many scopes are reported with the memory of their survivors.
const SCOPES: usize = 10;
/// At most this many scopes have a sum of their suspects; the first ones.
const MAX_SCOPES: usize = 1024;

/// Memory that each task holds, by its id; empty if the program's allocator does not sample.
pub(crate) type HeldByTask = HashMap<u64, Held>;

pub(crate) fn by_task() -> HeldByTask {
    taskscope::heap::held_by_task().unwrap_or_default()
}

/// Writes a line about held memory, if there is any.
pub(crate) fn write(out: &mut dyn Write, held: Held) -> io::Result<()> {
    if held.is_nothing() {
        return Ok(());
    }
    writeln!(out, "  holds    {held} (sampled)")
}

/// Leak suspects by scope, and the memory that they hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Suspects {
    /// By the name of the scope: how many, whether all have outlived it, and their memory.
    scopes: BTreeMap<Option<String>, (usize, bool, Held)>,
}

impl Suspects {
    /// Adds a leak suspect and its memory.
    pub(crate) fn add(&mut self, task: &TaskDump, held: Held) {
        let name = task.scope.as_ref().map(|scope| scope.name().to_owned());
        if self.scopes.len() >= MAX_SCOPES && !self.scopes.contains_key(&name) {
            return;
        }
        let (count, outlived, sum) = self
            .scopes
            .entry(name)
            .or_insert((0, true, Held::default()));
        *count += 1;
        *outlived &= task.scope_ended.is_some();
        *sum += held;
    }

    /// Sentences about the memory of each scope's suspects, largest first.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let mut scopes: Vec<_> = self.scopes.iter().collect();
        scopes.retain(|(_, (.., held))| !held.is_nothing());
        scopes.sort_by_key(|(_, (.., held))| std::cmp::Reverse(held.bytes()));
        let sentence =
            |(name, (count, outlived, held)): (&Option<String>, &(usize, bool, Held))| {
                let (suspects, hold) = match (outlived, count) {
                    (true, 1) => ("survivor", "holds"),
                    (true, _) => ("survivors", "hold"),
                    (false, 1) => ("leak suspect", "holds"),
                    (false, _) => ("leak suspects", "hold"),
                };
                match name {
                    Some(name) => {
                        format!(
                            "{count} {suspects} of {} {hold} {held} (sampled)",
                            Plain(name)
                        )
                    }
                    None => format!("{count} {suspects} without a scope {hold} {held} (sampled)"),
                }
            };
        scopes.into_iter().take(SCOPES).map(sentence).collect()
    }
}

/// Held memory by the route that it was allocated for, also by tasks that have ended; `None`: no
/// route.
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "for scrapers"))]
pub(crate) fn by_route() -> BTreeMap<Option<String>, Held> {
    let mut routes: BTreeMap<Option<String>, Held> = BTreeMap::new();
    if ready().is_ok() {
        for (owner, weight) in table::up_to_date().held_by_owner() {
            let route = owner.route.as_deref().map(str::to_owned);
            *routes.entry(route).or_default() += Held::new(weight.bytes(), weight.count());
        }
    }
    routes
}
