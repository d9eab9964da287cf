//! Takes connections and answers what they ask, within limits.
//!
//! A connection has so much time to send a request, its first or its next, and so much to take the next bytes of an answer. There are so many
//! connections and no more: a newcomer takes the place of the one that has been idle for longest, so that nobody can keep others out by
//! holding connections open; if all are busy, the newcomer is told to come back. `axum::serve` has none of this.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::IntoResponse as _;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tower::Service as _;

use super::body::{Answer, Timely};
use super::load::Load;
use super::stall::Stall;
use crate::http::{HttpError, headers};

/// The longest head of a request, in bytes: twice what a browser sends that has collected cookies on localhost.
const MAX_HEAD: usize = 64 * 1024;
/// Newcomers who are told to come back at the same time; more are just closed.
const MAX_REFUSED: usize = 16;
/// How long one of them may take to ask and to be told.
const REFUSED_STAYS: Duration = Duration::from_secs(1);

/// What they are told to wait, in seconds.
const AGAIN: u64 = 2;

/// What connections may take.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// For a request to arrive: its head, and again its body.
    pub(super) header_timeout: Duration,
    /// Without progress in a write.
    pub(super) write_timeout: Duration,
    pub(super) max_connections: usize,
}

/// One that is open.
struct Open {
    load: Load,
    task: AbortHandle,
}

/// Never returns: errors of `accept` are retried inside.
pub(super) async fn run<L: Listener>(mut listener: L, app: Router, limits: Limits) {
    let turns = Arc::new(AtomicU64::new(0));
    let mut open: Vec<Open> = Vec::new();
    let mut refused: Vec<AbortHandle> = Vec::new();
    let full = full();
    let briefly = Limits {
        header_timeout: limits.header_timeout.min(REFUSED_STAYS),
        write_timeout: limits.write_timeout.min(REFUSED_STAYS),
        ..limits
    };
    loop {
        let (stream, _) = listener.accept().await;
        open.retain(|connection| !connection.task.is_finished());
        if open.len() >= limits.max_connections && !close_oldest_idle(&mut open) {
            refused.retain(|task| !task.is_finished());
            if refused.len() < MAX_REFUSED {
                let load = Load::new(&turns);
                let refusal = serve(stream, full.clone(), briefly.clone(), load);
                refused.push(tokio::spawn(refusal).abort_handle());
            }
            continue;
        }
        let load = Load::new(&turns);
        let connection = serve(stream, app.clone(), limits.clone(), load.clone());
        let task = tokio::spawn(connection).abort_handle();
        open.push(Open { load, task });
    }
}

/// False if there is none.
fn close_oldest_idle(open: &mut Vec<Open>) -> bool {
    let idle = open.iter().enumerate();
    let oldest = idle
        .filter_map(|(at, connection)| Some((connection.load.idle_since()?, at)))
        .min();
    match oldest {
        Some((_, at)) => {
            open.swap_remove(at).task.abort();
            true
        }
        None => false,
    }
}

async fn serve<S>(stream: S, app: Router, limits: Limits, load: Load)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = Stall::new(stream, limits.write_timeout, load.clone());
    let answer = service_fn(move |request: hyper::Request<Incoming>| {
        let busy = load.busy();
        let request = request.map(|body| Body::new(Timely::new(body, limits.header_timeout)));
        let response = app.clone().call(request);
        async {
            let Ok(response) = response.await;
            Ok::<_, Infallible>(response.map(|body| Answer::new(body, busy)))
        }
    });
    // An error means that the client broke a rule, ran out of time, or is gone: there is nobody to tell.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// The pages of a server that has no room.
fn full() -> Router {
    let refusal = async || {
        let why = "every connection of this server is busy; ask again when one has ended";
        let mut response = HttpError::unavailable(why, AGAIN).into_response();
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        headers::set(response).await
    };
    Router::new().fallback(refusal)
}
