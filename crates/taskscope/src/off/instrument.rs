//! The future that `spawn` gives to tokio: the user's.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

pin_project! {
    /// A future without a record, exactly as large as the given one: see [`instrument`](crate::instrument).
    #[must_use = "futures do nothing unless awaited"]
    pub struct Instrumented<F> {
        #[pin]
        future: F,
    }
}

impl<F> Instrumented<F> {
    #[inline]
    pub(crate) fn new(future: F) -> Self {
        Instrumented { future }
    }

    /// No record, no id.
    #[cfg(feature = "tower")]
    pub(crate) fn id(&self) -> u64 {
        0
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}

impl<F> fmt::Debug for Instrumented<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumented").finish_non_exhaustive()
    }
}
