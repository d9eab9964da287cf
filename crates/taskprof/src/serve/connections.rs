//! Takes connections and answers what they ask, within limits.
//!
//! A connection has so much time to send a request, its first or its next, and so much to take the next bytes of an answer. There are so many
//! connections and no more: a newcomer takes the place of the one that has been idle for longest, or else of the one whose client has been slowest to take its answer, so that
//! nobody can keep others out by holding connections open; if all stay busy with something else, the newcomer is told to come back, unless it wants the metrics or the overview: a few
//! places are kept for those. `axum::serve` has none of this.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::response::IntoResponse as _;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use super::activity::Activity;
use super::body::{Answer, Timely};
#[cfg(feature = "console")]
use super::http2;
#[cfg(feature = "console")]
use super::idle_timeout::expired;
use super::is_prompt;
#[cfg(feature = "console")]
use super::sniff::{self, Protocol};
use super::write_timeout::WriteTimeout;
use crate::http::{HttpError, headers};

/// The longest head of a request, in bytes: twice what a browser sends that has collected cookies on localhost.
pub(super) const MAX_HEAD: usize = 64 * 1024;
/// How long a connection may be idle before its place is given away: without this, many who come at once and are about to ask would push
/// each other out.
const GRACE: Duration = Duration::from_millis(250);
/// A client that has not taken the next 64 KB of its answer in this time is slow.
const SLOW: Duration = Duration::from_secs(2);
/// How long everybody has to be busy before a newcomer is told to come back.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look for a place meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Newcomers at the same time who get the metrics or the overview, or else are told to come back.
const MAX_REFUSED: usize = 16;
/// How long one of them may take to ask, and to take the next bytes of its answer.
const REFUSED_STAYS: Duration = Duration::from_secs(3);
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
    /// Speak it with those who begin with it.
    #[cfg(feature = "console")]
    pub(super) http2: bool,
}

/// One that is open.
struct Open {
    activity: Activity,
    task: AbortHandle,
}

/// Never returns: errors of `accept` are retried inside.
pub(super) async fn run<L: Listener>(mut listener: L, app: Router, limits: Limits) {
    let full = full(app.clone());
    let briefly = Limits {
        header_timeout: limits.header_timeout.min(REFUSED_STAYS),
        write_timeout: limits.write_timeout.min(REFUSED_STAYS),
        ..limits
    };
    let mut room = Pool {
        open: Vec::new(),
        max_open: limits.max_connections,
        refused: Vec::new(),
        full_since: None,
    };
    loop {
        let (stream, _) = listener.accept().await;
        let place = room.make().await;
        let activity = Activity::new();
        let (app, limits) = match place {
            Slot::Served => (&app, &limits),
            Slot::Refused => (&full, &briefly),
        };
        let connection = serve(stream, app.clone(), limits.clone(), activity.clone());
        let task = tokio::spawn(connection).abort_handle();
        room.take(place, Open { activity, task });
    }
}

/// The connections that are there.
struct Pool {
    open: Vec<Open>,
    max_open: usize,
    refused: Vec<Open>,
    /// Since when everybody has been busy.
    full_since: Option<Instant>,
}

#[derive(Clone, Copy)]
enum Slot {
    Served,
    Refused,
}

impl Pool {
    /// Waits for a place; meanwhile whoever comes waits in the queue of the system.
    async fn make(&mut self) -> Slot {
        loop {
            self.open.retain(Open::is_there);
            self.refused.retain(Open::is_there);
            if self.open.len() < self.max_open {
                self.full_since = None;
                return Slot::Served;
            }
            match self.oldest_idle() {
                Some((time, at)) => {
                    self.full_since = None;
                    if time >= GRACE {
                        self.open.swap_remove(at).task.abort();
                        return Slot::Served;
                    }
                }
                None if let Some((_, at)) = self.slowest() => {
                    self.full_since = None;
                    self.open.swap_remove(at).task.abort();
                    return Slot::Served;
                }
                None => {
                    let full_since = *self.full_since.get_or_insert_with(Instant::now);
                    if full_since.elapsed() >= PATIENCE && self.refused.len() < MAX_REFUSED {
                        return Slot::Refused;
                    }
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// How long it has been idle, and where it is.
    fn oldest_idle(&self) -> Option<(Duration, usize)> {
        let open = self.open.iter().enumerate();
        open.filter_map(|(at, open)| Some((open.activity.idle_for()?, at)))
            .max()
    }

    /// For how long its client has been slow, and where it is.
    fn slowest(&self) -> Option<(Duration, usize)> {
        let open = self.open.iter().enumerate();
        let slow = open.filter_map(|(at, open)| Some((open.activity.slow_for()?, at)));
        slow.filter(|(time, _)| *time >= SLOW).max()
    }

    fn take(&mut self, place: Slot, connection: Open) {
        match place {
            Slot::Served => self.open.push(connection),
            Slot::Refused => self.refused.push(connection),
        }
    }
}

impl Open {
    fn is_there(&self) -> bool {
        !self.task.is_finished()
    }
}

async fn serve<S>(stream: S, app: Router, limits: Limits, activity: Activity)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = WriteTimeout::new(stream, limits.write_timeout, activity.clone());
    #[cfg(feature = "console")]
    if limits.http2 {
        return serve_either(stream, app, limits, activity).await;
    }
    let answer = answer(app, limits.header_timeout, activity);
    serve_http1(stream, answer, &limits).await;
}

/// As the first bytes say. Time limits that hold for one of the two only, or while it is not clear, are those of `overdue`.
#[cfg(feature = "console")]
async fn serve_either<S>(stream: S, app: Router, limits: Limits, activity: Activity)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = answer(app, limits.header_timeout, activity.clone());
    let talk = async {
        match sniff::sniff(stream).await {
            Ok((Protocol::Http1, stream)) => serve_http1(stream, answer, &limits).await,
            Ok((Protocol::Http2, stream)) => {
                http2::serve(stream, answer, &limits, activity.clone()).await;
            }
            // The client is gone.
            Err(_) => {}
        }
    };
    tokio::select! {
        // Reads first: what has come in time counts, also if this thread had to wait for a processor.
        biased;
        () = talk => {}
        () = expired(activity.clone(), limits.clone()) => {}
    }
}

async fn serve_http1<S, A>(stream: S, answer: A, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible>,
{
    // An error means that the client broke a rule, ran out of time, or is gone: there is nobody to tell.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// The pages, as a service that knows what the connection is busy with.
fn answer(
    app: Router,
    body_timeout: Duration,
    activity: Activity,
) -> impl Service<
    Request<Incoming>,
    Response = Response<Answer>,
    Error = Infallible,
    Future: Send + 'static,
> {
    service_fn(move |request: Request<Incoming>| {
        let busy = activity.busy();
        let request = request.map(|body| Body::new(Timely::new(body, body_timeout)));
        let response = tower::Service::call(&mut app.clone(), request);
        async {
            let Ok(response) = response.await;
            Ok::<_, Infallible>(response.map(|body| Answer::new(body, busy)))
        }
    })
}

/// The pages of a server that has no room: those that must never wait for others, and a refusal for the rest.
fn full(app: Router) -> Router {
    let answer = async move |request: Request<Body>| {
        let mut response = if is_prompt(request.uri().path()) {
            let Ok(response) = tower::Service::call(&mut app.clone(), request).await;
            response
        } else {
            let why = "every connection of this server is busy; ask again when one has ended";
            headers::set(HttpError::unavailable(why, AGAIN).into_response()).await
        };
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
        response
    };
    let full = Router::new().fallback(answer);
    #[cfg(feature = "console")]
    let full = full.layer(axum::middleware::from_fn(crate::console::in_grpc));
    full
}
