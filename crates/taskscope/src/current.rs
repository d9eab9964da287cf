//! Which scope this thread is working for.
//!
//! Not here: where that is kept, and which task the thread is polling (`taskscope-core`).

use std::sync::Arc;

use taskscope_core::{clock, current, record};

pub(crate) use taskscope_core::current::ScopeGuard;

use crate::scope::ScopeInner;

/// The scope that a task spawned now belongs to.
#[inline]
pub(crate) fn scope() -> Option<Arc<ScopeInner>> {
    ScopeInner::shared_of_facts(current::scope()?)
}

/// Makes a scope current until the guard is dropped.
pub(crate) fn enter_scope(scope: Arc<ScopeInner>) -> ScopeGuard {
    current::enter_scope(scope)
}

/// The task that this thread is polling has looked at a token of `scope`, and has seen it `cancelled` or not.
pub(crate) fn token_polled(scope: &ScopeInner, cancelled: bool) {
    record::with_current(|record, meta| {
        let own = meta.scope.as_deref();
        let own = own.and_then(|own| ScopeInner::of_facts(own));
        if let Some(saw) = own.and_then(|own| own.looked_at(scope, cancelled)) {
            record
                .extensions_or_new()
                .token_polled(clock::coarse(), saw);
        }
    });
}
