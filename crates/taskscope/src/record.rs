//! The record of one task, its reference count and its wakers: all the unsafe code of this crate.
//!
//! # The life of a record
//!
//! Records live in chunks that are never freed ([`crate::pool`]), so a `&'static Record` is always valid memory; what
//! changes is whose record it is. The `refs` word decides that:
//!
//! ```text
//!            pool::take          publish                 last release
//!   free  ──────────────▶ owned ─────────▶ in use (refs > 0) ─────────▶ owned ──▶ free
//!   refs = 0              refs = 0         anyone may try_hold          refs = 0
//! ```
//!
//! * The low 40 bits of `refs` count the wakers that are out, the high 24 bits count the holders: the task's own future,
//!   its `JoinHandle`, and dumps that are looking.
//! * `meta` is written between `take` and `publish` and taken out by whoever released the last reference, before the
//!   record returns to the pool. In both windows `refs` is 0, so nobody else can read it: readers must hold a reference,
//!   and [`Record::try_hold`] only adds one to a count that is not zero.
//! * `waker` is tokio's own waker of the task. It is written once, by the first poll, before the first of our wakers
//!   exists, and announced by `polls` becoming non-zero. It is taken out together with `meta`. So a wake needs
//!   no lock: whoever holds one of our wakers holds a reference, and the waker cannot go away under it.
//!   An executor that changes its waker between two polls is supported through a side table ([`crate::replaced`]).
//!
//! # Orderings
//!
//! `publish` and the store that announces the first poll release, their readers acquire. The last release is `AcqRel`, as
//! in `Arc`. The end of a task and the mark for a capture are sequentially consistent with each other. Everything else is a statistic written by the one thread that polls the task, and is relaxed.
//!
//! Not here: what a poll does ([`crate::instrument`]), what a capture does ([`crate::capture`]), where free records wait.

use std::cell::UnsafeCell;
use std::fmt;
use std::panic::Location;
use std::process::abort;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{RawWaker, RawWakerVTable, Waker};

use callstack::Stack;

use crate::runtime::RuntimeEntry;
use crate::scope::ScopeInner;
use crate::{capture, clock, pool, replaced};

const WAKER: u64 = 1;
const HOLDER: u64 = 1 << 40;
const WAKERS: u64 = HOLDER - 1;

/// How a task was declared when it was spawned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Expected to end with its owner.
    Task,
    /// Declared long-lived.
    Background,
}

/// What is known about a task from its birth and never changes.
pub(crate) struct Meta {
    pub(crate) site: &'static Location<'static>,
    pub(crate) future: fn() -> &'static str,
    /// `None`: spawned into a `LocalSet` before there was a runtime.
    pub(crate) runtime: Option<Arc<RuntimeEntry>>,
    pub(crate) scope: Option<Arc<ScopeInner>>,
    /// Boxed twice to keep the record of an unnamed task small.
    pub(crate) name: Option<Box<Arc<str>>>,
    /// Raw ticks.
    pub(crate) spawned_at: u64,
    /// Tokio's id of the task that spawned this one; 0 if none of ours did.
    pub(crate) parent: u64,
    pub(crate) kind: Kind,
    /// Spawned with `spawn_local`.
    pub(crate) local: bool,
}

/// The trace that a task had when it had been polled `polls` times.
pub(crate) struct Captured {
    pub(crate) polls: u64,
    pub(crate) stack: Option<Arc<Stack>>,
    /// Wakers taken in that poll whose stacks did not fit in the buffer.
    pub(crate) dropped: u32,
    /// Branches whose walk did not reach the task's root: too deep, or code without unwind tables.
    pub(crate) cut: u32,
}

/// Bits of `flags`. Only whoever polls or drops the future changes them, so no read-modify-write is needed.
pub(crate) const FINISHED: u8 = 1;
const REPLACED: u8 = 2;
const CAPTURED: u8 = 4;

/// Values of `capture`.
const NOT_REQUESTED: u8 = 0;
const REQUESTED: u8 = 1;

pub(crate) struct Record {
    refs: AtomicU64,
    /// Polls begun.
    polls: AtomicU64,
    /// Raw ticks: start of the current poll, or (when not running) when the wait began.
    since: AtomicU64,
    /// Raw ticks of the first wake that no poll has answered yet; 0 if there is none.
    woken_at: AtomicU64,
    /// Sum of finished polls, raw ticks.
    busy: AtomicU64,
    /// Tokio's number of the task; 0 until it is known.
    id: AtomicU64,
    /// Raw ticks when the `JoinHandle` was dropped with the task still alive; 0 if it was not.
    detached_at: AtomicU64,
    /// Index in the thread table of the thread that is polling; 0 when no thread is.
    thread: AtomicU32,
    flags: AtomicU8,
    capture: AtomicU8,
    captured: Mutex<Option<Box<Captured>>>,
    waker: UnsafeCell<Option<Waker>>,
    meta: UnsafeCell<Option<Meta>>,
}

// SAFETY: the two cells follow the protocol above: they are written only by the thread that exclusively owns the record
// (`refs` is 0 and it was taken from the pool or just released), or, for `waker`, by the first poll before
// `polls` announces it; and their contents (`Waker`, `Meta`) are Send and Sync themselves.
unsafe impl Sync for Record {}

impl Record {
    /// A free record. Only the pool makes them.
    pub(crate) fn new() -> Self {
        Record {
            refs: AtomicU64::new(0),
            polls: AtomicU64::new(0),
            since: AtomicU64::new(0),
            woken_at: AtomicU64::new(0),
            busy: AtomicU64::new(0),
            id: AtomicU64::new(0),
            detached_at: AtomicU64::new(0),
            thread: AtomicU32::new(0),
            flags: AtomicU8::new(0),
            capture: AtomicU8::new(NOT_REQUESTED),
            captured: Mutex::new(None),
            waker: UnsafeCell::new(None),
            meta: UnsafeCell::new(None),
        }
    }

    /// Makes a record out of the pool the record of a new task, with one holder.
    pub(crate) fn publish(&'static self, meta: Meta) -> Hold {
        debug_assert_eq!(self.refs.load(Ordering::Relaxed), 0, "a free record");
        self.polls.store(0, Ordering::Relaxed);
        self.since.store(meta.spawned_at, Ordering::Relaxed);
        // Tokio schedules a new task at once.
        self.woken_at.store(meta.spawned_at, Ordering::Relaxed);
        self.busy.store(0, Ordering::Relaxed);
        self.id.store(0, Ordering::Relaxed);
        self.detached_at.store(0, Ordering::Relaxed);
        self.thread.store(0, Ordering::Relaxed);
        self.flags.store(0, Ordering::Relaxed);
        self.capture.store(NOT_REQUESTED, Ordering::Relaxed);
        // SAFETY: `refs` is 0 and the caller took the record from the pool: nobody else reads or writes `meta`.
        unsafe { *self.meta.get() = Some(meta) };
        self.refs.store(HOLDER, Ordering::Release);
        Hold(self)
    }

    /// Holds the record if it is in use.
    pub(crate) fn try_hold(&'static self) -> Option<Hold> {
        let mut refs = self.refs.load(Ordering::Relaxed);
        loop {
            if refs == 0 {
                return None;
            }
            // Acquire: sees `meta` as `publish` left it.
            match self.refs.compare_exchange_weak(
                refs,
                refs + HOLDER,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Hold(self)),
                Err(now) => refs = now,
            }
        }
    }

    fn retain(&'static self, unit: u64) {
        let before = self.refs.fetch_add(unit, Ordering::Relaxed);
        // As `Arc` does: a count that could overflow means that references are being forgotten in a loop.
        if before & WAKERS > WAKERS / 2 || before > u64::MAX / 2 {
            abort();
        }
    }

    fn release(&'static self, unit: u64) {
        if self.refs.fetch_sub(unit, Ordering::AcqRel) == unit {
            self.recycle();
        }
    }

    /// Returns the record to the pool; `refs` has just become 0 by the caller's doing.
    #[cold]
    #[inline(never)]
    fn recycle(&'static self) {
        // SAFETY: the last reference is gone and the record is not in the pool yet: nobody else can reach the cells.
        let (waker, meta) = unsafe { ((*self.waker.get()).take(), (*self.meta.get()).take()) };
        let flags = self.flags.load(Ordering::Relaxed);
        let captured = (flags & CAPTURED != 0).then(|| self.captured().take());
        let replaced = (flags & REPLACED != 0).then(|| replaced::remove(self));
        pool::put(self);
        // Last, with nothing of ours borrowed: dropping these may run code of the user or of tokio.
        drop((waker, meta, captured, replaced));
    }

    /// Wakers of this task that are out.
    pub(crate) fn wakers(&self) -> u64 {
        self.refs.load(Ordering::Acquire) & WAKERS
    }

    // ---- the poller's side ------------------------------------------------------------------------------------------

    /// Counts a poll that begins. `waker` is the executor's; `ours` is only called in the first poll of the task.
    #[inline]
    pub(crate) fn begin_poll(&'static self, waker: &Waker, thread: u32, now: u64) -> Begun {
        let polls = self.polls.load(Ordering::Relaxed);
        if polls == 0 {
            // SAFETY: polls are exclusive (`Pin<&mut _>` of the one future that owns this record), none of our wakers
            // exists before the first poll, and others read the cell only after they see `polls` > 0.
            unsafe { *self.waker.get() = Some(waker.clone()) };
        } else if !self.inner().will_wake(waker)
            || self.flags.load(Ordering::Relaxed) & REPLACED != 0
        {
            self.replace_waker(waker);
        }
        let begun = Begun {
            was_since: self.since.load(Ordering::Relaxed),
            was_woken: self.woken_at.load(Ordering::Relaxed) != 0,
        };
        self.thread.store(thread, Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        // Releases the thread: who sees the wake gone sees who is answering it.
        self.woken_at.store(0, Ordering::Release);
        self.polls.store(polls + 1, Ordering::Release);
        begun
    }

    /// Counts a poll that ended. A poll that nothing but a dump asked for does not begin a new wait.
    #[inline]
    pub(crate) fn end_poll(&self, begun: &Begun, now: u64) {
        let spent = now.saturating_sub(self.since.load(Ordering::Relaxed));
        self.busy
            .store(self.busy.load(Ordering::Relaxed) + spent, Ordering::Relaxed);
        let since = if !begun.was_woken {
            begun.was_since
        } else {
            now
        };
        self.since.store(since, Ordering::Relaxed);
        self.thread.store(0, Ordering::Release);
    }

    /// Marks the task as running while its future is dropped without a poll.
    pub(crate) fn begin_drop(&self, thread: u32, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.thread.store(thread, Ordering::Release);
    }

    #[cold]
    fn replace_waker(&'static self, waker: &Waker) {
        self.set_flag(REPLACED, Ordering::Relaxed);
        replaced::set(self, waker.clone());
    }

    /// Whether a dump asks this poll for a capture. The answer to a `true` is [`Record::finish_capture`].
    #[inline]
    pub(crate) fn wants_capture(&self) -> bool {
        self.capture.load(Ordering::Relaxed) == REQUESTED
    }

    /// Keeps what a capturing poll found.
    pub(crate) fn set_captured(&self, captured: Captured) {
        self.set_flag(CAPTURED, Ordering::Relaxed);
        let old = self.captured().replace(Box::new(captured));
        drop(old);
    }

    fn set_flag(&self, flag: u8, order: Ordering) {
        self.flags
            .store(self.flags.load(Ordering::Relaxed) | flag, order);
    }

    pub(crate) fn finished(&self) -> bool {
        self.flags.load(Ordering::SeqCst) & FINISHED != 0
    }

    /// The task has ended. Sequentially consistent with [`Record::request_capture`] and [`Record::finished`]: either this sees
    /// the mark, or whoever set it sees the end, so no mark stays behind.
    pub(crate) fn set_finished(&self) {
        self.set_flag(FINISHED, Ordering::SeqCst);
        if self.capture.load(Ordering::SeqCst) == REQUESTED {
            capture::withdraw(self);
        }
    }

    /// The borrowed waker that the task is polled with.
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
        // SAFETY: the vtable's functions expect a `&'static Record` as data. The waker is borrowed: it carries
        // no reference of its own and is never dropped; the poller's hold outlives it.
        let waker = unsafe { Waker::from_raw(RawWaker::new(data, vtable)) };
        let waker = std::mem::ManuallyDrop::new(waker);
        f(&waker)
    }

    // ---- the dump's side --------------------------------------------------------------------------------------------

    /// Marks the task for capture. True if this call did it, false if the mark was there.
    pub(crate) fn request_capture(&self) -> bool {
        self.capture.swap(REQUESTED, Ordering::SeqCst) == NOT_REQUESTED
    }

    /// Takes the mark away. True if this call did it.
    pub(crate) fn clear_capture(&self) -> bool {
        self.capture.swap(NOT_REQUESTED, Ordering::SeqCst) == REQUESTED
    }

    pub(crate) fn captured(&self) -> MutexGuard<'_, Option<Box<Captured>>> {
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ---- shared -----------------------------------------------------------------------------------------------------

    /// Wakes the task without marking it as woken: for captures.
    pub(crate) fn nudge(&'static self) {
        if self.polls.load(Ordering::Acquire) > 0 {
            self.wake_inner();
        }
    }

    pub(crate) fn polls(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }
    pub(crate) fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }
    pub(crate) fn woken_at(&self) -> u64 {
        self.woken_at.load(Ordering::Acquire)
    }
    pub(crate) fn busy(&self) -> u64 {
        self.busy.load(Ordering::Relaxed)
    }
    pub(crate) fn thread(&self) -> u32 {
        self.thread.load(Ordering::Acquire)
    }
    pub(crate) fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }
    pub(crate) fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }
    pub(crate) fn detached_at(&self) -> u64 {
        self.detached_at.load(Ordering::Relaxed)
    }
    pub(crate) fn set_detached(&self, now: u64) {
        self.detached_at.store(now, Ordering::Relaxed);
    }

    /// The executor's waker of the first poll. Callers have seen `polls` > 0 and hold a reference.
    #[inline]
    fn inner(&self) -> &Waker {
        // SAFETY: the caller holds a reference and a first poll has begun (its own, or it acquired `polls` > 0, or
        // it holds one of our wakers, which only exist since): the cell is not written until all references are gone.
        match unsafe { &*self.waker.get() } {
            Some(waker) => waker,
            None => abort(),
        }
    }

    #[inline]
    fn wake_inner(&'static self) {
        if self.flags.load(Ordering::Relaxed) & REPLACED == 0 {
            self.inner().wake_by_ref();
        } else {
            replaced::wake(self);
        }
    }

    #[inline]
    fn woken(&'static self) {
        if self.woken_at.load(Ordering::Relaxed) == 0 {
            self.woken_at.store(clock::ticks(), Ordering::Relaxed);
        }
        self.wake_inner();
    }
}

/// What a poll replaced in the record when it began.
pub(crate) struct Begun {
    was_since: u64,
    was_woken: bool,
}

/// One holder's reference to a record.
pub(crate) struct Hold(&'static Record);

impl Hold {
    pub(crate) fn record(&self) -> &'static Record {
        self.0
    }

    /// What is known since birth.
    pub(crate) fn meta(&self) -> &Meta {
        // SAFETY: this hold is a reference, so the cell is not written while `&self` lives.
        match unsafe { &*self.0.meta.get() } {
            Some(meta) => meta,
            None => abort(),
        }
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        self.0.retain(HOLDER);
        Hold(self.0)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.release(HOLDER);
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold")
            .field("task", &self.0.id())
            .finish_non_exhaustive()
    }
}

/// Which of the two vtables a waker has. `Waker::will_wake` is false between the two, so a leaf future that is
/// polled with the other one must clone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Identity {
    Plain,
    Capturing,
}

static PLAIN: RawWakerVTable = RawWakerVTable::new(clone_plain, wake, wake_by_ref, drop_waker);
static CAPTURING: RawWakerVTable =
    RawWakerVTable::new(clone_capturing, wake, wake_by_ref_capturing, drop_waker);

/// # Safety
///
/// `data` is what [`Record::with_waker`] put into a waker.
#[inline]
unsafe fn record(data: *const ()) -> &'static Record {
    // SAFETY: records are never freed, so the pointer is valid for ever.
    unsafe { &*data.cast::<Record>() }
}

unsafe fn clone_plain(data: *const ()) -> RawWaker {
    // SAFETY: called with our own data, by the vtable's contract.
    unsafe { record(data) }.retain(WAKER);
    RawWaker::new(data, &PLAIN)
}

/// Clones into a plain waker, so that the next ordinary poll finds `will_wake` true again.
unsafe fn clone_capturing(data: *const ()) -> RawWaker {
    // SAFETY: called with our own data, by the vtable's contract.
    let record = unsafe { record(data) };
    capture::on_waker_taken(record);
    record.retain(WAKER);
    RawWaker::new(data, &PLAIN)
}

unsafe fn wake(data: *const ()) {
    // SAFETY: called with our own data; the waker is consumed, so its reference is released after its last use.
    let record = unsafe { record(data) };
    record.woken();
    record.release(WAKER);
}

unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: called with our own data; the waker's reference outlives the call.
    unsafe { record(data) }.woken();
}

unsafe fn wake_by_ref_capturing(data: *const ()) {
    // SAFETY: as above.
    let record = unsafe { record(data) };
    capture::on_waker_used(record);
    record.woken();
}

unsafe fn drop_waker(data: *const ()) {
    // SAFETY: called with our own data; this waker's reference is the one released.
    unsafe { record(data) }.release(WAKER);
}
