//! Test support that every crate of the workspace shares: an HTTP client, waiting for events,
//! runtimes, blocked workers.
//!
//! It is never published, and knows none of the other crates, so that the tests of each may use it.
//! Not here: whatever names a type of ours (the `support` folder of each crate's tests), and the
//! browser (package `tests`).

mod blocked;
pub mod harness;
mod http;
mod runtime;
mod until;

pub use self::blocked::BlockedWorker;
pub use self::http::{Answer, exchange, get, request, send};
pub use self::runtime::{current_thread, multi_thread, multi_thread_builder};
pub use self::until::{PATIENCE, until, until_some, until_yielding};
