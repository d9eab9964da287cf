//! The body of an answer over HTTP/2, in pieces that the client has to take one by one.
//!
//! Over HTTP/1 a client that takes nothing is seen at the socket (`stall.rs`). Over HTTP/2 it may go on reading the socket and just not allow the stream any more
//! bytes. hyper asks for the next piece when the one before is allowed to go: that is what is watched here.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::Error;
use axum::body::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::activity::{Activity, ChunkGuard};
use super::body::Answer;

/// Bytes in one piece: what a client has to take within the write timeout.
const PIECE: usize = 16 * 1024;

pub(super) struct Chunked {
    body: Answer,
    activity: Activity,
    /// Of what the body has given, what is not handed over yet.
    rest: Bytes,
    /// The piece that the client has not taken yet.
    handed: Option<ChunkGuard>,
    begun: bool,
}

impl Chunked {
    pub(super) fn new(body: Answer, activity: Activity) -> Self {
        Chunked {
            body,
            activity,
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
        self.handed = None;
        if self.rest.is_empty() {
            let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(bytes))) => self.rest = bytes,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                None => return Poll::Ready(None),
            }
        }
        self.begun = true;
        let length = self.rest.len().min(PIECE);
        let piece = self.rest.split_to(length);
        self.handed = Some(self.activity.hand_over());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    /// Once there was a piece, only the end itself: else hyper would let go of the body with the last piece, before that is taken.
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
