//! Changes of a record while its task is polled and woken.
//!
//! Not here: what belongs to a poll besides (`poll.rs`); polls that are sampled (`sampled.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use callstack::Stack;

use super::flags::{CHOSEN, ENDED_UNWOKEN, ITSELF, OTHERS, REPLACED, STACK_WELCOME};
use super::{Missing, Record, Request, Traits, current};
use crate::{clock, replaced_wakers};

impl Record {
    /// Counts a poll that begins. `waker` is the executor's.
    ///
    /// # Safety
    ///
    /// The caller polls the task of this record, holds the record, and ends the poll before `waker`
    /// does.
    #[inline]
    pub(super) unsafe fn begin_poll(
        &'static self,
        waker: Option<&Waker>,
        thread: u16,
        now: u64,
    ) -> Begun {
        let flags = self.flags.load(Ordering::Relaxed);
        if let Some(waker) = waker {
            // SAFETY: as the caller promises.
            let same = unsafe { self.executor.lend(waker) };
            if !same || flags & REPLACED != 0 {
                self.replace_waker(waker, same);
            }
        }
        if flags >> CHOSEN != 0 {
            self.end_sampled_wait(now);
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

    /// Counts a poll that ended. A poll that nothing but a dump asked for does not begin a new
    /// wait.
    #[inline]
    pub(super) fn end_poll(&self, begun: &Begun, now: u64) {
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
    pub(super) fn replace_waker(&'static self, waker: &Waker, same: bool) {
        let flags = self.flags.load(Ordering::Relaxed);
        if same {
            // Back to the one that is kept. Whoever still reads the flag finds nothing in the
            // table, and uses that one.
            self.flags.store(flags & !REPLACED, Ordering::Relaxed);
            drop(replaced_wakers::remove(self));
        } else {
            self.flags.store(flags | REPLACED, Ordering::Relaxed);
            replaced_wakers::set(self, waker.clone());
        }
    }

    /// Whether a dump asks this poll for a capture. The answer to a `true` is
    /// `capture::withdraw`.
    #[inline]
    pub fn wants_capture(&self) -> bool {
        self.state.is_requested()
    }

    /// Keeps what a capturing poll found, in the poll that is going on. Nothing is kept if a dump
    /// is reading what was there before: it asks again.
    pub(crate) fn set_captured(&'static self, stack: Option<Arc<Stack>>, missing: Missing) {
        let before = self.captured_in.load(Ordering::Relaxed);
        // Until all is in place nothing counts as captured. The mark is still set, so nobody asks
        // again meanwhile.
        self.captured_in.store(0, Ordering::Release);
        if !self.last_stack.set(stack) {
            self.captured_in.store(before, Ordering::Release);
            return;
        }
        // Most captures are whole.
        if missing != Missing::default() || self.extensions().is_some() {
            self.extensions_or_new().data().missing = missing;
        }
        self.captured_in
            .store(self.polls() as u32, Ordering::Release);
    }

    /// Whether the poll that begins is to capture its stack because that is welcome. Once for each
    /// time that it was said.
    pub(super) fn takes_welcome(&self) -> bool {
        self.hints.load(Ordering::Relaxed) & STACK_WELCOME != 0
            && self.hints.fetch_and(!STACK_WELCOME, Ordering::Relaxed) & STACK_WELCOME != 0
    }

    /// The task is ready in a poll that only a capture has asked for. One that is driven may be
    /// polled by whoever drives it at any time.
    pub(super) fn end_unwoken(&self) {
        if self.woken_at.load(Ordering::Relaxed) == 0 && !self.traits().has(Traits::DRIVEN) {
            self.hints.fetch_or(ENDED_UNWOKEN, Ordering::Release);
        }
    }

    /// Marks the task for capture. The caller holds the record.
    pub(crate) fn request_capture(&self) -> Request {
        self.state.request()
    }

    /// Takes the mark away. True if this call did it. The caller holds the record.
    pub(crate) fn clear_capture(&self) -> bool {
        self.state.withdraw()
    }

    /// Wakes the task without marking it as woken: for captures. False: it has not taken a waker
    /// yet, and cannot be woken.
    pub(crate) fn nudge(&'static self) -> bool {
        let replaced = self.flags.load(Ordering::Relaxed) & REPLACED != 0;
        if replaced && replaced_wakers::wake(self) {
            return true;
        }
        let kept = self.executor.kept();
        if let Some(waker) = kept {
            waker.wake_by_ref();
        }
        kept.is_some()
    }

    /// # Safety
    ///
    /// The caller has a waker of this record, or borrows one from the poll that is going on.
    #[inline]
    pub(super) unsafe fn wake(&'static self) {
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
            unsafe { self.executor.wake() };
        }
    }

    pub(crate) fn set_runtime(&self, runtime: u16) {
        self.runtime.store(runtime, Ordering::Relaxed);
    }

    /// Has the task's facts kept when it ends, and tells its key: the record, and which of its
    /// tasks. Async-signal-safe. Only for the thread that is polling the task.
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
}

/// Values that a poll replaced in the record when it began.
pub(super) struct Begun {
    pub(super) was_since: u64,
    pub(super) woken_at: u64,
}

impl Begun {
    /// Whether anything but a dump had asked for the poll.
    #[inline]
    pub(super) fn was_woken(&self) -> bool {
        self.woken_at != 0
    }
}
