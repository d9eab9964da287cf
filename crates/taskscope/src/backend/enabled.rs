//! With the feature `enable`: a task has a record of `taskscope-core`, and what reads records is
//! installed with the first one.
//!
//! Not here: the record itself and what a poll does to it (`taskscope-core`); which scope owns a
//! task (`scope/`).

use std::any::type_name;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use taskscope_core::record::{self, Inherited, Meta, Tags, TaskGuard};
use taskscope_core::runtime::{self, RuntimeEntry};
use taskscope_core::spawn_mark::{Ours, ours};
use taskscope_core::{ids, text};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::Spawned;

pub use taskscope_core::instrument::Instrumented;
pub use taskscope_core::{CancelReason, Name, RuntimeGuard, register_runtime};

pub(crate) use taskscope_core::current::{ScopeGuard, enter_scope, scope as current_scope};
pub(crate) use taskscope_core::record::{Attached, Record, TaskRef, Traits};
pub(crate) use taskscope_core::text::name as bounded_name;
pub(crate) use taskscope_core::{Owner, clock};
pub(crate) use taskscope_inspect::resources::Registered;

/// Calls `f` with the record of the task that this thread is polling and the scope that owns it.
pub(crate) fn with_current<R>(f: impl FnOnce(&Record, Option<&Arc<dyn Owner>>) -> R) -> Option<R> {
    record::with_current(|record, meta| f(record, meta.scope.as_ref()))
}

/// Notes that the current task has looked at a token. `saw` is asked with the scope that owns the
/// task: did it learn that this scope is cancelled? `None`: the token says nothing about that
/// scope.
pub(crate) fn note_token_look(saw: impl FnOnce(&dyn Owner) -> Option<bool>) {
    record::with_current(|record, meta| {
        if let Some(saw) = meta.scope.as_deref().and_then(saw) {
            record
                .extensions_or_new()
                .token_polled(clock::coarse(), saw);
        }
    });
}

/// The declarations that a [`Builder`](crate::Builder) has collected.
#[derive(Debug, Clone, Default)]
pub(crate) struct Declared {
    traits: Traits,
    owner: OwnedBy,
    tags: Option<Tags>,
    /// The spawn site, if it is not the line that calls the builder.
    site: Option<&'static Location<'static>>,
}

/// The scope that the task will belong to.
#[derive(Debug, Clone, Default)]
enum OwnedBy {
    /// The scope that the spawning code works for.
    #[default]
    Current,
    Given(Arc<dyn Owner>),
    Nobody,
}

/// The runtime that the task will be on. No closure: a panic tells the line of the caller.
pub(crate) enum On<'a> {
    /// The current one; a panic if there is none.
    Current,
    /// The current one, if there is one.
    Any,
    Given(&'a Handle),
}

impl Declared {
    #[inline]
    pub(crate) fn name(&mut self, name: Name) {
        self.tags.get_or_insert_default().name = Some(name);
    }

    pub(crate) fn label(&mut self, key: Arc<str>, value: Arc<str>) {
        let (key, value) = (text::name(key), text::name(value));
        let labels = &mut self.tags.get_or_insert_default().labels;
        match labels.iter_mut().find(|(existing, _)| *existing == key) {
            Some((_, existing)) => *existing = value,
            None => labels.push((key, value)),
        }
    }

    pub(crate) fn background(&mut self) {
        self.traits = self.traits.with(Traits::BACKGROUND, true);
        self.owner = OwnedBy::Nobody;
    }

    pub(crate) fn no_capture(&mut self) {
        self.traits = self.traits.with(Traits::NO_CAPTURE, true);
    }

    #[inline]
    pub(crate) fn owned_by(&mut self, owner: Arc<dyn Owner>) {
        self.owner = OwnedBy::Given(owner);
    }

    #[cfg(any(feature = "hyper", feature = "tower"))]
    pub(crate) fn at(&mut self, site: &'static Location<'static>) {
        self.site = Some(site);
    }

    /// Gives a record to a future that somebody else drives.
    #[track_caller]
    pub(crate) fn instrument<F: Future>(self, future: F) -> Instrumented<F> {
        /// Where tokio's ids never get, and JSON numbers are still exact.
        const FIRST: u64 = 1 << 52;
        static NEXT: AtomicU64 = AtomicU64::new(FIRST);
        let guard = self.begin(&future, On::Any, Traits::DRIVEN);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        guard.record().set_id(id);
        Instrumented::new(future, guard)
    }

    /// Makes the record. The guard ends the task again if tokio's spawn function panics or refuses
    /// it.
    #[inline]
    #[track_caller]
    pub(crate) fn begin<F>(self, _: &F, on: On<'_>, traits: Traits) -> TaskGuard {
        let inherited = record::inherited();
        if inherited.parent == 0 {
            // The first task of a process has no parent with a record.
            install_readers();
        }
        // May panic, so first.
        let runtime = match on {
            On::Current => runtime::of_spawn(inherited.runtime),
            On::Any => runtime::or_none(inherited.runtime),
            On::Given(handle) => runtime::index_of(handle),
        };
        let Inherited { parent, scope, .. } = inherited;
        let scope = match self.owner {
            OwnedBy::Current => scope.unwrap_or_else(current_scope),
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

/// A task between its record and its handle.
pub(crate) struct Launch {
    task: TaskRef,
    count: Option<LocalCount>,
    /// Until tokio has taken the task.
    _ours: Option<Ours>,
}

impl Launch {
    #[inline]
    pub(crate) fn task(guard: &TaskGuard) -> Launch {
        Launch {
            task: guard.task_ref(),
            count: None,
            _ours: Some(ours()),
        }
    }

    /// The task will be one of the current thread alone, and the runtime is known.
    #[inline]
    pub(crate) fn local(guard: &TaskGuard) -> Launch {
        Launch {
            task: guard.task_ref(),
            count: Some(LocalCount::before(guard.record())),
            _ours: Some(ours()),
        }
    }

    /// No hook of a runtime is told of calls.
    #[inline]
    pub(crate) fn call(guard: &TaskGuard) -> Launch {
        Launch {
            task: guard.task_ref(),
            count: None,
            _ours: None,
        }
    }

    /// Tokio has taken the task.
    #[inline]
    pub(crate) fn done<H: Spawned>(self, handle: H) -> (H, TaskRef) {
        if let Some(count) = self.count {
            count.after();
        }
        self.task.set_id(ids::number(handle.id()));
        if self.task.is_abortable() {
            adopt(self.task, || handle.abort_handle());
        }
        (handle, self.task)
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
pub(crate) struct LocalCount {
    entry: Option<Arc<RuntimeEntry>>,
    before: usize,
}

impl LocalCount {
    fn before(record: &Record) -> LocalCount {
        let entry = runtime::get(record.runtime());
        let before = entry.as_ref().map_or(0, |entry| entry.alive());
        LocalCount { entry, before }
    }

    fn after(self) {
        if let Some(entry) = &self.entry {
            entry.learn_local(self.before, entry.alive());
        }
    }
}

/// Spawns a future or a function, by an expression in which its name means that future with a
/// record.
///
/// Gives tokio's handle and a [`TaskRef`]. A macro and not a function, because the expression is
/// compiled for another type of future than the one that was given. `on`: the runtime, a case of
/// [`On`]; `disabled.rs` never looks at it.
macro_rules! launch {
    ($declared:expr, call on $on:ident $(($handle:expr))?, |$call:ident| $spawn:expr) => {{
        use $crate::backend::enabled as backend;
        let on = backend::On::$on $(($handle))?;
        let guard = $declared.begin(&$call, on, backend::Traits::BLOCKING);
        let launch = backend::Launch::call(&guard);
        let $call = move || {
            let guard = guard;
            guard.run($call)
        };
        launch.done($spawn)
    }};
    ($declared:expr, task on $on:ident $(($handle:expr))?, |$future:ident| $spawn:expr) => {{
        use $crate::backend::enabled as backend;
        let on = backend::On::$on $(($handle))?;
        let guard = $declared.begin(&$future, on, backend::Traits::default());
        let launch = backend::Launch::task(&guard);
        let $future = backend::Instrumented::new($future, guard);
        launch.done($spawn)
    }};
    // On a `LocalSet`: its first poll tells which runtime drives the set.
    ($declared:expr, local on LocalSet, |$future:ident| $spawn:expr) => {{
        use $crate::backend::enabled as backend;
        let guard = $declared.begin(&$future, backend::On::Any, backend::Traits::LOCAL);
        let launch = backend::Launch::task(&guard);
        let $future = backend::Instrumented::new($future, guard);
        launch.done($spawn)
    }};
    ($declared:expr, local on $on:ident $(($handle:expr))?, |$future:ident| $spawn:expr) => {{
        use $crate::backend::enabled as backend;
        let on = backend::On::$on $(($handle))?;
        let guard = $declared.begin(&$future, on, backend::Traits::LOCAL);
        let launch = backend::Launch::local(&guard);
        let $future = backend::Instrumented::new($future, guard);
        launch.done($spawn)
    }};
}
pub(crate) use launch;
