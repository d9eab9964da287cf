//! The body of an answer over HTTP/2, in chunks that the client has to take one by one.
//!
//! Over HTTP/1 a client that takes nothing is seen at the socket (`write_timeout.rs`). Over HTTP/2
//! it may go on reading the socket and just not allow the stream any more bytes. hyper asks for the
//! next chunk when the one before is allowed to go: that is watched here.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::Version;

use super::activity::{Activity, ChunkGuard};
use super::body::ResponseBody;

/// Bytes in one chunk: what a client has to take within the write timeout.
const CHUNK: usize = 16 * 1024;

/// A body in chunks; over HTTP/1, the body as it is.
pub(super) struct Chunked {
    body: ResponseBody,
    /// `None` over HTTP/1.
    activity: Option<Activity>,
    /// Bytes that the body has given and that are not handed over yet.
    rest: Bytes,
    /// The chunk that the client has not taken yet.
    handed: Option<ChunkGuard>,
    begun: bool,
}

impl Chunked {
    pub(super) fn new(body: ResponseBody, version: Version, activity: Activity) -> Self {
        Chunked {
            body,
            activity: (version == Version::HTTP_2).then_some(activity),
            rest: Bytes::new(),
            handed: None,
            begun: false,
        }
    }
}

impl HttpBody for Chunked {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let Some(activity) = &this.activity else {
            return Pin::new(&mut this.body).poll_frame(cx);
        };
        this.handed = None;
        if this.rest.is_empty() {
            let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(bytes))) => this.rest = bytes,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                None => return Poll::Ready(None),
            }
        }
        this.begun = true;
        let length = this.rest.len().min(CHUNK);
        let chunk = this.rest.split_to(length);
        this.handed = Some(activity.hand_over());
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    /// Once there was a chunk, only the end itself: else hyper would let go of the body with the
    /// last chunk, before that is taken.
    fn is_end_stream(&self) -> bool {
        !self.begun && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.len() as u64;
        let mut hint = self.body.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
    }
}
