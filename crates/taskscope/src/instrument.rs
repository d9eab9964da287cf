//! The future that `spawn` gives to tokio: the user's future and the task's record.
//!
//! It adds two pointers to the future and no allocation. Everything it does per poll is here and in
//! [`Record::begin_poll`]: two clock readings, a thread-local set and restored, a handful of relaxed stores.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::record::{Begun, Hold, Identity, Record};
use crate::{capture, clock, current, ids, threads};

pin_project! {
    pub(crate) struct Instrumented<F> {
        // Dropped in this order: a task is alive, and busy, until its future is gone.
        departure: Departure,
        #[pin]
        future: F,
        task: TaskGuard,
    }
}

impl<F> Instrumented<F> {
    pub(crate) fn new(future: F, task: TaskGuard) -> Self {
        Instrumented {
            departure: Departure(task.0.record()),
            future,
            task,
        }
    }
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let record = this.task.0.record();
        let mut guard = PollGuard::begin(record, cx);
        let polled = if record.wants_capture() {
            guard.captures = true;
            capture::poll_capturing(this.future, record)
        } else {
            record.with_waker(Identity::Plain, |waker| {
                this.future.poll(&mut Context::from_waker(waker))
            })
        };
        guard.suspended = polled.is_pending();
        polled
    }
}

/// The time that a task spends in one poll, on this thread. A task that is ready, or that panics, goes on running
/// until its future has been dropped: it must not be taken for an idle one without wakers.
struct PollGuard {
    record: &'static Record,
    begun: Begun,
    outer: current::Outer,
    captures: bool,
    suspended: bool,
}

impl PollGuard {
    #[inline]
    fn begin(record: &'static Record, cx: &Context<'_>) -> PollGuard {
        if record.id() == 0 {
            // The first poll can be earlier than the return of tokio's spawn function, which tells the id, too.
            record.set_id(tokio::task::try_id().map_or(0, ids::number));
        }
        let begun = record.begin_poll(cx.waker(), threads::index(), clock::ticks());
        PollGuard {
            record,
            begun,
            outer: current::enter_task(record),
            captures: false,
            suspended: false,
        }
    }
}

impl Drop for PollGuard {
    #[inline]
    fn drop(&mut self) {
        current::leave_task(&self.outer);
        if self.suspended {
            self.record.end_poll(&self.begun, clock::ticks());
        }
        if self.captures {
            capture::withdraw(self.record);
        }
    }
}

/// Dropped before the future, it says that this thread is now busy with the task: a destructor can block, too.
struct Departure(&'static Record);

impl Drop for Departure {
    fn drop(&mut self) {
        if self.0.thread() == 0 {
            self.0.begin_drop(threads::index(), clock::ticks());
        }
    }
}

/// The task's own hold on its record. Dropped together with the future, it ends the task.
pub(crate) struct TaskGuard(Hold);

impl TaskGuard {
    /// Counts a task in.
    pub(crate) fn new(hold: Hold) -> TaskGuard {
        let meta = hold.meta();
        if let Some(runtime) = &meta.runtime {
            runtime.task_started(meta.local);
        }
        if let Some(scope) = &meta.scope {
            scope.task_started();
        }
        TaskGuard(hold)
    }

    pub(crate) fn hold(&self) -> &Hold {
        &self.0
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.record().set_finished();
        let meta = self.0.meta();
        if let Some(runtime) = &meta.runtime {
            runtime.task_ended(meta.local);
        }
        if let Some(scope) = &meta.scope {
            scope.task_ended();
        }
    }
}
