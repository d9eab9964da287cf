//! Dumps: which tasks are alive, who owns them, and where they wait.
//!
//! A dump never stops a runtime. It holds the records, asks idle tasks for a capture in small
//! batches, waits for them on a thread of its own until its deadline at the latest, and reads the
//! records without a lock. Symbols are looked up on that thread, each address once in the life of
//! the process. Captures that did not come are counted, with the reason. Not here: how one task is
//! captured ([`crate::capture`]); text, HTML and profile formats beyond `Display` of a trace.

mod collect;
mod frame;
mod group;
mod held;
mod lost_wakeups;
mod no_memory;
mod options;
mod parents;
mod read;
mod reader;
mod request;
mod state;
mod symbols;
mod task;
mod trace;
mod trace_cache;
mod tree;
mod trim;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

pub use self::collect::of_scopes;
pub use self::frame::Frame;
pub use self::group::Group;
pub use self::held::HeldTasks;
pub use self::no_memory::NoMemory;
pub use self::options::{DEFAULT_DEADLINE, DEFAULT_STALL, DumpOptions, Stacks};
pub use self::parents::Parents;
pub use self::state::{State, ThreadInfo};
pub use self::task::{LongPoll, TaskDump};
pub use self::trace::{Branch, Trace};
pub(crate) use self::trace_cache::TraceCache;
pub use self::tree::SpawnTree;
use crate::ResourceDump;
use crate::runtime::RuntimeInfo;

/// Takes a dump of all live tasks that have a record, with their async stacks:
/// [`DumpOptions::capture`] with the defaults.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let (_open, mut never_sent_to) = tokio::sync::mpsc::channel::<u8>(1);
/// let reader = taskscope::spawn_named("reader", async move { never_sent_to.recv().await });
/// tokio::task::yield_now().await;
///
/// let dump = taskscope::dump().await;
/// let task = dump.tasks.iter().find(|task| task.name.as_deref() == Some("reader")).ok_or("no reader")?;
/// assert_eq!(task.wait_reason().to_string(), "mpsc recv");
/// assert!(task.trace.as_ref().is_ok_and(|trace| trace.to_string().contains("{{closure}}")));
/// # drop(reader);
/// # Ok::<(), &str>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Cancel safety
///
/// Dropping the future leaves the dump to end by itself on its thread, within its deadline.
///
/// # Overhead
///
/// Each idle task is polled once more, unless it has not been polled since its last capture; about
/// 1 to 2 microseconds for each. One short-lived thread.
///
/// # Limitations
///
/// A trace ends where a future polls its children with wakers of its own: `FuturesUnordered`,
/// `LocalSet`. A task that took no waker has no trace. In a build without debug information only
/// functions that were not inlined have a name.
pub async fn dump() -> Dump {
    DumpOptions::new().capture().await
}

/// All tasks as of one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dump {
    /// When it began. Times are as of then; those of a task that is being polled are as of its end.
    pub taken_at: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// Live tasks with a record, oldest first.
    pub tasks: Vec<TaskDump>,
    /// Tracked resources that are held, oldest first.
    pub resources: Vec<ResourceDump>,
    /// Tasks beyond the [limit](DumpOptions::limit).
    pub left_out: usize,
    /// The runtimes that these tasks belong to, and those that are registered.
    pub runtimes: Vec<RuntimeInfo>,
    /// Stacks that are missing, by reason.
    pub missed: Missed,
}

/// How many tasks of a dump have no fresh trace, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Missed {
    /// Being polled at that moment: the thread and the running time are known instead.
    pub running: usize,
    /// Asked for a capture, but nothing polled them in time: their runtime is blocked, or nobody
    /// drives it.
    pub no_answer: usize,
    /// Polled, but they took no waker, so there was nothing to unwind from.
    pub no_waker: usize,
    /// Not asked: the dump was for cached traces, and these had none that is still true.
    pub not_asked: usize,
    /// Declared never to be captured.
    pub not_allowed: usize,
    /// Spawned with tokio's own function: seen by the runtime's hooks, but not to be captured.
    pub observed: usize,
}

impl Missed {
    /// All of them together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.running
            + self.no_answer
            + self.no_waker
            + self.not_asked
            + self.not_allowed
            + self.observed
    }
}

impl Dump {
    /// Groups tasks with the same verdict, wait reason, spawn site, declaration and trace. The
    /// largest group is first; groups of one size are in the order of their spawn sites.
    #[must_use]
    pub fn groups(&self) -> Vec<Group<'_>> {
        group::by_likeness(&self.tasks)
    }

    /// The resources of each task by its id: those that it was the last to use, as far as that is
    /// known.
    #[must_use]
    pub fn holdings(&self) -> HashMap<u64, Vec<&ResourceDump>> {
        let mut holdings: HashMap<u64, Vec<&ResourceDump>> = HashMap::new();
        for resource in &self.resources {
            if let Some(holder) = &resource.last_used_by {
                holdings.entry(holder.task).or_default().push(resource);
            }
        }
        holdings
    }

    /// Live tasks without a record on all these runtimes.
    #[must_use]
    pub fn untracked(&self) -> usize {
        self.runtimes.iter().map(|runtime| runtime.untracked).sum()
    }
}
