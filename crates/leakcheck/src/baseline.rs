//! [`Baseline`]: which tasks, and how many untracked tasks and calls, there were at some moment.
//!
//! Not here: baselines of threads and file descriptors ([`crate::os`]).

use std::collections::HashSet;
use std::sync::Arc;

use taskscope::{DumpOptions, Stacks, TaskDump};
use tokio::runtime::{Handle, Id};

use crate::os;

/// The tasks that are alive at some moment, in the whole process. See
/// [`Options::ignore`](crate::Options::ignore).
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let pool = taskscope::spawn_named("pool reaper", std::future::pending::<()>());
/// let before = leakcheck::Baseline::take();
/// // ... the part that is to be checked ...
/// let options = leakcheck::Options::new().ignore(&before, "the pool belongs to the fixture");
/// leakcheck::assert_none!(options);
/// # pool.abort();
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Limitations
///
/// Untracked tasks cannot be told apart: on the current runtime, as many are ignored as there were.
#[derive(Debug, Clone)]
pub struct Baseline(Arc<Before>);

#[derive(Debug)]
struct Before {
    /// Ids of the tasks. Tokio never gives an id twice.
    tasks: HashSet<u64>,
    /// The current runtime, and how many untracked tasks it had.
    untracked: Option<(Id, usize)>,
    /// How many calls without a record the same runtime had.
    calls: usize,
}

impl Baseline {
    /// Takes note of what is alive now. Works outside of a runtime, too.
    #[must_use]
    pub fn take() -> Baseline {
        let runtime = Handle::try_current().ok();
        let _watched = runtime.as_ref().map(taskscope::register_runtime);
        let dump = DumpOptions::new().stacks(Stacks::None).capture_blocking();
        let calls = runtime
            .as_ref()
            .map_or(0, |runtime| os::calls_now(runtime, &dump));
        let untracked = runtime.map(|runtime| {
            let here = dump.runtimes.iter().find(|info| info.id == runtime.id());
            (runtime.id(), here.map_or(0, |info| info.untracked))
        });
        Baseline(Arc::new(Before {
            tasks: dump.tasks.iter().map(|task| task.id).collect(),
            untracked,
            calls,
        }))
    }

    pub(crate) fn has(&self, task: &TaskDump) -> bool {
        self.0.tasks.contains(&task.id)
    }

    /// How many untracked tasks this runtime had.
    pub(crate) fn untracked(&self, runtime: Id) -> usize {
        match self.0.untracked {
            Some((id, untracked)) if id == runtime => untracked,
            _ => 0,
        }
    }

    /// How many calls without a record this runtime had.
    pub(crate) fn calls(&self, runtime: Id) -> usize {
        match self.0.untracked {
            Some((id, _)) if id == runtime => self.0.calls,
            _ => 0,
        }
    }
}
