//! Takes connections and answers what they ask, within the limits of the table in `mod.rs`.
//!
//! The pool is bounded. A newcomer takes the slot of the connection that has been idle for longest,
//! or else of the one whose client has been slowest to take its answer, so that nobody can keep
//! others out by holding connections open. If all stay busy with something else, the newcomer is
//! told to come back, unless it wants the metrics or the overview: a few slots are kept for those.
//! `axum::serve` has none of this. Not here: how requests are read and answers written
//! (`protocols.rs`).

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::HeaderValue;
#[cfg(feature = "console")]
use axum::http::StatusCode;
use axum::http::header::CONNECTION;
use axum::response::IntoResponse as _;
use axum::serve::Listener;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use super::activity::Activity;
use super::body::{RequestBody, ResponseBody};
#[cfg(feature = "console")]
use super::chunked::Chunked;
#[cfg(feature = "console")]
use super::idle_timeout::expired;
use super::limits::Limits;
use super::write_timeout::WriteTimeout;
use super::{Answer, is_prompt, protocols};
use crate::http::{HttpError, headers};

/// How long a connection may be idle before its slot is given away: without this, many who come at
/// once and are about to ask would push each other out.
const GRACE: Duration = Duration::from_millis(250);
/// A client that has not taken the next 64 KB of its answer in this time is slow.
const SLOW: Duration = Duration::from_secs(2);
/// How long everybody has to be busy before a newcomer is told to come back.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often to look for a slot meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Newcomers at the same time who get the metrics or the overview, or else are told to come back.
const MAX_REFUSED: usize = 16;
/// How long one of them may take to ask, and to take the next bytes of its answer.
const REFUSED_STAYS: Duration = Duration::from_secs(3);
/// Seconds that they are told to wait.
const RETRY_AFTER: u64 = 2;

/// A connection that is open.
struct Open {
    activity: Activity,
    task: AbortHandle,
}

/// Accepts and serves connections. Never returns: errors of `accept` are retried inside.
pub(super) async fn run<L: Listener>(mut listener: L, app: Router, limits: Limits) {
    let full = full(app.clone());
    let briefly = Limits {
        header_timeout: limits.header_timeout.min(REFUSED_STAYS),
        write_timeout: limits.write_timeout.min(REFUSED_STAYS),
        ..limits
    };
    let mut pool = Pool {
        open: Vec::new(),
        max_open: limits.max_connections,
        refused: Vec::new(),
        full_since: None,
    };
    loop {
        let (stream, _) = listener.accept().await;
        let slot = pool.free_slot().await;
        let activity = Activity::new();
        let (app, limits) = match slot {
            Slot::Served => (&app, &limits),
            Slot::Refused => (&full, &briefly),
        };
        let connection = serve(stream, app.clone(), limits.clone(), activity.clone());
        let task = tokio::spawn(connection).abort_handle();
        pool.add(slot, Open { activity, task });
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
    /// Waits for a slot; meanwhile whoever comes waits in the queue of the system.
    async fn free_slot(&mut self) -> Slot {
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
                None => {
                    if let Some((_, at)) = self.slowest() {
                        self.full_since = None;
                        self.open.swap_remove(at).task.abort();
                        return Slot::Served;
                    }
                    let full_since = *self.full_since.get_or_insert_with(Instant::now);
                    if full_since.elapsed() >= PATIENCE && self.refused.len() < MAX_REFUSED {
                        return Slot::Refused;
                    }
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The connection that has been idle for longest: for how long, and its index.
    fn oldest_idle(&self) -> Option<(Duration, usize)> {
        let open = self.open.iter().enumerate();
        open.filter_map(|(at, open)| Some((open.activity.idle_for()?, at)))
            .max()
    }

    /// The connection whose client has been slow for longest: for how long, and its index.
    fn slowest(&self) -> Option<(Duration, usize)> {
        let open = self.open.iter().enumerate();
        let slow = open.filter_map(|(at, open)| Some((open.activity.slow_for()?, at)));
        slow.filter(|(time, _)| *time >= SLOW).max()
    }

    fn add(&mut self, slot: Slot, connection: Open) {
        match slot {
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
    let answer = answer(app, limits.header_timeout, activity.clone());
    let talk = protocols::serve(stream, answer, &limits);
    #[cfg(feature = "console")]
    if limits.http2 {
        tokio::select! {
            // Reads first: what has come in time counts, also if this thread had to wait for a
            // processor.
            biased;
            () = talk => {}
            () = expired(activity, limits.clone()) => {}
        }
        return;
    }
    talk.await;
}

/// The pages, as a service that notes what the connection is busy with.
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
        #[cfg(feature = "console")]
        let (version, activity, is_too_long) = (
            request.version(),
            activity.clone(),
            protocols::head_is_too_long(&request),
        );
        let request = request.map(|body| Body::new(RequestBody::new(body, body_timeout)));
        let response = tower::Service::call(&mut app.clone(), request);
        async move {
            #[cfg(feature = "console")]
            let response = async {
                if is_too_long {
                    return Ok(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE.into_response());
                }
                response.await
            };
            let Ok(response) = response.await;
            Ok::<_, Infallible>(response.map(|body| {
                let body = ResponseBody::new(body, busy);
                #[cfg(feature = "console")]
                let body = Chunked::new(body, version, activity);
                body
            }))
        }
    })
}

/// The pages of a server that has no slot: those that must never wait for others, and a refusal for
/// the rest.
fn full(app: Router) -> Router {
    let answer = async move |request: Request<Body>| {
        let mut response = if is_prompt(request.uri().path()) {
            let Ok(response) = tower::Service::call(&mut app.clone(), request).await;
            response
        } else {
            let why = "every connection of this server is busy; ask again when one has ended";
            headers::set(HttpError::unavailable(why, RETRY_AFTER).into_response()).await
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
