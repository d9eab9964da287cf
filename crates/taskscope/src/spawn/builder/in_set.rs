//! Spawning into a set what was declared beforehand.
//!
//! Not here: what the set does with its tasks ([`crate::JoinSet`]).

use std::fmt;
use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, LocalSet};

use super::Builder;
use crate::backend::launch;
use crate::join_set::JoinSet;

/// A [`Builder`] and the set that its task goes into: made by [`Builder::in_set`].
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use taskscope::{Builder, JoinSet};
///
/// let mut set = JoinSet::new();
/// for shard in 0..3 {
///     let task = Builder::new().name("compact").label("shard", shard.to_string());
///     task.in_set(&mut set).spawn(async move { shard });
/// }
/// assert_eq!(set.join_all().await.len(), 3);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "it does nothing until `spawn` is called"]
pub struct InSet<'a, T> {
    builder: Builder,
    set: &'a mut JoinSet<T>,
}

impl<'a, T> InSet<'a, T> {
    pub(super) fn new(builder: Builder, set: &'a mut JoinSet<T>) -> InSet<'a, T> {
        InSet { builder, set }
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
        let inner = &mut self.set.inner;
        let (handle, task) =
            launch!(self.builder.declared, task on Current, |task| inner.spawn(task));
        self.set.members.add(task);
        handle
    }

    /// See [`JoinSet::spawn_on`].
    #[track_caller]
    pub fn spawn_on<F>(self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let inner = &mut self.set.inner;
        let (handle, task) = launch!(self.builder.declared, task on Given(handle), |task| inner.spawn_on(task, handle));
        self.set.members.add(task);
        handle
    }

    /// See [`JoinSet::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let inner = &mut self.set.inner;
        let (handle, task) =
            launch!(self.builder.declared, local on Any, |task| inner.spawn_local(task));
        self.set.members.add(task);
        handle
    }

    /// See [`JoinSet::spawn_local_on`].
    #[track_caller]
    pub fn spawn_local_on<F>(self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let inner = &mut self.set.inner;
        let (handle, task) = launch!(self.builder.declared, local on LocalSet, |task| inner.spawn_local_on(task, local_set));
        self.set.members.add(task);
        handle
    }

    /// See [`JoinSet::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F>(self, function: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let inner = &mut self.set.inner;
        let (handle, task) = launch!(self.builder.declared, call on Current, |function| inner.spawn_blocking(function));
        self.set.members.add(task);
        handle
    }

    /// See [`JoinSet::spawn_blocking_on`].
    #[track_caller]
    pub fn spawn_blocking_on<F>(self, function: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let inner = &mut self.set.inner;
        let (handle, task) = launch!(self.builder.declared, call on Given(handle), |function| inner.spawn_blocking_on(function, handle));
        self.set.members.add(task);
        handle
    }
}

impl<T: 'static> JoinSet<T> {
    /// Spawns a task on the current runtime. See [`spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        Builder::new().in_set(self).spawn(task)
    }

    /// Spawns a task on the runtime of a handle. See [`spawn_on`](crate::spawn_on).
    #[track_caller]
    pub fn spawn_on<F>(&mut self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        Builder::new().in_set(self).spawn_on(task, handle)
    }

    /// Spawns a `!Send` task on the current `LocalSet` or `LocalRuntime`. See [`spawn_local`](crate::spawn_local).
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        Builder::new().in_set(self).spawn_local(task)
    }

    /// Spawns a `!Send` task on a `LocalSet`. See [`Builder::spawn_local_on`].
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        Builder::new().in_set(self).spawn_local_on(task, local_set)
    }

    /// Runs a function on the blocking pool. See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, function: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        Builder::new().in_set(self).spawn_blocking(function)
    }

    /// Runs a function on the blocking pool of a handle's runtime. See [`Builder::spawn_blocking_on`].
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, function: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        Builder::new()
            .in_set(self)
            .spawn_blocking_on(function, handle)
    }
}

impl<T> fmt::Debug for InSet<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InSet")
            .field("builder", &self.builder)
            .field("set", &self.set)
            .finish()
    }
}
