//! The guard that travels with a request and ends its scope.

use std::sync::Arc;
use std::thread;

use crate::backend::ScopeGuard;
use crate::current;
use crate::scope::{Scope, ScopeInner};

/// Ends the request's scope when it is dropped; without [`RequestGuard::complete`], because the client has gone.
pub(super) struct RequestGuard {
    /// `None` once it has ended.
    scope: Option<Scope>,
}

impl RequestGuard {
    pub(super) fn new(scope: Scope) -> RequestGuard {
        RequestGuard { scope: Some(scope) }
    }

    fn inner(&self) -> Option<Arc<ScopeInner>> {
        self.scope.as_ref().map(Scope::inner)
    }

    /// Tells the scope which record is that of its request.
    pub(super) fn opened_by(&self, request: u64) {
        if let Some(scope) = &self.scope {
            scope.inner().opened_by_request(request);
        }
    }

    /// Ends the scope in good order.
    pub(super) fn complete(mut self) {
        self.scope = None;
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        // A panic in the service is its own end, not the client's.
        if let Some(scope) = self.scope.take()
            && !thread::panicking()
        {
            scope.client_gone();
        }
    }
}

/// Ends the scope in good order, if it is open.
pub(super) fn complete(guard: &mut Option<RequestGuard>) {
    if let Some(guard) = guard.take() {
        guard.complete();
    }
}

/// A poll inside the scope. If it panics, the scope ends: somebody further out may catch the panic, and drop what has been
/// polled later, as if the client had gone.
pub(super) struct Inside<'a> {
    guard: &'a mut Option<RequestGuard>,
    _current: Option<ScopeGuard>,
}

impl<'a> Inside<'a> {
    pub(super) fn new(guard: &'a mut Option<RequestGuard>) -> Inside<'a> {
        let inner = guard.as_ref().and_then(RequestGuard::inner);
        Inside {
            guard,
            _current: inner.map(current::enter_scope),
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            complete(self.guard);
        }
    }
}
