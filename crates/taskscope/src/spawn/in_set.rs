//! Spawning into a set what was declared beforehand.
//!
//! Not here: what the set does with its tasks ([`crate::JoinSet`]).

use std::fmt;
use std::future::Future;

use tokio::runtime::Handle;
use tokio::task::{AbortHandle, LocalSet};

use super::Builder;
use super::builder::{LocalCount, On, settle};
use taskscope_core::spawn_mark::ours;

use crate::JoinSet;
use crate::instrument::Instrumented;
use crate::record::Traits;

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
        let guard = self.builder.begin::<F>(On::Current, Traits::default());
        let made = guard.task_ref();
        let _ours = ours();
        let handle = self.set.inner.spawn(Instrumented::new(task, guard));
        settle(made, handle.id(), || handle.clone());
        self.set.members.add(made);
        handle
    }

    /// See [`JoinSet::spawn_on`].
    #[track_caller]
    pub fn spawn_on<F>(self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let guard = self
            .builder
            .begin::<F>(On::Given(handle), Traits::default());
        let made = guard.task_ref();
        let _ours = ours();
        let handle = self
            .set
            .inner
            .spawn_on(Instrumented::new(task, guard), handle);
        settle(made, handle.id(), || handle.clone());
        self.set.members.add(made);
        handle
    }

    /// See [`JoinSet::spawn_local`].
    #[track_caller]
    pub fn spawn_local<F>(self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let guard = self.builder.begin::<F>(On::Perhaps, Traits::LOCAL);
        let made = guard.task_ref();
        let count = LocalCount::before(guard.record());
        let _ours = ours();
        let handle = self.set.inner.spawn_local(Instrumented::new(task, guard));
        count.after();
        settle(made, handle.id(), || handle.clone());
        self.set.members.add(made);
        handle
    }

    /// See [`JoinSet::spawn_local_on`].
    #[track_caller]
    pub fn spawn_local_on<F>(self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let guard = self.builder.begin::<F>(On::Perhaps, Traits::LOCAL);
        let made = guard.task_ref();
        let _ours = ours();
        let handle = self
            .set
            .inner
            .spawn_local_on(Instrumented::new(task, guard), local_set);
        settle(made, handle.id(), || handle.clone());
        self.set.members.add(made);
        handle
    }

    /// See [`JoinSet::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F>(self, function: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let guard = self.builder.begin::<F>(On::Current, Traits::BLOCKING);
        let made = guard.task_ref();
        let handle = self.set.inner.spawn_blocking(move || {
            let guard = guard;
            guard.run(function)
        });
        settle(made, handle.id(), || handle.clone());
        self.set.members.add(made);
        handle
    }

    /// See [`JoinSet::spawn_blocking_on`].
    #[track_caller]
    pub fn spawn_blocking_on<F>(self, function: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let guard = self.builder.begin::<F>(On::Given(handle), Traits::BLOCKING);
        let made = guard.task_ref();
        let call = move || {
            let guard = guard;
            guard.run(function)
        };
        let handle = self.set.inner.spawn_blocking_on(call, handle);
        settle(made, handle.id(), || handle.clone());
        self.set.members.add(made);
        handle
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
