//! Spawning into a set what was declared beforehand, of which only the scope counts.

use std::fmt;
use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, LocalSet};

use super::Builder;
use crate::JoinSet;
use crate::record::{self, Owned, TaskGuard};

/// A [`Builder`] and the set that its task goes into: made by [`Builder::in_set`].
#[must_use = "it does nothing until `spawn` is called"]
pub struct InSet<'a, T> {
    builder: Builder,
    set: &'a mut JoinSet<T>,
}

impl<'a, T> InSet<'a, T> {
    pub(super) fn new(builder: Builder, set: &'a mut JoinSet<T>) -> InSet<'a, T> {
        InSet { builder, set }
    }

    /// What keeps count of the task, if a scope owns it.
    fn guard(&self) -> Option<TaskGuard> {
        self.builder.owner().map(TaskGuard::new)
    }
}

impl<T: 'static> InSet<'_, T> {
    /// See [`JoinSet::spawn`].
    #[track_caller]
    pub fn spawn<F>(self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let set = match self.guard() {
            None => return self.set.inner.spawn(task),
            Some(guard) => (
                guard.record(),
                self.set.inner.spawn(Owned::new(task, guard)),
            ),
        };
        adopted(set)
    }

    /// See [`JoinSet::spawn_on`].
    #[track_caller]
    pub fn spawn_on<F>(self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        match self.guard() {
            None => self.set.inner.spawn_on(task, handle),
            Some(guard) => {
                let record = guard.record();
                let task = self.set.inner.spawn_on(Owned::new(task, guard), handle);
                adopted((record, task))
            }
        }
    }

    /// See [`JoinSet::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        match self.guard() {
            None => self.set.inner.spawn_local(task),
            Some(guard) => {
                let record = guard.record();
                let task = self.set.inner.spawn_local(Owned::new(task, guard));
                adopted((record, task))
            }
        }
    }

    /// See [`JoinSet::spawn_local_on`].
    #[track_caller]
    pub fn spawn_local_on<F>(self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        match self.guard() {
            None => self.set.inner.spawn_local_on(task, local_set),
            Some(guard) => {
                let record = guard.record();
                let task = Owned::new(task, guard);
                adopted((record, self.set.inner.spawn_local_on(task, local_set)))
            }
        }
    }

    /// See [`JoinSet::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F>(self, function: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        match self.guard() {
            None => self.set.inner.spawn_blocking(function),
            Some(guard) => {
                let record = guard.record();
                adopted((
                    record,
                    self.set.inner.spawn_blocking(move || guard.run(function)),
                ))
            }
        }
    }

    /// See [`JoinSet::spawn_blocking_on`].
    #[track_caller]
    pub fn spawn_blocking_on<F>(self, function: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        match self.guard() {
            None => self.set.inner.spawn_blocking_on(function, handle),
            Some(guard) => {
                let record = guard.record();
                let call = move || guard.run(function);
                adopted((record, self.set.inner.spawn_blocking_on(call, handle)))
            }
        }
    }
}

/// Gives the task's scopes the means to abort it.
fn adopted((task, handle): (std::sync::Arc<record::Record>, AbortHandle)) -> AbortHandle {
    record::adopt(&task, || handle.clone());
    handle
}

impl<T> fmt::Debug for InSet<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InSet")
            .field("builder", &self.builder)
            .field("set", &self.set)
            .finish()
    }
}
