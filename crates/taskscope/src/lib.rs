//! Who started each tokio task, for which request, where it waits, since when, and why it has not stopped.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
//! use taskscope::Scope;
//!
//! let request = Scope::new("GET /orders/{id}");
//! request.spawn(async { tokio::time::sleep(std::time::Duration::from_secs(600)).await });
//! tokio::task::yield_now().await;
//! drop(request); // the request is over, its task is not
//!
//! let dump = taskscope::dump().await;
//! let task = &dump.tasks[0];
//! assert_eq!(task.verdict.name(), "outlived");
//! assert!(task.wait_reason().to_string().starts_with("sleep"));
//! assert_eq!(task.scope.as_ref().map(|scope| scope.name()), Some("GET /orders/{id}"));
//! # });
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`spawn`] is [`tokio::spawn`] with a record. A [`Scope`] owns tasks; with the feature `axum` or `tower`, `ScopeLayer` opens one for each request.
//! [`dump()`] shows what is alive, without stopping the runtime, on stable Rust and without `--cfg tokio_unstable`.
//!
//! # Limits
//!
//! * Tasks that other code spawns with plain `tokio::spawn` are counted for each runtime, not looked into. With `--cfg tokio_unstable`
//!   there is also `observe`, which shows them with everything but a stack. Without that flag there is no such function.
//! * A capture polls a task once more. See [`spawn`].
//! * Records are reused memory: as many as there were tasks at the busiest moment.
//!
//! # Features
//!
//! * `enable`, a default: everything that observes. A library that uses this crate depends on it with `default-features = false` and costs
//!   nobody anything; the application decides. See below for what is left without it.
//! * `tower`: `ScopeLayer` for any tower service over `http` types, and `ForwardDeadlineLayer` for clients. Depends on `http`,
//!   `http-body` and tower's two traits.
//! * `hyper`: `TaskExecutor`, for what hyper spawns; and together with `tower`, a WebSocket keeps the scope of its request open.
//!   Depends on hyper's HTTP/1 server.
//! * `axum`: both, and `ScopeLayer` takes the route and the peer from axum.
//!
//! # Without `enable`
//!
//! Everything has the same name and signature, and the same type parameters. What observes is gone, with the crates that it needs
//! (callstack, quanta, tracing): no record, no clock, no thread.
//!
//! * [`spawn`] and its like are tokio's own functions: the task is exactly the given future. [`Instrumented`] and [`Tracked`] are as large as what
//!   they wrap, [`JoinHandle`] as large as tokio's. Names and labels of tasks are dropped.
//! * [`dump()`] and [`DumpOptions::capture`] return an empty dump at once, [`growth()`] returns nothing, [`stats()`] counts only the alarms of
//!   scopes, [`Watchdog::install`] does nothing and succeeds. Nothing is reported of tasks that outlive their scope.
//!
//! What controls goes on working, because a program must not depend on a diagnostic's switch: scopes, tokens, deadlines, cancel reasons,
//! [`AtEnd`], [`in_current_scope`], the layers.
//!
//! * A task belongs to a scope if it was spawned by a method of the scope ([`Scope::spawn`], [`ScopeRef::spawn`], [`Builder::scope`]). It is
//!   counted and aborted with its scope, [`Scope::finish`] waits for it, and [`Scope::current`] finds the scope in it. For that it carries
//!   one pointer and has one small allocation.
//! * A task that was spawned by the plain functions inside a scope does *not* belong to it: it inherits nothing, [`Scope::finish`] does not wait for
//!   it, and [`AtEnd::Abort`] does not abort it. A program that relies on either spawns by the scope.
//! * A future from [`Builder::instrument`] belongs to no scope.
//! * Where [`Scope::finish`] fails, its [`Survivors`] has an empty dump, and says in words how many there are.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::unwrap_used))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod current;
mod join;
mod join_set;
#[cfg(feature = "tower")]
mod layer;
#[cfg(all(feature = "enable", tokio_unstable))]
mod observe;
mod scope;
mod spawn;
#[cfg(feature = "enable")]
mod stats;
mod sync;
mod token;
mod tracked;

#[cfg(feature = "enable")]
pub use taskscope_core::{
    Age, LISTED, Listed, MAX_BRANCHES, NoTrace, OneLine, Plain, Quoted, RuntimeInfo, Stack,
    TaskKind, attribution, text,
};
#[cfg(feature = "enable")]
pub use taskscope_inspect::{
    BLOCKING_THRESHOLD, Branch, CANCEL_GRACE, CENSUS_HISTORY_LEN, CENSUS_PERIOD, CENSUS_RUNTIMES,
    Census, DEFAULT_DEADLINE, DEFAULT_STALL, Dump, DumpOptions, Frame, GROWTH_MIN_SAMPLES,
    GROWTH_PERIOD, GROWTH_SAMPLES, Group, HeldTasks, Holder, HolderState, LongPoll, Missed,
    NoMemory, Parents, ResourceDump, RuntimeLoad, SPINNING_RATE, SiteGrowth, SpawnTree, Stacks,
    State, TaskDump, ThreadInfo, Trace, Verdict, WaitKind, WaitReason, Watchdog, WatchdogError,
    WorkerLoad, census, dump, growth, heap, lost_wakeups, sample_growth, sampling,
};

pub use self::backend::{CancelReason, Instrumented, Name, RuntimeGuard, register_runtime};
pub use self::join::JoinHandle;
pub use self::join_set::JoinSet;
#[cfg(feature = "tower")]
pub use self::layer::{
    DeadlineHeader, ForwardDeadline, ForwardDeadlineLayer, LayerStats, MAX_REQUEST_ID, ScopeBody,
    ScopeFuture, ScopeLayer, ScopeService,
};
#[cfg(all(feature = "enable", tokio_unstable))]
pub use self::observe::{Observe, observe};
pub use self::scope::{
    AtEnd, Cancellation, ForeignScope, InCurrentScope, Run, Scope, ScopeInfo, ScopeRef, Survivors,
    in_current_scope,
};
#[cfg(feature = "enable")]
pub use self::scope::{MAX_PENDING_REPORTS, SURVIVOR_REPORT_DELAY};
#[cfg(feature = "hyper")]
pub use self::spawn::TaskExecutor;
pub use self::spawn::{
    Builder, InSet, background, instrument, spawn, spawn_blocking, spawn_local, spawn_named,
    spawn_on,
};
#[cfg(feature = "enable")]
pub use self::stats::{Stats, stats};
pub use self::token::{
    Cancelled, CancelledOwned, DropGuard, DropGuardRef, RunUntilCancelled, RunUntilCancelledOwned,
    Token,
};
pub use self::tracked::{Tracked, track};

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "enable"))]
#[doc = include_str!("../README.md")]
struct Readme;
