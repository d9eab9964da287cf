//! Options of a dump: which tasks it shows and how long it may take. Not here: how it is taken
//! (`collect.rs`, `held.rs`).

use std::borrow::Cow;
use std::time::Duration;

use tokio::runtime::Id;

use crate::text::{MAX_NAME, bounded};
use crate::{ScopeInfo, Verdict};

/// How long a dump waits for captures at the most: 2 s.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(2);

/// How long a dump waits for a runtime that answers nothing at all: 250 ms.
pub const DEFAULT_STALL: Duration = Duration::from_millis(250);

/// Which traces a dump shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Stacks {
    /// Capture every task that is not being polled, unless its last capture is still true.
    #[default]
    Fresh,
    /// Poll nothing; show those earlier captures that are still true.
    Cached,
    /// No traces and no wait reasons.
    None,
}

/// Which tasks a dump shows, with which traces, and how long it may take.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use taskscope::{DumpOptions, Stacks};
///
/// // From a plain thread, without disturbing any task:
/// let dump = DumpOptions::new().stacks(Stacks::Cached).deadline(Duration::from_millis(100)).capture_blocking();
/// assert!(dump.tasks.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use = "options do nothing until `capture` is called"]
pub struct DumpOptions {
    pub(super) deadline: Duration,
    pub(super) stall: Duration,
    pub(super) stacks: Stacks,
    pub(super) scope: Option<ScopeInfo>,
    pub(super) runtime: Option<Id>,
    pub(super) scope_name: Option<String>,
    pub(super) name: Option<String>,
    pub(super) verdicts: Vec<Verdict>,
    pub(super) min_age: Duration,
    pub(super) limit: usize,
}

impl Default for DumpOptions {
    fn default() -> Self {
        DumpOptions::new()
    }
}

impl DumpOptions {
    /// The defaults: all tasks, fresh stacks, [`DEFAULT_DEADLINE`], [`DEFAULT_STALL`].
    pub fn new() -> DumpOptions {
        DumpOptions {
            deadline: DEFAULT_DEADLINE,
            stall: DEFAULT_STALL,
            stacks: Stacks::default(),
            scope: None,
            runtime: None,
            scope_name: None,
            name: None,
            verdicts: Vec::new(),
            min_age: Duration::ZERO,
            limit: usize::MAX,
        }
    }

    /// Limits the time of the dump, which then returns what it has. The default is
    /// [`DEFAULT_DEADLINE`]. Longer helps only when there are many tasks on busy runtimes.
    pub fn deadline(mut self, deadline: Duration) -> DumpOptions {
        self.deadline = deadline;
        self
    }

    /// Gives up on a runtime that has answered nothing for this long. The default is
    /// [`DEFAULT_STALL`]. Shorter answers sooner while a service is blocked, and misses more stacks
    /// when the machine is overloaded.
    pub fn stall(mut self, stall: Duration) -> DumpOptions {
        self.stall = stall;
        self
    }

    /// Chooses which traces are shown. The default is [`Stacks::Fresh`].
    pub fn stacks(mut self, stacks: Stacks) -> DumpOptions {
        self.stacks = stacks;
        self
    }

    /// Selects tasks of this scope and of those below it.
    pub fn scope<'a, S>(mut self, scope: &'a S) -> DumpOptions
    where
        ScopeInfo: From<&'a S>,
    {
        self.scope = Some(scope.into());
        self
    }

    /// Selects tasks of scopes with this name, and of those below them.
    pub fn scope_named(mut self, name: impl Into<String>) -> DumpOptions {
        self.scope_name = Some(cut(name.into()));
        self
    }

    /// Selects tasks with this name.
    pub fn named(mut self, name: impl Into<String>) -> DumpOptions {
        self.name = Some(cut(name.into()));
        self
    }

    /// Selects tasks with this verdict; called more than once, with any of them.
    ///
    /// Tasks with other verdicts are not captured. `spinning` can only be found in a dump with
    /// fresh stacks, among the tasks that were captured; to find it, combine it with
    /// [`Verdict::Active`], the verdict that such tasks have at first.
    pub fn verdict(mut self, verdict: Verdict) -> DumpOptions {
        self.verdicts.push(verdict);
        self
    }

    /// Selects tasks that were spawned at least this long ago.
    pub fn min_age(mut self, age: Duration) -> DumpOptions {
        self.min_age = age;
        self
    }

    /// Shows at most this many tasks, the oldest. The others are counted in
    /// [`Dump::left_out`](super::Dump::left_out), and not captured.
    pub fn limit(mut self, tasks: usize) -> DumpOptions {
        self.limit = tasks;
        self
    }

    /// Selects tasks of this runtime.
    pub fn runtime(mut self, runtime: Id) -> DumpOptions {
        self.runtime = Some(runtime);
        self
    }

    /// Whether tasks with this verdict are selected.
    pub(super) fn selects_verdict(&self, verdict: Verdict) -> bool {
        self.verdicts.is_empty() || self.verdicts.contains(&verdict)
    }
}

/// Cuts a name as the names of tasks and scopes are cut.
fn cut(name: String) -> String {
    match bounded(&name, MAX_NAME) {
        Cow::Borrowed(_) => name,
        Cow::Owned(cut) => cut,
    }
}
