//! A future that is polled inside a scope.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::ScopeInner;
use crate::current;

pin_project! {
    /// The future of [`Scope::run`](crate::Scope::run).
    #[must_use = "futures do nothing unless awaited"]
    pub struct Run<F> {
        #[pin]
        future: F,
        scope: Arc<ScopeInner>,
    }
}

impl<F> Run<F> {
    pub(crate) fn new(scope: Arc<ScopeInner>, future: F) -> Run<F> {
        Run { future, scope }
    }
}

impl<F: Future> Future for Run<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = current::enter_scope(this.scope.clone());
        this.future.poll(cx)
    }
}

impl<F> fmt::Debug for Run<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
