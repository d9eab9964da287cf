//! Models of the protocols for loom: every interleaving and every reordering that it knows, of the
//! real files.
//!
//! With `--cfg taskscope_loom` the crate is its protocols and these models, and nothing else. The
//! record is a reduced one (`record/models`), made of the real state word, the real keeper of the
//! executor's waker and the real vtables; `threads` and `capture` are what those files need of
//! their surroundings.

pub(crate) mod capture;
pub(crate) mod threads;

mod registry;

/// Checks all executions with at most three preemptions, which is where bugs are;
/// `LOOM_MAX_PREEMPTIONS` says otherwise.
pub(crate) fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(model);
}
