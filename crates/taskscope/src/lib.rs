//! Tasks of tokio that tell who started them, for which request, where they wait, since when, and
//! why they have not stopped.
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
//! [`spawn`] is [`tokio::spawn`] with a record. A [`Scope`] owns tasks; with the feature `axum` or
//! `tower`, `ScopeLayer` opens one for each request. [`dump()`] shows what is alive, without
//! stopping the runtime, on stable Rust and without `--cfg tokio_unstable`.
//!
//! # Limits
//!
//! * Tasks that other code spawns with plain `tokio::spawn` are counted for each runtime, not
//!   looked into. With `--cfg tokio_unstable` there is also `observe`, which shows them with
//!   everything but a stack. Without that flag there is no such function.
//! * A capture polls a task once more. See [`spawn`].
//! * Records are reused memory: as many as there were tasks at the busiest moment.
//!
//! # Features
//!
//! * `enable`, a default: records of tasks, and everything that reads them. A library depends on
//!   this crate with `default-features = false` and costs nobody anything; the application decides.
//! * `tower`: `ScopeLayer` for any tower service over `http` types, and `ForwardDeadlineLayer` for
//!   clients. Depends on `http`, `http-body` and tower's two traits.
//! * `hyper`: `TaskExecutor`, for what hyper spawns. Depends on `hyper` without its features.
//! * `axum`: both, and `ScopeLayer` takes the route and the peer from axum.
//!
//! # Without `enable`
//!
//! What one writes against stays, with the same names and signatures: the ways to spawn, scopes,
//! tokens, deadlines, cancel reasons, [`AtEnd`], [`in_current_scope`], [`Tracked`], the layers.
//! What reads tasks is not there: no dump, no watchdog, no `stats`, no `observe`. The crate depends
//! on tokio, tokio-util and pin-project-lite alone.
//!
//! A task is then tokio's own, exactly the given future, without a name or labels, and what
//! controls tasks goes on working:
//!
//! * A task belongs to a scope if it was spawned by a method of the scope ([`Scope::spawn`],
//!   [`ScopeRef::spawn`], [`Builder::scope`]). It is counted and aborted with its scope,
//!   [`Scope::finish`] waits for it, and [`Scope::current`] finds the scope in it. For that it
//!   carries one pointer and has one small allocation.
//! * A task that was spawned by the plain functions inside a scope does *not* belong to it. A
//!   program that relies on [`Scope::finish`] or [`AtEnd::Abort`] spawns by the scope.
//! * A future from [`Builder::instrument`] belongs to no scope.
//! * Survivors of a scope are not reported; [`Survivors`] says how many there are.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::unwrap_used))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backend;
mod current;
mod join;
mod join_set;
#[cfg(feature = "tower")]
pub mod layer;
#[cfg(all(feature = "enable", tokio_unstable))]
mod observe;
#[cfg(feature = "enable")]
mod readers;
pub mod scope;
mod spawn;
#[cfg(feature = "enable")]
pub mod stats;
mod sync;
pub mod token;
mod tracked;

// The write side.
pub use self::backend::{CancelReason, Instrumented, Name, RuntimeGuard, register_runtime};
pub use self::join::JoinHandle;
pub use self::join_set::JoinSet;
#[cfg(feature = "tower")]
pub use self::layer::{DeadlineHeader, ForwardDeadlineLayer, ScopeLayer};
#[cfg(all(feature = "enable", tokio_unstable))]
pub use self::observe::{Observe, observe};
pub use self::scope::{
    AtEnd, Cancellation, Scope, ScopeInfo, ScopeRef, Survivors, in_current_scope,
};
#[cfg(feature = "hyper")]
pub use self::spawn::TaskExecutor;
pub use self::spawn::{
    Builder, InSet, background, instrument, spawn, spawn_blocking, spawn_local, spawn_named,
    spawn_on,
};
pub use self::token::Token;
pub use self::tracked::{Tracked, track};

// The readers: the names that everybody types, and the modules with the rest.
#[cfg(feature = "enable")]
pub use self::readers::{dump, growth, text, verdict, watchdog};
#[cfg(feature = "enable")]
pub use self::stats::stats;
#[cfg(feature = "enable")]
pub use taskscope_core::{TaskKind, attribution};
#[cfg(feature = "enable")]
pub use taskscope_inspect::{
    Dump, DumpOptions, Stacks, TaskDump, Verdict, WaitKind, WaitReason, Watchdog, census, dump,
    growth, heap, lost_wakeups, sampling,
};

/// The examples of the README, compiled.
#[cfg(all(doctest, feature = "enable"))]
#[doc = include_str!("../README.md")]
struct Readme;
