//! The scope that this thread works for, and the task's looks at its token.
//!
//! Not here: where that is kept, and which task the thread is polling (`backend/`).

use std::sync::Arc;

use crate::backend::{self, ScopeGuard};
use crate::scope::ScopeInner;

/// The scope that a task spawned now belongs to.
#[inline]
pub(crate) fn scope() -> Option<Arc<ScopeInner>> {
    ScopeInner::shared_of_owner(backend::current_scope()?)
}

/// Makes a scope current until the guard is dropped.
pub(crate) fn enter_scope(scope: Arc<ScopeInner>) -> ScopeGuard {
    backend::enter_scope(scope)
}

/// Notes that the task which this thread is polling has looked at a token of `scope`, and has seen it `cancelled` or not.
pub(crate) fn token_polled(scope: &ScopeInner, cancelled: bool) {
    backend::note_token_look(|own| ScopeInner::of_owner(own)?.looked_at(scope, cancelled));
}
