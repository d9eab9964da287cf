//! The record of one task, its reference count and its wakers: all the unsafe code of this crate.
//!
//! # The life of a record
//!
//! Records live in address space that is never unmapped ([`arena`]), so a `&'static Record` is always valid memory; what
//! changes is whose record it is. The state word ([`state`]) decides that:
//!
//! ```text
//!            pool::take          publish                 last release
//!   free  ──────────────▶ owned ─────────▶ in use (counts > 0) ─────────▶ owned ──▶ free
//! ```
//!
//! * Its counts are of wakers that are out, and of holders: the task's own future, and dumps that are looking. A
//!   `JoinHandle` is none: it knows record and serial number ([`TaskRef`]), and has to hold before it touches anything.
//! * `meta` is written between `take` and `publish` and taken out by whoever released the last reference, before the
//!   record returns to the pool. In both windows the counts are 0, so nobody else can read it: readers must hold a reference,
//!   and [`Record::try_hold`] only adds one to a count that is not zero. The thread that is polling the task may read it, too:
//!   the future that is being polled holds.
//! * The memory of free records may be given back to the system, whereupon it reads as zeros: that is a free record, too. Its serial number
//!   goes on where it was ([`Record::renew`]), so that no two tasks ever have the same record and number.
//! * The executor's waker is lent for a poll and kept from the first clone of ours on ([`executor_waker`]). Whoever has one of
//!   our wakers has a reference, and the kept waker cannot go away under it: a wake needs no lock.
//!   An executor that changes its waker between two polls is supported through a side table ([`crate::replaced_wakers`]).
//!
//! # Orderings
//!
//! `publish` releases, its readers acquire. The last release is `AcqRel`, as in `Arc`. The end of a task and the mark for a capture
//! are in one word. A poll's beginning releases the thread that answers the wake. Everything else is a statistic written by
//! the one thread that polls the task, and is relaxed. Times are raw ticks of the coarse clock ([`crate::clock`]).
//!
//! Not here: what a poll does ([`crate::instrument`]), what a capture does ([`crate::capture`]), where free records wait.

mod arena;
mod cell;
mod executor_waker;
mod extensions;
mod handles;
mod last_stack;
#[cfg(tokio_unstable)]
mod observed;
mod poll;
pub mod probe;
mod sampled;
mod state;
mod waker;

use std::cell::UnsafeCell;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use callstack::Stack;

use self::executor_waker::Inner;
use self::last_stack::LastStack;
use self::state::{Ref, State};
use crate::{Name, Owner, ScopeInfo, clock, pool, replaced_wakers};

pub(crate) use self::arena::Segment;
pub(crate) use self::cell::RecordCell;
pub use self::extensions::{Label, LongPoll, Missing, Side, TokenLooks};
pub(crate) use self::handles::hold_sampled;
pub use self::handles::{Attached, Hold, TaskGuard, TaskRef};
#[cfg(tokio_unstable)]
pub use self::observed::{begin_poll, end_poll};
pub(crate) use self::poll::current;
pub use self::poll::{Inherited, current_id, inherited, with_current};
pub(crate) use self::poll::{scoped, set_scoped};
pub use self::sampled::Wait;
pub(crate) use self::state::Request;
pub(crate) use self::waker::{Identity, capturing_functions};

/// What is known about a task from its birth and never changes.
#[derive(Debug)]
pub struct Meta {
    pub site: &'static Location<'static>,
    pub future: fn() -> &'static str,
    pub scope: Option<Arc<dyn Owner>>,
    /// Raw ticks.
    pub spawned_at: u64,
    /// Tokio's id of the task that spawned this one; 0 if none of ours did.
    pub parent: u64,
}

impl Meta {
    /// The scope, for those who only read.
    #[must_use]
    pub fn scope_info(&self) -> Option<ScopeInfo> {
        let scope = self.scope.clone()?;
        Some(ScopeInfo::new(scope))
    }
}

/// How a task was declared when it was spawned: bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traits(u8);

impl Traits {
    /// Declared long-lived.
    pub const BACKGROUND: Traits = Traits(1);
    /// Spawned with `spawn_local`.
    pub const LOCAL: Traits = Traits(2);
    /// Never to be polled for a capture.
    pub const NO_CAPTURE: Traits = Traits(4);
    /// No task of a runtime, but a future that somebody else drives.
    pub const DRIVEN: Traits = Traits(8);
    /// A call on the blocking pool.
    pub const BLOCKING: Traits = Traits(16);
    /// Seen by the runtime's hooks; not spawned through this crate, so its wakers are not ours.
    pub const OBSERVED: Traits = Traits(32);
    /// A scope wants the means to abort it.
    pub const ABORTABLE: Traits = Traits(64);
    /// A sampler has met it: its facts are to be kept when it ends.
    const SAMPLED: Traits = Traits(128);

    pub fn with(self, more: Traits, on: bool) -> Traits {
        if on { Traits(self.0 | more.0) } else { self }
    }

    pub fn has(self, all: Traits) -> bool {
        self.0 & all.0 == all.0
    }

    /// Whether tokio counts it among the tasks of a runtime.
    pub fn is_task(self) -> bool {
        self.0 & (Traits::DRIVEN.0 | Traits::BLOCKING.0) == 0
    }
}

/// A name and labels, as they go into a record's side table.
#[derive(Debug, Clone, Default)]
pub struct Tags {
    pub name: Option<Name>,
    pub labels: Vec<Label>,
}

/// Bits of `flags`. Only whoever polls the future changes them, so no read-modify-write is needed.
const REPLACED: u8 = 1;
const ENDING: u8 = 2;
/// The other bits begin here: what the wait that is going on stands for, if sampling chose it.
const CHOSEN: u32 = 2;

/// Bits of `woken_by`, since a dump last asked.
const ITSELF: u8 = 1;
const OTHERS: u8 = 2;

/// Bits of `hints`: sampling would like to know where the task waits; it ended in a poll that only a capture had asked for.
const STACK_WELCOME: u8 = 1;
const ENDED_UNWOKEN: u8 = 2;

/// Makes the record of a new task, out of the pool, and counts the task in.
#[inline]
pub fn of_new_task(meta: Meta, traits: Traits, runtime: u16, tags: Option<Tags>) -> TaskGuard {
    pool::take().publish(meta, traits, runtime, tags)
}

/// What is known of one task.
pub struct Record {
    state: State,
    /// Polls begun.
    polls: AtomicU64,
    /// Raw ticks: start of the current poll, or (when not running) when the wait began.
    since: AtomicU64,
    /// Raw ticks of the first wake that no poll has answered yet; 0 if there is none.
    woken_at: AtomicU64,
    /// Sum of finished polls, raw ticks.
    busy: AtomicU64,
    /// Tells the tasks apart that have this record one after the other.
    serial: AtomicU32,
    /// The last capture was in the poll whose number ends in these bits; 0: there was none.
    captured_in: AtomicU32,
    inner: Inner,
    /// Index in the thread table of the thread that is polling; 0 when no thread is.
    thread: AtomicU16,
    /// Index in the table of runtimes.
    runtime: AtomicU16,
    flags: AtomicU8,
    woken_by: AtomicU8,
    traits: AtomicU8,
    hints: AtomicU8,
    /// Tokio's number of the task; 0 until it is known.
    id: AtomicU64,
    /// Raw ticks when the `JoinHandle` was dropped with the task still alive; 0 if it was not.
    detached_at: AtomicU64,
    side: AtomicPtr<Side>,
    /// What the last capture found. While this record is free, the next free one.
    last_stack: LastStack<Stack>,
    meta: UnsafeCell<Option<Meta>>,
}

// SAFETY: `meta` follows the protocol above: it is written only by the thread that owns the record alone (the counts are 0 and it
// was taken from the pool or just released), and its contents are Send and Sync themselves. The rest is Sync.
unsafe impl Sync for Record {}

impl Record {
    /// Makes a free record out of memory that reads as zeros, or that was one. The next task has the serial number after this one. Only the
    /// pool calls this, for a record that is in no list.
    pub(crate) fn renew(&'static self, serial: u32) {
        debug_assert!(!self.state.is_in_use(), "a free record");
        self.serial.store(serial, Ordering::Relaxed);
        // What is beside the record may be zeros.
        self.side.store(std::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the counts are 0 and the caller has the record for itself: nobody else reads or writes the cells. What was there, if
        // anything, owns nothing: `recycle` has taken it out.
        unsafe {
            self.inner.renew();
            self.meta.get().write(None);
        }
    }

    /// The serial number of the task that has this record, or had it last.
    pub fn serial(&self) -> u32 {
        self.serial.load(Ordering::Relaxed)
    }

    /// Makes a record out of the pool the record of a new task, counts it in, and gives it its first holder.
    #[inline]
    fn publish(
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
            let mut kept = self.side_or_new().kept();
            kept.name = tags.name;
            kept.labels = tags.labels;
        }
        if let Some(scope) = &meta.scope {
            scope.task_started();
        }
        // SAFETY: the counts are 0 and the caller took the record from the pool: nobody else reads or writes `meta`. What was there
        // owns nothing: `recycle` has taken the scope out.
        unsafe { self.meta.get().write(Some(meta)) };
        self.state.publish();
        TaskGuard(self)
    }

    /// Holds the record if it is that of a live task.
    pub fn try_hold(&'static self) -> Option<Hold> {
        self.state.try_hold().then(|| Hold(self))
    }

    #[inline]
    fn release(&'static self, reference: Ref) {
        if self.state.release(reference) {
            self.recycle();
        }
    }

    /// Returns the record to the pool; the counts have just become 0 by the caller's doing.
    #[inline]
    fn recycle(&'static self) {
        // SAFETY: the last reference is gone and the record is not in the pool yet: nobody else can reach the cells.
        let (waker, scope, stack) = unsafe {
            let meta = (*self.meta.get()).as_mut();
            let scope = meta.and_then(|meta| meta.scope.take());
            (self.inner.take(), scope, self.last_stack.take())
        };
        let replaced = self.flags.load(Ordering::Relaxed) & REPLACED != 0;
        if replaced || self.side().is_some() {
            self.recycle_rest(replaced);
        } else {
            pool::put(self);
        }
        // Last, with nothing of ours borrowed: dropping these may run code of the user or of tokio.
        drop((waker, scope, stack));
    }

    #[inline(never)]
    fn recycle_rest(&'static self, replaced: bool) {
        let side = self.side().map(Side::clear);
        let replaced = replaced.then(|| replaced_wakers::remove(self));
        pool::put(self);
        drop((side, replaced));
    }

    /// The next record in a list of free ones. Only the pool uses it.
    #[inline]
    pub(crate) fn next(&self) -> Option<&'static Record> {
        // SAFETY: of a free record it is null or what `set_next` was given, and records are never freed.
        unsafe { self.last_stack.link().cast::<Record>().as_ref() }
    }

    /// Links a free record to another one. Only the pool uses it; in the end it says `None`.
    #[inline]
    pub(crate) fn set_next(&self, next: Option<&'static Record>) {
        let next = next.map_or(std::ptr::null(), std::ptr::from_ref);
        self.last_stack.set_link(next.cast_mut().cast());
    }

    /// Wakers of this task that are out.
    pub fn wakers(&self) -> u64 {
        self.state.wakers()
    }

    // ---- the poller's side ------------------------------------------------------------------------------------------

    /// Counts a poll that begins. `waker` is the executor's.
    ///
    /// # Safety
    ///
    /// The caller polls the task of this record, holds the record, and ends the poll before `waker` does.
    #[inline]
    unsafe fn begin_poll(&'static self, waker: Option<&Waker>, thread: u16, now: u64) -> Begun {
        let flags = self.flags.load(Ordering::Relaxed);
        if let Some(waker) = waker {
            // SAFETY: as the caller promises.
            let same = unsafe { self.inner.lend(waker) };
            if !same || flags & REPLACED != 0 {
                self.replace_waker(waker, same);
            }
        }
        if flags >> CHOSEN != 0 {
            self.end_chosen_wait(now);
        }
        let begun = Begun {
            was_since: self.since.load(Ordering::Relaxed),
            woken_at: self.woken_at.load(Ordering::Relaxed),
        };
        self.thread.store(thread, Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        // Releases the thread: who sees the wake gone sees who is answering it.
        self.woken_at.store(0, Ordering::Release);
        let polls = self.polls.load(Ordering::Relaxed);
        self.polls.store(polls + 1, Ordering::Release);
        begun
    }

    /// Counts a poll that ended. A poll that nothing but a dump asked for does not begin a new wait.
    #[inline]
    fn end_poll(&self, begun: &Begun, now: u64) {
        let spent = now.saturating_sub(self.since.load(Ordering::Relaxed));
        if spent > 0 {
            self.busy
                .store(self.busy.load(Ordering::Relaxed) + spent, Ordering::Relaxed);
            if self.woken_at.load(Ordering::Relaxed) != 0 {
                // Woken in this very poll: it could not have run any sooner than now.
                self.woken_at.store(now, Ordering::Relaxed);
            }
        }
        let since = if begun.was_woken() {
            now
        } else {
            begun.was_since
        };
        self.since.store(since, Ordering::Relaxed);
        self.thread.store(0, Ordering::Release);
    }

    /// Marks the task as running while its future is dropped without a poll.
    pub(crate) fn begin_drop(&self, thread: u16, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.thread.store(thread, Ordering::Release);
    }

    #[cold]
    fn replace_waker(&'static self, waker: &Waker, same: bool) {
        let flags = self.flags.load(Ordering::Relaxed);
        if same {
            // Back to the one that is kept. Whoever still reads the flag finds nothing in the table, and uses that one.
            self.flags.store(flags & !REPLACED, Ordering::Relaxed);
            drop(replaced_wakers::remove(self));
        } else {
            self.flags.store(flags | REPLACED, Ordering::Relaxed);
            replaced_wakers::set(self, waker.clone());
        }
    }

    /// Whether a dump asks this poll for a capture. The answer to a `true` is [`capture::withdraw`].
    #[inline]
    pub fn wants_capture(&self) -> bool {
        self.state.is_requested()
    }

    /// Keeps what a capturing poll found, in the poll that is going on. Nothing is kept if a dump is reading what was there before: it asks again.
    pub(crate) fn set_captured(&'static self, stack: Option<Arc<Stack>>, missing: Missing) {
        let before = self.captured_in.load(Ordering::Relaxed);
        // Until all is in place nothing counts as captured. The mark is still set, so nobody asks again meanwhile.
        self.captured_in.store(0, Ordering::Release);
        if !self.last_stack.set(stack) {
            self.captured_in.store(before, Ordering::Release);
            return;
        }
        // Most captures are whole.
        if missing != Missing::default() || self.side().is_some() {
            self.side_or_new().kept().missing = missing;
        }
        self.captured_in
            .store(self.polls() as u32, Ordering::Release);
    }

    /// How many polls ago, as of the poll with this number, the last capture was.
    ///
    /// Wrong if there have been 2^32 polls since, when it says that it was just now.
    pub fn captured_ago(&self, polls: u64) -> Option<u64> {
        let captured = self.captured_in.load(Ordering::Acquire);
        (captured != 0).then(|| u64::from((polls as u32).wrapping_sub(captured)))
    }

    /// Shows `f` the stack that the last capturing poll found. `f` must be short. `None`: the task took no waker in that poll.
    pub fn captured<R>(&self, f: impl FnOnce(&Arc<Stack>) -> R) -> (Option<R>, Missing) {
        let missing = self.side().map(|side| side.kept().missing);
        (self.last_stack.read(f), missing.unwrap_or_default())
    }

    /// Has the next late poll capture its stack, whoever wakes the task for it: nobody does for this. The caller holds the record.
    pub fn welcome_stack(&self) {
        self.hints.fetch_or(STACK_WELCOME, Ordering::Relaxed);
    }

    /// Whether the poll that begins is to capture its stack because that is welcome. Once for each time that it was said.
    pub(super) fn takes_welcome(&self) -> bool {
        self.hints.load(Ordering::Relaxed) & STACK_WELCOME != 0
            && self.hints.fetch_and(!STACK_WELCOME, Ordering::Relaxed) & STACK_WELCOME != 0
    }

    /// The task is ready in a poll that only a capture has asked for. One that is driven may be polled by whoever drives it at any time.
    pub(super) fn end_unwoken(&self) {
        if self.woken_at.load(Ordering::Relaxed) == 0 && !self.traits().has(Traits::DRIVEN) {
            self.hints.fetch_or(ENDED_UNWOKEN, Ordering::Release);
        }
    }

    /// Whether the task ended in a poll that only a capture had asked for, and no wake has come since: the wake was lost.
    ///
    /// Whoever makes a task ready wakes it right after; the caller gives them the time.
    pub fn ended_unwoken(&self) -> bool {
        self.hints.load(Ordering::Acquire) & ENDED_UNWOKEN != 0 && self.woken_at() == 0
    }

    /// Whether the scopes of the task are being told that it has ended.
    pub fn is_ending(&self) -> bool {
        self.flags.load(Ordering::Acquire) & ENDING != 0
    }

    pub fn is_finished(&self) -> bool {
        self.state.is_finished()
    }

    /// Whether this is the record of a live task. Without a hold that can change at any moment.
    pub fn is_live(&self) -> bool {
        self.state.is_live()
    }

    pub fn is_in_use(&self) -> bool {
        self.state.is_in_use()
    }

    // ---- the dump's side --------------------------------------------------------------------------------------------

    /// Marks the task for capture. The caller holds the record.
    pub(crate) fn request_capture(&self) -> Request {
        self.state.request()
    }

    /// Takes the mark away. True if this call did it. The caller holds the record.
    pub(crate) fn clear_capture(&self) -> bool {
        self.state.withdraw()
    }

    // ---- shared -----------------------------------------------------------------------------------------------------

    /// Wakes the task without marking it as woken: for captures. False: it has not taken a waker yet, and cannot be woken.
    pub(crate) fn nudge(&'static self) -> bool {
        let replaced = self.flags.load(Ordering::Relaxed) & REPLACED != 0;
        if replaced && replaced_wakers::wake(self) {
            return true;
        }
        let kept = self.inner.kept();
        if let Some(waker) = kept {
            waker.wake_by_ref();
        }
        kept.is_some()
    }

    /// # Safety
    ///
    /// The caller has a waker of this record, or borrows one from the poll that is going on.
    #[inline]
    unsafe fn wake(&'static self) {
        if self.woken_at.load(Ordering::Relaxed) == 0 {
            self.woken_at.store(clock::coarse(), Ordering::Relaxed);
            let itself = current().is_some_and(|task| std::ptr::eq(task, self));
            let by = if itself { ITSELF } else { OTHERS };
            let before = self.woken_by.load(Ordering::Relaxed);
            if before & by == 0 {
                self.woken_by.store(before | by, Ordering::Relaxed);
            }
        }
        let replaced = self.flags.load(Ordering::Relaxed) & REPLACED != 0;
        if !(replaced && replaced_wakers::wake(self)) {
            // SAFETY: as the caller promises.
            unsafe { self.inner.wake() };
        }
    }

    /// Whether the task is idle and never took a waker: nothing can have it polled, not even a dump.
    ///
    /// The order matters. No wake open: a poll has begun, so the thread that is read next is that of this poll or a later one, or
    /// 0 because it has ended; then whatever waker it took is seen. The other way round, the task may take its waker and
    /// suspend between two reads, and would look like one that never did.
    pub fn is_beyond_waking(&self) -> bool {
        self.woken_at() == 0
            && self.thread() == 0
            && self.flags.load(Ordering::Relaxed) & REPLACED == 0
            && self.inner.kept().is_none()
    }

    /// Whether every wake since the last [`Record::forget_wakers`] came from the task's own polls.
    pub fn only_wakes_itself(&self) -> bool {
        self.woken_by.load(Ordering::Relaxed) == ITSELF
    }

    pub fn forget_wakers(&self) {
        self.woken_by.store(0, Ordering::Relaxed);
    }

    pub fn polls(&self) -> u64 {
        self.polls.load(Ordering::Acquire)
    }
    pub fn since(&self) -> u64 {
        self.since.load(Ordering::Relaxed)
    }
    pub fn woken_at(&self) -> u64 {
        self.woken_at.load(Ordering::Acquire)
    }
    pub fn busy(&self) -> u64 {
        self.busy.load(Ordering::Relaxed)
    }
    pub fn thread(&self) -> u16 {
        self.thread.load(Ordering::Acquire)
    }
    pub fn traits(&self) -> Traits {
        Traits(self.traits.load(Ordering::Relaxed))
    }
    pub fn runtime(&self) -> u16 {
        self.runtime.load(Ordering::Relaxed)
    }
    pub(crate) fn set_runtime(&self, runtime: u16) {
        self.runtime.store(runtime, Ordering::Relaxed);
    }
    pub fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }
    pub fn set_id(&self, id: u64) {
        self.id.store(id, Ordering::Relaxed);
    }
    pub fn detached_at(&self) -> u64 {
        self.detached_at.load(Ordering::Relaxed)
    }

    /// Has the task's facts kept when it ends, and tells its key: the record, and which of its tasks.
    /// Async-signal-safe. Only for the thread that is polling the task.
    #[inline]
    pub(crate) fn mark_sampled(&'static self) -> [u64; 2] {
        if !self.traits().has(Traits::SAMPLED) {
            self.traits.fetch_or(Traits::SAMPLED.0, Ordering::Relaxed);
        }
        self.sampled_key()
    }

    pub(crate) fn sampled_key(&'static self) -> [u64; 2] {
        let address = std::ptr::from_ref(self).addr() as u64;
        [address, u64::from(self.serial.load(Ordering::Relaxed))]
    }

    /// Keeps a poll that took too long, in place of the one before.
    pub fn set_long_poll(&self, poll: LongPoll) {
        let old = self.side_or_new().kept().long_poll.replace(Box::new(poll));
        // Outside the lock: this may be the last reference to a stack.
        drop(old);
    }

    /// Notes for how long that poll has been going on. False: its stack is to be taken, for the first time, or again because the
    /// poll has lasted twice as long as when the last try failed.
    pub fn update_long_poll(&self, polls: u64, lasted: u64) -> bool {
        let Some(side) = self.side() else {
            return false;
        };
        match &mut side.kept().long_poll {
            Some(poll) if poll.polls == polls => {
                poll.lasted = lasted;
                poll.stack.is_ok() || lasted < poll.tried_after.saturating_mul(2)
            }
            _ => false,
        }
    }

    /// The last poll that took too long.
    pub fn long_poll(&self) -> Option<LongPoll> {
        self.side()?.kept().long_poll.as_deref().cloned()
    }

    /// For how long the watchdog has seen the poll with this number go on, in raw ticks; 0 if it has not.
    pub fn seen_in_poll(&self, polls: u64) -> u64 {
        let Some(side) = self.side() else { return 0 };
        let kept = side.kept();
        let poll = kept.long_poll.as_ref().filter(|poll| poll.polls == polls);
        poll.map_or(0, |poll| poll.lasted)
    }

    /// The name that the task was spawned with.
    pub fn name(&self) -> Option<Name> {
        self.side()?.kept().name.clone()
    }

    /// The side table, if the record has one. The caller holds the record, or has it for itself.
    pub fn side(&self) -> Option<&Side> {
        let side = self.side.load(Ordering::Acquire);
        // SAFETY: null, or made by `new_side` beside this record; its memory is not given back before that of the record, which is in use.
        unsafe { side.as_ref() }
    }

    /// The side table, made if there is none.
    pub fn side_or_new(&self) -> &Side {
        self.side().unwrap_or_else(|| self.new_side())
    }

    #[cold]
    fn new_side(&self) -> &Side {
        // Held for some stores, once for a record until its memory is given back.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(side) = self.side() {
            return side;
        }
        let new = arena::beside(self);
        // SAFETY: the place beside this record is for its side table only, and nobody refers to it: the record says that there is none, and
        // here is one thread at a time. What may have been there before owns nothing (`Side::clear`).
        let side = unsafe {
            new.write(Side::default());
            &*new
        };
        self.side.store(new, Ordering::Release);
        side
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

/// What a poll replaced in the record when it began.
struct Begun {
    was_since: u64,
    woken_at: u64,
}

impl Begun {
    /// Whether anything but a dump had asked for the poll.
    #[inline]
    fn was_woken(&self) -> bool {
        self.woken_at != 0
    }
}
