//! Without the feature `enable`: a task is tokio's, exactly the given future. Only a task that a
//! scope owns carries something: its scope.
//!
//! That is control and not observation: by it [`Scope::finish`](crate::Scope::finish) waits,
//! [`AtEnd::Abort`](crate::AtEnd::Abort) aborts, and [`Scope::current`](crate::Scope::current)
//! finds the scope. Names and labels of tasks are dropped; nothing reads a clock while a task is
//! polled.

mod words;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::runtime::Handle;
use tokio::task::{AbortHandle, JoinError, JoinHandle};

pub(crate) use self::words::bounded_name;
pub use self::words::{CancelReason, Name};
use super::Spawned;

/// The owner of tasks: a scope.
pub(crate) trait Owner: std::any::Any + fmt::Debug + Send + Sync {
    /// A task of the owner has started.
    fn task_started(&self);

    /// A task of the owner, which is marked as ending, has ended.
    fn task_ended(&self, task: &Record);

    /// Whether the owner wants the means to abort a task.
    fn aborts(&self) -> bool;

    /// Takes note of the means to abort a task that has been started.
    fn adopt(&self, task: &Record, handle: &dyn Fn() -> AbortHandle);
}

/// A task that a scope owns.
pub(crate) struct Record {
    scope: Arc<dyn Owner>,
    ending: AtomicBool,
}

impl Record {
    /// Nobody reports it.
    pub(crate) fn id(&self) -> u64 {
        0
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }
}

thread_local! {
    /// The task that this thread is polling, if a scope owns it.
    static TASK: RefCell<Option<Arc<Record>>> = const { RefCell::new(None) };
    /// The scope of the innermost `Scope::run` that is being polled.
    static SCOPE: RefCell<Option<Arc<dyn Owner>>> = const { RefCell::new(None) };
    /// Whether that `Scope::run` is being polled within the task.
    static SCOPED: Cell<bool> = const { Cell::new(false) };
}

type Slot<T> = std::thread::LocalKey<RefCell<Option<Arc<T>>>>;

/// The value of a slot; `None` on a thread that is too far gone to have one.
fn get<T: ?Sized>(slot: &'static Slot<T>) -> Option<Arc<T>> {
    slot.try_with(|slot| slot.try_borrow().ok()?.clone()).ok()?
}

/// Puts a value into a slot. The caller drops what was there: that may be the last reference to a
/// scope.
fn swap<T: ?Sized>(slot: &'static Slot<T>, value: Option<Arc<T>>) -> Option<Arc<T>> {
    slot.try_with(|slot| std::mem::replace(&mut *slot.try_borrow_mut().ok()?, value))
        .ok()?
}

fn set_scoped(scoped: bool) -> bool {
    SCOPED
        .try_with(|slot| slot.replace(scoped))
        .unwrap_or(false)
}

/// Calls `f` with the task that this thread is polling, if a scope owns it.
pub(crate) fn with_current<R>(f: impl FnOnce(&Record, Option<&Arc<dyn Owner>>) -> R) -> Option<R> {
    get(&TASK).map(|task| f(&task, Some(&task.scope)))
}

/// The scope that the running code works for.
pub(crate) fn current_scope() -> Option<Arc<dyn Owner>> {
    if SCOPED.try_with(Cell::get).unwrap_or(false) {
        get(&SCOPE)
    } else {
        get(&TASK).map(|task| task.scope.clone())
    }
}

/// Makes a scope current until the guard is dropped.
pub(crate) fn enter_scope(scope: Arc<dyn Owner>) -> ScopeGuard {
    ScopeGuard {
        previous: swap(&SCOPE, Some(scope)),
        scoped: set_scoped(true),
    }
}

/// Restores the scope that was current before [`enter_scope`].
pub(crate) struct ScopeGuard {
    previous: Option<Arc<dyn Owner>>,
    scoped: bool,
}

impl Drop for ScopeGuard {
    fn drop(&mut self) {
        set_scoped(self.scoped);
        drop(swap(&SCOPE, self.previous.take()));
    }
}

/// Makes a task the current one until the guard is dropped.
struct Polling {
    outer: Option<Arc<Record>>,
    scoped: bool,
}

impl Polling {
    fn new(task: Arc<Record>) -> Polling {
        Polling {
            outer: swap(&TASK, Some(task)),
            scoped: set_scoped(false),
        }
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        set_scoped(self.scoped);
        drop(swap(&TASK, self.outer.take()));
    }
}

/// Counts a task in with its scope, and out when it is dropped.
pub(crate) struct TaskGuard(Arc<Record>);

impl TaskGuard {
    fn new(scope: Arc<dyn Owner>) -> TaskGuard {
        scope.task_started();
        TaskGuard(Arc::new(Record {
            scope,
            ending: AtomicBool::new(false),
        }))
    }

    pub(crate) fn task(&self) -> Arc<Record> {
        self.0.clone()
    }

    /// Runs a function as this task.
    pub(crate) fn run<R>(&self, function: impl FnOnce() -> R) -> R {
        let _polling = Polling::new(self.task());
        function()
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.ending.store(true, Ordering::Release);
        self.0.scope.task_ended(&self.0);
    }
}

pin_project! {
    /// The future of a task that a scope owns.
    pub(crate) struct Owned<F> {
        #[pin]
        future: F,
        // Dropped after the future: a task is alive until its future is gone.
        guard: TaskGuard,
    }
}

impl<F> Owned<F> {
    pub(crate) fn new(future: F, guard: TaskGuard) -> Owned<F> {
        Owned { future, guard }
    }
}

impl<F: Future> Future for Owned<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.guard.run(|| this.future.poll(cx))
    }
}

/// The declarations that a [`Builder`](crate::Builder) has collected: nothing but the scope that
/// was asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Declared {
    owner: Option<Arc<dyn Owner>>,
}

impl Declared {
    pub(crate) fn name(&mut self, _: Name) {}

    pub(crate) fn label(&mut self, _: Arc<str>, _: Arc<str>) {}

    pub(crate) fn background(&mut self) {
        self.owner = None;
    }

    pub(crate) fn no_capture(&mut self) {}

    pub(crate) fn owned_by(&mut self, owner: Arc<dyn Owner>) {
        self.owner = Some(owner);
    }

    #[cfg(any(feature = "hyper", feature = "tower"))]
    pub(crate) fn at(&mut self, _: &'static std::panic::Location<'static>) {}

    pub(crate) fn instrument<F: Future>(self, future: F) -> Instrumented<F> {
        Instrumented { future }
    }

    /// Keeps count of the task, if a scope owns it.
    pub(crate) fn begin(self) -> Option<TaskGuard> {
        self.owner.map(TaskGuard::new)
    }
}

/// Tokio has taken a task of a scope: its scopes get the means to abort it.
pub(crate) fn started<H: Spawned>(task: &Record, handle: H) -> (H, TaskRef) {
    if task.scope.aborts() {
        task.scope.adopt(task, &|| handle.abort_handle());
    }
    (handle, TaskRef)
}

/// Spawns a future or a function, by an expression in which its name means that future, with its
/// scope if one was asked for.
///
/// Gives tokio's handle and a [`TaskRef`]. See `enabled.rs`, which also looks at the runtime.
macro_rules! launch {
    ($declared:expr, $kind:ident on $on:ident $(($handle:expr))?, |$work:ident| $spawn:expr) => {
        match $declared.begin() {
            None => ($spawn, $crate::backend::TaskRef),
            Some(guard) => {
                let task = guard.task();
                let $work = $crate::backend::disabled::launch!(@ $kind $work guard);
                $crate::backend::disabled::started(&task, $spawn)
            }
        }
    };
    (@ call $call:ident $guard:ident) => {
        move || $guard.run($call)
    };
    (@ $kind:ident $future:ident $guard:ident) => {
        $crate::backend::disabled::Owned::new($future, $guard)
    };
}
pub(crate) use launch;

// ---- the interface, with nothing behind it ----

pin_project! {
    /// A future without a record, exactly as large as the given one: see
    /// [`instrument`](crate::instrument).
    #[must_use = "futures do nothing unless awaited"]
    pub struct Instrumented<F> {
        #[pin]
        future: F,
    }
}

impl<F> Instrumented<F> {
    /// No record, no id.
    #[cfg(feature = "tower")]
    pub(crate) fn id(&self) -> u64 {
        0
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

impl<F> fmt::Debug for Instrumented<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumented").finish_non_exhaustive()
    }
}

/// A task whose handle nobody watches.
#[derive(Clone, Copy)]
pub(crate) struct TaskRef;

impl TaskRef {
    pub(crate) fn is_alive(self) -> bool {
        false
    }

    pub(crate) fn set_detached(self) {}
}

/// A handle that nobody watches.
pub(crate) struct Attached;

impl Attached {
    pub(crate) fn to(_: TaskRef) -> Attached {
        Attached
    }

    pub(crate) fn poll<T>(
        &self,
        handle: &mut JoinHandle<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, JoinError>> {
        Pin::new(handle).poll(cx)
    }

    pub(crate) fn let_go(&mut self) {}
}

/// Nobody asks which task looked at its token.
pub(crate) fn note_token_look(_: impl FnOnce(&dyn Owner) -> Option<bool>) {}

/// A resource that nobody lists.
pub(crate) struct Registered;

impl Registered {
    pub(crate) fn new(_: &'static str) -> Registered {
        Registered
    }

    pub(crate) fn used(&self) {}
}

/// Keeps a runtime in every dump while it has no task with a record. Without the feature `enable`
/// it holds nothing.
#[derive(Debug, Clone)]
#[must_use = "the runtime is forgotten again when the guard is dropped"]
pub struct RuntimeGuard(());

/// Makes a runtime known before its first task with a record. Without the feature `enable` it does
/// nothing.
pub fn register_runtime(_: &Handle) -> RuntimeGuard {
    RuntimeGuard(())
}

/// The clock of scopes: nanoseconds since its first use. Nothing is timed but the end and the
/// cancellation of scopes, so it may cost a system call.
pub(crate) mod clock {
    use std::sync::LazyLock;
    use std::time::{Duration, Instant};

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    /// Never 0, so that 0 can mean "not yet".
    pub(crate) fn precise() -> u64 {
        let passed = START.elapsed().as_nanos();
        u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1)
    }

    pub(crate) fn coarse() -> u64 {
        precise()
    }

    /// Time between two readings.
    pub(crate) fn between(earlier: u64, later: u64) -> Duration {
        Duration::from_nanos(later.saturating_sub(earlier))
    }
}
