//! A look at tasks that is summed up while it is read, so that it takes memory by what is told and not by tasks.
//!
//! Owns which tasks a look keeps, and what is counted of every one of them. Not here: what else is summed up (`group.rs`, `profile.rs`, the pages).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskscope::heap::Held;
use taskscope::{Dump, DumpOptions, HeldTasks, TaskDump, Trace, Verdict};

use super::filter::{KnownStacks, TaskFilter};
use super::growing::Growing;
use crate::error::Error;
use crate::heap::held::{self, HeldByTask, Suspects};

/// So many records in use are many: looks at them are taken one after the other.
const MANY: usize = 1 << 18;

/// Which tasks a look is about.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) options: DumpOptions,
    /// Only tasks that look leaked, or that are of a site that only grows.
    pub(crate) suspects: Option<Growing>,
    /// Only tasks that meet these conditions, too.
    pub(crate) filter: Option<Arc<TaskFilter>>,
}

impl Chosen {
    /// Those that the options say.
    pub(crate) fn all(options: DumpOptions) -> Chosen {
        Chosen {
            options,
            suspects: None,
            filter: None,
        }
    }

    pub(crate) fn keeps(&self, task: &TaskDump, stacks: &mut KnownStacks) -> bool {
        let of = |growing: &Growing| task.is_leak_suspect() || growing.has(task);
        self.suspects.as_ref().is_none_or(of)
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.keeps(task, stacks))
    }
}

/// A question about tasks, before a source has chosen among them. Equal questions get the same answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TaskQuestion {
    pub(crate) options: DumpOptions,
    /// Conditions that a dump cannot decide.
    pub(crate) filter: Option<Arc<TaskFilter>>,
}

impl TaskQuestion {
    /// The tasks that a source chooses of those that are asked for.
    pub(crate) fn choose(self, choose: fn(DumpOptions) -> Chosen) -> Chosen {
        Chosen {
            filter: self.filter,
            ..choose(self.options)
        }
    }
}

/// What a look tells besides its tasks.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// Without its tasks.
    pub(crate) dump: Dump,
    pub(crate) counts: Counts,
    /// Whether it is known what tasks hold.
    pub(crate) samples_memory: bool,
}

/// What is counted of every task.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) tasks: usize,
    /// How many have each verdict, and how long the longest of them has been in its state.
    by_verdict: BTreeMap<Verdict, (usize, Duration)>,
    /// Stacks with a frame that has no name.
    pub(crate) unnamed: usize,
    /// None, if it is not known what tasks hold.
    pub(crate) suspects: Suspects,
    /// The last stack, and whether it has one: most tasks have the same as the one before.
    last: Option<(Arc<Trace>, bool)>,
}

impl Counts {
    pub(crate) fn of(dump: &Dump) -> Counts {
        let mut counts = Counts::default();
        let memory = held::by_task();
        for task in &dump.tasks {
            counts.add(task, &memory);
        }
        counts.last = None;
        counts
    }

    fn add(&mut self, task: &TaskDump, memory: &HeldByTask) {
        self.tasks += 1;
        if !memory.is_empty() && task.is_leak_suspect() {
            let held = memory.get(&task.id).copied().unwrap_or_default();
            self.suspects.add(task, held);
        }
        let (tasks, longest) = self.by_verdict.entry(task.verdict).or_default();
        *tasks += 1;
        *longest = task.state.since().max(*longest);
        if let Ok(trace) = &task.trace {
            let unnamed = match &self.last {
                Some((last, unnamed)) if Arc::ptr_eq(last, trace) => *unnamed,
                _ => {
                    let mut frames = trace.branches().iter().flat_map(|branch| &branch.frames);
                    frames.any(|frame| !frame.has_symbol)
                }
            };
            self.unnamed += usize::from(unnamed);
            self.last = Some((Arc::clone(trace), unnamed));
        }
    }

    pub(crate) fn with(&self, verdict: Verdict) -> usize {
        self.by_verdict.get(&verdict).map_or(0, |(tasks, _)| *tasks)
    }

    /// The longest time that a task with this verdict has been in its state.
    pub(crate) fn longest(&self, verdict: Verdict) -> Option<Duration> {
        self.by_verdict.get(&verdict).map(|(_, longest)| *longest)
    }
}

/// The kinds of the resources that each task used last, by its id.
type Kinds = HashMap<u64, Vec<&'static str>>;

fn kinds(held: &HeldTasks) -> Kinds {
    let mut kinds = Kinds::new();
    for resource in held.resources() {
        if let Some(holder) = &resource.last_used_by {
            kinds.entry(holder.task).or_default().push(resource.kind);
        }
    }
    kinds
}

/// What a task holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Holds<'a> {
    /// The kinds of the resources that it used last.
    pub(crate) kinds: &'a [&'static str],
    /// As far as it is sampled.
    pub(crate) memory: Held,
}

/// Is told each task, with its place among all by age, and what it holds.
pub(crate) type Each<'a> = &'a mut dyn FnMut(usize, TaskDump, Holds<'_>);

/// Takes a look, and gives each task to `each`. The tasks come mostly, not always, oldest first.
///
/// # Errors
///
/// If there is no memory for it.
pub(crate) fn fold(chosen: &Chosen, each: Each<'_>) -> Result<Head, Error> {
    hold(chosen, |mut held| visit(chosen, &mut held, each))
}

/// The same, of tasks that are held for longer.
pub(crate) fn visit(chosen: &Chosen, held: &mut HeldTasks, each: Each<'_>) -> Head {
    let (kinds, memory) = (kinds(held), held::by_task());
    let (mut counts, mut stacks) = (Counts::default(), KnownStacks::default());
    let dump = held.capture(&mut |at, task| {
        if chosen.keeps(&task, &mut stacks) {
            counts.add(&task, &memory);
            let holds = Holds {
                kinds: kinds.get(&task.id).map_or(&[][..], Vec::as_slice),
                memory: memory.get(&task.id).copied().unwrap_or_default(),
            };
            each(at, task, holds);
        }
    });
    counts.last = None;
    Head {
        dump,
        counts,
        samples_memory: !memory.is_empty(),
    }
}

/// Holds the tasks. Where they are many, one look after the other: each takes tens of megabytes for a million.
pub(crate) fn hold<T>(chosen: &Chosen, look: impl FnOnce(HeldTasks) -> T) -> Result<T, Error> {
    static LARGE: Mutex<()> = Mutex::new(());
    // Nothing is behind the lock that a panic could leave half-done.
    let _alone = (taskscope::stats().records_in_use >= MANY).then(|| crate::sync::lock(&LARGE));
    let held = chosen.options.clone().hold()?;
    Ok(look(held))
}
