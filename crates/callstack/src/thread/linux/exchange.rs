//! The memory in which the asking thread and the interrupted thread meet: one word of state, and an
//! answer that is never freed.
//!
//! # Protocol
//!
//! ```text
//!              ask                 pick_up               publish
//!   FREE ──────────────▶ ASKED ──────────────▶ ANSWERING ───────▶ ANSWERED
//!    ▲                     │                       │                 │
//!    └── take_back ────────┘                       │                 │ ask (the next one)
//!    └── give_up (the thread has ended) ───────────┘                 ▼
//! ```
//!
//! The word holds the number of the request besides its phase. Only the thread with the
//! [`RequestGuard`] makes the moves on the left and `ask`; only the handler on the asked thread
//! makes the other two. The handler picks a request up by a compare-and-swap of the whole word, so
//! it can only answer the request whose target it has read; one that was taken back meanwhile is
//! left alone. There is no way from ANSWERING to ASKED: an asker that ran out of time goes away,
//! and the next one waits until the late answer is complete.
//!
//! # Invariant
//!
//! The answer is written by the handler in phase ANSWERING, and read by the thread with the guard
//! in phase ANSWERED, and by nobody else. The release in `publish` pairs with the acquire in
//! `wait`.
//!
//! Not here: the signal that makes the handler run ([`super::signal`]).

#![allow(unsafe_code)]

use std::cell::UnsafeCell;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, MutexGuard};
use std::time::Instant;

use super::futex;
use crate::sync::{Mutex, without_poison};
use crate::unwind::copied::CopiedStack;
use crate::unwind::registers::Registers;

/// The most words of a stack that an answer holds, from the leaf on.
const WORDS: usize = (1 << 20) / size_of::<u64>();

/// The exchange of this process.
pub(super) static EXCHANGE: Exchange = Exchange::new();

const FREE: u32 = 0;
const ASKED: u32 = 1;
const ANSWERING: u32 = 2;
const ANSWERED: u32 = 3;
const PHASE: u32 = 3;
/// The step between the numbers of two requests.
const NEXT: u32 = PHASE + 1;

pub(super) struct Exchange {
    /// The number of the request in the high bits, its phase in the low ones.
    state: AtomicU32,
    /// The thread that is asked. Written before `ASKED`, by the thread with the guard.
    target: AtomicU32,
    answer: UnsafeCell<Answer>,
    /// Whether a thread has the guard.
    taken: Mutex<bool>,
    given_back: Condvar,
}

// SAFETY: the answer has one user at a time (module invariant); everything else is made for
// sharing.
unsafe impl Sync for Exchange {}

struct Answer {
    registers: Registers,
    /// Address of the first word.
    start: usize,
    /// How much of the stack was copied, in bytes.
    len: usize,
    /// Zero at first, which costs no memory in a static.
    stack: [u64; WORDS],
}

impl Exchange {
    const fn new() -> Self {
        Self {
            state: AtomicU32::new(FREE),
            target: AtomicU32::new(0),
            answer: UnsafeCell::new(Answer {
                registers: Registers::NONE,
                start: 0,
                len: 0,
                stack: [0; WORDS],
            }),
            taken: Mutex::new(false),
            given_back: Condvar::new(),
        }
    }

    /// Waits for the right to ask; `None` if other threads had it until the deadline.
    pub(super) fn begin(&self, deadline: Instant) -> Option<RequestGuard<'_>> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (mut taken, _) = without_poison(self.given_back.wait_timeout_while(
            self.lock(),
            left,
            |taken| *taken,
        ));
        if *taken {
            return None;
        }
        *taken = true;
        Some(RequestGuard { exchange: self })
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.taken.lock()
    }

    /// Picks up the request if it is for this thread. Called by the handler.
    pub(super) fn pick_up(&self, tid: u32) -> Option<AnswerWriter<'_>> {
        // Acquire: the target is the one of this request, or of a later one, and then the swap
        // fails.
        let asked = self.state.load(Ordering::Acquire);
        if asked & PHASE != ASKED || self.target.load(Ordering::Relaxed) != tid {
            return None;
        }
        // Acquire: the reader of the last answer has finished.
        self.state
            .compare_exchange(
                asked,
                with_phase(asked, ANSWERING),
                Ordering::Acquire,
                Ordering::Relaxed,
            )
            .ok()
            .map(|_| AnswerWriter {
                exchange: self,
                asked,
            })
    }
}

fn with_phase(state: u32, phase: u32) -> u32 {
    state & !PHASE | phase
}

/// The right to write one answer.
pub(super) struct AnswerWriter<'a> {
    exchange: &'a Exchange,
    asked: u32,
}

impl AnswerWriter<'_> {
    /// Room for the stack, in bytes.
    pub(super) fn capacity(&self) -> usize {
        WORDS * size_of::<u64>()
    }

    /// The memory for the stack. Nobody else uses it before `publish`.
    pub(super) fn stack(&self) -> *mut u8 {
        // SAFETY: only computes an address within the static.
        unsafe { (&raw mut (*self.exchange.answer.get()).stack).cast() }
    }

    /// Hands the answer over; `len` bytes of the stack were written, which are at `start` in
    /// memory.
    pub(super) fn publish(self, registers: Registers, start: usize, len: usize) {
        let answer = self.exchange.answer.get();
        // SAFETY: we are ANSWERING, so nobody else uses the answer (module invariant).
        unsafe {
            (&raw mut (*answer).registers).write(registers);
            (&raw mut (*answer).start).write(start);
            (&raw mut (*answer).len).write(len);
        }
        let state = &self.exchange.state;
        state.store(with_phase(self.asked, ANSWERED), Ordering::Release);
        futex::wake(state);
    }
}

/// The right to ask, given back by drop.
pub(super) struct RequestGuard<'a> {
    exchange: &'a Exchange,
}

impl RequestGuard<'_> {
    fn state(&self) -> u32 {
        self.exchange.state.load(Ordering::Acquire)
    }

    /// The thread that is still writing the answer to an earlier request.
    pub(super) fn still_answering(&self) -> Option<u32> {
        (self.state() & PHASE == ANSWERING).then(|| self.exchange.target.load(Ordering::Relaxed))
    }

    /// Takes the exchange back from a thread that has ended in the middle of its answer.
    pub(super) fn give_up(&mut self) {
        let state = with_phase(self.state(), FREE);
        self.exchange.state.store(state, Ordering::Release);
    }

    /// Makes a new request. Nobody may be still answering.
    pub(super) fn ask(&mut self, tid: u32) {
        let state = with_phase(self.state().wrapping_add(NEXT), ASKED);
        self.exchange.target.store(tid, Ordering::Relaxed);
        // Release: the target is written, and the last answer read.
        self.exchange.state.store(state, Ordering::Release);
    }

    /// Waits until no answer is outstanding; false if that was not before `until`.
    pub(super) fn wait(&self, until: Instant) -> bool {
        loop {
            let state = self.state();
            if !matches!(state & PHASE, ASKED | ANSWERING) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            futex::wait(&self.exchange.state, state, left);
        }
    }

    /// Withdraws the request. False if the thread has begun to answer.
    pub(super) fn take_back(&mut self) -> bool {
        let state = self.state();
        state & PHASE == ASKED
            && self
                .exchange
                .state
                .compare_exchange(
                    state,
                    with_phase(state, FREE),
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                )
                .is_ok()
    }

    /// The answer, if there is one.
    pub(super) fn answer(&self) -> Option<(Registers, CopiedStack<'_>)> {
        if self.state() & PHASE != ANSWERED {
            return None;
        }
        let answer = self.exchange.answer.get();
        // SAFETY: in phase ANSWERED, and for as long as we do not ask again, nobody writes (module
        // invariant). That is for as long as the result borrows `self`. Everything was initialised
        // by the static, so also what was not copied.
        let (registers, start, len, first) = unsafe {
            (
                (*answer).registers,
                (*answer).start,
                (*answer).len,
                ptr::from_ref(&(*answer).stack).cast::<u64>(),
            )
        };
        let len = len / size_of::<u64>();
        // SAFETY: as above; the handler does not write more than the capacity.
        let words = unsafe { slice::from_raw_parts(first, len.min(WORDS)) };
        Some((registers, CopiedStack::new(start, words, len >= WORDS)))
    }
}

impl Drop for RequestGuard<'_> {
    fn drop(&mut self) {
        *self.exchange.lock() = false;
        self.exchange.given_back.notify_one();
    }
}
