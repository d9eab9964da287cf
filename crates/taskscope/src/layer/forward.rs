//! The client's side: tells the next hop how much time is left.

use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::DeadlineHeader;
use crate::Scope;

/// Writes what is left of the current scope's deadline into each outgoing request, so that a
/// timeout crosses hops.
///
/// Put it around an HTTP or gRPC client. The scope is that of the code which calls the client, see
/// [`Scope::current`]. A server with
/// [`ScopeLayer::deadline_header`](crate::ScopeLayer::deadline_header) takes it from there; so does
/// any gRPC server.
///
/// * No scope, or none with a deadline: the request goes out as it is.
/// * The request has the header, with a shorter time: it stays. A longer one, or one that is no
///   time, is replaced.
/// * Nothing is left: the header has the shortest time that it can say. The request is sent,
///   because whether work that is too late should still be tried is for the caller to say; the
///   scope has been cancelled.
///
/// The time is rounded down, so the next hop never believes that it has more than this one.
///
/// # Examples
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// use std::time::Duration;
/// use http::Request;
/// use taskscope::{DeadlineHeader, ForwardDeadlineLayer, Scope};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// // In place of an HTTP client: answers with the header that it was sent.
/// let client = ServiceBuilder::new()
///     .layer(ForwardDeadlineLayer::new(DeadlineHeader::Grpc))
///     .service(service_fn(async |request: Request<()>| {
///         Ok::<_, std::convert::Infallible>(request.headers().get("grpc-timeout").cloned())
///     }));
///
/// let scope = Scope::new("POST /orders").timeout(Duration::from_secs(2));
/// let sent = scope.run(client.oneshot(Request::new(()))).await?;
/// let sent = sent.ok_or("no header")?;
/// assert!(DeadlineHeader::Grpc.parse(sent.to_str()?) <= Some(Duration::from_secs(2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ForwardDeadlineLayer {
    header: DeadlineHeader,
}

impl ForwardDeadlineLayer {
    /// Writes this header. For both, use two layers.
    pub fn new(header: DeadlineHeader) -> ForwardDeadlineLayer {
        ForwardDeadlineLayer { header }
    }
}

impl<S> Layer<S> for ForwardDeadlineLayer {
    type Service = ForwardDeadline<S>;

    fn layer(&self, inner: S) -> ForwardDeadline<S> {
        ForwardDeadline {
            inner,
            header: self.header,
        }
    }
}

/// The service of [`ForwardDeadlineLayer`].
#[derive(Debug, Clone)]
pub struct ForwardDeadline<S> {
    inner: S,
    header: DeadlineHeader,
}

impl<S, B> Service<Request<B>> for ForwardDeadline<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let remaining = Scope::current().and_then(|scope| scope.remaining());
        if let Some(remaining) = remaining {
            self.header.write(request.headers_mut(), remaining);
        }
        self.inner.call(request)
    }
}
