//! The service of [`ScopeLayer`](super::ScopeLayer), and the future of one response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::ScopeBody;
use super::guard::{Inside, RequestGuard, complete};
use super::{Config, Counters, request};
use crate::backend::Instrumented;

/// The service of [`ScopeLayer`](crate::ScopeLayer).
#[derive(Debug, Clone)]
pub struct ScopeService<S> {
    inner: S,
    config: Arc<Config>,
    stats: Arc<Counters>,
}

impl<S> ScopeService<S> {
    pub(super) fn new(inner: S, config: Arc<Config>, stats: Arc<Counters>) -> ScopeService<S> {
        ScopeService {
            inner,
            config,
            stats,
        }
    }
}

impl<S, B, R> Service<Request<B>> for ScopeService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Body,
{
    type Response = Response<ScopeBody<R>>;
    type Error = S::Error;
    type Future = ScopeFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let (scope, id) = request::open_scope(&parts, &self.config, &self.stats);
        let answer = Answer {
            head: parts.method == Method::HEAD,
            connect: parts.method == Method::CONNECT,
            id: self
                .config
                .id_in_response
                .then(|| (self.config.clone(), id)),
        };
        let mut guard = Some(RequestGuard::new(scope));
        // Work that the service does before it returns its future belongs to the request, too.
        let future = {
            let _inside = Inside::new(&mut guard);
            let future = self.inner.call(Request::from_parts(parts, body));
            self.config.record.clone().instrument(future)
        };
        if let Some(guard) = &guard {
            guard.opened_by(future.id());
        }
        ScopeFuture {
            future: Some(future),
            guard,
            answer,
        }
    }
}

/// The facts of a request that its response depends on.
struct Answer {
    head: bool,
    connect: bool,
    /// The request id, if the response should have it.
    id: Option<(Arc<Config>, Arc<str>)>,
}

impl Answer {
    /// Whether a server sends no body with this status, whatever there is.
    fn is_bodiless(&self, status: StatusCode) -> bool {
        self.head
            || self.is_upgrade(status)
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }

    fn is_upgrade(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS || (self.connect && status.is_success())
    }

    fn write_id<B>(&self, response: &mut Response<B>) {
        // The id is visible ASCII: it is a legal value.
        if let Some((config, id)) = &self.id
            && let Ok(value) = HeaderValue::from_str(id)
        {
            let header = response.headers_mut().entry(&config.id_header);
            header.or_insert(value);
        }
    }
}

pin_project! {
    /// The response future of [`ScopeService`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct ScopeFuture<F> {
        // Before the guard: what the future holds is dropped before the scope ends. `None` once it
        // has ended: whoever holds on to this future keeps no record of a request that is answered.
        #[pin]
        future: Option<Instrumented<F>>,
        guard: Option<RequestGuard>,
        answer: Answer,
    }
}

impl<F, R, E> Future for ScopeFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<ScopeBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let answer = {
            let _inside = Inside::new(this.guard);
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                // Every future may do that, and the inner one would have done it.
                panic!("`ScopeFuture` polled after it was ready");
            };
            let answer = ready!(future.poll(cx));
            this.future.set(None);
            answer
        };
        let mut response = match answer {
            Ok(response) => response,
            Err(error) => {
                complete(this.guard);
                return Poll::Ready(Err(error));
            }
        };
        this.answer.write_id(&mut response);
        let over = this.answer.is_bodiless(response.status());
        let (parts, body) = response.into_parts();
        let body = ScopeBody::new(body, &parts.headers, this.guard.take(), over);
        Poll::Ready(Ok(Response::from_parts(parts, body)))
    }
}

impl<F> fmt::Debug for ScopeFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFuture").finish_non_exhaustive()
    }
}
