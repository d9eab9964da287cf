//! One scope for each HTTP request: a tower layer.
//!
//! The scope is open from the request's head until the response body has ended or is dropped, whichever comes first. The body's
//! guard is what ends it, so streaming answers keep their scope, and a client that goes away ends it at once.
//! Not here: request ids, deadlines.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::extract::MatchedPath;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::scope::{AtEnd, Run, Scope};

/// Opens a [`Scope`] for each request, named `METHOD route`, such as `GET /orders/{id}`.
///
/// Put it around routes with `Router::layer`: there axum has matched the route. A request that matched none is named
/// `METHOD (no route)`, so that names stay few whatever clients ask for.
///
/// # Examples
///
/// ```
/// use axum::{Router, routing::get};
/// use taskscope::{AtEnd, Scope, ScopeLayer};
///
/// let app: Router = Router::new()
///     .route("/orders/{id}", get(|| async { Scope::current().map(|scope| scope.name().to_owned()) .unwrap_or_default() }))
///     .layer(ScopeLayer::new().at_end(AtEnd::Cancel));
/// ```
///
/// # Cancel safety
///
/// When hyper drops the handler or the body because the client has gone, the scope ends and, under [`AtEnd::Cancel`], is
/// cancelled with [`CancelReason::ClientGone`](crate::CancelReason::ClientGone).
#[derive(Debug, Clone, Default)]
pub struct ScopeLayer {
    at_end: AtEnd,
}

impl ScopeLayer {
    /// Scopes that only report at their end.
    pub fn new() -> ScopeLayer {
        ScopeLayer::default()
    }

    /// Says what happens to tasks that are alive when a request ends. The default is [`AtEnd::Report`].
    pub fn at_end(mut self, policy: AtEnd) -> ScopeLayer {
        self.at_end = policy;
        self
    }
}

impl<S> Layer<S> for ScopeLayer {
    type Service = ScopeService<S>;

    fn layer(&self, inner: S) -> ScopeService<S> {
        ScopeService {
            inner,
            at_end: self.at_end,
        }
    }
}

/// The service of [`ScopeLayer`].
#[derive(Debug, Clone)]
pub struct ScopeService<S> {
    inner: S,
    at_end: AtEnd,
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
        let route = request
            .extensions()
            .get::<MatchedPath>()
            .map_or("(no route)", MatchedPath::as_str);
        let name: Arc<str> = format!("{} {route}", method(request.method())).into();
        let bodiless = request.method() == http::Method::HEAD;
        let guard = RequestGuard {
            scope: Scope::new(name).at_end(self.at_end),
            bodiless,
            complete: false,
        };
        // Work that the service does before it returns its future belongs to the request, too.
        let _inside = crate::current::enter_scope(guard.scope.inner());
        let future = self.inner.call(request);
        ScopeFuture {
            future: guard.scope.run(future),
            guard: Some(guard),
        }
    }
}

/// Extension methods are the client's words; they must not become names.
fn method(method: &http::Method) -> &str {
    const KNOWN: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
    let method = method.as_str();
    if KNOWN.contains(&method) {
        method
    } else {
        "(other method)"
    }
}

/// Ends the request's scope; without an orderly end, because the client has gone.
struct RequestGuard {
    scope: Scope,
    /// The answer to a `HEAD` request: nobody will poll its body.
    bodiless: bool,
    complete: bool,
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        if !self.complete {
            self.scope.client_gone();
        }
    }
}

pin_project! {
    /// The response future of [`ScopeService`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct ScopeFuture<F> {
        #[pin]
        future: Run<F>,
        guard: Option<RequestGuard>,
    }
}

/// Ends the scope in good order.
fn complete(guard: &mut Option<RequestGuard>) {
    if let Some(mut guard) = guard.take() {
        guard.complete = true;
    }
}

impl<F, R, E> Future for ScopeFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body,
{
    type Output = Result<Response<ScopeBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        let mut guard = this.guard.take();
        match answer {
            Ok(response) => {
                // A server need not poll a body that has nothing to say.
                let over = guard.as_ref().is_some_and(|guard| guard.bodiless)
                    || response.body().is_end_stream();
                if over {
                    complete(&mut guard);
                }
                Poll::Ready(Ok(response.map(|body| ScopeBody { body, guard })))
            }
            Err(error) => {
                complete(&mut guard);
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F> fmt::Debug for ScopeFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// A response body that keeps its request's scope open.
    pub struct ScopeBody<B> {
        #[pin]
        body: B,
        guard: Option<RequestGuard>,
    }
}

impl<B: Body> Body for ScopeBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = {
            let _inside = this
                .guard
                .as_ref()
                .map(|guard| crate::current::enter_scope(guard.scope.inner()));
            ready!(this.body.as_mut().poll_frame(cx))
        };
        // Servers do not ask again after the frame that completes the announced length.
        if frame.is_none() || this.body.is_end_stream() {
            complete(this.guard);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for ScopeBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeBody")
            .field("open", &self.guard.is_some())
            .finish_non_exhaustive()
    }
}
