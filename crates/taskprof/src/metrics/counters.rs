//! Counters of the pages: captures and refused requests since the process began.
//!
//! Not here: figures of tasks and runtimes (`snapshot.rs`).

use std::sync::atomic::{AtomicU64, Ordering};

static CAPTURES: [AtomicU64; SOURCES] = [const { AtomicU64::new(0) }; SOURCES];
static REFUSED: AtomicU64 = AtomicU64::new(0);

/// An upper bound for the number of sources.
const SOURCES: usize = 32;

/// Counts a profile that was captured for a page.
pub(crate) fn captured(source: &str) {
    let at = crate::source::ALL.iter().position(|one| one.name == source);
    if let Some(count) = at.and_then(|at| CAPTURES.get(at)) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts a request that was refused because too much was going on.
pub(crate) fn refused() {
    REFUSED.fetch_add(1, Ordering::Relaxed);
}

/// Profiles that were captured, by source.
#[cfg(feature = "metrics")]
pub(super) fn captures() -> impl Iterator<Item = (&'static str, u64)> {
    let counts = CAPTURES.iter().map(|count| count.load(Ordering::Relaxed));
    let sources = crate::source::ALL.iter().zip(counts);
    sources
        .filter(|(source, _)| !source.sample_types.is_empty())
        .map(|(source, count)| (source.name, count))
}

#[cfg(feature = "metrics")]
pub(super) fn refusals() -> u64 {
    REFUSED.load(Ordering::Relaxed)
}
