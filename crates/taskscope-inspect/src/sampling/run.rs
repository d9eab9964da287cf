//! The switch of sampling, the job that scans all tasks and adjusts the rate, and the report.
//!
//! Not here: how stretches are charged (`long_waits.rs`, `record.rs`).

use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{
    Activity, Dropped, Histograms, LONG_STRETCH, POLLS_PER_SECOND, Report, Row, long_waits, record,
    totals,
};
use crate::dump::TraceCache;
use crate::{clock, long_jobs, poll_sampler, pool, threads};

/// How often the rate is adjusted.
const ADJUST: Duration = Duration::from_millis(500);
/// Every poll is chosen until it is known how many there are, or a thread has chosen too many.
const FIRST: u8 = 0;
/// The time between two scans is at least this many times the time that one took.
const SHARE: u32 = 100;
/// Time between two scans while no thread polls, at the most.
const QUIET: Duration = Duration::from_secs(1);
/// It is also at the most this part of the time since when no thread polls. A stretch that ends
/// before the next scan is charged up to the last one only: gaps that grow faster than the time
/// that is measured would lose a part of it.
const PART_OF_QUIET: u32 = 32;

struct Switch {
    on_since: Option<Instant>,
    /// How long it was on before that.
    before: Duration,
}

static SWITCH: Mutex<Switch> = Mutex::new(Switch {
    on_since: None,
    before: Duration::ZERO,
});

fn switch() -> MutexGuard<'static, Switch> {
    // Plain values that are never left half-written.
    SWITCH.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn start() -> bool {
    let mut switch = switch();
    if switch.on_since.is_some() {
        return false;
    }
    switch.on_since = Some(Instant::now());
    poll_sampler::set([FIRST; 2]);
    drop(switch);
    if long_jobs::wake() {
        return true;
    }
    // Without the thread nobody would set the rate, and every poll would be chosen.
    stop();
    false
}

pub(super) fn stop() -> bool {
    let mut switch = switch();
    let Some(since) = switch.on_since.take() else {
        return false;
    };
    switch.before += since.elapsed();
    poll_sampler::switch_off();
    true
}

pub(super) fn is_on() -> bool {
    switch().on_since.is_some()
}

pub(super) fn sampled() -> Duration {
    let switch = switch();
    let since = switch.on_since.map(|since| since.elapsed());
    switch.before + since.unwrap_or_default()
}

/// State from one scan to the next.
struct Scans {
    scanned_at: Instant,
    next: Instant,
    last_took: Duration,
    /// Since when no thread polls.
    quiet_since: Option<Instant>,
    adjusted_at: Instant,
    /// Numbers of late polls and of all, at that time.
    polls: [u64; 2],
}

/// `None`: sampling is off.
static SCANS: Mutex<Option<Scans>> = Mutex::new(None);

fn scans() -> MutexGuard<'static, Option<Scans>> {
    SCANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Scans all tasks and adjusts the rate if it is time. Returns the time until the next scan. For
/// the thread of long jobs.
pub(crate) fn job() -> Option<Duration> {
    if !is_on() {
        *scans() = None;
        return None;
    }
    let now = Instant::now();
    let mut scans = scans();
    let scans = scans.get_or_insert_with(|| Scans {
        scanned_at: now,
        next: after(now, LONG_STRETCH),
        last_took: Duration::ZERO,
        quiet_since: None,
        adjusted_at: now,
        polls: counts(),
    });
    if scans.next <= now {
        scans.scan(now);
    }
    Some(scans.next.saturating_duration_since(Instant::now()))
}

/// A random moment, on average `rest` later.
fn after(now: Instant, rest: Duration) -> Instant {
    now + rest.mul_f64(0.5 + fastrand::f64())
}

impl Scans {
    fn scan(&mut self, now: Instant) {
        let took = long_waits::scan(now.duration_since(self.scanned_at));
        self.scanned_at = now;
        self.quiet_since = clock::is_asleep().then(|| self.quiet_since.unwrap_or(now));
        let quiet = self
            .quiet_since
            .map_or(Duration::ZERO, |since| now.duration_since(since));
        // One scan that took long was held up by others; with many tasks each of them does.
        let rest = rest_after(took.min(self.last_took), quiet);
        self.last_took = took;
        self.next = after(Instant::now(), rest);
        let since = now.duration_since(self.adjusted_at);
        if since >= ADJUST {
            let before = std::mem::replace(&mut self.polls, counts());
            adjust(before, self.polls, since);
            self.adjusted_at = now;
        }
    }
}

/// The average time before the next scan, if one takes this long and no thread has polled for this
/// time.
fn rest_after(took: Duration, quiet: Duration) -> Duration {
    LONG_STRETCH
        .max(took * SHARE)
        .max(QUIET.min(quiet / PART_OF_QUIET))
}

/// Numbers of late polls, and of all.
fn counts() -> [u64; 2] {
    [threads::late_polls(), threads::polls()]
}

/// Chooses one poll in 2^n from now on, n as small as [`POLLS_PER_SECOND`] allows.
fn adjust(before: [u64; 2], now: [u64; 2], time: Duration) {
    let n = [0, 1].map(|kind| {
        let per_second = now[kind].wrapping_sub(before[kind]) as f64 / time.as_secs_f64();
        let one_in = per_second / f64::from(POLLS_PER_SECOND);
        one_in.max(1.0).log2().ceil() as u8
    });
    let switch = switch();
    if switch.on_since.is_some() {
        poll_sampler::set(n);
    }
}

/// The rows of the last report.
fn last_report() -> MutexGuard<'static, Option<totals::Rows>> {
    static LAST: Mutex<Option<totals::Rows>> = Mutex::new(None);
    // Only ever replaced as a whole.
    LAST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes no row smaller than in the last report. A wait that ended between the two readings of
/// [`report`] is in neither of them.
fn no_less_than_reported(mut rows: totals::Rows) -> totals::Rows {
    let mut before = last_report();
    for (key, reported) in before.take().into_iter().flatten() {
        let sum = rows.entry(key).or_default();
        sum.count = sum.count.max(reported.count);
        sum.time = sum.time.max(reported.time);
    }
    *before = Some(rows.clone());
    rows
}

pub(super) fn histograms() -> Histograms {
    super::histograms::snapshot()
}

pub(super) fn dropped() -> Dropped {
    Dropped {
        rows: totals::LOST.load(Ordering::Relaxed),
        histograms: super::histograms::lost(),
        without_room: totals::WITHOUT_ROOM.load(Ordering::Relaxed),
    }
}

pub(super) fn report() -> Report {
    let reported = last_report().as_ref().map_or(0, totals::Rows::len);
    let mut rows = totals::snapshot();
    for hold in pool::live() {
        let Some(wait) = hold.sampled_wait() else {
            continue;
        };
        let until = wait.woken_at.unwrap_or_else(clock::precise);
        let sum = record::sum(wait.weight, wait.since, until);
        let key = record::key(hold.record(), hold.meta(), Activity::Waiting, wait.stack);
        totals::add_to(&mut rows, reported, key, sum);
    }
    let rows = no_less_than_reported(rows);
    let mut cache = TraceCache::default();
    let rows = rows.into_iter().map(|(key, sum)| Row {
        activity: key.activity,
        trace: key.stack.map(|stack| cache.of_task(&stack)),
        site: key.site,
        future: (key.future)(),
        scope: key.scope,
        background: key.background,
        earlier: key.earlier,
        count: sum.count.max(1),
        time: Duration::from_nanos(sum.time),
    });
    Report {
        rows: rows.collect(),
        sampled: sampled(),
        sampling_rate: poll_sampler::now().map(|n| n.map_or(0, poll_sampler::SampleWeight::count)),
        lost: totals::LOST.load(Ordering::Relaxed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scans_are_as_frequent_as_the_time_they_take_and_the_time_they_measure_allow() {
        let (short, second) = (Duration::from_micros(10), Duration::from_secs(1));
        assert_eq!(rest_after(short, Duration::ZERO), LONG_STRETCH);
        assert_eq!(rest_after(20 * second / 1000, Duration::ZERO), 2 * second);
        // For a task that sleeps alone, a few percent are missed at the most, from the first second
        // to the last.
        for quiet in [1, 2, 3].map(|seconds| seconds * second) {
            assert_eq!(rest_after(short, quiet), LONG_STRETCH);
        }
        for quiet in [5, 10, 30, 3600].map(|seconds| seconds * second) {
            assert!(rest_after(short, quiet) <= quiet / 32);
        }
        assert_eq!(rest_after(short, 3600 * second), second);
    }
}
