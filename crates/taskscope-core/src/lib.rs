//! The core of taskscope: a record for each task, wakers that know it, captures of its async stack,
//! the clock, the threads.
//!
//! An implementation detail: use it through `taskscope`. All unsafe code of taskscope is in here.
//! Outside of this crate, a `&Record` is always one that somebody holds. Not here: scopes, which
//! own tasks (`taskscope`; the core sees them as an [`Owner`]); what tools read
//! (`taskscope-inspect`).
#![deny(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::unwrap_used))]
#![cfg_attr(
    taskscope_loom,
    allow(
        dead_code,
        private_interfaces,
        reason = "the protocols have more callers than the models"
    )
)]

// The protocols, which the models compile, too.
mod free_list;
mod pages;
mod pending_captures;
pub mod pool;
#[allow(
    unsafe_code,
    reason = "the record and its wakers; see the module's essay"
)]
pub mod record;
mod sync;

#[cfg(not(taskscope_loom))]
pub mod attribution;
#[cfg(not(taskscope_loom))]
mod blocking;
#[cfg(not(taskscope_loom))]
pub mod capture;
#[cfg(not(taskscope_loom))]
pub mod clock;
#[cfg(not(taskscope_loom))]
pub mod current;
#[cfg(not(taskscope_loom))]
pub mod fmt;
#[cfg(not(taskscope_loom))]
pub mod ids;
#[cfg(not(taskscope_loom))]
pub mod instrument;
#[cfg(not(taskscope_loom))]
pub mod maintenance;
#[cfg(not(taskscope_loom))]
mod name;
#[cfg(all(tokio_unstable, not(taskscope_loom)))]
pub mod observed_tasks;
#[cfg(not(taskscope_loom))]
mod owner;
#[cfg(not(taskscope_loom))]
pub mod poll_sampler;
#[cfg(not(taskscope_loom))]
mod replaced_wakers;
#[cfg(not(taskscope_loom))]
pub mod runtime;
#[cfg(not(taskscope_loom))]
pub mod scope_info;
#[cfg(not(taskscope_loom))]
pub mod spawn_mark;
#[cfg(not(taskscope_loom))]
pub mod sweep;
#[cfg(not(taskscope_loom))]
mod task_kind;
#[cfg(not(taskscope_loom))]
pub mod text;
#[cfg(not(taskscope_loom))]
pub mod threads;

#[cfg(taskscope_loom)]
mod models;
#[cfg(taskscope_loom)]
use self::models::{capture, threads};

#[cfg(not(taskscope_loom))]
pub use callstack::Stack;

#[cfg(not(taskscope_loom))]
pub use self::capture::MAX_BRANCHES;
#[cfg(not(taskscope_loom))]
pub use self::fmt::{Age, LISTED, Listed};
#[cfg(not(taskscope_loom))]
pub use self::name::Name;
#[cfg(not(taskscope_loom))]
pub use self::owner::Owner;
#[cfg(not(taskscope_loom))]
pub use self::runtime::{RuntimeGuard, RuntimeInfo, register_runtime};
#[cfg(not(taskscope_loom))]
pub use self::scope_info::{CancelReason, Cancellation, ScopeInfo};
#[cfg(not(taskscope_loom))]
pub use self::task_kind::{NoTrace, TaskKind};
#[cfg(not(taskscope_loom))]
pub use self::text::{OneLine, Plain, Quoted};
