//! References to a record: a holder's, the task's own future, its `JoinHandle`.
//!
//! Not here: wakers, which refer to it, too (`waker.rs`); the counts (`state.rs`).

use std::process::abort;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::flags::ENDING;
use super::state::Ref;
use super::{Meta, Record, Traits};
use crate::{Owner, attribution, capture, clock, pool, threads};

/// One holder's reference to a record.
#[derive(Debug)]
pub struct Hold(pub(super) &'static Record);

impl Hold {
    pub(crate) fn get(&self) -> &'static Record {
        self.0
    }

    /// The record.
    #[inline]
    #[must_use]
    pub fn record(&self) -> &Record {
        self.0
    }

    /// A weak reference to the task.
    #[must_use]
    pub fn task_ref(&self) -> TaskRef {
        TaskRef {
            record: self.0,
            serial: self.0.serial.load(Ordering::Relaxed),
            traits: self.0.traits(),
        }
    }

    /// The facts of birth.
    #[inline]
    pub fn meta(&self) -> &Meta {
        // SAFETY: this hold is a reference, so the cell is not written while `&self` lives.
        match unsafe { &*self.0.meta.get() } {
            Some(meta) => meta,
            None => abort(),
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.release(Ref::Holder);
    }
}

/// The task's own hold on its record. Dropped together with the future, it ends the task.
#[derive(Debug)]
pub struct TaskGuard(pub(super) &'static Record);

impl TaskGuard {
    /// The record, which is there for ever.
    #[cfg(tokio_unstable)]
    pub(crate) fn get(&self) -> &'static Record {
        self.0
    }

    #[cold]
    fn keep_facts(&self) {
        self.0.state.retain(Ref::Holder);
        attribution::keep(&Hold(self.0));
    }

    /// The record.
    #[inline]
    #[must_use]
    pub fn record(&self) -> &Record {
        self.0
    }

    /// A weak reference to the task.
    #[inline]
    pub fn task_ref(&self) -> TaskRef {
        TaskRef {
            record: self.0,
            serial: self.0.serial.load(Ordering::Relaxed),
            traits: self.0.traits(),
        }
    }

    #[inline]
    fn scope(&self) -> Option<&Arc<dyn Owner>> {
        // SAFETY: this guard is a reference, so the cell is not written while `&self` lives.
        unsafe { &*self.0.meta.get() }.as_ref()?.scope.as_ref()
    }

    /// The future is about to be dropped: this thread is busy with the task until then, since a
    /// destructor can block, too.
    #[inline]
    pub fn depart(&self) {
        if self.0.thread() == 0 {
            let now = clock::coarse();
            self.0.end_sampled_wait_by_drop(now);
            self.0.begin_drop(threads::slot().index(), now);
        }
    }
}

impl Drop for TaskGuard {
    #[inline]
    fn drop(&mut self) {
        if self.0.traits().has(Traits::SAMPLED) {
            self.keep_facts();
        }
        if let Some(scope) = self.scope() {
            let flags = self.0.flags.load(Ordering::Relaxed);
            self.0.flags.store(flags | ENDING, Ordering::Release);
            scope.task_ended(self.0);
        }
        let end = self.0.state.finish();
        if end.requested {
            capture::settled();
        }
        if end.last {
            self.0.recycle();
        }
    }
}

/// Marks the task as detached when dropped, unless it has ended or its handle was taken apart.
#[derive(Debug)]
pub struct Attached {
    task: TaskRef,
    armed: bool,
}

impl Attached {
    /// The handle of that task.
    #[inline]
    pub fn to(task: TaskRef) -> Attached {
        Attached { task, armed: true }
    }

    /// Polls the handle of the task.
    #[inline]
    pub fn poll<T>(
        &self,
        handle: &mut tokio::task::JoinHandle<T>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<T, tokio::task::JoinError>> {
        if self.task.is_call() {
            return crate::blocking::poll(handle, cx);
        }
        std::pin::Pin::new(handle).poll(cx)
    }

    /// The handle is taken apart.
    pub fn let_go(&mut self) {
        self.armed = false;
    }
}

impl Drop for Attached {
    #[inline]
    fn drop(&mut self) {
        if self.armed {
            self.task.set_detached();
        }
    }
}

/// Holds the record of a sampled task, by its [key](Record::sampled_key), if the task is alive.
pub(crate) fn hold_sampled([address, serial]: [u64; 2]) -> Option<Hold> {
    let record = pool::at(usize::try_from(address).ok()?)?;
    let task = TaskRef {
        record,
        serial: u32::try_from(serial).ok()?,
        traits: Traits::default(),
    };
    task.hold()
}

/// A task that may have ended meanwhile, and its record with it gone to another task.
#[derive(Debug, Clone, Copy)]
pub struct TaskRef {
    record: &'static Record,
    serial: u32,
    traits: Traits,
}

impl TaskRef {
    /// Whether a scope wants the means to abort it.
    #[inline]
    pub fn is_abortable(self) -> bool {
        self.traits.has(Traits::ABORTABLE)
    }

    /// Whether it is a call on the blocking pool.
    #[inline]
    pub fn is_call(self) -> bool {
        self.traits.has(Traits::BLOCKING)
    }

    /// Whether the task is alive, as far as can be said without holding it.
    pub fn is_alive(self) -> bool {
        self.is_current() && self.record.is_live()
    }

    /// Holds the record if the task is alive.
    pub fn hold(self) -> Option<Hold> {
        // The first look spares the usual case, a task that has ended, two writes.
        let hold = self.is_current().then(|| self.record.try_hold())??;
        self.is_current().then_some(hold)
    }

    #[inline]
    fn is_current(self) -> bool {
        self.record.serial.load(Ordering::Relaxed) == self.serial
    }

    /// Notes tokio's id of the task, which its first poll does, too. If the record has gone to
    /// another task in this very moment, that task's first poll puts it right.
    #[inline]
    pub fn set_id(self, id: u64) {
        if self.record.id() == 0 && self.is_current() {
            self.record.set_id(id);
        }
    }

    /// Its `JoinHandle`, or its set, has been dropped.
    #[inline]
    pub fn set_detached(self) {
        if self.is_alive() {
            self.detach();
        }
    }

    #[cold]
    fn detach(self) {
        if let Some(hold) = self.hold() {
            let now = clock::coarse();
            hold.0.detached_at.store(now, Ordering::Relaxed);
        }
    }
}
