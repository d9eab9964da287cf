//! The future that `spawn` gives to tokio: the user's future and the task's record.
//!
//! It adds one pointer to the future and no allocation. Everything it does per poll is here and in
//! the record's `poll`: two looks at the coarse clock, two thread-locals set and restored, a
//! handful of relaxed stores.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::capture;
use crate::record::{Identity, TaskGuard};
use crate::spawn_mark::not_ours;

pin_project! {
    /// A future with a record: see `taskscope::instrument`.
    #[must_use = "futures do nothing unless awaited"]
    pub struct Instrumented<F> {
        #[pin]
        future: F,
        // Dropped after the future: a task is alive until its future is gone.
        task: TaskGuard,
    }

    impl<F> PinnedDrop for Instrumented<F> {
        fn drop(this: Pin<&mut Self>) {
            not_ours();
            this.task.depart();
        }
    }
}

impl<F> Instrumented<F> {
    /// The future, as the task that the guard is of.
    #[inline]
    pub fn new(future: F, task: TaskGuard) -> Self {
        Instrumented { future, task }
    }

    /// The id of the record.
    pub fn id(&self) -> u64 {
        self.task.record().id()
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        this.task.poll(cx, |record, captures| {
            if captures {
                capture::poll_capturing(future, record)
            } else {
                record.with_waker(Identity::Plain, |waker| {
                    future.poll(&mut Context::from_waker(waker))
                })
            }
        })
    }
}

impl<F> fmt::Debug for Instrumented<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumented")
            .field("task", &self.task.record().id())
            .finish_non_exhaustive()
    }
}
