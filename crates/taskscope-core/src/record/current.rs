//! The task that this thread is polling, and what a task inherits that is spawned now.
//!
//! The thread-local has no destructor: what a thread is polling can be read at any moment, also
//! from a signal handler or an allocator. Not here: who sets it (`poll.rs`, `observed.rs`).

use std::cell::Cell;
use std::sync::Arc;

use super::{Meta, Record};
use crate::Owner;

/// The state of one thread.
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
    // SAFETY: `Guard::begin` (`poll.rs`) made it the current task, in a poll that has not ended.
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
