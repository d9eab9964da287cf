//! A place for a record that others may look at.

use std::sync::atomic::{AtomicPtr, Ordering};

use super::Record;

/// A place for a record that others may look at, such as the one that a thread is polling.
pub(crate) struct AtomicRecordPtr(AtomicPtr<Record>);

impl AtomicRecordPtr {
    pub(crate) const fn new() -> AtomicRecordPtr {
        AtomicRecordPtr(AtomicPtr::new(std::ptr::null_mut()))
    }

    #[inline]
    pub(crate) fn set(&self, record: Option<&'static Record>) {
        let record = record.map_or(std::ptr::null(), std::ptr::from_ref);
        self.0.store(record.cast_mut(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<&'static Record> {
        // SAFETY: null, or a record, and these are never freed.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }
}
