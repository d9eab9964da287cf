//! The protocols that a connection may speak, with as few promises as clients can do with.
//!
//! HTTP/1 always. With the feature `console`, a server that has one also speaks HTTP/2 without TLS,
//! with clients that begin with it (prior knowledge). Without that feature no HTTP/2 is compiled
//! in, so hyper-util's `auto`, which needs it, is not used there. Not here: how long a client may
//! take (the table in `mod.rs`), which connections there are (`connections.rs`).

use std::convert::Infallible;

use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::Answer;
use super::limits::{Limits, MAX_HEAD};

/// Answers requests until the connection has ended, for whatever reason: an error means that the
/// client broke a rule, ran out of time, or is gone, so there is nobody to tell.
#[cfg(not(feature = "console"))]
pub(super) async fn serve<S, A>(stream: S, answer: A, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    A: Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible>,
    A::Future: Send + 'static,
{
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

/// Answers requests until the connection has ended, for whatever reason: an error means that the
/// client broke a rule, ran out of time, or is gone, so there is nobody to tell.
///
/// The tasks that HTTP/2 spawns, one for each request, end with the connection: they are told when
/// it is dropped.
#[cfg(feature = "console")]
pub(super) async fn serve<S, A>(stream: S, answer: A, limits: &Limits)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    A: Service<Request<Incoming>, Response = Response<Answer>, Error = Infallible>,
    A::Future: Send + 'static,
{
    use hyper_util::rt::TokioExecutor;
    use hyper_util::server::conn::auto;

    /// Requests at the same time on one connection: tokio-console makes five.
    const MAX_STREAMS: u32 = 16;
    /// Bytes that a client may send before they are read, for each request and for all of them;
    /// bodies are short here.
    const WINDOW: u32 = 64 * 1024;
    /// Bytes that wait to be sent, for each answer.
    const MAX_UNSENT: usize = 64 * 1024;

    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        // `auto` cannot set the longest head: this bounds its memory, `head_is_too_long` its
        // length.
        .max_buf_size(MAX_HEAD)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD as u32)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(MAX_UNSENT)
        // A peer that is gone without a word, behind a cable that was pulled, answers no ping.
        .keep_alive_interval(limits.write_timeout)
        .keep_alive_timeout(limits.write_timeout);
    if !limits.http2 {
        builder = builder.http1_only();
    }
    let _ = builder.serve_connection(TokioIo::new(stream), answer).await;
}

/// Whether a head is longer than [`MAX_HEAD`]; hyper refuses it where it can be told how long one
/// may be.
#[cfg(feature = "console")]
pub(super) fn head_is_too_long<B>(request: &Request<B>) -> bool {
    let uri = request.uri();
    let uri = uri.path().len() + uri.query().map_or(0, str::len);
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len());
    uri + headers.sum::<usize>() > MAX_HEAD
}
