//! The tasks of a look that somebody wants to see: filtered, sorted, put together.
//!
//! Of tasks that are shown one by one only the order is kept, as their places in the look. //! What is said of a stack is looked up once for each distinct one, because thousands of tasks share a few. Not here: how they are shown.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use taskscope::text::plain;
use taskscope::{Name, ScopeInfo, TaskDump, Trace, Verdict};

use super::query::{Grouping, Sort, Wanted};
use crate::tasks::{Groups, Holds, Likeness, Summary};

/// Stacks that are remembered at a time.
const STACKS: usize = 8192;
/// Scopes and waits that are counted by name; more are found by text.
const NAMES: usize = 8192;
/// Bytes that the order of a look takes for each task.
pub(super) const ORDER_BYTES: usize = size_of::<u32>();

/// What has been found out about the stacks of a look, by their addresses.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// While a trace is here, no other stack has its address.
    stacks: HashMap<usize, OfStack>,
}

#[derive(Debug)]
struct OfStack {
    _trace: Arc<Trace>,
    wait: Arc<str>,
    /// Whether the text that is looked for is in it.
    found: Option<bool>,
}

impl Known {
    fn of(&mut self, trace: &Arc<Trace>) -> &mut OfStack {
        if self.stacks.len() >= STACKS {
            self.stacks.clear();
        }
        let address = Arc::as_ptr(trace.stack()).addr();
        self.stacks.entry(address).or_insert_with(|| OfStack {
            _trace: Arc::clone(trace),
            wait: trace.wait_reason().to_string().into(),
            found: None,
        })
    }

    /// What the task waits for, in words.
    pub(super) fn wait(&mut self, task: &TaskDump) -> Arc<str> {
        match &task.trace {
            Ok(trace) => Arc::clone(&self.of(trace).wait),
            Err(_) => task.wait_reason().to_string().into(),
        }
    }

    fn stack_has(&mut self, task: &TaskDump, text: &str) -> bool {
        let Ok(trace) = &task.trace else {
            return false;
        };
        *self.of(trace).found.get_or_insert_with(|| {
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

/// What came of a question.
#[derive(Debug)]
pub(super) struct Selected {
    /// Tasks that are wanted.
    pub(super) tasks: usize,
    /// Their places in the look, in order; none where they are put together. Fewer than there are tasks, if there was no memory.
    pub(super) order: Vec<u32>,
    /// The largest first; none where they are shown one by one.
    pub(super) groups: Vec<Together>,
    /// Tasks of more different groups than are kept.
    pub(super) left_out: usize,
}

/// The tasks that are wanted, chosen while they are read.
pub(super) struct Selection<'a> {
    wanted: &'a Wanted,
    known: Known,
    tasks: usize,
    rows: Rows,
    groups: Groups<Key>,
}

/// What rows are sorted by, each with its place in the look.
enum Rows {
    /// The least first.
    Numbers(Vec<(u64, u32)>),
    /// By the alphabet.
    Labels(Vec<(Label, u32)>),
}

/// What a task is called, without a text of its own.
enum Label {
    Name(Name),
    Future(&'static str),
}

impl Label {
    fn as_str(&self) -> &str {
        match self {
            Label::Name(name) => name.as_str(),
            Label::Future(future) => future,
        }
    }
}

impl Rows {
    /// Without memory for one more row, it is left out.
    fn add(&mut self, sort: Sort, at: usize, task: &TaskDump) {
        let Ok(at) = u32::try_from(at) else {
            return;
        };
        match self {
            Rows::Numbers(rows) => {
                if rows.try_reserve(1).is_ok() {
                    rows.push((number(sort, task), at));
                }
            }
            Rows::Labels(rows) => {
                if rows.try_reserve(1).is_ok() {
                    let name = task.name.clone().map(Label::Name);
                    rows.push((name.unwrap_or(Label::Future(task.future)), at));
                }
            }
        }
    }

    /// The places. Equals stay in the order of age, or its reverse.
    fn in_order(self, reversed: bool) -> Vec<u32> {
        let mut order: Vec<u32> = match self {
            Rows::Numbers(mut rows) => {
                rows.sort_unstable();
                rows.into_iter().map(|(_, at)| at).collect()
            }
            Rows::Labels(mut rows) => {
                rows.sort_unstable_by(|(one, at), (other, other_at)| {
                    let order = one.as_str().cmp(other.as_str());
                    order.then(at.cmp(other_at))
                });
                rows.into_iter().map(|(_, at)| at).collect()
            }
        };
        // It may be in the memory of the rows, which is several times as large.
        order.shrink_to_fit();
        if reversed {
            order.reverse();
        }
        order
    }
}

/// What comes first has the least.
fn number(sort: Sort, task: &TaskDump) -> u64 {
    let nanos = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    match sort {
        Sort::Age | Sort::Name => 0,
        Sort::Since => u64::MAX - nanos(task.state.since()),
        Sort::Polls => u64::MAX - task.polls,
        Sort::Busy => u64::MAX - nanos(task.busy),
        Sort::Verdict => {
            let rank = Verdict::ALL.iter().position(|it| *it == task.verdict);
            rank.unwrap_or(Verdict::ALL.len()) as u64
        }
        Sort::Id => task.id,
    }
}

/// What the tasks of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Alike(Likeness),
    Verdict(Verdict),
    Wait(Arc<str>),
    Scope(Option<String>),
    Site(&'static Location<'static>),
    Name(Option<String>),
}

impl<'a> Selection<'a> {
    pub(super) fn new(wanted: &'a Wanted) -> Self {
        Selection {
            wanted,
            known: Known::default(),
            tasks: 0,
            rows: match wanted.sort {
                Sort::Name => Rows::Labels(Vec::new()),
                _ => Rows::Numbers(Vec::new()),
            },
            groups: Groups::default(),
        }
    }

    /// `at`: its place in the look, by age.
    pub(super) fn add(&mut self, at: usize, task: Cow<'_, TaskDump>, held: Holds<'_>) {
        if !self.wanted.wants(&task, &mut self.known) {
            return;
        }
        self.tasks += 1;
        let key = match self.wanted.grouping {
            Grouping::None => {
                self.rows.add(self.wanted.sort, at, &task);
                return;
            }
            Grouping::Alike => Key::Alike(Likeness::of(&task)),
            Grouping::Verdict => Key::Verdict(task.verdict),
            Grouping::Wait => Key::Wait(self.known.wait(&task)),
            Grouping::Scope => Key::Scope(task.scope.as_ref().map(|scope| scope.name().to_owned())),
            Grouping::Site => Key::Site(task.site),
            Grouping::Name => Key::Name(task.name.as_deref().map(str::to_owned)),
        };
        self.groups.add(key, at, task.into_owned(), held);
    }

    pub(super) fn finish(mut self) -> Selected {
        Selected {
            tasks: self.tasks,
            order: self.rows.in_order(self.wanted.reversed),
            left_out: self.groups.left_out,
            groups: together(self.groups, self.wanted, &mut self.known),
        }
    }
}

/// What a task is called: its name, or else what its future is.
pub(in crate::http::page) fn label(task: &TaskDump) -> &str {
    task.name.as_deref().unwrap_or(task.future)
}

/// Tasks together, and what they have in common.
#[derive(Debug)]
pub(super) struct Together {
    /// In words; of those that are alike none is needed.
    pub(super) common: String,
    pub(super) summary: Summary,
    /// What leads to them.
    pub(super) wanted: Wanted,
}

/// The largest first.
fn together(groups: Groups<Key>, wanted: &Wanted, known: &mut Known) -> Vec<Together> {
    let every = Wanted {
        grouping: Grouping::None,
        ..wanted.question()
    };
    let every = Wanted {
        look: wanted.look,
        ..every
    };
    let mut groups: Vec<Together> = groups
        .into_groups()
        .into_iter()
        .map(|(key, summary)| {
            let every = every.clone();
            let (common, wanted) = match key {
                Key::Alike(_) => {
                    let first = &summary.oldest;
                    let wanted = Wanted {
                        verdict: Some(first.verdict),
                        wait: Some(known.wait(first).to_string()),
                        site: Some(first.site.to_string()),
                        ..every
                    };
                    (String::new(), wanted)
                }
                Key::Verdict(verdict) => {
                    let verdict = Some(verdict);
                    (
                        summary.oldest.verdict.to_string(),
                        Wanted { verdict, ..every },
                    )
                }
                Key::Wait(wait) => {
                    let wait = wait.to_string();
                    (
                        wait.clone(),
                        Wanted {
                            wait: Some(wait),
                            ..every
                        },
                    )
                }
                Key::Scope(Some(name)) => (
                    name.clone(),
                    Wanted {
                        scope: Some(name),
                        ..every
                    },
                ),
                Key::Scope(None) => ("no scope".to_owned(), every),
                Key::Site(site) => {
                    let site = site.to_string();
                    (
                        site.clone(),
                        Wanted {
                            site: Some(site),
                            ..every
                        },
                    )
                }
                Key::Name(Some(name)) => (
                    name.clone(),
                    Wanted {
                        name: Some(name),
                        ..every
                    },
                ),
                Key::Name(None) => ("no name".to_owned(), every),
            };
            Together {
                common,
                summary,
                wanted,
            }
        })
        .collect();
    groups.sort_by(|one, other| {
        let (first, second) = (&one.summary, &other.summary);
        let place = |group: &Summary| {
            let site = group.oldest.site;
            (site.file(), site.line(), site.column(), group.oldest.id)
        };
        let order = second.tasks.cmp(&first.tasks);
        let order = order.then_with(|| one.common.cmp(&other.common));
        order.then_with(|| place(first).cmp(&place(second)))
    });
    groups
}

/// What there is to choose from in a look, each with how many tasks have it.
#[derive(Debug, Default)]
pub(super) struct Choices {
    pub(super) verdicts: BTreeMap<Verdict, usize>,
    waits: HashMap<Arc<str>, usize>,
    scopes: HashMap<String, usize>,
    known: Known,
}

impl Choices {
    pub(super) fn add(&mut self, task: &TaskDump) {
        *self.verdicts.entry(task.verdict).or_default() += 1;
        let wait = self.known.wait(task);
        if self.waits.len() < NAMES || self.waits.contains_key(&wait) {
            *self.waits.entry(wait).or_default() += 1;
        }
        let mut above: Vec<ScopeInfo> = Vec::new();
        let mut next = task.scope.clone();
        while let Some(scope) = next {
            next = scope.parent();
            if !above.iter().any(|known| known.name() == scope.name()) {
                above.push(scope);
            }
        }
        let room = self.scopes.len() < NAMES;
        for scope in above {
            match self.scopes.get_mut(scope.name()) {
                Some(count) => *count += 1,
                None if room => {
                    self.scopes.insert(scope.name().to_owned(), 1);
                }
                None => {}
            }
        }
    }

    /// The most first.
    pub(super) fn waits(&self) -> Vec<(String, usize)> {
        let mut single: HashMap<&str, usize> = HashMap::new();
        for (wait, count) in &self.waits {
            for kind in kinds(wait) {
                *single.entry(kind).or_default() += count;
            }
        }
        let single = single.into_iter();
        most(single.map(|(kind, count)| (kind.to_owned(), count)))
    }

    /// By name, those above included; the most first.
    pub(super) fn scopes(&self) -> Vec<(String, usize)> {
        most(self.scopes.clone())
    }
}

fn most(counts: impl IntoIterator<Item = (String, usize)>) -> Vec<(String, usize)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    counts
}
