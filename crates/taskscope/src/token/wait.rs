//! The futures of a token.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio_util::sync::{WaitForCancellationFuture, WaitForCancellationFutureOwned};

use super::Token;

pin_project! {
    /// The future of [`Token::cancelled`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Cancelled<'a> {
        #[pin]
        inner: WaitForCancellationFuture<'a>,
        token: &'a Token,
    }
}

impl<'a> Cancelled<'a> {
    pub(super) fn new(token: &'a Token) -> Cancelled<'a> {
        Cancelled {
            inner: token.raw.cancelled(),
            token,
        }
    }
}

impl Future for Cancelled<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let poll = this.inner.poll(cx);
        this.token.looked(poll.is_ready());
        poll
    }
}

impl fmt::Debug for Cancelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Token::cancelled_owned`].
    #[must_use = "futures do nothing unless polled"]
    pub struct CancelledOwned {
        #[pin]
        inner: WaitForCancellationFutureOwned,
        token: Token,
    }
}

impl CancelledOwned {
    pub(super) fn new(token: Token) -> CancelledOwned {
        CancelledOwned {
            inner: token.raw.clone().cancelled_owned(),
            token,
        }
    }
}

impl Future for CancelledOwned {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let poll = this.inner.poll(cx);
        this.token.looked(poll.is_ready());
        poll
    }
}

impl fmt::Debug for CancelledOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelledOwned").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Token::run_until_cancelled`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RunUntilCancelled<'a, F> {
        #[pin]
        cancelled: Cancelled<'a>,
        #[pin]
        future: Option<F>,
        started: bool,
    }
}

impl<'a, F> RunUntilCancelled<'a, F> {
    pub(super) fn new(cancelled: Cancelled<'a>, future: F) -> RunUntilCancelled<'a, F> {
        RunUntilCancelled {
            cancelled,
            future: Some(future),
            started: false,
        }
    }
}

impl<F: Future> Future for RunUntilCancelled<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        poll_either(this.future, this.cancelled, this.started, cx)
    }
}

impl<F> fmt::Debug for RunUntilCancelled<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntilCancelled").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Token::run_until_cancelled_owned`].
    #[must_use = "futures do nothing unless polled"]
    pub struct RunUntilCancelledOwned<F> {
        #[pin]
        cancelled: CancelledOwned,
        #[pin]
        future: Option<F>,
        started: bool,
    }
}

impl<F> RunUntilCancelledOwned<F> {
    pub(super) fn new(cancelled: CancelledOwned, future: F) -> RunUntilCancelledOwned<F> {
        RunUntilCancelledOwned {
            cancelled,
            future: Some(future),
            started: false,
        }
    }
}

impl<F: Future> Future for RunUntilCancelledOwned<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        poll_either(this.future, this.cancelled, this.started, cx)
    }
}

impl<F> fmt::Debug for RunUntilCancelledOwned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntilCancelledOwned")
            .finish_non_exhaustive()
    }
}

/// One poll of both. The future is dropped as soon as the answer is known, as an `async fn` would.
fn poll_either<F: Future, C: Future<Output = ()>>(
    mut slot: Pin<&mut Option<F>>,
    mut cancelled: Pin<&mut C>,
    started: &mut bool,
    cx: &mut Context<'_>,
) -> Poll<Option<F::Output>> {
    let Some(future) = slot.as_mut().as_pin_mut() else {
        panic!("taskscope: `run_until_cancelled` polled after completion")
    };
    // Only before the first poll does the cancellation win.
    let answer = if !std::mem::replace(started, true) && cancelled.as_mut().poll(cx).is_ready() {
        None
    } else if let Poll::Ready(output) = future.poll(cx) {
        Some(output)
    } else if cancelled.poll(cx).is_ready() {
        None
    } else {
        return Poll::Pending;
    };
    slot.set(None);
    Poll::Ready(answer)
}
