//! A dump whose tasks are summed up while they are read, so that memory grows with the result and
//! not with the tasks.
//!
//! Owns which tasks are kept, and the counts of every result. Not here: other sums (`group.rs`,
//! `profile.rs`, the pages).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskscope::heap::Held;
use taskscope::{
    Dump, DumpOptions, TaskDump, Verdict,
    dump::{HeldTasks, Trace},
};

use super::filter::{KnownStacks, TaskFilter};
use super::growing::Growing;
use crate::error::Error;
use crate::heap::held::{self, HeldByTask, Suspects};

/// With at least this many records in use, dumps are taken one after the other.
const MANY: usize = 1 << 18;

/// Which tasks a dump is about.
#[derive(Debug, Clone)]
pub(crate) struct DumpQuery {
    pub(crate) options: DumpOptions,
    /// Only tasks that look leaked, or that are of a site that only grows.
    pub(crate) suspects: Option<Growing>,
    /// Only tasks that meet these conditions, too.
    pub(crate) filter: Option<Arc<TaskFilter>>,
}

impl DumpQuery {
    /// The tasks that the options allow.
    pub(crate) fn all(options: DumpOptions) -> DumpQuery {
        DumpQuery {
            options,
            suspects: None,
            filter: None,
        }
    }

    /// Whether a task belongs to the result.
    pub(crate) fn keeps(&self, task: &TaskDump, stacks: &mut KnownStacks) -> bool {
        let of = |growing: &Growing| task.is_leak_suspect() || growing.has(task);
        self.suspects.as_ref().is_none_or(of)
            && self
                .filter
                .as_ref()
                .is_none_or(|filter| filter.keeps(task, stacks))
    }
}

/// A question about tasks, before a source has chosen among them. Equal questions get the same
/// answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TaskQuestion {
    pub(crate) options: DumpOptions,
    /// Conditions that a dump cannot decide.
    pub(crate) filter: Option<Arc<TaskFilter>>,
}

impl TaskQuestion {
    /// The tasks that a source chooses of those that are asked for.
    pub(crate) fn choose(self, choose: fn(DumpOptions) -> DumpQuery) -> DumpQuery {
        DumpQuery {
            filter: self.filter,
            ..choose(self.options)
        }
    }
}

/// The result of a dump besides its tasks.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    /// The dump without its tasks.
    pub(crate) dump: Dump,
    pub(crate) counts: Counts,
    /// Whether the memory that tasks hold is sampled.
    pub(crate) samples_memory: bool,
}

/// Tasks that are read a second time while they are written.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(super) head: Head,
    pub(super) held: HeldTasks,
    pub(super) query: DumpQuery,
}

/// Counts of all tasks of a dump.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    pub(crate) tasks: usize,
    /// By verdict, the number of tasks and the longest time that one of them has been in its state.
    by_verdict: BTreeMap<Verdict, (usize, Duration)>,
    /// Stacks with a frame that has no name.
    pub(crate) unnamed: usize,
    /// Memory that leak suspects hold; empty if it is not sampled.
    pub(crate) suspects: Suspects,
    /// The previous stack, and whether it is unnamed: consecutive tasks mostly have the same.
    last: Option<(Arc<Trace>, bool)>,
}

impl Counts {
    /// Counts the tasks of a whole dump.
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

    /// The number of tasks with this verdict.
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

/// The resources and the memory that a task holds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Holds<'a> {
    /// The kinds of the resources that it used last.
    pub(crate) kinds: &'a [&'static str],
    /// Memory, estimated from samples.
    pub(crate) memory: Held,
}

/// Called with each task, its position by age among all, and what it holds.
pub(crate) type Each<'a> = &'a mut dyn FnMut(usize, TaskDump, Holds<'_>);

/// Takes a dump and calls `each` with each task. They come mostly, but not always, oldest first.
///
/// # Errors
///
/// If there is no memory for it.
pub(crate) fn fold(query: &DumpQuery, each: Each<'_>) -> Result<Head, Error> {
    hold(query, |mut held| visit(query, &mut held, each))
}

/// As [`fold`], for records that stay held afterwards.
pub(crate) fn visit(query: &DumpQuery, held: &mut HeldTasks, each: Each<'_>) -> Head {
    let (kinds, memory) = (kinds(held), held::by_task());
    let (mut counts, mut stacks) = (Counts::default(), KnownStacks::default());
    let dump = held.capture(&mut |at, task| {
        if query.keeps(&task, &mut stacks) {
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

/// Holds the records of the tasks for `read`. Where they are many, one dump waits for the other:
/// each takes tens of megabytes for a million tasks.
pub(crate) fn hold<T>(query: &DumpQuery, read: impl FnOnce(HeldTasks) -> T) -> Result<T, Error> {
    static LARGE: Mutex<()> = Mutex::new(());
    // Nothing is behind the lock that a panic could leave half-done.
    let _alone = (taskscope::stats().records_in_use >= MANY).then(|| crate::sync::lock(&LARGE));
    let held = query.options.clone().hold()?;
    Ok(read(held))
}
