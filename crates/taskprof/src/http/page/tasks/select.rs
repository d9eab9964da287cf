//! The tasks of a look that somebody wants to see: filtered, sorted, put together.
//!
//! What is said of a stack is looked up once for each distinct one, because thousands of tasks share a few. Not here: how they are shown.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use taskscope::text::plain;
use taskscope::{Dump, Group, TaskDump, Trace};

use super::wanted::{Grouping, Sort, Wanted};

/// What has been found out about the stacks of a look.
#[derive(Default)]
pub(super) struct Known {
    waits: HashMap<*const Trace, Arc<str>>,
    /// Whether the text that is looked for is in it.
    found: HashMap<*const Trace, bool>,
}

impl Known {
    /// What the task waits for, in words.
    pub(super) fn wait(&mut self, task: &TaskDump) -> Arc<str> {
        let words = || -> Arc<str> { task.wait_reason().to_string().into() };
        match &task.trace {
            Ok(trace) => Arc::clone(self.waits.entry(Arc::as_ptr(trace)).or_insert_with(words)),
            Err(_) => words(),
        }
    }

    fn stack_has(&mut self, task: &TaskDump, text: &str) -> bool {
        let Ok(trace) = &task.trace else {
            return false;
        };
        *self.found.entry(Arc::as_ptr(trace)).or_insert_with(|| {
            let mut frames = trace.branches().iter().flat_map(|branch| &branch.frames);
            frames.any(|frame| {
                has(&frame.function, text)
                    || frame.file.as_deref().is_some_and(|file| has(file, text))
            })
        })
    }
}

/// Without regard to case; `text` is in lower case.
fn has(within: &str, text: &str) -> bool {
    within.to_lowercase().contains(text)
}

/// Whether a name is the one that was asked for: as it is, or as a form shows it, which would lose what cannot be seen.
fn is(name: &str, asked: &str) -> bool {
    name == asked || matches!(plain(name), Cow::Owned(shown) if shown == asked)
}

/// The kinds that a wait reason names.
pub(super) fn kinds(wait: &str) -> impl Iterator<Item = &str> {
    wait.split(" | ")
}

impl Wanted {
    fn wants(&self, task: &TaskDump, known: &mut Known) -> bool {
        self.verdict.is_none_or(|verdict| task.verdict == verdict)
            && (!self.suspects || task.is_leak_suspect())
            && self
                .name
                .as_deref()
                .is_none_or(|asked| task.name.as_deref().is_some_and(|name| is(name, asked)))
            && self
                .site
                .as_deref()
                .is_none_or(|site| is(&task.site.to_string(), site))
            && self.scope.as_deref().is_none_or(|name| {
                std::iter::successors(task.scope.clone(), |scope| scope.parent())
                    .any(|scope| is(scope.name(), name))
            })
            && self.wait.as_deref().is_none_or(|wait| {
                let waits = known.wait(task);
                *waits == *wait || kinds(&waits).any(|kind| kind == wait)
            })
            && self
                .text
                .as_deref()
                .is_none_or(|text| self.has_text(task, text, known))
    }

    fn has_text(&self, task: &TaskDump, text: &str, known: &mut Known) -> bool {
        let labelled = |labels: &[(Arc<str>, Arc<str>)]| {
            labels
                .iter()
                .any(|(key, value)| has(key, text) || has(value, text))
        };
        task.name.as_deref().is_some_and(|name| has(name, text))
            || has(task.future, text)
            || has(&task.site.to_string(), text)
            || task.id.to_string() == text
            || labelled(&task.labels)
            || task
                .scope
                .as_ref()
                .is_some_and(|scope| has(scope.name(), text) || labelled(&scope.labels()))
            || has(&known.wait(task), text)
            || known.stack_has(task, text)
    }
}

/// The tasks that are wanted, in order.
pub(super) fn tasks<'a>(dump: &'a Dump, wanted: &Wanted, known: &mut Known) -> Vec<&'a TaskDump> {
    let mut tasks: Vec<&TaskDump> = dump
        .tasks
        .iter()
        .filter(|task| wanted.wants(task, known))
        .collect();
    // The oldest come first already, and equals stay in that order.
    match wanted.sort {
        Sort::Age => {}
        Sort::Since => tasks.sort_by_key(|task| Reverse(task.state.since())),
        Sort::Polls => tasks.sort_by_key(|task| Reverse(task.polls)),
        Sort::Busy => tasks.sort_by_key(|task| Reverse(task.busy)),
        Sort::Verdict => tasks.sort_by_key(|task| task.verdict),
        Sort::Name => tasks.sort_by(|one, other| label(one).cmp(label(other))),
        Sort::Id => tasks.sort_by_key(|task| task.id),
    }
    if wanted.reversed {
        tasks.reverse();
    }
    tasks
}

/// What a task is called: its name, or else what its future is.
pub(in crate::http::page) fn label(task: &TaskDump) -> &str {
    task.name.as_deref().unwrap_or(task.future)
}

/// Tasks together, and what they have in common.
pub(super) struct Together<'a> {
    /// In words; of those that are alike none is needed.
    pub(super) common: String,
    /// Oldest first. Never empty.
    pub(super) tasks: Vec<&'a TaskDump>,
    /// What leads to them.
    pub(super) wanted: Wanted,
}

/// The largest first.
pub(super) fn groups<'a>(
    tasks: &[&'a TaskDump],
    wanted: &Wanted,
    known: &mut Known,
) -> Vec<Together<'a>> {
    let every = Wanted {
        grouping: Grouping::None,
        from: 0,
        ..wanted.clone()
    };
    match wanted.grouping {
        Grouping::Alike => Group::of(tasks.iter().copied())
            .into_iter()
            .map(|group| {
                let first = group.oldest();
                Together {
                    common: String::new(),
                    wanted: Wanted {
                        verdict: Some(first.verdict),
                        wait: Some(known.wait(first).to_string()),
                        site: Some(first.site.to_string()),
                        ..every.clone()
                    },
                    tasks: group.tasks,
                }
            })
            .collect(),
        Grouping::Verdict => by(
            tasks,
            |task| task.verdict,
            |verdict| {
                let wanted = Wanted {
                    verdict: Some(*verdict),
                    ..every.clone()
                };
                (verdict.to_string(), wanted)
            },
        ),
        Grouping::Wait => by(
            tasks,
            |task| known.wait(task),
            |wait| {
                let wanted = Wanted {
                    wait: Some(wait.to_string()),
                    ..every.clone()
                };
                (wait.to_string(), wanted)
            },
        ),
        Grouping::Scope => by(
            tasks,
            |task| task.scope.as_ref().map(|scope| scope.name().to_owned()),
            |scope| match scope {
                Some(name) => (
                    name.clone(),
                    Wanted {
                        scope: scope.clone(),
                        ..every.clone()
                    },
                ),
                None => ("no scope".to_owned(), every.clone()),
            },
        ),
        Grouping::Site => by(
            tasks,
            |task| task.site,
            |site| {
                let wanted = Wanted {
                    site: Some(site.to_string()),
                    ..every.clone()
                };
                (site.to_string(), wanted)
            },
        ),
        Grouping::Name => by(
            tasks,
            |task| task.name.as_deref().map(str::to_owned),
            |name| match name {
                Some(text) => (
                    text.clone(),
                    Wanted {
                        name: name.clone(),
                        ..every.clone()
                    },
                ),
                None => ("no name".to_owned(), every.clone()),
            },
        ),
        Grouping::None => Vec::new(),
    }
}

fn by<'a, K: Eq + Hash>(
    tasks: &[&'a TaskDump],
    mut key: impl FnMut(&'a TaskDump) -> K,
    told: impl Fn(&K) -> (String, Wanted),
) -> Vec<Together<'a>> {
    let mut groups: HashMap<K, Vec<&TaskDump>> = HashMap::new();
    for task in tasks {
        groups.entry(key(task)).or_default().push(task);
    }
    let mut groups: Vec<Together<'_>> = groups
        .into_iter()
        .map(|(key, tasks)| {
            let (common, wanted) = told(&key);
            Together {
                common,
                tasks,
                wanted,
            }
        })
        .collect();
    groups.sort_by(|one, other| {
        let order = other.tasks.len().cmp(&one.tasks.len());
        order.then_with(|| one.common.cmp(&other.common))
    });
    groups
}

/// What there is to choose from in a look, each with how many tasks have it.
#[derive(Default)]
pub(super) struct Choices {
    pub(super) verdicts: BTreeMap<taskscope::Verdict, usize>,
    /// The most first.
    pub(super) waits: Vec<(String, usize)>,
    /// By name, those above included; the most first.
    pub(super) scopes: Vec<(String, usize)>,
}

impl Choices {
    pub(super) fn of(dump: &Dump, known: &mut Known) -> Self {
        let mut choices = Choices::default();
        let (mut waits, mut scopes) = (HashMap::new(), HashMap::<String, usize>::new());
        for task in &dump.tasks {
            *choices.verdicts.entry(task.verdict).or_default() += 1;
            *waits.entry(known.wait(task)).or_insert(0) += 1;
            let mut above: Vec<String> = Vec::new();
            let mut next = task.scope.clone();
            while let Some(scope) = next {
                if !above.iter().any(|name| name == scope.name()) {
                    above.push(scope.name().to_owned());
                }
                next = scope.parent();
            }
            for name in above {
                *scopes.entry(name).or_default() += 1;
            }
        }
        let mut single: HashMap<&str, usize> = HashMap::new();
        for (wait, count) in &waits {
            for kind in kinds(wait) {
                *single.entry(kind).or_default() += count;
            }
        }
        choices.waits = most(
            single
                .into_iter()
                .map(|(kind, count)| (kind.to_owned(), count)),
        );
        choices.scopes = most(scopes);
        choices
    }
}

fn most(counts: impl IntoIterator<Item = (String, usize)>) -> Vec<(String, usize)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts
}
