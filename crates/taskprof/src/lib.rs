//! Profiling endpoint for tokio services: CPU flame graphs and task dumps, over HTTP or through
//! code.
//!
//! The crate has three layers, and each knows only the one above it in this list:
//!
//! 1. [`profile`]: the vocabulary. A [`Profile`] is sample types and samples; a sample is a stack,
//!    values and labels.
//! 2. Sources that fill a profile (the table [`source::ALL`]) and writers that print one (the table
//!    [`write::FORMATS`]). A source knows no writer, a writer knows no source.
//! 3. HTTP: [`router`] to nest into an axum application, [`serve`] to answer on a loopback address
//!    of its own, [`server`] to answer on a Unix socket or, behind a token, elsewhere.
//!
//! What is deliberately not here: unwinding and symbols (the `callstack` crate), how tasks are
//! tracked and captured (the `taskscope` crate).
//!
//! # Examples
//!
//! A flame graph of where the whole process spends CPU time, without any HTTP:
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! let file = std::fs::File::create("cpu.svg")?;
//! taskprof::cpu().seconds(5).capture().await?.write_svg(file)?;
//! # Ok(())
//! # }
//! ```
//!
//! What has leaked, as a file for `go tool pprof`:
//!
//! ```no_run
//! # async fn f() -> Result<(), Box<dyn std::error::Error>> {
//! let file = std::fs::File::create("leaks.pb.gz")?;
//! taskprof::leaks().capture().await?.write_pprof(file)?;
//! # Ok(())
//! # }
//! ```
//!
//! The endpoint, inside an application:
//!
//! ```
//! let app: axum::Router = axum::Router::new().nest("/debug/profile", taskprof::router());
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(feature = "console")]
pub mod console;
pub mod cpu;
mod cpu_permit;
mod error;
mod fork;
pub mod guard;
pub mod heap;
mod http;
mod metrics;
mod offload;
pub mod sampler;
mod serve;
pub mod source;
mod sync;
pub mod tasks;
mod thread;
mod worker;

pub use crate::error::Error;
pub use crate::guard::require_bearer;
pub use crate::http::{end_captures, router};
pub use crate::serve::{
    DEFAULT_HEADER_TIMEOUT, DEFAULT_MAX_CONNECTIONS, DEFAULT_WRITE_TIMEOUT, Server, ServerBuilder,
    UnixServer, serve, server,
};
pub use crate::source::short::{
    allocs, block, busy, heap, leaks, lock, sched, stuck, tasks, threads,
};

#[doc(inline)]
pub use taskprof_format::{Profile, profile, write};

/// Asks where the process spends CPU time.
pub fn cpu() -> cpu::Cpu {
    cpu::Cpu::new()
}

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
