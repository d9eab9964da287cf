//! A stream that fails when its client has taken nothing for too long.
//!
//! A client that asks for a large answer and never reads it would otherwise keep the connection,
//! the thread that writes the answer, and the tasks that the answer is about. Not here: the time
//! that a request may take to arrive (hyper's, and `body.rs`).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::activity::{Activity, BusyGuard};

/// A stream with a limit on how long a write may wait without progress.
pub(super) struct WriteTimeout<S> {
    stream: S,
    limit: Duration,
    activity: Activity,
    waiting: Option<Waiting>,
}

/// A write that waits, since the last byte that was taken.
struct Waiting {
    deadline: Pin<Box<Sleep>>,
    _busy: BusyGuard,
}

impl<S: AsyncWrite + Unpin> WriteTimeout<S> {
    pub(super) fn new(stream: S, limit: Duration, activity: Activity) -> Self {
        WriteTimeout {
            stream,
            limit,
            activity,
            waiting: None,
        }
    }

    /// Writes, and looks at the time if nothing could be written.
    fn watch(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let done = write(Pin::new(&mut self.stream), cx);
        if let Poll::Ready(written) = done {
            self.waiting = None;
            self.activity
                .client_has_taken(*written.as_ref().unwrap_or(&0));
            return Poll::Ready(written);
        }
        self.activity.waits_for_client();
        let (limit, activity) = (self.limit, &self.activity);
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            deadline: Box::pin(tokio::time::sleep(limit)),
            _busy: activity.busy(),
        });
        waiting
            .deadline
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteTimeout<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.watch(cx, |stream, cx| stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.watch(cx, |stream, cx| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has nothing to flush: `Ready` here says nothing about what waits to be written.
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
