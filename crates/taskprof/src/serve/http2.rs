//! HTTP/2 without TLS, with as few promises as clients can do with.

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::activity::Activity;
use super::body::Answer;
use super::chunked::Chunked;
use super::connections::{Limits, MAX_HEAD};

/// Requests at the same time on one connection: tokio-console makes five.
const MAX_STREAMS: u32 = 16;
/// Bytes that a client may send before they are read, for each request and for all of them; bodies are short here.
const WINDOW: u32 = 64 * 1024;
/// Bytes that wait to be sent, for each answer.
const MAX_UNSENT: usize = 64 * 1024;

/// Returns when the connection has ended, for whatever reason.
pub(super) async fn serve<S, A>(stream: S, answer: A, limits: &Limits, activity: Activity)
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible>,
    A::Future: Send + 'static,
{
    let in_pieces = service_fn(move |request| {
        let (response, activity) = (answer.call(request), activity.clone());
        async move {
            let Ok(response) = response.await;
            Ok::<_, Infallible>(response.map(|body| Chunked::new(body, activity)))
        }
    });
    // The tasks that it spawns, one for each request, end with the connection: they are told when it is dropped.
    let _ = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(MAX_UNSENT)
        // A peer that is gone without a word, behind a cable that was pulled, answers no ping.
        .keep_alive_interval(limits.write_timeout)
        .keep_alive_timeout(limits.write_timeout)
        .serve_connection(TokioIo::new(stream), in_pieces)
        .await;
}
