//! What a dump looks at and how long it may take.

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

/// A dump that is not the default one.
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
    /// All tasks, fresh stacks, [`DEFAULT_DEADLINE`], [`DEFAULT_STALL`].
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

    /// Returns at this time with what it has. The default is [`DEFAULT_DEADLINE`]. Longer helps
    /// only when there are many tasks on busy runtimes.
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

    /// Only tasks of this scope and of those below it.
    pub fn scope<'a, S>(mut self, scope: &'a S) -> DumpOptions
    where
        ScopeInfo: From<&'a S>,
    {
        self.scope = Some(scope.into());
        self
    }

    /// Only tasks of scopes with this name, and of those below them.
    pub fn scope_named(mut self, name: impl Into<String>) -> DumpOptions {
        self.scope_name = Some(cut(name.into()));
        self
    }

    /// Only tasks with this name.
    pub fn named(mut self, name: impl Into<String>) -> DumpOptions {
        self.name = Some(cut(name.into()));
        self
    }

    /// Only tasks with this verdict. Called more than once, with any of them.
    ///
    /// Tasks with other verdicts are not captured. `spinning` can only be told in a dump with fresh
    /// stacks, and of all tasks that were asked for; to look for it, combine it with
    /// [`Verdict::Active`], which such tasks seem to be at first.
    pub fn verdict(mut self, verdict: Verdict) -> DumpOptions {
        self.verdicts.push(verdict);
        self
    }

    /// Only tasks that were spawned at least so long ago.
    pub fn min_age(mut self, age: Duration) -> DumpOptions {
        self.min_age = age;
        self
    }

    /// At most so many tasks, the oldest. The rest is counted in [`Dump::left_out`](super::Dump::left_out), and not
    /// captured.
    pub fn limit(mut self, tasks: usize) -> DumpOptions {
        self.limit = tasks;
        self
    }

    /// Only tasks of this runtime.
    pub fn runtime(mut self, runtime: Id) -> DumpOptions {
        self.runtime = Some(runtime);
        self
    }

    /// Whether tasks with this verdict are to be shown.
    pub(super) fn wants_verdict(&self, verdict: Verdict) -> bool {
        self.verdicts.is_empty() || self.verdicts.contains(&verdict)
    }
}

/// As the name itself was cut when it was made.
fn cut(name: String) -> String {
    match bounded(&name, MAX_NAME) {
        Cow::Borrowed(_) => name,
        Cow::Owned(cut) => cut,
    }
}
