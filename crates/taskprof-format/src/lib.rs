//! Profiles and the formats they are written in.
//!
//! Owns the vocabulary ([`profile`]) and one writer per format ([`write`](mod@write)). Not here:
//! where profiles come from, and HTTP (both in `taskprof`), symbol lookup (`callstack`), which
//! characters are hidden and how names are escaped (`taskscope_core::text`, reached through
//! `text.rs` alone).
//!
//! ```text
//! profile ◀── resolve ◀── write          error, escape and text are used by all three
//! ```
//!
//! `taskprof` re-exports [`profile`] and [`write`](mod@write), and its error takes in [`Error`]
//! with `?`.
//!
//! # Examples
//!
//! ```
//! use taskprof_format::profile::{Frame, Profile, Sample, SampleType};
//!
//! let mut profile = Profile::new([SampleType::new("samples", "count")]);
//! profile.samples.push(Sample {
//!     stack: vec![Frame::named("parse"), Frame::named("main")],
//!     values: vec![7],
//!     labels: vec![],
//! });
//! let mut svg = Vec::new();
//! profile.write_svg(&mut svg)?;
//! assert!(svg.starts_with(b"<?xml"));
//! # Ok::<(), taskprof_format::Error>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::unwrap_used, clippy::expect_used))]

mod error;
pub mod escape;
pub mod profile;
mod resolve;
pub mod tasks;
mod text;
pub mod write;

pub use crate::error::Error;
pub use crate::profile::Profile;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
