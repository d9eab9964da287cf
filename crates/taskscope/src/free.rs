//! The free records that one thread keeps for itself, linked.
//!
//! Atomics, because a slot goes from thread to thread; only the thread that has the slot uses the list.
//! Not here: the list that all threads share ([`crate::pool`]).

use std::sync::atomic::Ordering;

use crate::record::{Record, RecordCell};
use crate::sync::atomic::AtomicU32;

pub(crate) struct FreeList {
    first: RecordCell,
    count: AtomicU32,
}

impl FreeList {
    /// An empty one, of a null and a zero.
    pub(crate) const fn of(first: RecordCell, count: AtomicU32) -> FreeList {
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

    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::Relaxed)
    }
}
