//! Declares a task before it is spawned: its name, its labels, its owner; and spawns it in every way that tokio has.
//!
//! Not here: what becomes of the declarations (`backend/`), the short functions for ordinary tasks (`spawn/mod.rs`).

#[cfg(feature = "hyper")]
mod executor;
mod in_set;

use std::future::Future;
#[cfg(any(feature = "hyper", feature = "tower"))]
use std::panic::Location;
use std::sync::Arc;

use tokio::runtime::{Handle, LocalRuntime};
use tokio::task::LocalSet;

#[cfg(feature = "hyper")]
pub use self::executor::TaskExecutor;
pub use self::in_set::InSet;
use crate::backend::{Declared, Instrumented, Name, launch};
use crate::join::JoinHandle;
use crate::join_set::JoinSet;
use crate::scope::{ScopeInner, ScopeRef};

/// Declares a task before it is spawned.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let reaper = taskscope::Builder::new()
///     .name("reaper")
///     .label("pool", "orders")
///     .background()
///     .spawn(std::future::pending::<()>());
/// reaper.abort();
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Every way to start a task
#[doc = include_str!("ways.md")]
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `spawn` is called"]
pub struct Builder {
    declared: Declared,
}

impl Builder {
    /// A task without a name that belongs to the current scope.
    #[inline]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Gives the task a name that dumps show.
    ///
    /// Names group tasks, so give the same name to tasks of the same kind; what differs belongs in labels.
    pub fn name(mut self, name: impl Into<Name>) -> Builder {
        self.declared.name(name.into());
        self
    }

    /// Adds a label that dumps show with this task. A key that was there gets the new value. Both are cut to
    /// [`MAX_NAME`](crate::text::MAX_NAME) characters.
    ///
    /// What is common to all tasks of a request belongs on its [`Scope`](crate::Scope).
    pub fn label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Builder {
        self.declared.label(key.into(), value.into());
        self
    }

    /// Declares the task long-lived: see [`background`](crate::background). It belongs to no scope.
    pub fn background(mut self) -> Builder {
        self.declared.background();
        self
    }

    /// Makes this scope the owner, instead of the current one: a `&Scope`, a `&ScopeRef` or a `ScopeRef`.
    pub fn scope(self, scope: impl Into<ScopeRef>) -> Builder {
        self.owned_by(scope.into().inner().clone())
    }

    /// Says the spawn site, if it is not the line that spawns.
    #[cfg(any(feature = "hyper", feature = "tower"))]
    pub(crate) fn at(mut self, site: &'static Location<'static>) -> Builder {
        self.declared.at(site);
        self
    }

    pub(crate) fn owned_by(mut self, scope: Arc<ScopeInner>) -> Builder {
        self.declared.owned_by(scope);
        self
    }

    /// Declares that no dump may poll the task for its trace: see the limitations of [`spawn`](crate::spawn).
    ///
    /// Dumps show everything else of it, and say why its trace is missing.
    pub fn no_capture(mut self) -> Builder {
        self.declared.no_capture();
        self
    }

    /// Spawns the task. See [`spawn`](crate::spawn) for panics, overhead and limitations.
    #[inline]
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (handle, task) = launch!(self.declared, task on Current, |future| tokio::spawn(future));
        JoinHandle::new(handle, task)
    }

    /// Spawns the task on the runtime of a handle. See [`spawn_on`](crate::spawn_on).
    #[track_caller]
    pub fn spawn_on<F>(self, handle: &Handle, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let (handle, task) =
            launch!(self.declared, task on Given(handle), |future| handle.spawn(future));
        JoinHandle::new(handle, task)
    }

    /// Spawns a `!Send` task. See [`spawn_local`](crate::spawn_local).
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // A `LocalSet` that has been entered takes tasks before there is a runtime.
        let (handle, task) =
            launch!(self.declared, local on Any, |future| tokio::task::spawn_local(future));
        JoinHandle::new(handle, task)
    }

    /// Spawns a `!Send` task on a `LocalSet`, from wherever that is at hand: [`LocalSet::spawn_local`] with a record.
    #[track_caller]
    pub fn spawn_local_on<F>(self, local_set: &LocalSet, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (handle, task) =
            launch!(self.declared, local on LocalSet, |future| local_set.spawn_local(future));
        JoinHandle::new(handle, task)
    }

    /// Spawns a `!Send` task on a `LocalRuntime`, from outside of it: [`LocalRuntime::spawn_local`] with a record.
    #[track_caller]
    pub fn spawn_local_on_runtime<F>(
        self,
        local_runtime: &LocalRuntime,
        future: F,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let (handle, task) = launch!(self.declared, local on Given(local_runtime.handle()), |future| local_runtime.spawn_local(future));
        JoinHandle::new(handle, task)
    }

    /// Runs a function on the blocking pool. See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F, R>(self, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (handle, task) = launch!(self.declared, call on Current, |function| tokio::task::spawn_blocking(function));
        JoinHandle::new(handle, task)
    }

    /// Runs a function on the blocking pool of a handle's runtime: [`Handle::spawn_blocking`] with a record.
    /// See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking_on<F, R>(self, handle: &Handle, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let (handle, task) = launch!(self.declared, call on Given(handle), |function| handle.spawn_blocking(function));
        JoinHandle::new(handle, task)
    }

    /// Spawns into a set, with everything declared so far: see [`InSet`].
    pub fn in_set<T>(self, set: &mut JoinSet<T>) -> InSet<'_, T> {
        InSet::new(self, set)
    }

    /// An executor whose tasks are all declared like this one. See [`TaskExecutor`](crate::TaskExecutor).
    #[cfg(feature = "hyper")]
    #[track_caller]
    pub fn executor(self) -> TaskExecutor {
        TaskExecutor::of(self.at(Location::caller()))
    }

    /// Gives the future a record. See [`instrument`](crate::instrument).
    #[track_caller]
    pub fn instrument<F: Future>(self, future: F) -> Instrumented<F> {
        self.declared.instrument(future)
    }
}
