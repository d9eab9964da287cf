//! Which tasks are asked for: one filter for the pages for people and for the formats for tools.
//!
//! A dump narrows by itself what can be told without a stack ([`TaskFilter::options`]); the rest is
//! decided task by task ([`TaskFilter::keeps`]). Findings about a stack are remembered, because
//! thousands of tasks share a few. Not here: how a filter stands in a URL (`http/task_filter.rs`),
//! sorting and grouping (`http/page/tasks/`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use taskscope::text::plain;
use taskscope::{DumpOptions, Stacks, TaskDump, Verdict, dump::Trace};

/// Stacks that are remembered at a time.
const MAX_STACKS: usize = 8192;

/// Conditions that a task has to meet, all of them. The default asks for every task.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TaskFilter {
    /// Part of a name, a label, a scope, a place or a stack; in lower case.
    pub(crate) text: Option<String>,
    pub(crate) verdict: Option<Verdict>,
    /// Kind of the wait reason, or all of it.
    pub(crate) wait: Option<String>,
    /// Name of the task's scope, or of one above it.
    pub(crate) scope: Option<String>,
    /// Spawn site as `file:line:column`.
    pub(crate) site: Option<String>,
    pub(crate) name: Option<String>,
    /// Only leak suspects.
    pub(crate) suspects: bool,
    pub(crate) min_age: Duration,
    /// At most this many tasks, the oldest.
    pub(crate) limit: Option<usize>,
    /// No condition, but how stacks are obtained.
    pub(crate) stacks: Stacks,
}

impl TaskFilter {
    /// Adds to `options` the conditions that a dump decides by itself.
    pub(crate) fn options(&self, options: DumpOptions) -> DumpOptions {
        let mut options = options.stacks(self.stacks).min_age(self.min_age);
        if let Some(verdict) = self.verdict {
            options = options.verdict(verdict);
        }
        if let Some(scope) = &self.scope {
            options = options.scope_named(scope);
        }
        if let Some(name) = &self.name {
            options = options.named(name);
        }
        if let Some(limit) = self.limit {
            options = options.limit(limit);
        }
        options
    }

    /// The conditions that a dump cannot decide; `None` if there are none.
    pub(crate) fn rest(&self) -> Option<TaskFilter> {
        self.needs_tasks().then(|| TaskFilter {
            text: self.text.clone(),
            wait: self.wait.clone(),
            site: self.site.clone(),
            suspects: self.suspects,
            ..TaskFilter::default()
        })
    }

    /// Whether each task has to be read to decide.
    pub(crate) fn needs_tasks(&self) -> bool {
        self.suspects
            || [&self.text, &self.wait, &self.site]
                .iter()
                .any(|it| it.is_some())
    }

    /// Whether a task meets every condition but `limit`.
    pub(crate) fn keeps(&self, task: &TaskDump, stacks: &mut KnownStacks) -> bool {
        self.verdict.is_none_or(|verdict| task.verdict == verdict)
            && task.age >= self.min_age
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
                let waits = stacks.wait(task);
                *waits == *wait || wait_kinds(&waits).any(|kind| kind == wait)
            })
            && self
                .text
                .as_deref()
                .is_none_or(|text| has_text(task, text, stacks))
    }
}

fn has_text(task: &TaskDump, text: &str, stacks: &mut KnownStacks) -> bool {
    let labelled = |labels: &[(Arc<str>, Arc<str>)]| {
        labels
            .iter()
            .any(|(key, value)| contains(key, text) || contains(value, text))
    };
    task.name
        .as_deref()
        .is_some_and(|name| contains(name, text))
        || contains(task.future, text)
        || contains(&task.site.to_string(), text)
        || task.id.to_string() == text
        || labelled(&task.labels)
        || task
            .scope
            .as_ref()
            .is_some_and(|scope| contains(scope.name(), text) || labelled(&scope.labels()))
        || contains(&stacks.wait(task), text)
        || stacks.contain(task, text)
}

/// Compares without regard to case; `text` is in lower case.
fn contains(within: &str, text: &str) -> bool {
    within.to_lowercase().contains(text)
}

/// Whether a name is the one that was asked for: as it is, or as a form shows it, without what
/// cannot be seen.
fn is(name: &str, asked: &str) -> bool {
    name == asked || matches!(plain(name), Cow::Owned(shown) if shown == asked)
}

/// The kinds that a wait reason names.
pub(crate) fn wait_kinds(wait: &str) -> impl Iterator<Item = &str> {
    wait.split(" | ")
}

/// Findings about the stacks of one dump, by their addresses. For one filter: it remembers what was
/// found for its text.
#[derive(Debug, Default)]
pub(crate) struct KnownStacks {
    /// While a trace is in here, no other stack has its address.
    stacks: HashMap<usize, Known>,
}

#[derive(Debug)]
struct Known {
    _trace: Arc<Trace>,
    wait: Arc<str>,
    /// Whether the text that is looked for is in it; `None` before it was looked for.
    found: Option<bool>,
}

impl KnownStacks {
    fn of(&mut self, trace: &Arc<Trace>) -> &mut Known {
        if self.stacks.len() >= MAX_STACKS {
            self.stacks.clear();
        }
        let address = Arc::as_ptr(trace.stack()).addr();
        self.stacks.entry(address).or_insert_with(|| Known {
            _trace: Arc::clone(trace),
            wait: trace.wait_reason().to_string().into(),
            found: None,
        })
    }

    /// The task's wait reason in words.
    pub(crate) fn wait(&mut self, task: &TaskDump) -> Arc<str> {
        match &task.trace {
            Ok(trace) => Arc::clone(&self.of(trace).wait),
            Err(_) => task.wait_reason().to_string().into(),
        }
    }

    fn contain(&mut self, task: &TaskDump, text: &str) -> bool {
        let Ok(trace) = &task.trace else {
            return false;
        };
        *self.of(trace).found.get_or_insert_with(|| {
            let mut frames = trace.branches().iter().flat_map(|branch| &branch.frames);
            frames.any(|frame| {
                contains(&frame.function, text)
                    || frame
                        .file
                        .as_deref()
                        .is_some_and(|file| contains(file, text))
            })
        })
    }
}
