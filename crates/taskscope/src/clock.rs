//! The clock of all records: raw ticks of a calibrated time-stamp counter.
//!
//! `Instant::now` costs about as much as a whole poll on virtual machines (37 ns against 39 ns here), a counter
//! read costs about one nanosecond, so records store raw ticks and only a dump converts them.
//! The first use in a process calibrates the counter, which takes about 0.6 ms and never more than 200 ms.
//! Not here: wall-clock time, and tokio's pausable test clock, which a diagnostic must neither read nor move.

use std::sync::LazyLock;
use std::time::Duration;

use quanta::Clock;

static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::new);

/// Raw ticks now. Never 0, so that 0 can mean "not yet" in a record.
#[inline]
pub(crate) fn ticks() -> u64 {
    CLOCK.raw().max(1)
}

/// Time between two readings; zero if they are out of order, as readings of two cores may be by a few ticks.
pub(crate) fn between(earlier: u64, later: u64) -> Duration {
    CLOCK.delta(earlier, later)
}

/// Length of an interval that was summed up in ticks.
pub(crate) fn length(ticks: u64) -> Duration {
    CLOCK.delta(0, ticks)
}
