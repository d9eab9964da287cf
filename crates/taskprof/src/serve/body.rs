//! The bodies of a request and of its answer, with what the server has to know about them.
//!
//! Not here: the pieces that a client of HTTP/2 has to take (`chunked.rs`).

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::{BoxError, Error};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::Sleep;

use super::activity::BusyGuard;

/// The body of a request, which has to arrive in time.
///
/// Reads before it looks at the time, so that a body that has arrived counts also if this thread
/// had to wait for a processor. `tower-http`'s `DeadlineBody` looks at the time first.
pub(super) struct RequestBody<B> {
    body: B,
    deadline: Pin<Box<Sleep>>,
}

impl<B> RequestBody<B> {
    pub(super) fn new(body: B, limit: Duration) -> Self {
        RequestBody {
            body,
            deadline: Box::pin(tokio::time::sleep(limit)),
        }
    }
}

impl<B> HttpBody for RequestBody<B>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        ready!(self.deadline.as_mut().poll(cx));
        Poll::Ready(Some(Err("the body of the request took too long".into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer; the connection is busy until it is written.
pub(super) struct ResponseBody {
    body: Body,
    _busy: BusyGuard,
}

impl ResponseBody {
    pub(super) fn new(body: Body, busy: BusyGuard) -> Self {
        ResponseBody { body, _busy: busy }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
