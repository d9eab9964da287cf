//! Censuses: how many tasks there are by verdict, now and in the last ten minutes.
//!
//! A dump shows every task with its stack; a census only counts them, so it can be taken again and
//! again. It goes by the same evidence as a dump and never disagrees with one, but no task is
//! polled or woken for it, and nothing is stored of a single task.
//!
//! # What it sees
//!
//! Everything but stacks. [`Spinning`](Verdict::Spinning) takes two readings: a census calls a task
//! so that was not waiting at the last census of the series, has been polled more than
//! [`SPINNING_RATE`](crate::SPINNING_RATE) times a second since then, and was woken by nobody but
//! itself since it was spawned or since the last dump with stacks. Of the tasks that did not wait,
//! 1024 are remembered. Others that spin are counted as [`Active`](Verdict::Active).
//!
//! # Overhead
//!
//! The next census is taken 2 s after the last one, or after a hundred times the time that it took:
//! 1 % of one processor at the most. The thread `taskscope-count` takes it, and interrupts nobody.
//!
//! Measured on two cores that had other work, as medians: 55 to 130 ns a task without scopes, 210
//! to 380 ns with one scope for ten tasks, most of it for memory that is in no cache. That is 6 to
//! 25 ms for 100,000 tasks, 90 to 380 ms for a million, whose censuses are 9 to 38 s apart.
//!
//! Not here: which verdict follows from what (`evidence.rs`, `verdict.rs`); counts by spawn site
//! ([`growth()`](crate::growth())).

mod count;
mod history;
mod load;
mod names;
mod spinning;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub(crate) use self::history::{is_due, job};
pub use self::names::{Breakdown, Counts, ScopeNames};
use crate::{Verdict, resources};

/// The time between two censuses of the series, at the least: 2 s.
pub const CENSUS_PERIOD: Duration = Duration::from_secs(2);

/// Censuses in the history: 300, so ten minutes.
pub const CENSUS_HISTORY_LEN: usize = 300;

/// Runtimes in a census: 64. The others are counted in [`Census::runtimes_left_out`].
pub const CENSUS_RUNTIMES: usize = 64;

/// Switches the series on, for the whole process: from now on a census is taken every
/// [`CENSUS_PERIOD`]. Returns false if it is on already.
///
/// # Examples
///
/// ```
/// use taskscope::{Verdict, census};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// census::start();
/// let _task = taskscope::spawn(tokio::time::sleep(std::time::Duration::from_secs(60)));
/// tokio::task::yield_now().await;
/// let now = census::take();
/// assert_eq!((now.tasks(), now.of(Verdict::Idle)), (1, 1));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Overhead
///
/// See the [module](self). The history of ten minutes takes about 100 kB, and 24 bytes more for
/// each worker and census.
pub fn start() -> bool {
    crate::install();
    history::start()
}

/// Switches the series off. The history stays, and grows older. Returns true if it was on.
pub fn stop() -> bool {
    history::stop()
}

/// Whether the series is on.
#[must_use]
pub fn is_on() -> bool {
    history::is_on()
}

/// Counts all tasks now. The census is not added to the history.
///
/// How busy workers were is measured since a census of the series, so it is not known while the
/// series is off.
///
/// # Overhead
///
/// Reads every record, on the calling thread: see [`Census::took`].
#[must_use]
pub fn take() -> Census {
    history::take()
}

/// Counts all tasks now, also by the names of their scopes. The census is not added to the history.
///
/// # Overhead
///
/// That of [`take`], and one look-up of a name for each scope.
#[must_use]
pub fn take_by_scope(names: &mut ScopeNames) -> Breakdown {
    history::take_by_scope(names)
}

/// Counts tracked values by their kind, in no particular order.
#[must_use]
pub fn resources() -> Vec<(&'static str, usize)> {
    resources::by_kind()
}

/// The history: the censuses of the series, oldest first, [`CENSUS_HISTORY_LEN`] at the most.
#[must_use]
pub fn history() -> Vec<Census> {
    history::history()
}

/// All tasks, counted at one moment. Background tasks are among them.
#[derive(Clone)]
#[non_exhaustive]
pub struct Census {
    /// When it was taken.
    pub taken_at: SystemTime,
    /// How long ago it was taken when it was asked for, by a clock that nobody sets.
    pub ago: Duration,
    /// How long it took.
    pub took: Duration,
    by_verdict: [usize; Verdict::ALL.len()],
    /// Tasks that [look like a leak](crate::TaskDump::is_leak_suspect).
    pub suspects: usize,
    /// Tasks without a record, on all known runtimes.
    pub untracked: usize,
    /// The runtimes that have a task with a record, or that are registered;
    /// [`CENSUS_RUNTIMES`] at the most.
    pub runtimes: Vec<RuntimeLoad>,
    /// Runtimes beyond that.
    pub runtimes_left_out: usize,
}

impl Census {
    /// Tasks with this verdict.
    #[must_use]
    pub fn of(&self, verdict: Verdict) -> usize {
        self.by_verdict
            .get(verdict as usize)
            .copied()
            .unwrap_or_default()
    }

    /// All tasks with a record.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.by_verdict.iter().sum()
    }
}

impl fmt::Debug for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Census");
        out.field("ago", &self.ago).field("took", &self.took);
        for verdict in Verdict::ALL {
            out.field(verdict.name(), &self.of(verdict));
        }
        out.field("suspects", &self.suspects)
            .field("untracked", &self.untracked)
            .field("runtimes", &self.runtimes)
            .finish_non_exhaustive()
    }
}

/// The tasks of a runtime, and how busy its workers were.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RuntimeLoad {
    /// Tokio's id of the runtime, as a number.
    pub number: u64,
    /// The name given with `runtime::Builder::name`.
    pub name: Option<Arc<str>>,
    /// `current_thread` or `multi_thread`.
    pub flavor: &'static str,
    /// Live tasks that have a record.
    pub tracked: usize,
    /// Live tasks without a record.
    pub untracked: usize,
    /// Tasks in the global queue; tasks in the workers' own queues are not counted.
    pub global_queue: usize,
    /// The time that [`WorkerLoad::busy`] and [`WorkerLoad::in_one_poll`] are about: since the
    /// earlier census that the runtime was compared with. Zero: there was none.
    pub over: Duration,
    /// Its workers, in tokio's order.
    pub workers: Vec<WorkerLoad>,
}

/// How busy a worker thread was.
///
/// By what tokio tells on stable Rust. A worker updates its counters when it parks, and between
/// polls once in 61 (the builder's `event_interval`).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct WorkerLoad {
    /// The share of the time that it was not parked, 0 to 1. `None`: not known.
    ///
    /// It is 1 if the worker updates nothing because it is in a poll. A poll that is going on
    /// counts as soon as a whole [`RuntimeLoad::over`] has passed in it, or when it has ended.
    pub busy: Option<f64>,
    /// Whether it has neither parked nor updated anything in all that time: it is in one poll, or
    /// in very few that take long.
    ///
    /// On a `current_thread` runtime, only if a task with a record is being polled: a runtime that
    /// no thread drives updates nothing, either.
    pub in_one_poll: bool,
    /// How often it has parked since the runtime was built.
    pub parks: u64,
}
