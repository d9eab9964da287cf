//! Polls and waits that sampling has chosen: what it keeps in a record, and when it is told.
//!
//! A chosen poll is timed and captures its stack. If the task suspends, the wait that begins is
//! chosen, too: a few bits of the record's flags say so until a poll ends it, or the task. Nothing
//! of that is done in a poll that was not chosen.
//!
//! Not here: which polls are chosen, and what becomes of the times ([`crate::poll_sampler`]).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use callstack::Stack;

use super::flags::CHOSEN;
use super::last_stack::Busy;
use super::polling::Begun;
use super::{Hold, Meta, Record, Traits};
use crate::NoTrace;
use crate::poll_sampler::{self, SampleWeight};
use crate::{capture, clock};

/// Keeps the other bits of the flags.
const OTHERS: u8 = (1 << CHOSEN) - 1;

/// Why this poll leaves the fast path; zero for nearly all.
#[derive(Clone, Copy)]
pub(super) struct PollFlags(u8);

impl PollFlags {
    /// A dump wants a capture.
    const MARKED: u8 = 1 << 7;
    /// Sampling wants one.
    const CAPTURES: u8 = 1 << 6;
    /// Its weight, if it is sampled; else 0.
    const CODE: u8 = PollFlags::CAPTURES - 1;

    #[inline]
    pub(super) fn new(marked: bool) -> PollFlags {
        PollFlags(u8::from(marked) << 7)
    }

    /// Captures its stack, besides whatever else it is.
    pub(super) fn with_capture(self) -> PollFlags {
        PollFlags(self.0 | PollFlags::CAPTURES)
    }

    #[inline]
    pub(super) fn is_any(self) -> bool {
        self.0 != 0
    }

    #[inline]
    pub(super) fn is_marked(self) -> bool {
        self.0 & PollFlags::MARKED != 0
    }

    /// Whether the poll captures its stack.
    #[inline]
    pub(super) fn captures(self) -> bool {
        self.0 & (PollFlags::MARKED | PollFlags::CAPTURES) != 0
    }

    pub(super) fn is_sampled(self) -> bool {
        self.0 & PollFlags::CODE != 0
    }

    fn chosen(self, weight: SampleWeight, captures: bool) -> PollFlags {
        let captures = if captures { PollFlags::CAPTURES } else { 0 };
        PollFlags(self.0 | weight.code() | captures)
    }
}

/// A chosen wait that is still going on.
#[derive(Debug)]
pub struct Wait {
    /// How many waits it stands for.
    pub weight: SampleWeight,
    /// Raw ticks: when it began, and when it was ended by a wake that no poll has answered yet.
    pub since: u64,
    /// When it was ended by a wake that no poll has answered yet; raw ticks.
    pub woken_at: Option<u64>,
    /// Where the task waits.
    pub stack: Result<Arc<Stack>, NoTrace>,
}

impl Record {
    /// A poll that was chosen has begun. From now on until it ends, `since` is told by the precise
    /// clock.
    #[cold]
    #[inline(never)]
    pub(super) fn choose(
        &'static self,
        begun: &Begun,
        special: PollFlags,
        now: u64,
        weight: SampleWeight,
    ) -> PollFlags {
        let delayed = begun.was_woken().then_some((begun.woken_at, now));
        if let (Some((from, to)), Some(meta)) = (delayed, self.polled_meta()) {
            poll_sampler::delayed(self, meta, weight, from, to);
        }
        self.since.store(clock::precise(), Ordering::Relaxed);
        // A poll that only a dump asked for begins no wait.
        special.chosen(weight, begun.was_woken() && capture::may(self))
    }

    /// A poll that was chosen is about to end. `suspended`: the task goes on. `now` is the coarse
    /// clock's.
    #[cold]
    #[inline(never)]
    pub(super) fn end_sampled_poll(
        &'static self,
        begun: &Begun,
        special: PollFlags,
        suspended: bool,
        now: u64,
    ) {
        let code = special.0 & PollFlags::CODE;
        let (Some(weight), Some(meta)) = (SampleWeight::of_code(code), self.polled_meta()) else {
            return;
        };
        let (from, to) = (self.since.load(Ordering::Relaxed), clock::precise());
        poll_sampler::ran(self, meta, weight, from, to);
        // From here on the coarse clock counts again.
        let busy = self.busy.load(Ordering::Relaxed) + to.saturating_sub(from);
        self.busy.store(busy, Ordering::Relaxed);
        self.since.store(now, Ordering::Relaxed);
        if self.woken_at.load(Ordering::Relaxed) != 0 {
            // As in `end_poll`, which finds nothing left to count: it could not have run any sooner
            // than now.
            self.woken_at.store(now, Ordering::Relaxed);
        }
        // One that was woken in this very poll does not wait.
        let waits = suspended && begun.was_woken() && self.woken_at.load(Ordering::Relaxed) == 0;
        if !waits {
            return;
        }
        if special.0 & PollFlags::CAPTURES != 0 && self.captured_ago(self.polls()) != Some(0) {
            // A dump was reading the stack before.
            poll_sampler::lost_wait();
            return;
        }
        self.set_chosen(code);
    }

    /// The facts of birth, for the thread that polls the task.
    fn polled_meta(&'static self) -> Option<&'static Meta> {
        // SAFETY: called from within a poll, or from the end of the future: the future holds the
        // record, so the cell is not written. The reference does not leave the callers in this
        // file.
        unsafe { &*self.meta.get() }.as_ref()
    }

    fn set_chosen(&self, code: u8) {
        let flags = self.flags.load(Ordering::Relaxed) & OTHERS;
        self.flags
            .store(flags | (code << CHOSEN), Ordering::Relaxed);
    }

    /// A poll begins while a chosen wait goes on.
    #[cold]
    pub(super) fn end_sampled_wait(&'static self, now: u64) {
        let since = self.since.load(Ordering::Relaxed);
        let woken_at = self.woken_at.load(Ordering::Relaxed);
        if woken_at != 0 {
            self.charge_wait(since, woken_at);
        } else if self.traits().has(Traits::OBSERVED) {
            // Nobody tells us of its wakes.
            self.charge_wait(since, now);
        }
        // Otherwise only a dump has asked for this poll, and the wait goes on.
    }

    /// The future is dropped without a poll.
    #[inline]
    pub(super) fn end_sampled_wait_by_drop(&'static self, now: u64) {
        if self.flags.load(Ordering::Relaxed) >> CHOSEN != 0 {
            let since = self.since.load(Ordering::Relaxed);
            let woken_at = self.woken_at.load(Ordering::Relaxed);
            self.charge_wait(since, if woken_at == 0 { now } else { woken_at });
        }
    }

    /// The task ends in a poll, at the end of which a chosen wait still goes on: nothing but a dump
    /// had asked for that poll, and the task ended in it.
    #[inline]
    pub(super) fn end_sampled_wait_by_end(&'static self, begun: &Begun) {
        if self.flags.load(Ordering::Relaxed) >> CHOSEN != 0 {
            self.charge_wait(begun.was_since, self.since.load(Ordering::Relaxed));
        }
    }

    fn charge_wait(&'static self, since: u64, until: u64) {
        let code = self.flags.load(Ordering::Relaxed) >> CHOSEN;
        self.set_chosen(0);
        let (Some(weight), Some(meta)) = (SampleWeight::of_code(code), self.polled_meta()) else {
            return;
        };
        let stack = if capture::may(self) {
            match self.last_stack.try_get() {
                // None: the task took no waker in the poll that began the wait.
                Ok(stack) => stack.ok_or(NoTrace::NoWaker),
                Err(Busy) => {
                    poll_sampler::lost();
                    Err(NoTrace::NoAnswer)
                }
            }
        } else {
            Err(self.no_capture())
        };
        poll_sampler::waited(self, meta, weight, stack, since, until);
    }

    /// Why the task is never captured.
    pub fn no_capture(&self) -> NoTrace {
        let traits = self.traits();
        if traits.has(Traits::BLOCKING) {
            NoTrace::Call
        } else if traits.has(Traits::OBSERVED) {
            NoTrace::Observed
        } else {
            NoTrace::NotAllowed
        }
    }
}

impl Hold {
    /// The chosen wait of the task that is going on, if there is one and the task does not move at
    /// this very moment.
    pub fn sampled_wait(&self) -> Option<Wait> {
        let record = self.record();
        let polls = record.polls();
        let weight = SampleWeight::of_code(record.flags.load(Ordering::Acquire) >> CHOSEN)?;
        let since = record.since();
        let woken_at = record.woken_at();
        let stack = if capture::may(record) {
            record.captured(Arc::clone).0.ok_or(NoTrace::NoWaker)
        } else {
            Err(record.no_capture())
        };
        let steady = record.thread() == 0 && record.polls() == polls;
        steady.then_some(Wait {
            weight,
            since,
            woken_at: (woken_at != 0).then_some(woken_at),
            stack,
        })
    }
}
