//! The rows of `semantics`, while polls are sampled: all of them, until there are many. Without
//! those that count polls, since a sampled poll may poll a future twice and has a waker of another
//! identity.
#![cfg(feature = "enable")]

#[path = "../semantics/abort.rs"]
mod abort;
#[path = "../semantics/join.rs"]
mod join;
#[path = "../semantics/locals.rs"]
mod locals;
#[path = "../semantics/order.rs"]
mod order;
#[path = "../semantics/panics.rs"]
mod panics;
#[path = "../semantics/refusals.rs"]
mod refusals;
#[path = "../semantics/shutdown.rs"]
mod shutdown;
#[path = "../semantics/table.rs"]
mod table;

/// Before each row.
fn prepare() {
    taskscope::sampling::start();
}
