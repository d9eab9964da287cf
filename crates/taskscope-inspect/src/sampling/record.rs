//! What chosen polls and waits are charged with, on the threads that poll: the part of each that is not [long](super::LONG). Their whole lengths go to the histograms.
//!
//! Not here: what is long (`sweep.rs`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use callstack::Stack;

use super::sums::Sum;
use super::{Activity, LONG, StandsFor, histograms, sums};
use crate::NoTrace;
use crate::clock;
use crate::record::{Meta, Record, Traits};

/// A task was woken, or spawned, and polled so much later.
pub(crate) fn delayed(record: &Record, meta: &Meta, stands_for: StandsFor, from: u64, to: u64) {
    let key = key(record, meta, Activity::Scheduled, Err(NoTrace::Running));
    histograms::add(Activity::Scheduled, clock::between(from, to), stands_for);
    sums::add(key, sum(stands_for, from, to));
}

/// A poll took so long.
pub(crate) fn ran(record: &Record, meta: &Meta, stands_for: StandsFor, from: u64, to: u64) {
    let key = key(record, meta, Activity::Running, Err(NoTrace::Running));
    histograms::add(Activity::Running, clock::between(from, to), stands_for);
    sums::add(key, sum(stands_for, from, to));
}

/// A wait has ended.
pub(crate) fn waited(
    record: &Record,
    meta: &Meta,
    stands_for: StandsFor,
    stack: Result<Arc<Stack>, NoTrace>,
    since: u64,
    until: u64,
) {
    let key = key(record, meta, Activity::Waiting, stack);
    histograms::add(Activity::Waiting, clock::between(since, until), stands_for);
    sums::add(key, sum(stands_for, since, until));
}

/// A chosen poll, or wait, could not be told.
pub(crate) fn lost() {
    sums::LOST.fetch_add(1, Ordering::Relaxed);
}

/// A chosen wait is not followed to its end.
pub(crate) fn lost_wait() {
    lost();
    histograms::lost();
}

pub(super) fn key(
    record: &Record,
    meta: &Meta,
    activity: Activity,
    stack: Result<Arc<Stack>, NoTrace>,
) -> sums::Key {
    sums::Key {
        activity,
        stack,
        site: meta.site,
        future: meta.future,
        scope: meta.scope.as_ref().map(|scope| scope.shared_name()),
        background: record.traits().has(Traits::BACKGROUND),
        earlier: false,
    }
}

/// How often, and for how long: all that it stands for.
pub(super) fn sum(stands_for: StandsFor, from: u64, to: u64) -> Sum {
    let count = stands_for.count();
    let time = clock::between(from, to).min(LONG);
    Sum {
        count,
        time: (time.as_nanos() as u64).saturating_mul(count),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_counts_for_all_that_it_stands_for_and_only_up_to_what_is_long() {
        let from = clock::precise();
        let after = |interval| from + clock::ticks(interval);
        let stands_for = |n: u8| StandsFor::of_code(n + 1).unwrap();
        let told = |n, interval| {
            let sum = sum(stands_for(n), from, after(interval));
            assert_eq!(sum.count, 1 << n);
            Duration::from_nanos(sum.time)
        };
        let ten = Duration::from_millis(10);
        for (n, times) in [(0, 1), (5, 32)] {
            let (told, expected) = (told(n, ten), ten * times);
            assert!(told.abs_diff(expected) < expected / 100, "{told:?}");
        }
        assert_eq!(told(3, 7 * LONG), 8 * LONG);
        // Readings of two cores may be out of order.
        assert_eq!(sum(stands_for(5), after(ten), from).time, 0);
    }
}
