//! Profiling endpoint for tokio services: CPU flame graphs and task dumps, over HTTP or through code.
//!
//! The crate has three layers, and each knows only the one above it in this list:
//!
//! 1. [`profile`]: the vocabulary. A [`Profile`] is sample types and samples; a sample is a stack, values and labels.
//! 2. Sources that fill a profile ([`cpu`], on a [`sampler::Sampler`]; [`tasks`], on a dump) and writers that print one ([`write`](mod@write)).
//!    A source knows no writer, a writer knows no source.
//! 3. HTTP: [`router`] to nest into an axum application, [`serve`] to answer on a loopback address of its own.
//!
//! What is deliberately not here: unwinding and symbols (the `callstack` crate), how tasks are tracked and captured (the `taskscope` crate).
//!
//! # Examples
//!
//! A CPU profile of the whole process, printed as folded stacks:
//!
//! ```no_run
//! # async fn f() -> Result<(), taskprof::Error> {
//! use std::time::Duration;
//!
//! let profile = taskprof::cpu::capture(Duration::from_secs(5)).await?;
//! let text = taskprof::write::folded(&profile, Some("samples"))?;
//! # let _ = text;
//! # Ok(())
//! # }
//! ```
//!
//! The endpoint, inside an application:
//!
//! ```
//! let app: axum::Router = axum::Router::new().nest("/debug/profile", taskprof::router());
//! ```
#![forbid(unsafe_code)]

pub mod cpu;
mod error;
mod escape;
mod http;
mod offload;
mod pprof_sampler;
pub mod profile;
mod resolve;
pub mod sampler;
mod serve;
mod slot;
pub mod tasks;
pub mod write;

pub use crate::error::Error;
pub use crate::http::router;
pub use crate::profile::Profile;
pub use crate::serve::{Server, serve};

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
