//! The stack that a task's last capture found, in one word of its record. A free record has its
//! link to the next one there.
//!
//! ```text
//!  null or a stack ◀── set, by the thread that polls the task ──▶ null or a stack
//!                a stack ── read, by a dump ──▶ READING ──▶ the same stack
//! ```
//!
//! * The word owns one reference to the stack. It changes hands by one compare-and-exchange, which
//!   fails while somebody reads: so a stack is not dropped under its reader.
//! * Readers wait for each other. Whoever polls the task waits for nobody: it gives up what it
//!   found, and the dump asks again.
//!
//! Not here: of which poll the stack is; captures that lack something ([`super::Extensions`]).

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::sync::atomic::AtomicPtr;
use crate::sync::hint;

/// The bit of a stack that somebody reads. No address has it: a stack is aligned.
const READING: usize = 1;

/// Shared between threads, as the bounds of its methods say.
pub(super) struct LastStack<T>(AtomicPtr<T>);

impl<T: Send + Sync> LastStack<T> {
    /// Null. Outside of models it is memory that reads as zeros.
    #[cfg(taskscope_loom)]
    pub(super) fn new() -> LastStack<T> {
        LastStack(AtomicPtr::new(ptr::null_mut()))
    }

    /// Keeps a stack in place of the one before. False: that one is being read, and stays.
    ///
    /// Only the thread that polls the task calls this.
    pub(super) fn set(&self, stack: Option<Arc<T>>) -> bool {
        const { assert!(align_of::<T>() > READING) };
        let new = stack.map_or(ptr::null_mut(), |stack| Arc::into_raw(stack).cast_mut());
        let old = self.0.load(Ordering::Relaxed);
        // Releases the new stack to its readers, acquires what the readers of the old one did with
        // it.
        let swapped = old.addr() & READING == 0
            && self
                .0
                .compare_exchange(old, new, Ordering::AcqRel, Ordering::Relaxed)
                .is_ok();
        // SAFETY: whichever is not in the word now is owned by this call alone: `new` came from an
        // `Arc` just now, `old` was given up by the word, and nobody reads it.
        unsafe { drop(owned(if swapped { old } else { new })) };
        swapped
    }

    /// Shows the stack to `f`, if there is one. `f` must be short, and not come back here.
    pub(super) fn read<R>(&self, f: impl FnOnce(&Arc<T>) -> R) -> Option<R> {
        loop {
            match self.begin_reading() {
                Ok(reading) => return Some(f(&reading?.stack())),
                Err(Busy) => hint::wait(),
            }
        }
    }

    /// The stack, if there is one, for a caller that does not wait.
    pub(super) fn try_get(&self) -> Result<Option<Arc<T>>, Busy> {
        let reading = self.begin_reading()?;
        Ok(reading.map(|reading| Arc::clone(&reading.stack())))
    }

    fn begin_reading(&self) -> Result<Option<Reading<'_, T>>, Busy> {
        let stack = self.0.load(Ordering::Relaxed);
        if stack.is_null() {
            return Ok(None);
        }
        let marked = stack.map_addr(|addr| addr | READING);
        let marks = marked != stack
            && self
                .0
                .compare_exchange(stack, marked, Ordering::Acquire, Ordering::Relaxed)
                .is_ok();
        // Made only if it has marked: its end takes the mark away.
        if marks {
            let word = &self.0;
            Ok(Some(Reading { word, stack }))
        } else {
            Err(Busy)
        }
    }

    /// Takes the stack out. The caller drops it.
    ///
    /// # Safety
    ///
    /// The caller has the record for itself.
    pub(super) unsafe fn take(&self) -> Option<Arc<T>> {
        let stack = self.0.load(Ordering::Relaxed);
        if stack.is_null() {
            return None;
        }
        self.0.store(ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: nobody reads, so it is a stack that the word has owned and gives up here.
        unsafe { owned(stack) }
    }

    /// The link of a free record.
    #[inline]
    pub(super) fn link(&self) -> *mut () {
        self.0.load(Ordering::Relaxed).cast()
    }

    /// The link of a free record; null before it is used as a stack again.
    #[inline]
    pub(super) fn set_link(&self, link: *mut ()) {
        self.0.store(link.cast(), Ordering::Relaxed);
    }
}

/// Somebody else reads at this moment.
pub(super) struct Busy;

/// Ends the reading when dropped.
struct Reading<'a, T> {
    word: &'a AtomicPtr<T>,
    stack: *mut T,
}

impl<T> Reading<'_, T> {
    fn stack(&self) -> ManuallyDrop<Arc<T>> {
        // SAFETY: the word owns a reference and cannot give it up before `self` is dropped. This
        // one is not dropped.
        ManuallyDrop::new(unsafe { Arc::from_raw(self.stack.cast_const()) })
    }
}

impl<T> Drop for Reading<'_, T> {
    fn drop(&mut self) {
        // Nobody else changes the word while it has the bit.
        self.word.store(self.stack, Ordering::Release);
    }
}

/// # Safety
///
/// Null, or from `Arc::into_raw`, and the caller owns that reference.
unsafe fn owned<T>(stack: *mut T) -> Option<Arc<T>> {
    // SAFETY: as the caller promises.
    (!stack.is_null()).then(|| unsafe { Arc::from_raw(stack.cast_const()) })
}
