//! Which task a sample belongs to: a key that a signal handler or an allocator can take, and the
//! facts behind it.
//!
//! A sampler calls [`current`] in the middle of whatever it interrupted, keeps the [`TaskKey`], and
//! asks for the [`facts`] later, on a thread of its own. The key marks the task, so that a task
//! that ends in between leaves its facts behind, in a table of at most [`MAX_ENDED`] entries.
//!
//! Not here: how samples are taken, and what a profile makes of them.

use std::panic::Location;
use std::sync::Arc;

use crate::record::{self as tasks, Hold};
use crate::{Name, ScopeInfo, TaskKind};

mod ended;

pub(crate) use self::ended::keep;

/// Tasks that were sampled and have ended, and whose facts are kept: the last 16,384.
///
/// With fewer, a profile that is read late would name fewer tasks; each takes some hundred bytes.
pub const MAX_ENDED: usize = 16_384;

/// Names the task of a sample: two words that mean nothing by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TaskKey([u64; 2]);

impl TaskKey {
    /// No task.
    pub const NONE: TaskKey = TaskKey([0, 0]);

    /// A key as a sampler that knows no tasks keeps it.
    #[must_use]
    pub const fn to_words(self) -> [u64; 2] {
        self.0
    }

    /// The key that was kept. Words that were no key belong to no task.
    #[must_use]
    pub const fn from_words(words: [u64; 2]) -> TaskKey {
        TaskKey(words)
    }

    /// Whether it names no task.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0[0] == 0
    }
}

/// The facts of a sampled task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskFacts {
    /// Tokio's id of the task; 0 if it has none, or had none yet.
    pub id: u64,
    /// How the task came to be.
    pub kind: TaskKind,
    /// The name it was spawned with.
    pub name: Option<Name>,
    /// Its own labels.
    pub labels: Vec<(Arc<str>, Arc<str>)>,
    /// Where it was spawned.
    pub site: &'static Location<'static>,
    /// The type of its future.
    pub future: &'static str,
    /// The scope that it belongs to.
    pub scope: Option<ScopeInfo>,
    /// Whether it had ended when this was read.
    pub ended: bool,
}

/// The key of the task that the calling thread is polling; [`TaskKey::NONE`] if it polls none.
///
/// Marks the task, so that its [`facts`] outlive it.
///
/// # Overhead
///
/// A thread-local and two atomic operations. Takes no lock, allocates nothing and runs no
/// destructor, so it may be called in a signal handler and in an allocator.
///
/// # Limitations
///
/// Only tasks with a record. In a library that was loaded with `dlopen` the first use of a
/// thread-local may allocate.
#[must_use]
#[inline]
pub fn current() -> TaskKey {
    if let Some(record) = tasks::current() {
        return TaskKey(record.mark_sampled());
    }
    TaskKey::NONE
}

/// The facts of a task that was sampled.
///
/// `None`: the key names no task, or the task has ended and so many others after it that its facts
/// are gone.
///
/// # Overhead
///
/// Takes locks and allocates: not for signal handlers.
#[must_use]
pub fn facts(key: TaskKey) -> Option<Arc<TaskFacts>> {
    if !key.is_none() {
        // The table is asked twice: the task may end between the first look and the hold.
        return ended::find(key)
            .or_else(|| live(key).map(Arc::new))
            .or_else(|| ended::find(key));
    }
    None
}

/// Has every sample of the allocator know its task, from now on. Called again, it does nothing.
pub fn label_heap_samples() {
    callstack::heap::set_label(|| current().to_words());
}

fn live(key: TaskKey) -> Option<TaskFacts> {
    let hold: Hold = tasks::hold_sampled(key.0)?;
    Some(of(&hold, false))
}

/// Reads a record that the caller holds.
fn of(hold: &Hold, ended: bool) -> TaskFacts {
    let (record, meta) = (hold.record(), hold.meta());
    let (name, labels) = match record.extensions() {
        Some(extensions) => {
            let kept = extensions.data();
            (kept.name.clone(), kept.labels.clone())
        }
        None => (None, Vec::new()),
    };
    TaskFacts {
        id: record.id(),
        kind: TaskKind::of(record.traits()),
        name,
        labels,
        site: meta.site,
        future: (meta.future)(),
        scope: meta.scope_info(),
        ended,
    }
}
