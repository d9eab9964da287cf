//! Detects a child that was forked from a process that had used this crate: `fork` copies memory
//! and no thread.
//!
//! The child has none of our threads, and a lock that one of them held is locked for ever. So every
//! function that hands work to a thread, or takes a lock that a thread of ours takes, calls
//! [`check`] first. A child that calls `exec`, or whose parent had not used the crate, is not
//! concerned. Not here: heap samples of a child (`heap/collector.rs`).

use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Error;

/// The process that used this crate first; 0 before that.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Refuses in a forked child. Takes no lock.
pub(crate) fn check() -> Result<(), Error> {
    let now = process::id();
    // Relaxed: only this number is exchanged, and a child has a copy of it from before its first
    // instruction.
    match PROCESS.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => Ok(()),
        Err(first) if first == now => Ok(()),
        Err(first) => Err(Error::unavailable(format!(
            "this process was forked from process {first}, which has used the profiler: its threads do not exist here, so nothing can be captured; fork before the first use, or exec after fork"
        ))),
    }
}
