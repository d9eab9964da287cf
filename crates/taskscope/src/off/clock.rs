//! The clock of scopes: nanoseconds since its first use. Nothing is timed but the end and the cancellation of scopes, so it may cost a system call.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Never 0, so that 0 can mean "not yet".
pub(crate) fn precise() -> u64 {
    let passed = START.elapsed().as_nanos();
    u64::try_from(passed).unwrap_or(u64::MAX).saturating_add(1)
}

pub(crate) fn coarse() -> u64 {
    precise()
}

/// Time between two readings.
pub(crate) fn between(earlier: u64, later: u64) -> Duration {
    Duration::from_nanos(later.saturating_sub(earlier))
}
