//! What a task is declared to be before it is spawned.

use std::any::type_name;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::runtime::{Handle, LocalRuntime};
use tokio::task::{AbortHandle, Id, LocalSet};

use super::InSet;
use crate::instrument::Instrumented;
use crate::record::{self, Inherited, Meta, Record, Tags, TaskGuard, TaskRef, Traits};
use crate::runtime::RuntimeEntry;
use crate::scope::ScopeInner;
use crate::{JoinHandle, JoinSet, Name, ScopeRef, clock, ids, runtime, text};
use taskscope_core::spawn_mark::ours;
use taskscope_core::{Owner, current};

/// What a task is declared to be before it is spawned.
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
    traits: Traits,
    owner: OwnedBy,
    tags: Option<Tags>,
    /// The spawn site, if it is not the line that calls the builder.
    site: Option<&'static Location<'static>>,
}

/// Whose task it will be.
#[derive(Debug, Clone, Default)]
enum OwnedBy {
    /// The scope that the spawning code works for.
    #[default]
    Current,
    Given(Arc<ScopeInner>),
    Nobody,
}

/// The runtime that it will be on. No closure: a panic tells the line of the caller.
pub(crate) enum On<'a> {
    /// The current one; a panic if there is none.
    Current,
    /// The current one, if there is one.
    Perhaps,
    Given(&'a Handle),
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
        self.tags.get_or_insert_default().name = Some(name.into());
        self
    }

    /// Adds a label that dumps show with this task. A key that was there gets the new value. Both are cut to
    /// [`MAX_NAME`](crate::text::MAX_NAME) characters.
    ///
    /// What is common to all tasks of a request belongs on its [`Scope`](crate::Scope).
    pub fn label(mut self, key: impl Into<Arc<str>>, value: impl Into<Arc<str>>) -> Builder {
        let (key, value) = (text::name(key.into()), text::name(value.into()));
        let labels = &mut self.tags.get_or_insert_default().labels;
        match labels.iter_mut().find(|(existing, _)| *existing == key) {
            Some((_, existing)) => *existing = value,
            None => labels.push((key, value)),
        }
        self
    }

    /// Declares the task long-lived: see [`background`](crate::background). It belongs to no scope.
    pub fn background(mut self) -> Builder {
        self.traits = self.traits.with(Traits::BACKGROUND, true);
        self.owner = OwnedBy::Nobody;
        self
    }

    /// Makes this scope the owner, instead of the current one: a `&Scope`, a `&ScopeRef` or a `ScopeRef`.
    pub fn scope(self, scope: impl Into<ScopeRef>) -> Builder {
        self.owned_by(scope.into().inner().clone())
    }

    /// Says the spawn site, if it is not the line that spawns.
    #[cfg(any(feature = "hyper", feature = "tower"))]
    pub(crate) fn at(mut self, site: &'static Location<'static>) -> Builder {
        self.site = Some(site);
        self
    }

    pub(crate) fn owned_by(mut self, scope: Arc<ScopeInner>) -> Builder {
        self.owner = OwnedBy::Given(scope);
        self
    }

    /// Declares that no dump may poll the task for its trace: see the limitations of [`spawn`](crate::spawn).
    ///
    /// Dumps show everything else of it, and say why its trace is missing.
    pub fn no_capture(mut self) -> Builder {
        self.traits = self.traits.with(Traits::NO_CAPTURE, true);
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
        let task = self.begin::<F>(On::Current, Traits::default());
        let made = task.task_ref();
        let handle = {
            let _ours = ours();
            tokio::spawn(Instrumented::new(future, task))
        };
        spawned(handle, made)
    }

    /// Spawns the task on the runtime of a handle. See [`spawn_on`](crate::spawn_on).
    #[track_caller]
    pub fn spawn_on<F>(self, handle: &Handle, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = self.begin::<F>(On::Given(handle), Traits::default());
        let made = task.task_ref();
        let handle = {
            let _ours = ours();
            handle.spawn(Instrumented::new(future, task))
        };
        spawned(handle, made)
    }

    /// Spawns a `!Send` task. See [`spawn_local`](crate::spawn_local).
    #[track_caller]
    pub fn spawn_local<F>(self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // A `LocalSet` that has been entered takes tasks before there is a runtime.
        let task = self.begin::<F>(On::Perhaps, Traits::LOCAL);
        let made = task.task_ref();
        let count = LocalCount::before(task.record());
        let handle = {
            let _ours = ours();
            tokio::task::spawn_local(Instrumented::new(future, task))
        };
        count.after();
        spawned(handle, made)
    }

    /// Spawns a `!Send` task on a `LocalSet`, from wherever that is at hand: [`LocalSet::spawn_local`] with a record.
    #[track_caller]
    pub fn spawn_local_on<F>(self, local_set: &LocalSet, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        // Its first poll tells which runtime drives the set.
        let task = self.begin::<F>(On::Perhaps, Traits::LOCAL);
        let made = task.task_ref();
        let handle = {
            let _ours = ours();
            local_set.spawn_local(Instrumented::new(future, task))
        };
        spawned(handle, made)
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
        let task = self.begin::<F>(On::Given(local_runtime.handle()), Traits::LOCAL);
        let made = task.task_ref();
        let count = LocalCount::before(task.record());
        let handle = {
            let _ours = ours();
            local_runtime.spawn_local(Instrumented::new(future, task))
        };
        count.after();
        spawned(handle, made)
    }

    /// Runs a function on the blocking pool. See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking<F, R>(self, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let task = self.begin::<F>(On::Current, Traits::BLOCKING);
        let made = task.task_ref();
        let handle = tokio::task::spawn_blocking(move || {
            let task = task;
            task.run(function)
        });
        spawned(handle, made)
    }

    /// Runs a function on the blocking pool of a handle's runtime: [`Handle::spawn_blocking`] with a record.
    /// See [`spawn_blocking`](crate::spawn_blocking).
    #[track_caller]
    pub fn spawn_blocking_on<F, R>(self, handle: &Handle, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let task = self.begin::<F>(On::Given(handle), Traits::BLOCKING);
        let made = task.task_ref();
        let handle = handle.spawn_blocking(move || {
            let task = task;
            task.run(function)
        });
        spawned(handle, made)
    }

    /// Spawns into a set, with everything declared so far: see [`InSet`].
    pub fn in_set<T>(self, set: &mut JoinSet<T>) -> InSet<'_, T> {
        InSet::new(self, set)
    }

    /// An executor whose tasks are all declared like this one. See [`TaskExecutor`](crate::TaskExecutor).
    #[cfg(feature = "hyper")]
    #[track_caller]
    pub fn executor(self) -> crate::TaskExecutor {
        crate::TaskExecutor::of(self.at(Location::caller()))
    }

    /// Gives the future a record. See [`instrument`](crate::instrument).
    #[track_caller]
    pub fn instrument<F: Future>(self, future: F) -> Instrumented<F> {
        /// Where tokio's ids never get, and JSON numbers are still exact.
        const FIRST: u64 = 1 << 52;
        static NEXT: AtomicU64 = AtomicU64::new(FIRST);
        let task = self.begin::<F>(On::Perhaps, Traits::DRIVEN);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        task.record().set_id(id);
        Instrumented::new(future, task)
    }

    /// Makes the record. The guard ends the task again if tokio's spawn function panics or refuses it.
    #[inline]
    #[track_caller]
    pub(crate) fn begin<F>(self, on: On<'_>, traits: Traits) -> TaskGuard {
        let inherited = record::inherited();
        if inherited.parent == 0 {
            // The first task of a process has no parent with a record.
            install_readers();
        }
        // May panic, so first.
        let runtime = match on {
            On::Current => runtime::of_spawn(inherited.runtime),
            On::Perhaps => runtime::or_none(inherited.runtime),
            On::Given(handle) => runtime::index_of(handle),
        };
        let Inherited { parent, scope, .. } = inherited;
        let scope: Option<Arc<dyn Owner>> = match self.owner {
            OwnedBy::Current => scope.unwrap_or_else(current::scope),
            OwnedBy::Given(scope) => Some(scope),
            OwnedBy::Nobody => None,
        };
        let meta = Meta {
            site: match self.site {
                Some(site) => site,
                None => Location::caller(),
            },
            future: type_name::<F>,
            scope,
            spawned_at: clock::coarse(),
            parent,
        };
        let abortable = meta.scope.as_ref().is_some_and(|scope| scope.aborts());
        let traits = self
            .traits
            .with(traits, true)
            .with(Traits::ABORTABLE, abortable);
        record::of_new_task(meta, traits, runtime, self.tags)
    }
}

/// Has the core call the readers when it is time: once in a process.
#[inline]
fn install_readers() {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.load(Ordering::Relaxed) {
        taskscope_inspect::install();
        INSTALLED.store(true, Ordering::Relaxed);
    }
}

/// What the ways of spawning do with tokio's handle.
#[inline]
fn spawned<T>(handle: tokio::task::JoinHandle<T>, task: TaskRef) -> JoinHandle<T> {
    settle(task, handle.id(), || handle.abort_handle());
    JoinHandle::new(handle, task)
}

/// What all ways of spawning do once tokio has taken the task.
#[inline]
pub(super) fn settle(task: TaskRef, id: Id, handle: impl Fn() -> AbortHandle) {
    task.set_id(ids::number(id));
    if task.is_abortable() {
        adopt(task, handle);
    }
}

/// Gives the task's scopes the means to abort it, unless it has ended already.
#[cold]
fn adopt(task: TaskRef, handle: impl Fn() -> AbortHandle) {
    if let Some(task) = task.hold()
        && let Some(scope) = &task.meta().scope
    {
        scope.adopt(task.record(), &handle);
    }
}

/// Learns from one `spawn_local` whether tokio counts such tasks with those of the runtime.
pub(super) struct LocalCount {
    entry: Option<Arc<RuntimeEntry>>,
    before: usize,
}

impl LocalCount {
    pub(super) fn before(record: &Record) -> LocalCount {
        let entry = runtime::get(record.runtime());
        let before = entry.as_ref().map_or(0, |entry| entry.alive());
        LocalCount { entry, before }
    }

    pub(super) fn after(self) {
        if let Some(entry) = &self.entry {
            entry.learn_local(self.before, entry.alive());
        }
    }
}
