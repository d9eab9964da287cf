//! The ways to start a task that has a record, each under the name of tokio's.
//!
//! Not here: what is declared beforehand ([`Builder`]), sets of tasks ([`crate::JoinSet`]).

mod builder;

use std::future::Future;

use tokio::runtime::Handle;

#[cfg(feature = "hyper")]
pub use self::builder::TaskExecutor;
pub use self::builder::{Builder, InSet};
use crate::backend::{Instrumented, Name};
use crate::join::JoinHandle;

/// Spawns a task on the current runtime: [`tokio::spawn`] with a record.
///
/// The task belongs to the current [`Scope`](crate::Scope), if there is one. Everything that tokio documents of its function holds for this one.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let answer = taskscope::spawn(async { 6 * 7 });
/// assert_eq!(answer.await.ok(), Some(42));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// Outside of a tokio runtime, with tokio's own message.
///
/// # Overhead
///
/// The record is reused memory of less than 160 bytes, the future grows by one pointer. Nothing is allocated once the pool of
/// records is warm. The first call in a process starts a thread that keeps a clock while tasks are polled, and calibrates a
/// time-stamp counter, which takes about 0.6 ms. What it costs in practice: `scripts/bench` in the repository.
///
/// # Limitations
///
/// Any task may be polled once more than its leaf futures asked for, when somebody takes a dump with stacks.
/// The contract of `Future` allows that at any time; a future that takes every poll for an event breaks it.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Builder::new().spawn(future)
}

/// Spawns a task under a name that dumps show. See [`spawn`].
///
/// Names group tasks, so give the same name to tasks of the same kind; what differs belongs in the scope's labels.
#[track_caller]
pub fn spawn_named<F>(name: impl Into<Name>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Builder::new().name(name).spawn(future)
}

/// Spawns a task that is meant to live as long as the process or the runtime. See [`spawn`].
///
/// It belongs to no scope, and neither a leak check nor a dump calls it a leak. Use it for accept loops, reapers
/// and workers; a task that waits for a request is none.
#[track_caller]
pub fn background<F>(name: impl Into<Name>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Builder::new().name(name).background().spawn(future)
}

/// Spawns a task that may be `!Send` on the current `LocalSet` or `LocalRuntime`: [`tokio::task::spawn_local`] with a
/// record. See [`spawn`].
///
/// # Panics
///
/// Outside of both, with tokio's own message.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    Builder::new().spawn_local(future)
}

/// Spawns a task on the runtime of a handle: [`Handle::spawn`] with a record. See [`spawn`].
#[track_caller]
pub fn spawn_on<F>(handle: &Handle, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    Builder::new().spawn_on(handle, future)
}

/// Runs a function on the blocking pool: [`tokio::task::spawn_blocking`] with a record.
///
/// Dumps show the call with its scope, its thread and for how long it has been running, or waiting for a thread; whoever awaits it waits
/// for `blocking pool`. It is never `blocking`: that is
/// what the pool is for. Tasks that it spawns belong to the same scope.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let sum = taskscope::spawn_blocking(|| (1..=10).sum::<i32>());
/// assert_eq!(sum.await.ok(), Some(55));
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Panics
///
/// Outside of a tokio runtime, with tokio's own message.
///
/// # Limitations
///
/// Like tokio's, a call that has begun cannot be aborted, and one that is aborted in the queue stays there until its turn. It has no
/// async stack.
#[track_caller]
pub fn spawn_blocking<F, R>(function: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    Builder::new().spawn_blocking(function)
}

/// Gives a record to a future that somebody else drives: the root of `block_on`, a task of another executor, one branch of a `join!`.
///
/// Dumps show it like a task, with an id of its own kind (above 2^52, where tokio's ids never get) and, if it is first polled inside a
/// tokio runtime, that runtime. What it spawns has it as parent.
///
/// # Examples
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
/// runtime.block_on(taskscope::instrument(async {
///     let dump = taskscope::dump().await;
///     assert_eq!(dump.tasks[0].kind, taskscope::TaskKind::Driven);
/// }));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Cancel safety
///
/// As cancel safe as the future.
///
/// # Limitations
///
/// Within another task with a record, the trace of the outer one ends where this one begins.
#[track_caller]
pub fn instrument<F: Future>(future: F) -> Instrumented<F> {
    Builder::new().instrument(future)
}
