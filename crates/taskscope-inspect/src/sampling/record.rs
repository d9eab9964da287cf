//! Records chosen polls and waits, on the threads that poll. Totals get the part of each that is
//! not [long](super::LONG_STRETCH), histograms the whole length.
//!
//! Not here: long stretches (`long_waits.rs`), which polls are chosen (the core).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use callstack::Stack;

use super::totals::Sum;
use super::{Activity, LONG_STRETCH, SampleWeight, histograms, totals};
use crate::NoTrace;
use crate::clock;
use crate::poll_sampler::{Sink, Stretch};
use crate::record::{Meta, Record, Traits};

/// The sink of the core's chosen stretches: the tables of totals and the histograms.
pub(crate) struct Tables;

pub(crate) static TABLES: Tables = Tables;

impl Sink for Tables {
    fn record(&self, stretch: Stretch<'_>) {
        let Stretch {
            activity,
            record,
            meta,
            weight,
            stack,
            from,
            to,
        } = stretch;
        let key = key(record, meta, activity, stack);
        histograms::add(activity, clock::between(from, to), weight);
        totals::add(key, sum(weight, from, to));
    }

    fn lost(&self) {
        totals::LOST.fetch_add(1, Ordering::Relaxed);
    }

    fn lost_wait(&self) {
        self.lost();
        histograms::record_lost();
    }
}

pub(super) fn key(
    record: &Record,
    meta: &Meta,
    activity: Activity,
    stack: Result<Arc<Stack>, NoTrace>,
) -> totals::Key {
    totals::Key {
        activity,
        stack,
        site: meta.site,
        future: meta.future,
        scope: meta.scope.as_ref().map(|scope| scope.name().clone()),
        background: record.traits().has(Traits::BACKGROUND),
        earlier: false,
    }
}

/// The count and the time of all that a chosen stretch stands for.
pub(super) fn sum(weight: SampleWeight, from: u64, to: u64) -> Sum {
    let count = weight.count();
    let time = clock::between(from, to).min(LONG_STRETCH);
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
        let weight = |n: u8| SampleWeight::of_code(n + 1).unwrap();
        let counted = |n, interval| {
            let sum = sum(weight(n), from, after(interval));
            assert_eq!(sum.count, 1 << n);
            Duration::from_nanos(sum.time)
        };
        let ten = Duration::from_millis(10);
        for (n, times) in [(0, 1), (5, 32)] {
            let (counted, expected) = (counted(n, ten), ten * times);
            assert!(counted.abs_diff(expected) < expected / 100, "{counted:?}");
        }
        assert_eq!(counted(3, 7 * LONG_STRETCH), 8 * LONG_STRETCH);
        // Readings of two cores may be out of order.
        assert_eq!(sum(weight(5), after(ten), from).time, 0);
    }
}
