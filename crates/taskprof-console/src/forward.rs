//! Carries a request to the console's thread, and the body of its answer back.
//!
//! An update can have megabytes, and encoding it takes time. That happens on the console's thread;
//! only pieces that are ready to be sent arrive on the server's. Not here: the thread
//! (`running.rs`), the service (`console-subscriber`).

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{BoxError, Router};
use http_body::{Body as HttpBody, Frame};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tower::Service;

/// The path of the service for gRPC clients: package and name as in its `.proto`.
const PATH: &str = "/rs.tokio.console.instrument.Instrument/{method}";

/// How many pieces are made before the client takes them; an update is one.
const READY_PIECES: usize = 1;

/// When a client that comes while the server ends should ask again, in seconds.
const RETRY_SECONDS: &str = "2";

/// The routes of the service, which runs on `runtime`.
pub(crate) fn routes<S, B>(service: S, runtime: Handle) -> Router
where
    S: Service<Request, Response = axum::http::Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send,
    B: HttpBody<Data = Bytes, Error: Into<BoxError> + Send> + Send + Unpin + 'static,
{
    let handler = async move |request: Request| {
        let response = runtime.spawn(call(service.clone(), request));
        match response.await {
            Ok(response) => response,
            // It panicked, or its runtime is gone.
            Err(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                [(RETRY_AFTER, RETRY_SECONDS)],
                "the console of this server has stopped\n",
            )
                .into_response(),
        }
    };
    Router::new().route(PATH, any(handler))
}

async fn call<S, B>(mut service: S, request: Request) -> Response
where
    S: Service<Request, Response = axum::http::Response<B>>,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError> + Send> + Send + Unpin + 'static,
{
    let response = match service.call(request).await {
        Ok(response) => response,
        Err(e) => {
            let text = format!("{}\n", e.into());
            return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
        }
    };
    let (pieces, received) = mpsc::channel(READY_PIECES);
    let (head, body) = response.into_parts();
    tokio::spawn(forward(body, pieces));
    Response::from_parts(head, Body::new(Received(received)))
}

/// Sends pieces until the body or the client has ended.
async fn forward<B>(mut body: B, pieces: mpsc::Sender<Result<Frame<Bytes>, BoxError>>)
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    // A place first, so that no piece is made before there is one for it.
    while let Ok(place) = pieces.reserve().await {
        let piece = tokio::select! {
            piece = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)) => piece,
            () = pieces.closed() => None,
        };
        match piece {
            Some(piece) => place.send(piece.map_err(Into::into)),
            None => return,
        }
    }
}

/// The body as the server sees it.
struct Received(mpsc::Receiver<Result<Frame<Bytes>, BoxError>>);

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx)
    }
}
