//! Tasks that other code spawns with tokio's own functions, seen through the hooks of a runtime.
//!
//! Only with `--cfg tokio_unstable`, because tokio has the hooks only then. There is no stand-in without it: a program that counts on
//! its tasks being observed should not compile.
//!
//! Not here: which tasks are alive (`taskscope_core::observed_tasks`), what a poll does to a record ([`crate::record`]), which spawns are our own
//! ([`crate::spawn`]).

use std::fmt;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use taskscope_core::observed_tasks::{self, Tasks};
use tokio::runtime::{Builder, TaskMeta};

/// Shows every task of a runtime that is about to be built: [`Observe::install`] without callbacks of one's own.
///
/// # Examples
///
/// ```
/// use tokio::runtime::Builder;
///
/// let runtime = taskscope::observe(Builder::new_multi_thread().enable_all()).build()?;
/// runtime.block_on(async {
///     tokio::spawn(std::future::pending::<()>()); // as a library does it
///     let dump = taskscope::dump().await;
///     assert_eq!(dump.tasks[0].kind, taskscope::TaskKind::Observed);
///     assert_eq!(dump.untracked(), 0);
/// });
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn observe(builder: &mut Builder) -> &mut Builder {
    Observe::new().install(builder)
}

/// Shows every task of a runtime, also those that other code spawns with [`tokio::spawn`], a `JoinSet` or a `TaskTracker`.
///
/// Dumps show such a task with its spawn location, the task that spawned it, its age, polls and busy time, and with the
/// [`Scope`](crate::Scope) that was current where it was spawned. Tasks that were spawned through this crate are seen once, as ever.
///
/// This needs `--cfg tokio_unstable`, for example `RUSTFLAGS="--cfg tokio_unstable"`. Without it there is neither this type nor
/// [`observe`]; such tasks are counted ([`RuntimeInfo::untracked`](crate::RuntimeInfo::untracked)), and every report says so.
///
/// # Examples
///
/// Tokio has room for one callback per hook, and [`install`](Observe::install) takes all four. Hand over your own:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let spawned = Arc::new(AtomicU64::new(0));
/// let count = spawned.clone();
/// let mut builder = tokio::runtime::Builder::new_current_thread();
/// taskscope::Observe::new()
///     .on_task_spawn(move |_| {
///         count.fetch_add(1, Ordering::Relaxed);
///     })
///     .install(&mut builder);
/// builder.build()?.block_on(async { tokio::spawn(async {}).await })?;
/// assert_eq!(spawned.load(Ordering::Relaxed), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Overhead
///
/// A spawn costs one insertion into a hash table and one removal, a poll one look into it, each under a lock of one of 64 parts of the table:
/// about 150 ns for a spawn with its end and 40 ns for a poll. Tasks that were spawned through this crate pay for looks that find
/// nothing, about 65 ns and 12 ns. The table holds live tasks only, and keeps its size at the busiest moment.
///
/// # Limitations
///
/// * No stack and no wait reason: the task's polls are tokio's own, and so are its wakers. Tokio's `Handle::dump` is never called; it
///   can lose worker threads for good. So an observed task is never `stuck` or `spinning`, and one that has been woken shows as
///   idle until it is polled.
/// * Its future's type, its `JoinHandle` and its wakers are not known. A scope cannot abort it.
/// * Tokio has no hooks for tasks of a `LocalSet`, for calls on the blocking pool, `tokio::fs` among them, and for the future
///   of `block_on`. The tasks of a `LocalSet` are not counted by tokio either.
/// * It is shown until tokio says that it has ended, which is just after its `JoinHandle` was woken.
/// * Until its first poll it is shown on the runtime of the code that spawned it. In a runtime that is being shut down it may not be shown.
/// * A later call of `on_task_spawn`, `on_before_task_poll`, `on_after_task_poll` or `on_task_terminate` on the same builder
///   replaces ours. Without the last, tasks seem to live for ever: as soon as that is noticed, no more are
///   shown, and all are counted as untracked again.
#[derive(Default)]
#[must_use = "nothing is observed until `install` is called"]
pub struct Observe {
    on_spawn: Option<Callback>,
    on_before_poll: Option<Callback>,
    on_after_poll: Option<Callback>,
    on_terminate: Option<Callback>,
}

type Callback = Box<dyn Fn(&TaskMeta<'_>) + Send + Sync>;

impl Observe {
    /// Without callbacks.
    pub fn new() -> Observe {
        Observe::default()
    }

    /// Calls `f` as [`Builder::on_task_spawn`] would; a second call replaces the first.
    pub fn on_task_spawn<F>(mut self, f: F) -> Observe
    where
        F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    {
        self.on_spawn = Some(Box::new(f));
        self
    }

    /// Calls `f` as [`Builder::on_before_task_poll`] would; a second call replaces the first.
    pub fn on_before_task_poll<F>(mut self, f: F) -> Observe
    where
        F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    {
        self.on_before_poll = Some(Box::new(f));
        self
    }

    /// Calls `f` as [`Builder::on_after_task_poll`] would; a second call replaces the first.
    pub fn on_after_task_poll<F>(mut self, f: F) -> Observe
    where
        F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    {
        self.on_after_poll = Some(Box::new(f));
        self
    }

    /// Calls `f` as [`Builder::on_task_terminate`] would; a second call replaces the first.
    pub fn on_task_terminate<F>(mut self, f: F) -> Observe
    where
        F: Fn(&TaskMeta<'_>) + Send + Sync + 'static,
    {
        self.on_terminate = Some(Box::new(f));
        self
    }

    /// Sets all four task hooks of the builder, in place of those that it had, and returns it.
    ///
    /// A panic in a callback does what it would do in a callback that was given to the builder: in a hook around a poll, it
    /// aborts the process on a multi-threaded runtime.
    pub fn install(self, builder: &mut Builder) -> &mut Builder {
        taskscope_inspect::install();
        let tasks = Tasks::new();
        let (spawned, begins, ends) = (tasks.clone(), tasks.clone(), tasks);
        let Observe {
            on_spawn,
            on_before_poll,
            on_after_poll,
            on_terminate,
        } = self;
        // Ours is the inner pair of each two: what a callback of the user does is neither part of the task nor lost to a panic.
        builder
            .on_task_spawn(move |meta| {
                quietly(|| spawned.spawned(meta));
                call(&on_spawn, meta);
            })
            .on_before_task_poll(move |meta| {
                call(&on_before_poll, meta);
                quietly(|| begins.poll_begins(meta));
            })
            .on_after_task_poll(move |meta| {
                quietly(|| observed_tasks::poll_ended(meta));
                call(&on_after_poll, meta);
            })
            .on_task_terminate(move |meta| {
                let _ended = Ended(&ends, meta);
                call(&on_terminate, meta);
            })
    }
}

fn call(callback: &Option<Callback>, meta: &TaskMeta<'_>) {
    if let Some(callback) = callback {
        callback(meta);
    }
}

/// A panic in a poll hook aborts the process, so none may come from us.
fn quietly(f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        // Its destructor could panic again.
        forget(panic);
    }
}

/// Tells that a task has ended, after the user's callback and whether or not that panics.
struct Ended<'a>(&'a Arc<Tasks>, &'a TaskMeta<'a>);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        quietly(|| self.0.ended(self.1));
    }
}

impl fmt::Debug for Observe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe")
            .field("on_task_spawn", &self.on_spawn.is_some())
            .field("on_before_task_poll", &self.on_before_poll.is_some())
            .field("on_after_task_poll", &self.on_after_poll.is_some())
            .field("on_task_terminate", &self.on_terminate.is_some())
            .finish()
    }
}
