//! The end of captures before their time, for an application that shuts down.
//!
//! A server that stops in good order waits for the answers that are under way, and a capture is one
//! that takes up to five minutes. Not here: [`serve`](crate::serve()), whose captures end with it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use tokio::sync::Notify;

use super::error::HttpError;

static ENDED: Notify = Notify::const_new();

/// Ends every capture that a [`router`](crate::router()) or a server of this process is making for
/// a client: each client gets a 503 at once.
///
/// For the moment when the application shuts down: a graceful shutdown, as that of axum, waits for
/// all answers that are under way. Captures that are begun later are none of this, and neither are
/// those that are asked for through code.
///
/// # Examples
///
/// ```no_run
/// # async fn f(listener: tokio::net::TcpListener, terminated: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
/// let app: axum::Router = axum::Router::new().nest("/debug/profile", taskprof::router());
/// axum::serve(listener, app)
///     .with_graceful_shutdown(async {
///         terminated.await;
///         taskprof::end_captures();
///     })
///     .await
/// # }
/// ```
pub fn end_captures() {
    ENDED.notify_waiters();
}

/// The result of `capture`, or a refusal when captures are ended first. Captures that are ended are
/// dropped.
pub(super) async fn or_ended<T>(
    capture: impl Future<Output = Result<T, HttpError>>,
) -> Result<T, HttpError> {
    let mut capture = pin!(capture);
    let mut ended = pin!(ENDED.notified());
    poll_fn(|cx| match ended.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(HttpError::unavailable(
            "the captures of this process were ended, because it shuts down",
            RETRY_AFTER,
        ))),
        Poll::Pending => capture.as_mut().poll(cx),
    })
    .await
}

/// Seconds after which the next process may be there.
const RETRY_AFTER: u64 = 10;
