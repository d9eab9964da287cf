//! What tokio documents of its tasks holds for tasks with a record: one table of small programs, run with both spawns.

#![expect(
    clippy::async_yields_async,
    clippy::waker_clone_wake,
    reason = "a handle that leaves the runtime unawaited, and a wake by value, are what is tested"
)]

mod abort;
mod join;
mod locals;
mod order;
mod panics;
mod polls;
mod refusals;
mod shutdown;
mod table;
