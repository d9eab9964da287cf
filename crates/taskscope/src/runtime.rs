//! The runtimes that tasks were spawned on, and how many of their tasks nobody can see into.
//!
//! An entry lives as long as one of its tasks or a [`RuntimeGuard`]: it holds a tokio `Handle`, which keeps
//! the runtime's file descriptors open, so nothing here may keep it any longer than the program itself does.
//! Not here: tokio's own metrics beyond the one count, which taskprof shows.

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::{Handle, Id, RuntimeFlavor};

pub(crate) struct RuntimeEntry {
    handle: Handle,
    id: Id,
    number: u64,
    /// Live tasks of ours that any worker may run.
    tracked: AtomicUsize,
    /// Live tasks of ours that were spawned with `spawn_local`.
    local: AtomicUsize,
    /// Whether tokio counts those with the runtime's: yes for a `LocalRuntime`, no for a `LocalSet`.
    locals_counted: AtomicBool,
}

static RUNTIMES: Mutex<Vec<Weak<RuntimeEntry>>> = Mutex::new(Vec::new());

fn table() -> MutexGuard<'static, Vec<Weak<RuntimeEntry>>> {
    RUNTIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The entry that this thread used last.
    static LAST: RefCell<Weak<RuntimeEntry>> = const { RefCell::new(Weak::new()) };
}

impl RuntimeEntry {
    /// The entry of a runtime, made if there is none.
    pub(crate) fn of(handle: &Handle) -> Arc<RuntimeEntry> {
        let id = handle.id();
        let last = LAST
            .try_with(|last| last.try_borrow().ok()?.upgrade())
            .ok()
            .flatten();
        if let Some(entry) = last.filter(|entry| entry.id == id) {
            return entry;
        }
        let entry = Self::find_or_insert(handle, id);
        let _ = LAST.try_with(|last| {
            if let Ok(mut last) = last.try_borrow_mut() {
                *last = Arc::downgrade(&entry);
            }
        });
        entry
    }

    fn find_or_insert(handle: &Handle, id: Id) -> Arc<RuntimeEntry> {
        // Upgraded entries are dropped after the lock: the last one to go drops a tokio handle.
        let mut seen = Vec::new();
        let mut table = table();
        table.retain(|weak| weak.strong_count() > 0);
        for entry in table.iter().filter_map(Weak::upgrade) {
            if entry.id == id {
                return entry;
            }
            seen.push(entry);
        }
        let entry = Arc::new(RuntimeEntry {
            handle: handle.clone(),
            id,
            // Tokio shows the number only as text.
            number: id.to_string().parse().unwrap_or(0),
            tracked: AtomicUsize::new(0),
            local: AtomicUsize::new(0),
            locals_counted: AtomicBool::new(false),
        });
        table.push(Arc::downgrade(&entry));
        drop(table);
        drop(seen);
        entry
    }

    /// Every runtime that has a live task of ours or a guard.
    pub(crate) fn all() -> Vec<Arc<RuntimeEntry>> {
        let table = table();
        let all = table.iter().filter_map(Weak::upgrade).collect();
        drop(table);
        all
    }

    fn counter(&self, local: bool) -> &AtomicUsize {
        if local { &self.local } else { &self.tracked }
    }

    pub(crate) fn task_started(&self, local: bool) {
        self.counter(local).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn task_ended(&self, local: bool) {
        self.counter(local).fetch_sub(1, Ordering::Relaxed);
    }

    /// Tasks that tokio counts for this runtime.
    pub(crate) fn alive(&self) -> usize {
        self.handle.metrics().num_alive_tasks()
    }

    /// Learns from one `spawn_local`, by the counts before and after it, whether tokio counts such tasks. Only a
    /// `LocalRuntime` does, and stable tokio has no way to ask for one.
    pub(crate) fn learn_local(&self, before: usize, after: usize) {
        let counted =
            after == before + 1 && self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread;
        self.locals_counted.store(counted, Ordering::Relaxed);
    }

    pub(crate) fn id(&self) -> Id {
        self.id
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn info(&self) -> RuntimeInfo {
        // The alive count first: a task that ends in between is then seen as tracked and not as untracked.
        let alive = self.alive();
        let tracked = self.tracked.load(Ordering::Relaxed);
        let local = self.local.load(Ordering::Relaxed);
        let counted = tracked
            + if self.locals_counted.load(Ordering::Relaxed) {
                local
            } else {
                0
            };
        RuntimeInfo {
            id: self.id,
            number: self.number,
            name: self.handle.name().map(Into::into),
            flavor: flavor_name(&self.handle),
            workers: self.handle.metrics().num_workers(),
            tracked: tracked + local,
            untracked: alive.saturating_sub(counted),
            handle: self.handle.clone(),
        }
    }
}

/// One runtime, as a dump saw it.
#[derive(Clone)]
#[non_exhaustive]
pub struct RuntimeInfo {
    /// Tokio's id of the runtime.
    pub id: Id,
    /// The same as a number, as `Display` prints it.
    pub number: u64,
    /// The name given with `runtime::Builder::name`.
    pub name: Option<Arc<str>>,
    /// `current_thread` or `multi_thread`, as tokio's attribute macros call them.
    pub flavor: &'static str,
    /// Worker threads.
    pub workers: usize,
    /// Live tasks that have a record.
    pub tracked: usize,
    /// Live tasks of this runtime without a record: spawned with plain `tokio::spawn`, often by a library. They can be
    /// counted and not looked into. A task that is ending at this moment may be counted here once more.
    pub untracked: usize,
    handle: Handle,
}

impl RuntimeInfo {
    /// The runtime's handle, for example for its metrics. Keep it no longer than you need it: a handle keeps the
    /// runtime's file descriptors open.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

fn flavor_name(handle: &Handle) -> &'static str {
    match handle.runtime_flavor() {
        RuntimeFlavor::CurrentThread => "current_thread",
        RuntimeFlavor::MultiThread => "multi_thread",
        _ => "other",
    }
}

impl fmt::Debug for RuntimeInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeInfo")
            .field("number", &self.number)
            .field("name", &self.name)
            .field("flavor", &self.flavor)
            .field("workers", &self.workers)
            .field("tracked", &self.tracked)
            .field("untracked", &self.untracked)
            .finish_non_exhaustive()
    }
}

/// Keeps a runtime in every dump while it has no task with a record.
#[derive(Clone)]
#[must_use = "the runtime is forgotten again when the guard is dropped"]
pub struct RuntimeGuard(
    #[expect(dead_code, reason = "held for its reference only")] Arc<RuntimeEntry>,
);

impl fmt::Debug for RuntimeGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RuntimeGuard").finish()
    }
}

/// Makes a runtime known before its first task with a record, so that dumps count its tasks from the start.
///
/// A runtime is known by itself as long as one of the tasks that [`spawn`](crate::spawn) started on it is alive.
///
/// # Limitations
///
/// The guard holds a tokio `Handle`. Drop it before you expect the runtime's file descriptors to be closed.
pub fn watch(handle: &Handle) -> RuntimeGuard {
    RuntimeGuard(RuntimeEntry::of(handle))
}
