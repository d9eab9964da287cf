//! The slots of threads, one for each of loom's.

use crate::free_list::FreeList;
use crate::record::AtomicRecordPtr;
use crate::sync::atomic::AtomicU32;

pub(crate) struct Slot(FreeList);

impl Slot {
    pub(crate) fn free(&self) -> &FreeList {
        &self.0
    }

    pub(crate) fn is_shared(&self) -> bool {
        false
    }
}

loom::thread_local! {
    static SLOT: &'static Slot = Box::leak(Box::new(Slot(FreeList::of(AtomicRecordPtr::new(), AtomicU32::new(0)))));
}

pub(crate) fn slot() -> &'static Slot {
    SLOT.with(|slot| *slot)
}
