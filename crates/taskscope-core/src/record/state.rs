//! The word that decides whose record it is: counts of wakers and holders, the end of the task, and
//! the mark for a capture.
//!
//! ```text
//!  63         62        40..=61            0..=39
//!  REQUESTED  FINISHED  holders            wakers
//! ```
//!
//! Both counts zero: nobody refers to the record, and it is free or about to be. A holder can only
//! be added to a count that is not zero, and not after the end. Whoever takes the last reference
//! away owns the record alone, and is told so exactly once. Because the end and the mark share the
//! word, either the end finds the mark, or the mark finds the end: no mark stays behind.
//!
//! Not here: what the counts protect ([`super::Record`]); how many marks are set in the process
//! ([`crate::capture`]).

use std::process::abort;
use std::sync::atomic::Ordering;

use crate::sync::atomic::AtomicU64;

const WAKER: u64 = 1;
const HOLDER: u64 = 1 << 40;
const FINISHED: u64 = 1 << 62;
const REQUESTED: u64 = 1 << 63;
const WAKERS: u64 = HOLDER - 1;
const COUNTS: u64 = FINISHED - 1;

/// The kind of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ref {
    /// A waker that is out.
    Waker,
    /// The task's own future, or a dump that is looking.
    Holder,
}

impl Ref {
    fn unit(self) -> u64 {
        match self {
            Ref::Waker => WAKER,
            Ref::Holder => HOLDER,
        }
    }
}

/// How a request for a capture was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// This call set the mark.
    Set,
    /// The mark was there.
    AlreadySet,
    /// The task has ended; no mark was set.
    Finished,
}

/// Work that the end of a task has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// The task's was the last reference: the record is the caller's alone.
    pub(super) last: bool,
    /// The end took a mark away.
    pub(super) requested: bool,
}

pub(super) struct State(AtomicU64);

impl State {
    /// The state of a free record. Outside of models it is memory that reads as zeros.
    #[cfg(taskscope_loom)]
    pub(super) fn new() -> State {
        State(AtomicU64::new(0))
    }

    /// Opens the record to others, with one holder. The caller owns it alone.
    pub(super) fn publish(&self) {
        debug_assert_eq!(self.0.load(Ordering::Relaxed) & COUNTS, 0, "a free record");
        // Releases what the owner wrote; `try_hold` acquires it.
        self.0.store(HOLDER, Ordering::Release);
    }

    /// Adds a holder, if the record is in use and its task alive.
    pub(super) fn try_hold(&self) -> bool {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            if state & COUNTS == 0 || state & FINISHED != 0 {
                return false;
            }
            match self.0.compare_exchange_weak(
                state,
                state + HOLDER,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
    }

    /// Adds a reference, for a caller that has one.
    #[inline]
    pub(super) fn retain(&self, reference: Ref) {
        let before = self.0.fetch_add(reference.unit(), Ordering::Relaxed);
        // As `Arc` does: a count that could overflow means that references are being forgotten in a
        // loop.
        if before & WAKERS > WAKERS / 2 || before & COUNTS > COUNTS / 2 {
            abort();
        }
    }

    /// Takes a reference away. True: it was the last, and the record is the caller's alone.
    #[inline]
    pub(super) fn release(&self, reference: Ref) -> bool {
        // As in `Arc`: everything that was done under a reference happens before the end of the
        // last.
        let before = self.0.fetch_sub(reference.unit(), Ordering::AcqRel);
        before & COUNTS == reference.unit()
    }

    /// Ends the task and gives its own holder back.
    #[inline]
    pub(super) fn finish(&self) -> End {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            let ended = ((state - HOLDER) | FINISHED) & !REQUESTED;
            match self
                .0
                .compare_exchange_weak(state, ended, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => {
                    return End {
                        last: ended & COUNTS == 0,
                        requested: state & REQUESTED != 0,
                    };
                }
                Err(now) => state = now,
            }
        }
    }

    /// Sets the mark for a capture. The caller holds the record.
    pub(super) fn request(&self) -> Request {
        let mut state = self.0.load(Ordering::Relaxed);
        loop {
            if state & FINISHED != 0 {
                return Request::Finished;
            }
            if state & REQUESTED != 0 {
                return Request::AlreadySet;
            }
            match self.0.compare_exchange_weak(
                state,
                state | REQUESTED,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Request::Set,
                Err(now) => state = now,
            }
        }
    }

    /// Takes the mark away. True if this call did it. The caller holds the record.
    pub(super) fn withdraw(&self) -> bool {
        self.0.fetch_and(!REQUESTED, Ordering::AcqRel) & REQUESTED != 0
    }

    /// A hint for the poller, which looks once a poll.
    #[inline]
    pub(super) fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed) & REQUESTED != 0
    }

    pub(super) fn is_finished(&self) -> bool {
        self.0.load(Ordering::Acquire) & FINISHED != 0
    }

    /// Whether the record belongs to a live task right now.
    pub(super) fn is_live(&self) -> bool {
        let state = self.0.load(Ordering::Acquire);
        state & COUNTS != 0 && state & FINISHED == 0
    }

    /// Whether anybody refers to the record.
    pub(super) fn is_in_use(&self) -> bool {
        self.0.load(Ordering::Acquire) & COUNTS != 0
    }

    pub(super) fn wakers(&self) -> u64 {
        self.0.load(Ordering::Acquire) & WAKERS
    }
}
