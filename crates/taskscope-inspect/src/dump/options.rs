//! What a dump looks at and how long it may take.

use std::borrow::Cow;
use std::time::Duration;

use tokio::runtime::Id;

use super::{Dump, HeldTasks, NoMemory, collect};
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

    /// Returns at this time with what it has. The default is [`DEFAULT_DEADLINE`]. Longer helps only when there are
    /// many tasks on busy runtimes.
    pub fn deadline(mut self, deadline: Duration) -> DumpOptions {
        self.deadline = deadline;
        self
    }

    /// Gives up on a runtime that has answered nothing for this long. The default is [`DEFAULT_STALL`]. Shorter answers sooner while a
    /// service is blocked, and misses more stacks when the machine is overloaded.
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
    pub fn scope(mut self, scope: impl Into<ScopeInfo>) -> DumpOptions {
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
    /// Tasks with other verdicts are not captured. `spinning` can only be told in a dump with fresh stacks, and of all tasks that were
    /// asked for; to look for it, combine it with [`Verdict::Active`], which such tasks seem to be at first.
    pub fn verdict(mut self, verdict: Verdict) -> DumpOptions {
        self.verdicts.push(verdict);
        self
    }

    /// Only tasks that were spawned at least so long ago.
    pub fn min_age(mut self, age: Duration) -> DumpOptions {
        self.min_age = age;
        self
    }

    /// At most so many tasks, the oldest. The rest is counted in [`Dump::left_out`], and not captured.
    pub fn limit(mut self, tasks: usize) -> DumpOptions {
        self.limit = tasks;
        self
    }

    /// Only tasks of this runtime.
    pub fn runtime(mut self, runtime: Id) -> DumpOptions {
        self.runtime = Some(runtime);
        self
    }

    /// Takes the dump without blocking the calling task. See [`dump`](super::dump).
    ///
    /// The work happens on a thread of its own. If the system has no thread left, tasks are not asked for captures,
    /// and the dump says so by its `not_asked` count.
    pub async fn capture(self) -> Dump {
        collect::on_thread(self).await
    }

    /// Takes the dump on the calling thread.
    ///
    /// # Limitations
    ///
    /// Called from a task of a current-thread runtime, the other tasks of that runtime cannot answer, because this call is in their way. They are not
    /// asked and not waited for; those that no earlier capture shows have [`NoTrace::NoAnswer`](crate::NoTrace::NoAnswer). The calling task is running
    /// and has no stack. Use [`DumpOptions::capture`] there.
    #[must_use]
    pub fn capture_blocking(self) -> Dump {
        collect::collect(&self)
    }

    /// Holds the tasks that the dump is about, to be visited one after the other: for what is summed up, or written, of so many tasks that a [`Dump`] of
    /// them would be too large.
    ///
    /// # Errors
    ///
    /// If there is no memory for 21 bytes a task.
    ///
    /// # Examples
    ///
    /// ```
    /// use taskscope::DumpOptions;
    ///
    /// let mut held = DumpOptions::new().hold()?;
    /// let mut detached = 0;
    /// let dump = held.capture(&mut |_, task| detached += usize::from(task.detached.is_some()));
    /// assert_eq!((detached, dump.untracked()), (0, 0));
    /// # Ok::<(), taskscope::NoMemory>(())
    /// ```
    ///
    /// # Overhead
    ///
    /// Records of tasks that end meanwhile are not used again until this is dropped.
    pub fn hold(self) -> Result<HeldTasks, NoMemory> {
        HeldTasks::new(self)
    }
}

/// As the name itself was cut when it was made.
fn cut(name: String) -> String {
    match bounded(&name, MAX_NAME) {
        Cow::Borrowed(_) => name,
        Cow::Owned(cut) => cut,
    }
}
