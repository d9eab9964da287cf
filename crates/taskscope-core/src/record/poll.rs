//! One poll of a task, from its beginning to its end, and what this thread is polling.
//!
//! All in one place because it is what makes two things sound: the executor's waker is lent for
//! exactly as long as the poll lasts, and the current task of a thread is held by the future that
//! is being polled.
//!
//! The thread-local has no destructor: what a thread is polling can be read at any moment, also
//! from a signal handler or an allocator.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::polling::Begun;
use super::sampled::PollFlags;
use super::{Meta, Record, TaskGuard, Traits};
use crate::threads::{self, Slot};
use crate::{Owner, capture, clock, ids, poll_sampler, runtime};

pub(super) struct Local {
    pub(super) task: Cell<Option<&'static Record>>,
    /// Whether a scope was entered since the task was.
    pub(super) scoped: Cell<bool>,
}

thread_local! {
    pub(super) static LOCAL: Local = const { Local { task: Cell::new(None), scoped: Cell::new(false) } };
}

/// The record of the task that this thread is polling.
#[inline]
pub(crate) fn current() -> Option<&'static Record> {
    LOCAL.with(|local| local.task.get())
}

/// Tokio's number of the task that this thread is polling. `None`: it polls none that has a record.
#[inline]
#[must_use]
pub fn current_id() -> Option<u64> {
    current().map(Record::id)
}

/// The task that this thread is polling, and its facts of birth.
#[inline]
pub fn with_current<R>(f: impl FnOnce(&Record, &Meta) -> R) -> Option<R> {
    let record = current()?;
    // SAFETY: `Guard::begin` made it the current task of this thread, in a poll that has not ended.
    // The future that is being polled holds the record, so the cell is not written. The same goes
    // for `hooked`, which holds it itself.
    let meta = unsafe { &*record.meta.get() };
    meta.as_ref().map(|meta| f(record, meta))
}

/// The inheritance of a task that is spawned now, from the one that this thread is polling.
#[derive(Debug)]
pub struct Inherited {
    /// 0 if no task of ours is being polled.
    pub parent: u64,
    /// The index of the parent's runtime, if that is certain.
    pub runtime: Option<u16>,
    /// `None`: a scope was entered meanwhile.
    pub scope: Option<Option<Arc<dyn Owner>>>,
}

/// The inheritance of a task that is spawned now.
#[inline]
pub fn inherited() -> Inherited {
    LOCAL.with(|local| {
        let scoped = local.scoped.get();
        let Some(record) = local.task.get() else {
            return Inherited {
                parent: 0,
                runtime: None,
                scope: (!scoped).then_some(None),
            };
        };
        // SAFETY: as in `with_current`.
        let meta = unsafe { &*record.meta.get() };
        Inherited {
            parent: record.id(),
            runtime: record.traits().is_task().then(|| record.runtime()),
            scope: (!scoped).then(|| meta.as_ref().and_then(|meta| meta.scope.clone())),
        }
    })
}

/// Whether a scope was entered since the current task was.
#[inline]
pub(crate) fn scoped() -> bool {
    LOCAL.with(|local| local.scoped.get())
}

/// Says whether a scope was entered, and tells what was said before.
pub(crate) fn set_scoped(scoped: bool) -> bool {
    LOCAL.with(|local| local.scoped.replace(scoped))
}

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
