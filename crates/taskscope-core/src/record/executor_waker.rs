//! The executor's waker of a task, kept in the record, so that a wake of ours needs no lock and no
//! allocation.
//!
//! A poll only lends its waker. It is cloned when the first waker of ours is cloned in that poll,
//! which a task that never suspends never does. From then on it stays until the record is recycled.
//! One word says how it stands:
//!
//! ```text
//!  a pointer: lent ── first clone of a waker of ours ──▶ SETTING ──▶ SET ── last reference gone ──▶ null
//! ```
//!
//! * The pointer is to the waker of the poll that is going on. It is followed only on behalf of
//!   somebody who borrows the waker that this poll gave out: such a borrow ends before the poll
//!   does, and with it the loan.
//! * `kept` is written in SETTING by the one thread that made the pointer into SETTING, and taken
//!   out by whoever owns the record alone. In SET it is only read. Whoever has a waker of ours (not
//!   a borrow) has seen SET.
//!
//! Not here: executors that change their waker between two polls ([`crate::replaced_wakers`]).

use std::ptr;
use std::sync::atomic::Ordering;
use std::task::Waker;

use crate::sync::atomic::AtomicPtr;
use crate::sync::cell::UnsafeCell;
use crate::sync::hint;

/// No address of a `Waker`, which is aligned.
const SET: *mut Waker = ptr::without_provenance_mut(1);
const SETTING: *mut Waker = ptr::without_provenance_mut(2);

pub(super) struct ExecutorWaker {
    word: AtomicPtr<Waker>,
    kept: UnsafeCell<Option<Waker>>,
}

// SAFETY: `kept` follows the protocol above, and a `Waker` may be used from any thread.
unsafe impl Sync for ExecutorWaker {}

impl ExecutorWaker {
    #[cfg(taskscope_loom)]
    pub(super) fn new() -> ExecutorWaker {
        ExecutorWaker {
            word: AtomicPtr::new(ptr::null_mut()),
            kept: UnsafeCell::new(None),
        }
    }

    /// Makes memory in which no waker is kept, or which is all zeros, the empty one.
    ///
    /// # Safety
    ///
    /// The caller owns the record alone.
    pub(super) unsafe fn renew(&self) {
        self.word.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: the caller owns the record alone; nothing is dropped, because nothing is there.
        self.kept.with_mut(|kept| unsafe { kept.write(None) });
    }

    /// Lends the waker of a poll that begins. False: another one is kept, and the executor has
    /// changed its waker.
    ///
    /// # Safety
    ///
    /// The caller is the one that polls the task, and ends the poll before `waker` does.
    #[inline]
    pub(super) unsafe fn lend(&self, waker: &Waker) -> bool {
        if let Some(kept) = self.kept() {
            return kept.will_wake(waker);
        }
        self.word
            .store(ptr::from_ref(waker).cast_mut(), Ordering::Release);
        true
    }

    /// Makes sure that a waker is kept, because a waker of ours is about to be cloned.
    ///
    /// # Safety
    ///
    /// The caller has a waker of this record, or borrows one from the poll that is going on.
    #[inline]
    pub(super) unsafe fn keep(&self) {
        if self.word.load(Ordering::Acquire) != SET {
            // SAFETY: not SET, so no waker is out: the caller borrows one from a poll that is going
            // on.
            unsafe { self.keep_lent() };
        }
    }

    /// The loan, or SET once another thread has kept the waker.
    ///
    /// # Safety
    ///
    /// The caller borrows a waker from the poll that is going on.
    unsafe fn settled(&self) -> *mut Waker {
        loop {
            let word = self.word.load(Ordering::Acquire);
            if word != SETTING {
                return word;
            }
            // Two threads can borrow the same waker; this lasts as long as the other's clone of the
            // executor's waker.
            hint::wait();
        }
    }

    /// # Safety
    ///
    /// The caller borrows a waker from the poll that is going on.
    #[cold]
    unsafe fn keep_lent(&self) {
        let lent = loop {
            // SAFETY: as the caller promises.
            let word = unsafe { self.settled() };
            if word == SET {
                return;
            }
            if self
                .word
                .compare_exchange(word, SETTING, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                break word;
            }
        };
        // An executor's waker may panic when it is cloned: then the loan goes on, and nobody waits
        // for ever.
        let mut settle = Settle(&self.word, lent);
        // SAFETY: `lent` is the waker of the poll from which the caller borrows.
        let waker = unsafe { &*lent }.clone();
        // SAFETY: SETTING is ours alone, and nobody reads before SET.
        self.kept.with_mut(|kept| unsafe { *kept = Some(waker) });
        settle.1 = SET;
    }

    /// The kept waker, if there is one.
    #[inline]
    pub(super) fn kept(&self) -> Option<&Waker> {
        if self.word.load(Ordering::Acquire) != SET {
            return None;
        }
        // SAFETY: SET, so it is not written before the record is recycled, and nobody looks at a
        // record without a reference.
        self.kept.with(|kept| unsafe { &*kept }.as_ref())
    }

    /// Wakes the task.
    ///
    /// # Safety
    ///
    /// The caller has a waker of this record, or borrows one from the poll that is going on.
    #[inline]
    pub(super) unsafe fn wake(&self) {
        match self.kept() {
            Some(waker) => waker.wake_by_ref(),
            // SAFETY: not SET, so no waker is out: the caller borrows one from a poll that is going
            // on.
            None => unsafe { self.wake_lent() },
        }
    }

    /// # Safety
    ///
    /// The caller borrows a waker from the poll that is going on.
    unsafe fn wake_lent(&self) {
        // SAFETY: as the caller promises.
        let word = unsafe { self.settled() };
        if word == SET {
            if let Some(waker) = self.kept() {
                waker.wake_by_ref();
            }
        } else {
            // SAFETY: the waker of the poll from which the caller borrows.
            unsafe { &*word }.wake_by_ref();
        }
    }

    /// Takes the kept waker out.
    ///
    /// # Safety
    ///
    /// The caller owns the record alone.
    #[inline]
    pub(super) unsafe fn take(&self) -> Option<Waker> {
        let set = self.word.load(Ordering::Relaxed) == SET;
        self.word.store(ptr::null_mut(), Ordering::Relaxed);
        if !set {
            return None;
        }
        // SAFETY: the caller owns the record alone.
        self.kept.with_mut(|kept| unsafe { (*kept).take() })
    }
}

/// Leaves SETTING, also when the executor's waker panics.
struct Settle<'a>(&'a AtomicPtr<Waker>, *mut Waker);

impl Drop for Settle<'_> {
    fn drop(&mut self) {
        self.0.store(self.1, Ordering::Release);
    }
}
