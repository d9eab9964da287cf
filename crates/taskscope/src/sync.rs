//! The one door for the synchronisation that the record's protocols are made of, so that a model checker can take its place.
//!
//! With `--cfg taskscope_loom` (see `scripts/sanitize loom`) these are loom's. Not here: statics, locks and counters that are
//! no part of a protocol; they are the standard library's everywhere.

#[cfg(not(taskscope_loom))]
pub(crate) mod atomic {
    pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU64};
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
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU64};
}

#[cfg(taskscope_loom)]
pub(crate) mod hint {
    pub(crate) fn wait() {
        loom::thread::yield_now();
    }
}
