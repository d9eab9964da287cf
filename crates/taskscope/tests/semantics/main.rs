//! Tasks with a record do what tokio documents of its tasks: one table of small programs, run with
//! both spawns.
#![cfg(feature = "enable")]
#![expect(clippy::waker_clone_wake, reason = "a wake by value is what is tested")]

mod abort;
mod join;
mod locals;
mod order;
mod panics;
mod polls;
mod refusals;
mod shutdown;
mod table;

/// Before each row: nothing. The same rows run while polls are sampled, too (`semantics_sampled`).
fn prepare() {}
