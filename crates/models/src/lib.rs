//! Models of taskscope's protocols: every interleaving and every reordering that loom knows, of the real files.
//!
//! `record` is a reduced record, made of the real state word, the real keeper of the executor's waker and the real vtables.
//! `threads` and `capture` are what those files need of their surroundings.
#![cfg(test)]
#![allow(dead_code, reason = "the real files have more callers than the models")]

mod capture;
mod record;
mod threads;

#[path = "../../taskscope/src/free.rs"]
mod free;
#[path = "../../taskscope/src/marks.rs"]
mod marks;
#[path = "../../taskscope/src/pages.rs"]
mod pages;
#[path = "../../taskscope/src/pool.rs"]
mod pool;
#[path = "../../taskscope/src/sync.rs"]
mod sync;

mod registry;

/// Checks all executions with at most three preemptions, which is where bugs are; `LOOM_MAX_PREEMPTIONS` says otherwise.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(model);
}
