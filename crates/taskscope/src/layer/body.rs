//! The response body that keeps its request's scope open, and how it knows that it is over.
//!
//! A server is free to drop a body without asking it for its end, once it has what it needs. That
//! must not look like a client that has gone, so every way in which a body can be complete is known
//! here.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::guard::{Inside, RequestGuard, complete};

pin_project! {
    /// A response body that keeps its request's scope open.
    pub struct ScopeBody<B> {
        // Before the guard: what the body holds is dropped before the scope ends.
        #[pin]
        body: B,
        guard: Option<RequestGuard>,
        // Bytes that the server will still ask for, if their number was announced.
        left: Option<u64>,
    }
}

impl<B: Body> ScopeBody<B> {
    /// `over`: the server sends none of it.
    pub(super) fn new(
        body: B,
        headers: &HeaderMap,
        mut guard: Option<RequestGuard>,
        over: bool,
    ) -> ScopeBody<B> {
        let announced = headers.get(CONTENT_LENGTH);
        let left = announced
            .and_then(|length| length.to_str().ok()?.parse().ok())
            .or_else(|| body.size_hint().exact());
        if over || left == Some(0) || body.is_end_stream() {
            complete(&mut guard);
        }
        ScopeBody { body, guard, left }
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
            let _inside = Inside::new(this.guard);
            ready!(this.body.as_mut().poll_frame(cx))
        };
        let last = match &frame {
            // The end; a failure of the service's own; or trailers, which nothing can follow.
            None | Some(Err(_)) => true,
            Some(Ok(frame)) if frame.is_trailers() => true,
            Some(Ok(frame)) => {
                let sent = frame.data_ref().map_or(0, |data| data.remaining() as u64);
                *this.left = this.left.map(|left| left.saturating_sub(sent));
                *this.left == Some(0)
            }
        };
        if last || this.body.is_end_stream() {
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
