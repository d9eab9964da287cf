//! What a task is declared to be before it is spawned: nothing but its scope counts.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Handle, LocalRuntime};
use tokio::task::LocalSet;

use crate::instrument::Instrumented;
use crate::record::{self, Owned, TaskGuard, TaskRef};
use crate::scope::ScopeInner;
use crate::{JoinHandle, JoinSet, Name, ScopeRef};

use super::InSet;

/// What a task is declared to be before it is spawned. Without the feature `enable` nothing but its scope counts.
#[derive(Debug, Clone, Default)]
#[must_use = "a builder does nothing until `spawn` is called"]
pub struct Builder {
    /// The scope that was asked to own the task. One that is only current is not inherited.
    owner: Option<Arc<ScopeInner>>,
}

impl Builder {
    /// A task that belongs to no scope.
    #[inline]
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Drops the name.
    pub fn name(self, _: impl Into<Name>) -> Builder {
        self
    }

    /// Drops the label.
    pub fn label(self, _: impl Into<Arc<str>>, _: impl Into<Arc<str>>) -> Builder {
        self
    }

    /// Declares the task long-lived: it belongs to no scope.
    pub fn background(self) -> Builder {
        Builder { owner: None }
    }

    /// Makes this scope the owner.
    pub fn scope(self, scope: impl Into<ScopeRef>) -> Builder {
        self.owned_by(scope.into().inner().clone())
    }

    #[cfg(feature = "tower")]
    pub(crate) fn at(self, _: &'static std::panic::Location<'static>) -> Builder {
        self
    }

    pub(super) fn owner(&self) -> Option<Arc<ScopeInner>> {
        self.owner.clone()
    }

    pub(crate) fn owned_by(self, scope: Arc<ScopeInner>) -> Builder {
        Builder { owner: Some(scope) }
    }

    /// Nothing is captured anyway.
    pub fn no_capture(self) -> Builder {
        self
    }

    /// Spawns the task: [`tokio::spawn`].
    #[inline]
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.owner {
            None => JoinHandle::new(tokio::spawn(future), TaskRef),
            Some(scope) => {
                let task = TaskGuard::new(scope);
                let record = task.record();
                let handle = tokio::spawn(Owned::new(future, task));
                record::adopt(&record, || handle.abort_handle());
                JoinHandle::new(handle, TaskRef)
            }
        }
    }

    /// Spawns the task on the runtime of a handle: [`Handle::spawn`].
    #[track_caller]
    pub fn spawn_on<F>(self, handle: &Handle, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        match self.owner {
            None => JoinHandle::new(handle.spawn(future), TaskRef),
            Some(scope) => {
                let task = TaskGuard::new(scope);
                let record = task.record();
                let handle = handle.spawn(Owned::new(future, task));
                record::adopt(&record, || handle.abort_handle());
                JoinHandle::new(handle, TaskRef)
            }
        }
    }

    /// Spawns a `!Send` task: [`tokio::task::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match self.owner {
            None => JoinHandle::new(tokio::task::spawn_local(future), TaskRef),
            Some(scope) => {
                let task = TaskGuard::new(scope);
                let record = task.record();
                let handle = tokio::task::spawn_local(Owned::new(future, task));
                record::adopt(&record, || handle.abort_handle());
                JoinHandle::new(handle, TaskRef)
            }
        }
    }

    /// Spawns a `!Send` task on a `LocalSet`: [`LocalSet::spawn_local`].
    #[track_caller]
    pub fn spawn_local_on<F>(self, local_set: &LocalSet, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        match self.owner {
            None => JoinHandle::new(local_set.spawn_local(future), TaskRef),
            Some(scope) => {
                let task = TaskGuard::new(scope);
                let record = task.record();
                let handle = local_set.spawn_local(Owned::new(future, task));
                record::adopt(&record, || handle.abort_handle());
                JoinHandle::new(handle, TaskRef)
            }
        }
    }

    /// Spawns a `!Send` task on a `LocalRuntime`: [`LocalRuntime::spawn_local`].
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
        match self.owner {
            None => JoinHandle::new(local_runtime.spawn_local(future), TaskRef),
            Some(scope) => {
                let task = TaskGuard::new(scope);
                let record = task.record();
                let handle = local_runtime.spawn_local(Owned::new(future, task));
                record::adopt(&record, || handle.abort_handle());
                JoinHandle::new(handle, TaskRef)
            }
        }
    }

    /// Runs a function on the blocking pool of a runtime: [`Handle::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking_on<F, R>(self, handle: &Handle, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        match self.owner {
            None => JoinHandle::new(handle.spawn_blocking(function), TaskRef),
            Some(scope) => {
                let task = TaskGuard::new(scope);
                let record = task.record();
                let handle = handle.spawn_blocking(move || task.run(function));
                record::adopt(&record, || handle.abort_handle());
                JoinHandle::new(handle, TaskRef)
            }
        }
    }

    /// An executor whose tasks belong to the scope that was asked for, if any.
    #[cfg(feature = "hyper")]
    pub fn executor(self) -> crate::TaskExecutor {
        crate::TaskExecutor::of(self)
    }

    /// The task goes into a set.
    pub fn in_set<T>(self, set: &mut JoinSet<T>) -> InSet<'_, T> {
        InSet::new(self, set)
    }

    /// Runs a function on the blocking pool: [`tokio::task::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, R>(self, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        match self.owner {
            None => JoinHandle::new(tokio::task::spawn_blocking(function), TaskRef),
            Some(scope) => {
                let task = TaskGuard::new(scope);
                let record = task.record();
                let handle = tokio::task::spawn_blocking(move || {
                    let task = task;
                    task.run(function)
                });
                record::adopt(&record, || handle.abort_handle());
                JoinHandle::new(handle, TaskRef)
            }
        }
    }

    /// The future as it is. It belongs to no scope.
    pub fn instrument<F: Future>(self, future: F) -> Instrumented<F> {
        Instrumented::new(future)
    }
}
