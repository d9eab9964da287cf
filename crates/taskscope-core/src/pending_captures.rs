//! How many marks for a capture are set in the process: counted on before a mark is set, counted
//! off by whoever takes it away.
//!
//! Not here: the marks themselves, which are bits of the records' state words; who is told when
//! none is left ([`crate::capture`]).

use std::sync::atomic::Ordering;

use crate::record::Request;
use crate::sync::atomic::AtomicUsize;

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The mark is set, by this request or an earlier one.
    pub(crate) marked: bool,
    /// This request had to be counted off again, and with that no mark is left.
    pub(crate) last: bool,
}

/// Sets a mark by `request` and counts it.
pub(crate) fn set(count: &AtomicUsize, request: impl FnOnce() -> Request) -> Asked {
    // Counted before it is set, so that whoever takes it away finds it counted.
    count.fetch_add(1, Ordering::AcqRel);
    let request = request();
    Asked {
        marked: request != Request::Finished,
        last: request != Request::Set && count_off(count),
    }
}

/// A mark is gone. True if it was the last.
pub(crate) fn count_off(count: &AtomicUsize) -> bool {
    count.fetch_sub(1, Ordering::AcqRel) == 1
}
