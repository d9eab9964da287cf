//! The one door for the synchronisation that the record's protocols are made of, so that a model
//! checker can take its place.
//!
//! With `--cfg taskscope_loom` (see `models`) these are loom's. Not here: other locks and counters,
//! that are no part of a protocol; they are the standard library's everywhere.

#[cfg(taskscope_loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(taskscope_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};

#[cfg(not(taskscope_loom))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
}

#[cfg(not(taskscope_loom))]
pub(crate) mod cell {
    /// The standard library's, with loom's way in.
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(not(taskscope_loom))]
pub(crate) mod hint {
    /// Lets somebody else go on, for the rare wait that lasts as long as one call of theirs.
    pub(crate) fn wait() {
        std::thread::yield_now();
    }
}

#[cfg(taskscope_loom)]
pub(crate) mod atomic {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize};
}

#[cfg(taskscope_loom)]
pub(crate) mod cell {
    pub(crate) use loom::cell::UnsafeCell;
}

#[cfg(taskscope_loom)]
pub(crate) mod hint {
    pub(crate) fn wait() {
        loom::thread::yield_now();
    }
}
