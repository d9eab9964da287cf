//! The core of taskscope: a record for each task, wakers that know it, captures of its async stack, the clock, the threads.
//!
//! An implementation detail: use it through `taskscope`. All unsafe code of taskscope is in here. Outside of this crate, a
//! `&Record` is always one that somebody holds.
//! Not here: scopes, which own tasks (`taskscope`; the core sees them as an [`Owner`]); what tools read (`taskscope-inspect`).
#![deny(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::expect_used, clippy::unwrap_used))]

pub mod attribution;
mod blocking;
pub mod capture;
pub mod clock;
pub mod current;
pub mod fmt;
mod free_list;
pub mod ids;
pub mod instrument;
pub mod maintenance;
mod name;
#[cfg(tokio_unstable)]
pub mod observed_tasks;
mod owner;
mod pages;
mod pending_captures;
pub mod poll_sampler;
pub mod pool;
#[allow(
    unsafe_code,
    reason = "the record and its wakers; see the module's essay"
)]
pub mod record;
mod replaced_wakers;
pub mod runtime;
pub mod scope_info;
pub mod spawn_mark;
mod sync;
mod task_kind;
pub mod text;
pub mod threads;

pub use callstack::Stack;

pub use self::capture::MAX_BRANCHES;
pub use self::fmt::{Age, LISTED, Listed};
pub use self::name::Name;
pub use self::owner::Owner;
pub use self::runtime::{RuntimeGuard, RuntimeInfo, register_runtime};
pub use self::scope_info::{CancelReason, Cancellation, ScopeInfo};
pub use self::task_kind::{NoTrace, TaskKind};
pub use self::text::{OneLine, Plain, Quoted};
