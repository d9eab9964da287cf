//! What is kept of a task that a scope owns: which scope, and whether it has ended. All other tasks have nothing.
//!
//! This is control and not observation: by it `finish` waits, `AtEnd::Abort` aborts, and `Scope::current` finds the scope.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::scope::ScopeInner;

thread_local! {
    /// The task that this thread is polling, if a scope owns it.
    static CURRENT: RefCell<Option<Arc<Record>>> = const { RefCell::new(None) };
    /// Whether a `Scope::run` is being polled within it.
    static SCOPED: Cell<bool> = const { Cell::new(false) };
}

/// What is kept of a task that a scope owns.
pub(crate) struct Record {
    meta: Meta,
    /// Tokio's id of the task; 0 until it is known.
    id: AtomicU64,
    ending: AtomicBool,
}

pub(crate) struct Meta {
    pub(crate) scope: Option<Arc<ScopeInner>>,
}

impl Record {
    pub(crate) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }
}

/// The task that this thread is polling, if a scope owns it.
fn current() -> Option<Arc<Record>> {
    CURRENT
        .try_with(|current| current.try_borrow().ok()?.clone())
        .ok()
        .flatten()
}

pub(crate) fn with_current<R>(f: impl FnOnce(&Record, &Meta) -> R) -> Option<R> {
    current().map(|record| f(&record, &record.meta))
}

/// Whether a `Scope::run` is being polled within the current task.
pub(crate) fn scoped() -> bool {
    SCOPED.try_with(Cell::get).unwrap_or(false)
}

pub(crate) fn set_scoped(scoped: bool) -> bool {
    SCOPED
        .try_with(|slot| slot.replace(scoped))
        .unwrap_or(false)
}

/// Makes a task the current one until the guard is dropped.
struct Inside {
    outer: Option<Arc<Record>>,
    scoped: bool,
}

impl Inside {
    fn new(record: Option<Arc<Record>>) -> Inside {
        Inside {
            outer: swap(record),
            scoped: set_scoped(false),
        }
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        set_scoped(self.scoped);
        // Outside the borrow: this may be the last reference to the scope.
        drop(swap(self.outer.take()));
    }
}

fn swap(record: Option<Arc<Record>>) -> Option<Arc<Record>> {
    let swapped = CURRENT.try_with(|current| {
        let mut current = current.try_borrow_mut().ok()?;
        std::mem::replace(&mut *current, record)
    });
    swapped.ok().flatten()
}

/// Counts a task in with its scope, and out when it is dropped.
pub(crate) struct TaskGuard(Arc<Record>);

impl TaskGuard {
    pub(crate) fn new(scope: Arc<ScopeInner>) -> TaskGuard {
        scope.task_started();
        TaskGuard(Arc::new(Record {
            meta: Meta { scope: Some(scope) },
            id: AtomicU64::new(0),
            ending: AtomicBool::new(false),
        }))
    }

    pub(crate) fn record(&self) -> Arc<Record> {
        self.0.clone()
    }

    /// Runs a function as this task.
    pub(crate) fn run<R>(&self, function: impl FnOnce() -> R) -> R {
        let _inside = Inside::new(Some(self.record()));
        function()
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.ending.store(true, Ordering::Release);
        if let Some(scope) = &self.0.meta.scope {
            scope.task_ended(&self.0);
        }
    }
}

/// Gives a task's scopes the means to abort it, unless it has ended already.
pub(crate) fn adopt(record: &Record, handle: impl Fn() -> tokio::task::AbortHandle) {
    if let Some(scope) = record.meta.scope.as_ref().filter(|scope| scope.aborts()) {
        scope.adopt(record, &handle);
    }
}

pin_project! {
    /// The future of a task that a scope owns.
    pub(crate) struct Owned<F> {
        #[pin]
        future: F,
        // Dropped after the future: a task is alive until its future is gone.
        task: TaskGuard,
    }
}

impl<F> Owned<F> {
    pub(crate) fn new(future: F, task: TaskGuard) -> Owned<F> {
        Owned { future, task }
    }
}

impl<F: Future> Future for Owned<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.task.run(|| this.future.poll(cx))
    }
}

/// A task that nobody looks at.
#[derive(Clone, Copy)]
pub(crate) struct TaskRef;

impl TaskRef {
    pub(crate) fn set_detached(self) {}
}

/// A handle that nobody misses.
pub(crate) struct Attached;

impl Attached {
    pub(crate) fn to(_: TaskRef) -> Attached {
        Attached
    }

    pub(crate) fn poll<T>(
        &self,
        handle: &mut tokio::task::JoinHandle<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, tokio::task::JoinError>> {
        Pin::new(handle).poll(cx)
    }

    pub(crate) fn let_go(&mut self) {}
}
