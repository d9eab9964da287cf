//! The page for scrapers. In a process of its own, so that all tasks and scopes that are counted
//! are known.
#![cfg(feature = "metrics")]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests; the exemption in clippy.toml covers only test functions"
)]

mod exposition;
mod page;
mod request;
