//! The clock of all records: raw ticks of a calibrated time-stamp counter, read once a millisecond.
//!
//! The clock is the budget of a poll. `Instant::now` costs about as much as a whole poll on virtual
//! machines (37 ns against 39 ns here), and even a bare read of the counter costs 10 ns, three
//! times a poll. So one thread ([`crate::maintenance`]) reads the counter every [`RESOLUTION`]
//! while tasks are being polled, and everybody else reads what it wrote.
//!
//! What is lost: a single poll's length is right to a millisecond only. Sums are not biased:
//! whether a short poll sees the clock move is a matter of chance in proportion to its length, as
//! in any sampling profiler.
//!
//! While nobody polls, the thread sleeps and `NOW` says so; the next reader reads the counter
//! itself and wakes the thread. The first use in a process calibrates the counter, which takes
//! about 0.6 ms and never more than 200 ms. Not here: wall-clock time, and tokio's pausable test
//! clock, which a diagnostic must neither read nor move.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use quanta::Clock;

use crate::maintenance;

/// How often the coarse clock moves.
pub const RESOLUTION: Duration = Duration::from_millis(1);

/// Nobody keeps the clock.
const ASLEEP: u64 = 1 << 63;

static CLOCK: LazyLock<Clock> = LazyLock::new(|| {
    let clock = Clock::new();
    CALIBRATED.store(true, Ordering::Release);
    clock
});
static CALIBRATED: AtomicBool = AtomicBool::new(false);
static NOW: AtomicU64 = AtomicU64::new(ASLEEP);

/// Raw ticks, at most [`RESOLUTION`] old unless the machine is overloaded. Never 0, so that 0 can
/// mean "not yet" in a record.
#[inline]
pub fn coarse() -> u64 {
    let now = NOW.load(Ordering::Relaxed);
    if now < ASLEEP { now } else { awaken(now) }
}

/// Raw ticks of this moment.
pub fn precise() -> u64 {
    CLOCK.raw().max(1) & !ASLEEP
}

/// The same for a look at tasks that may be none: as long as nobody has read the clock, there is
/// nothing that has an age, and the clock is not calibrated for that.
pub fn precise_if_in_use() -> u64 {
    if CALIBRATED.load(Ordering::Acquire) {
        precise()
    } else {
        1
    }
}

#[cold]
#[inline(never)]
fn awaken(asleep: u64) -> u64 {
    let now = precise();
    // One reader wakes the thread; whoever comes later finds a clock that is kept.
    match NOW.compare_exchange(asleep, now, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            if !maintenance::wake() {
                // No thread to be had: everybody reads the counter.
                NOW.store(ASLEEP | now, Ordering::Relaxed);
            }
            now
        }
        // As the next reader will see it, which may be a little earlier: the clock does not go
        // back.
        Err(kept) if kept < ASLEEP => kept,
        Err(_) => now,
    }
}

/// Moves the coarse clock, if it is kept. Threads that poll do so now and then: a machine that is
/// too busy to run the upkeep thread in time is busy polling.
pub fn advance() {
    let before = NOW.load(Ordering::Relaxed);
    if before < ASLEEP {
        // If that fails, somebody else has moved it, or it has fallen asleep.
        let _ = NOW.compare_exchange(before, precise(), Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// From now on readers wake the upkeep thread.
pub fn fall_asleep() {
    NOW.store(ASLEEP | precise(), Ordering::Relaxed);
}

/// Whether nobody has read the clock since [`fall_asleep`].
pub fn is_asleep() -> bool {
    NOW.load(Ordering::Relaxed) >= ASLEEP
}

/// Time between two readings; zero if they are out of order, as readings of two cores may be by a
/// few ticks.
pub fn between(earlier: u64, later: u64) -> Duration {
    CLOCK.delta(earlier, later)
}

/// About how many ticks an interval has.
pub fn ticks(interval: Duration) -> u64 {
    const MANY: u64 = 1 << 32;
    let nanos = length(MANY).as_nanos().max(1);
    u64::try_from(interval.as_nanos() * u128::from(MANY) / nanos).unwrap_or(u64::MAX)
}

/// Length of an interval that was summed up in ticks.
pub fn length(ticks: u64) -> Duration {
    CLOCK.delta(0, ticks)
}
