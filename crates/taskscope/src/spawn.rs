//! The ways to start a task that has a record.

use std::any::type_name;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::instrument::{Instrumented, TaskGuard};
use crate::record::{Hold, Kind, Meta};
use crate::runtime::RuntimeEntry;
use crate::scope::ScopeInner;
use crate::{JoinHandle, clock, current, ids, pool};

/// Spawns a task on the current runtime: [`tokio::spawn`] with a record.
///
/// The task belongs to the current [`Scope`](crate::Scope), if there is one. Everything that tokio documents of its function holds for this one.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let answer = taskscope::spawn(async { 6 * 7 });
/// assert_eq!(answer.await.ok(), Some(42));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// Outside of a tokio runtime, with tokio's own message.
///
/// # Overhead
///
/// The record is reused memory of 160 bytes, the future grows by two pointers. A poll reads a time-stamp counter twice.
/// The first call in a process calibrates that counter, which takes about 0.6 ms.
///
/// # Limitations
///
/// Any task may be polled once more than its leaf futures asked for, when somebody takes a dump with stacks.
/// The contract of `Future` allows that at any time; a future that takes every poll for an event breaks it.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Builder::new().spawn(future)
}

/// Spawns a task under a name that dumps show. See [`spawn`].
///
/// Names group tasks, so give the same name to tasks of the same kind; what differs belongs in the scope's labels.
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Arc<str>>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Builder::new().name(name).spawn(future)
}

/// Spawns a task that is meant to live as long as the process or the runtime. See [`spawn`].
///
/// It belongs to no scope, and neither a leak check nor a dump calls it a leak. Use it for accept loops, reapers
/// and workers; a task that waits for a request is none.
#[track_caller]
pub fn background<F>(name: impl Into<Arc<str>>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Builder::new().name(name).background().spawn(future)
}

/// Spawns a task that may be `!Send` on the current `LocalSet` or `LocalRuntime`: [`tokio::task::spawn_local`] with a
/// record. See [`spawn`].
///
/// # Panics
///
/// Outside of both, with tokio's own message.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Builder::new().spawn_local(future)
}

/// What a task is declared to be before it is spawned.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let reaper = taskscope::Builder::new().name("reaper").background().spawn(std::future::pending::<()>());
/// reaper.abort();
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until `spawn` is called"]
pub struct Builder {
    name: Option<Arc<str>>,
    background: bool,
}

impl Builder {
    /// A task without a name that belongs to the current scope.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Gives the task a name that dumps show.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Builder {
        self.name = Some(name.into());
        self
    }

    /// Declares the task long-lived: see [`background`].
    pub fn background(mut self) -> Builder {
        self.background = true;
        self
    }

    /// Spawns the task. See [`spawn`] for panics, overhead and limitations.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let scope = self.owner();
        self.spawn_owned(scope, future)
    }

    /// Spawns a `!Send` task. See [`spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // A `LocalSet` that has been entered takes tasks before there is a runtime.
        let runtime = Handle::try_current().ok();
        let runtime = runtime.as_ref().map(RuntimeEntry::of);
        let scope = self.owner();
        let task = self.begin::<F>(runtime.clone(), scope, Location::caller(), true);
        let hold = task.hold().clone();
        let before = runtime.as_ref().map(|runtime| runtime.alive());
        let handle = tokio::task::spawn_local(Instrumented::new(future, task));
        if let (Some(runtime), Some(before)) = (runtime, before) {
            runtime.learn_local(before, runtime.alive());
        }
        joined(handle, hold)
    }

    #[track_caller]
    pub(crate) fn spawn_owned<F>(
        self,
        scope: Option<Arc<ScopeInner>>,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let runtime = RuntimeEntry::of(&Handle::current());
        let task = self.begin::<F>(Some(runtime), scope, Location::caller(), false);
        let hold = task.hold().clone();
        joined(tokio::spawn(Instrumented::new(future, task)), hold)
    }

    fn owner(&self) -> Option<Arc<ScopeInner>> {
        if self.background {
            None
        } else {
            current::scope()
        }
    }

    /// Makes the record. The guard ends the task again if tokio's spawn function panics or refuses it.
    fn begin<F>(
        self,
        runtime: Option<Arc<RuntimeEntry>>,
        scope: Option<Arc<ScopeInner>>,
        site: &'static Location<'static>,
        local: bool,
    ) -> TaskGuard {
        let record = pool::take();
        TaskGuard::new(record.publish(Meta {
            site,
            future: type_name::<F>,
            runtime,
            scope,
            name: self.name.map(Box::new),
            spawned_at: clock::ticks(),
            parent: current::task().map_or(0, |parent| parent.id()),
            kind: if self.background {
                Kind::Background
            } else {
                Kind::Task
            },
            local,
        }))
    }
}

fn joined<T>(handle: tokio::task::JoinHandle<T>, task: Hold) -> JoinHandle<T> {
    task.record().set_id(ids::number(handle.id()));
    JoinHandle::new(handle, task)
}
