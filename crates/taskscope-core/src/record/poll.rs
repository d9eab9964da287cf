//! One poll of a task, from its beginning to its end.
//!
//! All in one place because it is what makes two things sound: the executor's waker is lent for
//! exactly as long as the poll lasts, and the current task of a thread (`current.rs`) is held by
//! the future that is being polled.

use std::mem::ManuallyDrop;
use std::task::{Context, Poll, Waker};

use super::current::{LOCAL, current};
use super::polling::Begun;
use super::sampled::PollFlags;
use super::{Record, TaskGuard, Traits};
use crate::threads::{self, Slot};
use crate::{capture, clock, ids, poll_sampler, runtime};

impl TaskGuard {
    /// Counts `poll` as one poll of the task, on this thread, with the executor's waker of `cx`.
    /// `poll` is told whether to capture.
    #[inline]
    pub(crate) fn poll<T>(
        &self,
        cx: &Context<'_>,
        poll: impl FnOnce(&'static Record, bool) -> Poll<T>,
    ) -> Poll<T> {
        let record = self.0;
        let guard = Guard::begin(record, Some(cx.waker()));
        let polled = poll(record, guard.special.captures());
        guard.end(polled.is_pending());
        polled
    }

    /// Counts `call` as the one and only poll of a task that is a call on the blocking pool.
    pub fn run<R>(&self, call: impl FnOnce() -> R) -> R {
        let _guard = Guard::begin(self.0, None);
        call()
    }
}

/// The time that a task spends in one poll, on this thread. A task that is ready, or that panics,
/// goes on running until its future has been dropped: it must not be taken for an idle one without
/// wakers.
struct Guard {
    record: &'static Record,
    begun: Begun,
    outer: Option<&'static Record>,
    scoped: bool,
    slot: &'static Slot,
    special: PollFlags,
}

impl Guard {
    #[inline]
    fn begin(record: &'static Record, waker: Option<&Waker>) -> Guard {
        let slot = threads::slot();
        if record.polls() == 0 {
            first_poll(record);
        }
        let now = clock::coarse();
        // SAFETY: `TaskGuard::poll` borrows both the guard and the waker for longer than this guard
        // lives.
        let begun = unsafe { record.begin_poll(waker, slot.index(), now) };
        let late = poll_sampler::is_late(begun.was_since, now);
        let chosen = slot.begin_poll(record, late);
        let mut special = PollFlags::new(record.wants_capture());
        if let Some(weight) = chosen {
            special = record.choose(&begun, special, now, weight);
        }
        if late && record.takes_welcome() && begun.was_woken() && capture::may(record) {
            special = special.with_capture();
        }
        let (outer, scoped) = LOCAL.with(|local| {
            (
                local.task.replace(Some(record)),
                local.scoped.replace(false),
            )
        });
        Guard {
            record,
            begun,
            outer,
            scoped,
            slot,
            special,
        }
    }
}

/// Without an end of its own, the poll has panicked, or was a call.
impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        self.finish(false);
    }
}

impl Guard {
    /// Ends the poll. `suspended`: the task goes on. Apart from `drop`, which the compiler does not
    /// like to compile in place.
    #[inline]
    fn end(self, suspended: bool) {
        ManuallyDrop::new(self).finish(suspended);
    }

    #[inline]
    fn finish(&self, suspended: bool) {
        LOCAL.with(|local| {
            local.task.set(self.outer);
            local.scoped.set(self.scoped);
        });
        self.slot.end_poll(self.outer);
        if self.special.is_any() {
            self.end_special(suspended);
        } else if suspended {
            self.record.end_poll(&self.begun, clock::coarse());
        } else {
            self.record.end_sampled_wait_by_end(&self.begun);
        }
    }

    #[cold]
    #[inline(never)]
    fn end_special(&self, suspended: bool) {
        let now = clock::coarse();
        if self.special.is_sampled() {
            self.record
                .end_sampled_poll(&self.begun, self.special, suspended, now);
        }
        if suspended {
            self.record.end_poll(&self.begun, now);
        } else {
            self.record.end_sampled_wait_by_end(&self.begun);
        }
        if self.special.is_marked() {
            if suspended {
                capture::answered(self.record);
            } else {
                if !self.begun.was_woken() && !std::thread::panicking() {
                    self.record.end_unwoken();
                }
                capture::withdraw(self.record);
            }
        }
    }
}

/// Before the first poll the spawner may not have told everything yet, or may have been wrong about
/// the runtime.
fn first_poll(record: &'static Record) {
    let traits = record.traits();
    // Always: what the spawner told may have been meant for the task that had this record before.
    if !traits.has(Traits::DRIVEN) {
        record.set_id(tokio::task::try_id().map_or(0, ids::number));
    }
    if traits.has(Traits::DRIVEN) {
        runtime::found(record);
    } else {
        runtime::check(record, threads::slot(), current().is_some());
    }
}
