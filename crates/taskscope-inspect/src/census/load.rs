//! How busy the workers of a runtime are, by what tokio tells on stable Rust at two moments.
//!
//! Only numbers are stored from one reading to the next: a `Handle` would keep the runtime's file
//! descriptors open. Not here: when it is read (`history.rs`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::runtime::{Id, RuntimeFlavor};

use super::{CENSUS_RUNTIMES, RuntimeLoad, WorkerLoad};
use crate::RuntimeInfo;
use crate::runtime::Tally;

/// A worker's counters.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Counters {
    /// Number of parks and unparks: odd while the worker is parked.
    parks_and_unparks: u64,
    busy: Duration,
}

/// All workers' counters at one moment.
pub(super) struct Readings {
    at: Instant,
    runtimes: HashMap<Id, Vec<Counters>>,
}

impl Readings {
    pub(super) fn age(&self) -> Duration {
        self.at.elapsed()
    }
}

/// The loads of all runtimes, and the readings for the next time.
pub(super) struct Loads {
    pub(super) loads: Vec<RuntimeLoad>,
    /// Runtimes beyond [`CENSUS_RUNTIMES`].
    pub(super) left_out: usize,
    /// The same runtimes, in the same order, with their handles.
    pub(super) infos: Vec<RuntimeInfo>,
    pub(super) readings: Readings,
}

/// Reads all runtimes and compares with what was read before.
pub(super) fn read(tally: &Tally, before: Option<&Readings>) -> Loads {
    let mut each = tally.each();
    let at = Instant::now();
    let left_out = each.len().saturating_sub(CENSUS_RUNTIMES);
    each.truncate(CENSUS_RUNTIMES);
    let mut runtimes = HashMap::with_capacity(each.len());
    let mut loads = Vec::with_capacity(each.len());
    for (info, running) in &each {
        let counters = counters(info);
        let known = before.and_then(|before| Some((before.at, before.runtimes.get(&info.id)?)));
        let over = known.map_or(Duration::ZERO, |(then, _)| {
            at.saturating_duration_since(then)
        });
        let may_be_in_a_poll = may_be_in_a_poll(info, *running);
        let workers = counters.iter().enumerate().map(|(worker, now)| {
            let before = known.and_then(|(_, counters)| counters.get(worker));
            let (busy, in_one_poll) = match before {
                Some(before) => judge(before, now, over, may_be_in_a_poll),
                None => (None, false),
            };
            WorkerLoad {
                busy,
                in_one_poll,
                parks: info.handle().metrics().worker_park_count(worker),
            }
        });
        loads.push(RuntimeLoad {
            number: info.number,
            workers: workers.collect(),
            flavor: info.flavor,
            tracked: info.tracked,
            untracked: info.untracked,
            global_queue: info.handle().metrics().global_queue_depth(),
            over,
            name: info.name.clone(),
        });
        runtimes.insert(info.id, counters);
    }
    Loads {
        loads,
        left_out,
        infos: each.into_iter().map(|(info, _)| info).collect(),
        readings: Readings { at, runtimes },
    }
}

fn counters(info: &RuntimeInfo) -> Vec<Counters> {
    let metrics = info.handle().metrics();
    let worker = |worker| Counters {
        parks_and_unparks: metrics.worker_park_unpark_count(worker),
        busy: metrics.worker_total_busy_duration(worker),
    };
    (0..metrics.num_workers()).map(worker).collect()
}

/// Whether a worker whose counters stand still can be in a poll. The counters of a current-thread
/// runtime also stand still while no thread drives it, and those of one that was shut down for
/// ever.
fn may_be_in_a_poll(info: &RuntimeInfo, running: usize) -> bool {
    match info.handle().runtime_flavor() {
        RuntimeFlavor::CurrentThread => running > 0,
        _ => info.handle().metrics().num_alive_tasks() > 0,
    }
}

/// The share of the time that a worker was busy, and whether it was in one poll all the time.
fn judge(
    before: &Counters,
    now: &Counters,
    over: Duration,
    may_be_in_a_poll: bool,
) -> (Option<f64>, bool) {
    let is_parked = now.parks_and_unparks % 2 == 1;
    if before != now {
        let busy = now.busy.saturating_sub(before.busy).as_secs_f64();
        // A long poll that has just ended also counts with the part before the last reading.
        let share = busy / over.as_secs_f64().max(f64::MIN_POSITIVE);
        (Some(share.min(1.0)), false)
    } else if is_parked {
        (Some(0.0), false)
    } else if may_be_in_a_poll {
        (Some(1.0), true)
    } else {
        (None, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn counters(parks_and_unparks: u64, busy: Duration) -> Counters {
        Counters {
            parks_and_unparks,
            busy,
        }
    }

    #[test]
    fn a_worker_that_tells_nothing_is_parked_or_in_one_poll() {
        let (parked, awake) = (counters(7, SECOND), counters(8, SECOND));
        assert_eq!(judge(&parked, &parked, SECOND, true), (Some(0.0), false));
        assert_eq!(judge(&awake, &awake, SECOND, true), (Some(1.0), true));
        // Nobody drives it.
        assert_eq!(judge(&awake, &awake, SECOND, false), (None, false));
        assert_eq!(judge(&parked, &parked, SECOND, false), (Some(0.0), false));
    }

    #[test]
    fn a_worker_that_has_moved_was_busy_for_as_long_as_it_says_and_never_for_more_than_the_time() {
        let before = counters(7, SECOND);
        for (busy, share) in [(SECOND / 2, 0.5), (Duration::ZERO, 0.0), (3 * SECOND, 1.0)] {
            let now = counters(9, SECOND + busy);
            assert_eq!(judge(&before, &now, SECOND, true), (Some(share), false));
        }
        // Awake all the time, and it has told of 61 polls.
        let (before, now) = (counters(8, SECOND), counters(8, 2 * SECOND));
        assert_eq!(judge(&before, &now, SECOND, true), (Some(1.0), false));
        // Two looks at the same moment.
        let now = counters(9, SECOND);
        assert_eq!(judge(&before, &now, Duration::ZERO, true).0, Some(0.0));
    }
}
