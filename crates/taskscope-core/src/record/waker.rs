//! The two vtables: the wakers that a task is polled with.
//!
//! Circle: `capture/mod.rs` polls a task with the capturing waker, and that waker tells it at once
//! when a leaf takes or uses it, since the stack is to be unwound from there.

use std::mem::ManuallyDrop;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::Record;
use super::state::Ref;
use crate::capture;

/// Which of the two vtables a waker has. `Waker::will_wake` is false between the two, so a leaf
/// future that is polled with the other one must clone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    Plain,
    Capturing,
}

static PLAIN: RawWakerVTable = RawWakerVTable::new(clone_plain, wake, wake_by_ref, drop_waker);
static CAPTURING: RawWakerVTable =
    RawWakerVTable::new(clone_capturing, wake, wake_by_ref_capturing, drop_waker);

impl Record {
    /// The waker that the task is polled with, borrowed: it carries no reference of its own. The
    /// poller, who has lent the executor's waker to the record, drops nothing.
    #[inline]
    pub(crate) fn with_waker<R>(
        &'static self,
        identity: Identity,
        f: impl FnOnce(&Waker) -> R,
    ) -> R {
        let vtable = match identity {
            Identity::Plain => &PLAIN,
            Identity::Capturing => &CAPTURING,
        };
        let data = std::ptr::from_ref(self).cast::<()>();
        // SAFETY: the vtable's functions expect a `&'static Record` as data. The waker is never
        // dropped.
        let waker = unsafe { Waker::from_raw(RawWaker::new(data, vtable)) };
        f(&ManuallyDrop::new(waker))
    }
}

/// The addresses of the functions that a leaf calls of the capturing waker.
pub(crate) fn capturing_functions() -> [usize; 2] {
    type Clone = unsafe fn(*const ()) -> RawWaker;
    type Wake = unsafe fn(*const ());
    [
        clone_capturing as Clone as usize,
        wake_by_ref_capturing as Wake as usize,
    ]
}

/// # Safety
///
/// `data` is what [`Record::with_waker`] put into a waker.
#[inline]
unsafe fn record(data: *const ()) -> &'static Record {
    // SAFETY: records are never freed, so the pointer is valid for ever.
    unsafe { &*data.cast::<Record>() }
}

unsafe fn clone_plain(data: *const ()) -> RawWaker {
    // SAFETY: called with our own data, by the vtable's contract; the caller has or borrows the
    // waker.
    unsafe {
        let record = record(data);
        record.executor.keep();
        record.state.retain(Ref::Waker);
    }
    RawWaker::new(data, &PLAIN)
}

/// Clones into a plain waker, so that the next ordinary poll finds `will_wake` true again.
unsafe fn clone_capturing(data: *const ()) -> RawWaker {
    // SAFETY: called with our own data, by the vtable's contract.
    capture::on_waker_taken(unsafe { record(data) });
    // SAFETY: as above.
    unsafe { clone_plain(data) }
}

unsafe fn wake(data: *const ()) {
    // SAFETY: called with our own data; the waker is consumed, so its reference is released after
    // its last use.
    unsafe {
        wake_by_ref(data);
        drop_waker(data);
    }
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: called with our own data; the caller has or borrows the waker, which outlives the
    // call.
    unsafe { record(data).wake() };
}

unsafe fn wake_by_ref_capturing(data: *const ()) {
    // SAFETY: as above.
    capture::on_waker_used(unsafe { record(data) });
    // SAFETY: as above.
    unsafe { wake_by_ref(data) };
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: called with our own data; this waker's reference is the one released.
    unsafe { record(data) }.release(Ref::Waker);
}
