//! A record with nothing in it but what its protocols are about. It follows the real one step by
//! step.

mod arena;
mod executor;
mod life;
mod marking;
mod reading;
mod reuse;
mod stack;
mod waking;

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use self::stack::Stack;
use super::executor_waker::ExecutorWaker;
use super::last_stack::LastStack;
use super::state::{End, Ref, State};
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64};
use crate::sync::cell::UnsafeCell;

pub(crate) use self::arena::Segment;

pub(crate) struct Record {
    pub(super) state: State,
    pub(super) executor: ExecutorWaker,
    serial: AtomicU32,
    detached_at: AtomicU64,
    /// While this record is free, the next free one.
    last_stack: LastStack<Stack>,
    /// 0: free.
    meta: UnsafeCell<u32>,
    /// How often somebody was told to own it alone. Not loom's: nothing may depend on it.
    recycled: std::sync::atomic::AtomicU32,
    /// Where it is, unless it is alone.
    home: OnceLock<(&'static Segment, usize)>,
}

// SAFETY: as for the real one: `meta` is written only by the thread that owns the record alone.
unsafe impl Sync for Record {}

impl Record {
    pub(crate) fn new() -> Record {
        Record {
            state: State::new(),
            executor: ExecutorWaker::new(),
            serial: AtomicU32::new(0),
            detached_at: AtomicU64::new(0),
            last_stack: LastStack::new(),
            meta: UnsafeCell::new(0),
            recycled: std::sync::atomic::AtomicU32::new(0),
            home: OnceLock::new(),
        }
    }

    pub(crate) fn leaked() -> &'static Record {
        Box::leak(Box::new(Record::new()))
    }

    pub(crate) fn renew(&self, serial: u32) {
        assert!(!self.state.is_in_use());
        self.serial.store(serial, Ordering::Relaxed);
        // SAFETY: checked by loom.
        unsafe { self.executor.renew() };
        // SAFETY: as above.
        self.meta.with_mut(|cell| unsafe { *cell = 0 });
    }

    pub(crate) fn serial(&self) -> u32 {
        self.serial.load(Ordering::Relaxed)
    }

    /// Zeros everything that others may read of a record whose memory the system has taken. Its
    /// counts were zero before.
    fn zero(&self) {
        assert!(!self.state.is_in_use());
        self.serial.store(0, Ordering::Relaxed);
        self.detached_at.store(0, Ordering::Relaxed);
        self.last_stack.set_link(std::ptr::null_mut());
    }

    pub(crate) fn publish(&self, meta: u32) {
        let serial = self.serial.load(Ordering::Relaxed).wrapping_add(1);
        self.serial.store(serial, Ordering::Relaxed);
        self.detached_at.store(0, Ordering::Relaxed);
        // SAFETY: checked by loom.
        let before = self.meta.with_mut(|cell| unsafe { cell.replace(meta) });
        assert_eq!(before, 0, "nobody's before");
        self.state.publish();
    }

    pub(crate) fn try_hold(&'static self) -> Option<Hold> {
        self.state.try_hold().then(|| Hold(self))
    }

    pub(super) fn release(&'static self, reference: Ref) {
        if self.state.release(reference) {
            self.recycle();
        }
    }

    pub(crate) fn end(&'static self) {
        self.finish();
    }

    fn finish(&'static self) -> End {
        let end = self.state.finish();
        if end.last {
            self.recycle();
        }
        end
    }

    fn recycle(&'static self) {
        // SAFETY: checked by loom.
        let (waker, stack) = unsafe { (self.executor.take(), self.last_stack.take()) };
        // SAFETY: as above.
        let meta = self.meta.with_mut(|cell| unsafe { cell.replace(0) });
        assert_ne!(meta, 0, "recycled once");
        self.recycled.fetch_add(1, Ordering::Relaxed);
        crate::pool::put(self);
        drop((waker, stack));
    }

    pub(crate) fn is_in_use(&self) -> bool {
        self.state.is_in_use()
    }

    fn recycled(&self) -> u32 {
        self.recycled.load(Ordering::Relaxed)
    }

    fn meta(&self) -> u32 {
        // SAFETY: checked by loom.
        self.meta.with(|cell| unsafe { *cell })
    }

    pub(super) unsafe fn wake(&'static self) {
        // SAFETY: as the caller promises.
        unsafe { self.executor.wake() };
    }

    pub(crate) fn next(&self) -> Option<&'static Record> {
        // SAFETY: null, or what `set_next` was given, and records are never freed.
        unsafe { self.last_stack.link().cast::<Record>().as_ref() }
    }

    pub(crate) fn set_next(&self, next: Option<&'static Record>) {
        let next = next.map_or(std::ptr::null(), std::ptr::from_ref);
        self.last_stack.set_link(next.cast_mut().cast());
    }
}

pub(crate) struct Hold(&'static Record);

impl Hold {
    pub(crate) fn meta(&self) -> u32 {
        self.0.meta()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.release(Ref::Holder);
    }
}

pub(crate) struct AtomicRecordPtr(AtomicPtr<Record>);

impl AtomicRecordPtr {
    pub(crate) fn new() -> AtomicRecordPtr {
        AtomicRecordPtr(AtomicPtr::new(std::ptr::null_mut()))
    }

    pub(crate) fn set(&self, record: Option<&'static Record>) {
        let record = record.map_or(std::ptr::null(), std::ptr::from_ref);
        self.0.store(record.cast_mut(), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Option<&'static Record> {
        // SAFETY: null, or a record, and these are never freed.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }
}
