//! Histograms of the lengths of chosen stretches, each counted for all that it stands for.
//!
//! Unlike in the totals, a length counts as a whole, also beyond
//! [`LONG_STRETCH`](super::LONG_STRETCH): whether a stretch is chosen does not depend on how long
//! it gets. There are several tables, so that threads that poll do not meet; and they never wait:
//! one that finds all tables taken counts its stretch as lost. Not here: which stretches are
//! recorded (`record.rs`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use super::{Activity, BOUNDS, COARSE_BOUNDS, Histogram, Histograms, SampleWeight};
use crate::threads;

const TABLES: usize = 16;
const ACTIVITIES: usize = 3;

/// Counts of one activity, with a last bucket for lengths beyond all bounds.
#[derive(Clone, Copy)]
struct Counts {
    buckets: [u64; BOUNDS.len() + 1],
    /// Nanoseconds. A million tasks that wait fill 64 bits in five hours.
    sum: u128,
}

type Table = [Counts; ACTIVITIES];

const EMPTY: Table = [Counts {
    buckets: [0; BOUNDS.len() + 1],
    sum: 0,
}; ACTIVITIES];

static COUNTS: [Mutex<Table>; TABLES] = [const { Mutex::new(EMPTY) }; TABLES];
static LOST: AtomicU64 = AtomicU64::new(0);

/// Counts a stretch, on a thread that must not wait.
pub(super) fn add(activity: Activity, length: Duration, weight: SampleWeight) {
    let first = usize::from(threads::slot().index());
    for table in 0..TABLES {
        let mut table = match COUNTS[(first + table) % TABLES].try_lock() {
            Ok(table) => table,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => continue,
        };
        table[activity as usize].add(length, weight.count());
        return;
    }
    record_lost();
}

/// Counts a chosen stretch as lost.
pub(super) fn record_lost() {
    LOST.fetch_add(1, Ordering::Relaxed);
}

pub(super) fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}

impl Counts {
    fn add(&mut self, length: Duration, count: u64) {
        let bucket = BOUNDS.partition_point(|bound| *bound < length);
        self.buckets[bucket] = self.buckets[bucket].saturating_add(count);
        let time = length.as_nanos().saturating_mul(u128::from(count));
        self.sum = self.sum.saturating_add(time);
    }

    fn add_all(&mut self, other: &Counts) {
        for (here, there) in self.buckets.iter_mut().zip(other.buckets) {
            *here = here.saturating_add(there);
        }
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// The histogram with these bounds, which are the last ones of [`BOUNDS`].
    fn histogram(&self, bounds: &[Duration]) -> Histogram {
        let skipped = BOUNDS.len() - bounds.len();
        let below: u64 = self.buckets[..skipped].iter().sum();
        let counts = self.buckets[skipped..BOUNDS.len()].iter().copied();
        let mut buckets: Vec<_> = bounds.iter().copied().zip(counts).collect();
        if let Some((_, first)) = buckets.first_mut() {
            *first = first.saturating_add(below);
        }
        let seconds = u64::try_from(self.sum / 1_000_000_000).unwrap_or(u64::MAX);
        Histogram {
            buckets,
            above: self.buckets[BOUNDS.len()],
            sum: Duration::new(seconds, (self.sum % 1_000_000_000) as u32),
        }
    }
}

fn lock(table: &'static Mutex<Table>) -> MutexGuard<'static, Table> {
    // A panic half-way leaves a sum that is wrong by one stretch.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn snapshot() -> Histograms {
    let mut all = EMPTY;
    for table in &COUNTS {
        let table = *lock(table);
        for (sum, more) in all.iter_mut().zip(&table) {
            sum.add_all(more);
        }
    }
    let of = |activity, bounds| all[activity as usize].histogram(bounds);
    Histograms {
        waiting: of(Activity::Waiting, COARSE_BOUNDS),
        scheduled: of(Activity::Scheduled, COARSE_BOUNDS),
        running: of(Activity::Running, &BOUNDS),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// One test at a time: each reads all tables, or takes them.
    static TURN: Mutex<()> = Mutex::new(());

    fn turn() -> MutexGuard<'static, ()> {
        TURN.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn once() -> SampleWeight {
        SampleWeight::of_code(1).unwrap()
    }

    #[test]
    fn a_length_counts_in_the_first_bucket_that_has_room_for_it() {
        let mut counts = EMPTY[0];
        for (length, times) in [
            (Duration::ZERO, 1),
            (BOUNDS[0], 2),
            (BOUNDS[0] + Duration::from_nanos(1), 4),
            (100 * MS, 8),
            (Duration::from_secs(601), 16),
        ] {
            counts.add(length, times);
        }
        let histogram = counts.histogram(&BOUNDS);
        assert_eq!(histogram.buckets[0].1, 3);
        assert_eq!(histogram.buckets[1].1, 4);
        let of_100_ms = histogram
            .buckets
            .iter()
            .find(|(bound, _)| *bound == 100 * MS);
        assert_eq!(of_100_ms.unwrap().1, 8);
        assert_eq!((histogram.above, histogram.count()), (16, 31));
        let sum = 2 * BOUNDS[0] + 4 * (BOUNDS[0] + Duration::from_nanos(1)) + 800 * MS;
        assert_eq!(histogram.sum, sum + Duration::from_secs(16 * 601));
        // Lengths too short for a clock of a millisecond are in the first coarse bucket.
        let coarse = counts.histogram(COARSE_BOUNDS);
        assert_eq!(coarse.buckets[0], (COARSE_BOUNDS[0], 7));
        assert_eq!((coarse.count(), coarse.sum), (31, histogram.sum));
    }

    #[test]
    fn bounds_ascend_and_the_coarse_ones_are_no_finer_than_twice_the_clock() {
        assert!(BOUNDS.is_sorted_by(|one, next| one < next));
        assert!(COARSE_BOUNDS[0] >= 2 * crate::clock::RESOLUTION);
        assert_eq!(BOUNDS.last(), COARSE_BOUNDS.last());
    }

    #[test]
    fn no_number_gets_smaller_while_others_count_and_nothing_is_missing_in_the_end() {
        let _turn = turn();
        let (before, lost_before) = (snapshot(), lost());
        const THREADS: u64 = 4;
        const TIMES: u64 = 20_000;
        thread::scope(|threads| {
            let counting: Vec<_> = (0..THREADS)
                .map(|thread| {
                    threads.spawn(move || {
                        for time in 0..TIMES {
                            let length = Duration::from_micros(time * (thread + 1));
                            let weight = SampleWeight::of_code((time % 20) as u8 + 1).unwrap();
                            add(Activity::Running, length, weight);
                        }
                    })
                })
                .collect();
            let mut last = snapshot().running;
            while counting.iter().any(|thread| !thread.is_finished()) {
                let now = snapshot().running;
                assert!(now.sum >= last.sum && now.above >= last.above);
                let mut buckets = now.buckets.iter().zip(&last.buckets);
                assert!(buckets.all(|((_, now), (_, last))| now >= last));
                last = now;
            }
        });
        if lost() == lost_before {
            let each: u64 = (0..TIMES).map(|time| 1 << (time % 20)).sum();
            let counted = snapshot().running.count() - before.running.count();
            assert_eq!(counted, THREADS * each);
        }
    }

    #[test]
    fn who_finds_all_tables_taken_does_not_wait_and_says_so() {
        let _turn = turn();
        let before = lost();
        let mut taken: Vec<_> = COUNTS.iter().map(lock).collect();
        add(Activity::Waiting, MS, once());
        assert_eq!(lost(), before + 1);
        taken.pop();
        add(Activity::Waiting, MS, once());
        assert_eq!(lost(), before + 1);
    }
}
