//! Memory that tasks and scopes hold, for dumps, reports, the page and the metrics.
//!
//! Not here: the samples ([`taskscope::heap`]), profiles (`profile.rs`).

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use taskscope::heap::Held;
use taskscope::{Dump, Plain, TaskDump};

use super::profile::ready;
use super::table;

/// Scopes whose survivors are reported with what they hold; more are left out.
const SCOPES: usize = 10;

/// What each task holds, by its id; empty if the program's allocator does not sample.
pub(crate) type HeldByTask = HashMap<u64, Held>;

pub(crate) fn by_task() -> HeldByTask {
    taskscope::heap::held_by_task().unwrap_or_default()
}

/// What these tasks hold together; `None` if no sample of it is known.
pub(crate) fn together<'a>(
    by_task: &HeldByTask,
    tasks: impl IntoIterator<Item = &'a TaskDump>,
) -> Option<Held> {
    let each = tasks.into_iter().filter_map(|task| by_task.get(&task.id));
    let sum: Held = each.copied().sum();
    (!sum.is_nothing()).then_some(sum)
}

/// One line for what these tasks hold, if a sample of it is known.
pub(crate) fn write<'a>(
    out: &mut dyn Write,
    by_task: &HeldByTask,
    tasks: impl IntoIterator<Item = &'a TaskDump>,
) -> io::Result<()> {
    match together(by_task, tasks) {
        Some(held) => writeln!(out, "  holds    {held} (sampled)"),
        None => Ok(()),
    }
}

/// How much the leak suspects of each scope hold, in sentences, the most first.
pub(crate) fn of_suspects(dump: &Dump) -> Vec<String> {
    let by_task = by_task();
    if by_task.is_empty() {
        return Vec::new();
    }
    // By the name of the scope: how many, whether all have outlived it, and what they hold.
    let mut scopes: BTreeMap<Option<&str>, (usize, bool, Held)> = BTreeMap::new();
    for task in dump.tasks.iter().filter(|task| task.is_leak_suspect()) {
        let name = task.scope.as_ref().map(|scope| scope.name());
        let (count, outlived, held) = scopes.entry(name).or_insert((0, true, Held::default()));
        *count += 1;
        *outlived &= task.scope_ended.is_some();
        *held += by_task.get(&task.id).copied().unwrap_or_default();
    }
    let mut scopes: Vec<_> = scopes.into_iter().collect();
    scopes.retain(|(_, (.., held))| !held.is_nothing());
    scopes.sort_by_key(|(_, (.., held))| std::cmp::Reverse(held.bytes()));
    let sentence = |(name, (count, outlived, held)): (Option<&str>, (usize, bool, Held))| {
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

/// What is held by the route that it was allocated for, also by tasks that have ended; `None`: for no route.
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
