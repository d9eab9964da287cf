//! A list of free records, linked: those that one thread keeps for itself, and those of a page.
//!
//! Atomics, because a slot goes from thread to thread, and the lock of the pool, too; one thread at
//! a time uses a list. Not here: whose list it is ([`crate::threads`], [`crate::pages`]).

use std::sync::atomic::Ordering;

use crate::record::{AtomicRecordPtr, Record};
use crate::sync::atomic::AtomicU32;

pub(crate) struct FreeList {
    first: AtomicRecordPtr,
    count: AtomicU32,
}

impl FreeList {
    /// An empty one, of a null and a zero.
    pub(crate) const fn of(first: AtomicRecordPtr, count: AtomicU32) -> FreeList {
        FreeList { first, count }
    }

    /// Takes a record out.
    #[inline]
    pub(crate) fn take(&self) -> Option<&'static Record> {
        let record = self.first.get()?;
        self.first.set(record.next());
        record.set_next(None);
        let count = self.count.load(Ordering::Relaxed);
        self.count.store(count - 1, Ordering::Relaxed);
        Some(record)
    }

    /// Keeps a record, and tells how many that makes.
    #[inline]
    pub(crate) fn put(&self, record: &'static Record) -> u32 {
        record.set_next(self.first.get());
        self.first.set(Some(record));
        let count = self.count.load(Ordering::Relaxed) + 1;
        self.count.store(count, Ordering::Relaxed);
        count
    }

    /// Forgets all records, without touching them.
    pub(crate) fn clear(&self) {
        self.first.set(None);
        self.count.store(0, Ordering::Relaxed);
    }

    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}
