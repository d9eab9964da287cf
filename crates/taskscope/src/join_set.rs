//! A set of tasks that have records: tokio's, which also knows its tasks, to mark them as detached when it lets go of them.
//!
//! Not here: how a task gets into a set ([`crate::InSet`]).

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};

use tokio::task::{self, Id, JoinError};

use crate::backend::TaskRef;

/// A set of tasks that are awaited in the order in which they end: [`tokio::task::JoinSet`] with records.
///
/// Everything that tokio documents of its type holds for this one: dropping it aborts its tasks. Names and labels are given with
/// [`Builder::in_set`](crate::Builder::in_set). When a set lets go of a task that is alive, that task is *detached* from then on: after
/// [`detach_all`](JoinSet::detach_all), and after a drop, which cannot abort a call that is running on the blocking pool.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let mut set = taskscope::JoinSet::new();
/// for number in 0..3 {
///     set.spawn(async move { number });
/// }
/// let mut sum = 0;
/// while let Some(ended) = set.join_next().await {
///     sum += ended?;
/// }
/// assert_eq!(sum, 3);
/// # Ok::<(), tokio::task::JoinError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Overhead
///
/// 16 bytes for each task in the set, in one list that grows as a `Vec` does, beside what [`spawn`](crate::spawn) costs.
///
/// # Limitations
///
/// Of tasks that were collected from an iterator the spawn site is in the standard library, which does not pass the caller's line on.
/// [`extend`](Extend::extend) does.
pub struct JoinSet<T> {
    // Before the members: it aborts its tasks, and what is alive then is detached.
    pub(crate) inner: task::JoinSet<T>,
    pub(crate) members: Members,
}

/// The tasks of a set that nobody knows to have ended; those that have are removed when the list would grow.
#[derive(Default)]
pub(crate) struct Members(Vec<TaskRef>);

impl Members {
    pub(crate) fn add(&mut self, task: TaskRef) {
        if self.0.len() == self.0.capacity() {
            self.0.retain(|task| task.is_alive());
            // Twice the room that is needed: so the next look at all of them is as many tasks away.
            self.0.reserve(self.0.len() + 1);
        }
        self.0.push(task);
    }

    fn detach(&mut self) {
        for task in std::mem::take(&mut self.0) {
            task.set_detached();
        }
    }
}

// As of handles: nothing of a task can be seen broken through it. So the set is what tokio's is.
impl UnwindSafe for Members {}
impl RefUnwindSafe for Members {}

impl Drop for Members {
    fn drop(&mut self) {
        self.detach();
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> JoinSet<T> {
        JoinSet {
            inner: task::JoinSet::new(),
            members: Members::default(),
        }
    }

    /// How many tasks have not been joined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.len()
    }

    /// Whether all tasks have been joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Waits until one of the tasks has ended; `None` if the set is empty.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no task is removed from the set if another branch of a `select!` ends first.
    pub async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.inner.join_next().await
    }

    /// The same with the id of the task; that of one that failed is in the error.
    ///
    /// # Cancel safety
    ///
    /// As [`join_next`](JoinSet::join_next).
    pub async fn join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.inner.join_next_with_id().await
    }

    /// One of the tasks that have ended; `None` if there is none, or the set is empty.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.inner.try_join_next()
    }

    /// The same with the id of the task.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        self.inner.try_join_next_with_id()
    }

    /// Aborts all tasks, and waits until they have ended.
    pub async fn shutdown(&mut self) {
        self.inner.shutdown().await;
    }

    /// Waits until all tasks have ended, and returns their outputs in the order in which they did.
    ///
    /// # Panics
    ///
    /// If one of them has panicked, with its payload, or was aborted. The others are aborted then, as they are when this future
    /// is dropped.
    pub async fn join_all(self) -> Vec<T> {
        // Dropped after tokio's set.
        let _members = self.members;
        self.inner.join_all().await
    }

    /// Asks all tasks to end at their next suspension. They stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        self.inner.abort_all();
    }

    /// Removes all tasks from the set without aborting them. They go on, *detached*.
    pub fn detach_all(&mut self) {
        self.inner.detach_all();
        self.members.detach();
    }

    /// Polls for one of the tasks to have ended: see [`tokio::task::JoinSet::poll_join_next`].
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.inner.poll_join_next(cx)
    }

    /// The same with the id of the task.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        self.inner.poll_join_next_with_id(cx)
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> JoinSet<T> {
        JoinSet::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(tasks: I) -> JoinSet<T> {
        let mut set = JoinSet::new();
        set.extend(tasks);
        set
    }
}

impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, tasks: I) {
        for task in tasks {
            self.spawn(task);
        }
    }
}
