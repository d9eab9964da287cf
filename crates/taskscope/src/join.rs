//! The handle of a spawned task: tokio's, which also knows when it was dropped.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::task::{self, AbortHandle, JoinError};

use crate::backend::{Attached, TaskRef};

/// Owns the permission to await a task's end, like [`tokio::task::JoinHandle`].
///
/// Dropping it detaches the task: the task goes on, and from then on dumps show it as *detached* and since when, because
/// nobody is left who could await or abort it.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` is cancel safe, as it is with tokio's.
pub struct JoinHandle<T> {
    inner: task::JoinHandle<T>,
    attached: Attached,
}

impl<T> JoinHandle<T> {
    #[inline]
    pub(crate) fn new(inner: task::JoinHandle<T>, task: TaskRef) -> Self {
        JoinHandle {
            inner,
            attached: Attached::to(task),
        }
    }

    /// Asks the task to end at its next suspension, as [`tokio::task::JoinHandle::abort`] does.
    pub fn abort(&self) {
        self.inner.abort();
    }

    /// A handle that can abort the task and not await it. Holding one does not keep the task from being detached.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        self.inner.abort_handle()
    }

    /// Whether the task has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.inner.is_finished()
    }

    /// Tokio's id of the task; dumps show the same number.
    #[must_use]
    pub fn id(&self) -> task::Id {
        self.inner.id()
    }

    /// Tokio's own handle, for code that needs that type.
    ///
    /// # Limitations
    ///
    /// Nobody sees tokio's handle being dropped: the task does not become *detached*.
    pub fn into_inner(mut self) -> task::JoinHandle<T> {
        self.attached.let_go();
        self.inner
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.attached.poll(&mut this.inner, cx)
    }
}

// As tokio's: nothing of the task can be seen broken through its handle.
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.inner.id())
            .finish_non_exhaustive()
    }
}
