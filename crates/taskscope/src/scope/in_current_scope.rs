//! Taking the current scope along into a callback that other code runs, later and in a task of its own.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Scope;
use crate::current;

/// Wraps a callback so that it runs inside the scope which is current now, and keeps that scope open until it has ended.
///
/// For libraries that spawn a task with plain `tokio::spawn` and call back from there, such as axum's `WebSocket`s. Without a current scope, or
/// if that has ended, the callback runs as it is.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::extract::ws::{WebSocket, WebSocketUpgrade};
/// use axum::response::Response;
///
/// async fn handler(upgrade: WebSocketUpgrade) -> Response {
///     upgrade.on_upgrade(taskscope::in_current_scope(chat))
/// }
///
/// async fn chat(socket: WebSocket) {
///     // belongs to the request
///     taskscope::spawn(async move { drop(socket) });
/// }
/// # }
/// ```
///
/// # Cancel safety
///
/// The scope's guard is dropped with the future, or with the callback if that is never called.
pub fn in_current_scope<A, C, F>(callback: C) -> impl FnOnce(A) -> InCurrentScope<F> + use<A, C, F>
where
    C: FnOnce(A) -> F,
    F: Future,
{
    let scope = Scope::current().and_then(|scope| scope.guard());
    move |argument| {
        let future = {
            let _inside = scope
                .as_ref()
                .map(|scope| current::enter_scope(scope.inner()));
            callback(argument)
        };
        InCurrentScope { future, scope }
    }
}

pin_project! {
    /// The future of a callback that was wrapped by [`in_current_scope`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct InCurrentScope<F> {
        // Before the guard: what the future holds is dropped before the scope ends.
        #[pin]
        future: F,
        scope: Option<Scope>,
    }
}

impl<F: Future> Future for InCurrentScope<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = this
            .scope
            .as_ref()
            .map(|scope| current::enter_scope(scope.inner()));
        this.future.poll(cx)
    }
}

impl<F> fmt::Debug for InCurrentScope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InCurrentScope")
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
