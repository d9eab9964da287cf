//! The way of a request to the console's thread, and of the answer back.
//!
//! An update may have megabytes, and making bytes of it takes its time. That happens over there; what arrives here are pieces that are ready to be sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use axum::{BoxError, Router};
use http_body::{Body as HttpBody, Frame};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tower::Service;

use crate::http::HttpError;

/// Where gRPC clients find the service: package and name as in its `.proto`.
const PATH: &str = "/rs.tokio.console.instrument.Instrument/{method}";

/// Pieces that are ready before the client takes them; an update is one.
const AHEAD: usize = 1;

/// What a client waits, in seconds, that comes while the server ends.
const AGAIN: u64 = 2;

/// The routes of the service, which runs on `runtime`.
pub(crate) fn routes<S, B>(service: S, runtime: Handle) -> Router
where
    S: Service<Request, Response = axum::http::Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError> + Send,
    B: HttpBody<Data = Bytes, Error: Into<BoxError> + Send> + Send + Unpin + 'static,
{
    let ask = async move |request: Request| {
        let answer = runtime.spawn(answer(service.clone(), request));
        match answer.await {
            Ok(response) => response,
            // It panicked, or its runtime is gone.
            Err(_) => HttpError::unavailable("the console of this server has stopped", AGAIN)
                .into_response(),
        }
    };
    Router::new().route(PATH, any(ask))
}

async fn answer<S, B>(mut service: S, request: Request) -> Response
where
    S: Service<Request, Response = axum::http::Response<B>>,
    S::Error: Into<BoxError>,
    B: HttpBody<Data = Bytes, Error: Into<BoxError> + Send> + Send + Unpin + 'static,
{
    let response = match service.call(request).await {
        Ok(response) => response,
        Err(e) => return HttpError::internal(e.into().to_string()).into_response(),
    };
    let (pieces, received) = mpsc::channel(AHEAD);
    let (head, body) = response.into_parts();
    tokio::spawn(forward(body, pieces));
    Response::from_parts(head, Body::new(Received(received)))
}

/// Until the body or the client has ended.
async fn forward<B>(mut body: B, pieces: mpsc::Sender<Result<Frame<Bytes>, BoxError>>)
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    // Room first: what nobody takes is not made.
    while let Ok(room) = pieces.reserve().await {
        let piece = tokio::select! {
            piece = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)) => piece,
            () = pieces.closed() => None,
        };
        match piece {
            Some(piece) => room.send(piece.map_err(Into::into)),
            None => return,
        }
    }
}

/// The server's end.
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
