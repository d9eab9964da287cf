//! Runtimes of tokio for tests, with time and I/O switched on.
//!
//! Not here: `#[tokio::test]`, which is enough where a test needs no runtime in its hands.

use tokio::runtime::{Builder, Runtime};

/// A runtime that runs its tasks only while somebody blocks on it.
///
/// # Panics
///
/// If the system refuses what a runtime needs.
#[must_use]
pub fn current_thread() -> Runtime {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime of one thread")
}

/// A runtime with this number of worker threads.
///
/// # Panics
///
/// If the system refuses what a runtime needs.
#[must_use]
pub fn multi_thread(workers: usize) -> Runtime {
    multi_thread_builder(workers)
        .build()
        .expect("a runtime of several threads")
}

/// The builder of [`multi_thread`], for a test that gives it a name or hooks.
#[must_use]
pub fn multi_thread_builder(workers: usize) -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(workers).enable_all();
    builder
}
