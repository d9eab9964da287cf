//! The record itself, and its life: out of the pool, in use, and back.
//!
//! Not here: what a poll changes (`polling.rs`), what others may read (`reading.rs`).

use std::cell::UnsafeCell;
use std::fmt;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use callstack::Stack;

use super::executor_waker::ExecutorWaker;
use super::flags::REPLACED;
use super::last_stack::LastStack;
use super::state::{Ref, State};
use super::{Extensions, Hold, Meta, Tags, TaskGuard, Traits};
use crate::{pool, replaced_wakers};

/// Makes the record of a new task, out of the pool, and counts the task in.
#[inline]
pub fn of_new_task(meta: Meta, traits: Traits, runtime: u16, tags: Option<Tags>) -> TaskGuard {
    pool::take().publish(meta, traits, runtime, tags)
}

/// The record of one task.
pub struct Record {
    pub(super) state: State,
    /// Polls begun.
    pub(super) polls: AtomicU64,
    /// Raw ticks: start of the current poll, or (when not running) when the wait began.
    pub(super) since: AtomicU64,
    /// Raw ticks of the first wake that no poll has answered yet; 0 if there is none.
    pub(super) woken_at: AtomicU64,
    /// Sum of finished polls, raw ticks.
    pub(super) busy: AtomicU64,
    /// Tells the tasks apart that have this record one after the other.
    pub(super) serial: AtomicU32,
    /// The last capture was in the poll whose number ends in these bits; 0: there was none.
    pub(super) captured_in: AtomicU32,
    pub(super) executor: ExecutorWaker,
    /// Index in the thread table of the thread that is polling; 0 when no thread is.
    pub(super) thread: AtomicU16,
    /// Index in the table of runtimes.
    pub(super) runtime: AtomicU16,
    pub(super) flags: AtomicU8,
    pub(super) woken_by: AtomicU8,
    pub(super) traits: AtomicU8,
    pub(super) hints: AtomicU8,
    /// Tokio's number of the task; 0 until it is known.
    pub(super) id: AtomicU64,
    /// Raw ticks when the `JoinHandle` was dropped with the task still alive; 0 if it was not.
    pub(super) detached_at: AtomicU64,
    pub(super) side: AtomicPtr<Extensions>,
    /// The stack of the last capture. While this record is free, the next free one.
    pub(super) last_stack: LastStack<Stack>,
    pub(super) meta: UnsafeCell<Option<Meta>>,
}

// SAFETY: `meta` follows the protocol above: it is written only by the thread that owns the record
// alone (the counts are 0 and it was taken from the pool or just released), and its contents are
// Send and Sync themselves. The rest is Sync.
unsafe impl Sync for Record {}

impl Record {
    /// Makes a free record out of memory that reads as zeros, or that was one. The next task has
    /// the serial number after this one. Only the pool calls this, for a record that is in no list.
    pub(crate) fn renew(&'static self, serial: u32) {
        debug_assert!(!self.state.is_in_use(), "a free record");
        self.serial.store(serial, Ordering::Relaxed);
        // The extensions beside the record may be zeros.
        self.side.store(std::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the counts are 0 and the caller has the record for itself: nobody else reads or
        // writes the cells. What was there, if anything, owns nothing: `recycle` has taken it out.
        unsafe {
            self.executor.renew();
            self.meta.get().write(None);
        }
    }

    /// The serial number of the task that has this record, or had it last.
    pub fn serial(&self) -> u32 {
        self.serial.load(Ordering::Relaxed)
    }

    /// Makes a record out of the pool the record of a new task, counts it in, and gives it its
    /// first holder.
    #[inline]
    pub(super) fn publish(
        &'static self,
        meta: Meta,
        traits: Traits,
        runtime: u16,
        tags: Option<Tags>,
    ) -> TaskGuard {
        debug_assert!(!self.state.is_in_use(), "a free record");
        let serial = self.serial.load(Ordering::Relaxed).wrapping_add(1);
        self.serial.store(serial, Ordering::Relaxed);
        self.polls.store(0, Ordering::Relaxed);
        self.captured_in.store(0, Ordering::Relaxed);
        self.since.store(meta.spawned_at, Ordering::Relaxed);
        // Tokio schedules a new task at once.
        self.woken_at.store(meta.spawned_at, Ordering::Relaxed);
        self.busy.store(0, Ordering::Relaxed);
        self.id.store(0, Ordering::Relaxed);
        self.detached_at.store(0, Ordering::Relaxed);
        self.thread.store(0, Ordering::Relaxed);
        self.flags.store(0, Ordering::Relaxed);
        self.woken_by.store(0, Ordering::Relaxed);
        self.traits.store(traits.0, Ordering::Relaxed);
        self.hints.store(0, Ordering::Relaxed);
        self.runtime.store(runtime, Ordering::Relaxed);
        if let Some(tags) = tags {
            let mut kept = self.extensions_or_new().data();
            kept.name = tags.name;
            kept.labels = tags.labels;
        }
        if let Some(scope) = &meta.scope {
            scope.task_started();
        }
        // SAFETY: the counts are 0 and the caller took the record from the pool: nobody else reads
        // or writes `meta`. What was there owns nothing: `recycle` has taken the scope out.
        unsafe { self.meta.get().write(Some(meta)) };
        self.state.publish();
        TaskGuard(self)
    }

    /// Holds the record if it is that of a live task.
    pub fn try_hold(&'static self) -> Option<Hold> {
        self.state.try_hold().then(|| Hold(self))
    }

    #[inline]
    pub(super) fn release(&'static self, reference: Ref) {
        if self.state.release(reference) {
            self.recycle();
        }
    }

    /// Returns the record to the pool; the counts have just become 0 by the caller's doing.
    #[inline]
    pub(super) fn recycle(&'static self) {
        // SAFETY: the last reference is gone and the record is not in the pool yet: nobody else can
        // reach the cells.
        let (waker, scope, stack) = unsafe {
            let meta = (*self.meta.get()).as_mut();
            let scope = meta.and_then(|meta| meta.scope.take());
            (self.executor.take(), scope, self.last_stack.take())
        };
        let replaced = self.flags.load(Ordering::Relaxed) & REPLACED != 0;
        if replaced || self.extensions().is_some() {
            self.recycle_rest(replaced);
        } else {
            pool::put(self);
        }
        // Last, with nothing of ours borrowed: dropping these may run code of the user or of tokio.
        drop((waker, scope, stack));
    }

    #[inline(never)]
    pub(super) fn recycle_rest(&'static self, replaced: bool) {
        let side = self.extensions().map(Extensions::clear);
        let replaced = replaced.then(|| replaced_wakers::remove(self));
        pool::put(self);
        drop((side, replaced));
    }

    /// The next record in a list of free ones. Only the pool uses it.
    #[inline]
    pub(crate) fn next(&self) -> Option<&'static Record> {
        // SAFETY: of a free record it is null or what `set_next` was given, and records are never
        // freed.
        unsafe { self.last_stack.link().cast::<Record>().as_ref() }
    }

    /// Links a free record to another one. Only the pool uses it; in the end it says `None`.
    #[inline]
    pub(crate) fn set_next(&self, next: Option<&'static Record>) {
        let next = next.map_or(std::ptr::null(), std::ptr::from_ref);
        self.last_stack.set_link(next.cast_mut().cast());
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("id", &self.id())
            .field("traits", &self.traits())
            .field("polls", &self.polls())
            .finish_non_exhaustive()
    }
}
