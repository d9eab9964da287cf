//! Sampling: where the time of all tasks goes, waiting, waiting for a thread or running. Times are
//! summed up since sampling was switched on, by async stack, spawn site and scope.
//!
//! Go's block, mutex and scheduler latency profiles show the same for goroutines. A dump shows what
//! *is*; sampling shows what *was*, also of tasks that have ended.
//!
//! # How it measures
//!
//! Every stretch of time that a task spends waiting, scheduled or running is cut in two at
//! [`LONG_STRETCH`]:
//!
//! * **Up to [`LONG_STRETCH`]**: one poll in 2^n is chosen at random, n such that about
//!   [`POLLS_PER_SECOND`] are chosen in the process. It is timed, and it captures its async stack,
//!   in place: no poll of the task is added, but its future is polled twice in it if a leaf was
//!   left behind meanwhile, as in a dump (`Builder::no_capture` keeps a task from that). The delay
//!   before it, its length, and the wait after it count 2^n times each. Polls that come late (a
//!   millisecond or more after the task's last one) have an n of their own: the few tasks that
//!   really wait must not be lost among millions of polls of those that do not.
//! * **Beyond [`LONG_STRETCH`]**: a thread scans all tasks about every [`LONG_STRETCH`], at random
//!   moments. A task that has been at the same thing for longer than [`LONG_STRETCH`] is charged
//!   with the time since the last scan. If its stack is not known, its last known one stands for it
//!   ([`Row::earlier`]), or its spawn site alone; its next poll then captures the stack, whenever
//!   that comes. No task is polled for it, unless [`poll_long_waits`] says so.
//!
//! Both are unbiased: whether a stretch is chosen, or met by a scan, does not depend on how long it
//! is. Stretches that are still going on are included up to now.
//!
//! # Accuracy
//!
//! As accurate as any sampling: a time that was met N times is right to about 1/√N. With few polls
//! (below [`POLLS_PER_SECOND`]) every one of them is chosen. Waits and delays are measured by a
//! clock with a resolution of a millisecond. That makes a single one wrong by up to that much, and
//! a sum of many right.
//!
//! # Overhead
//!
//! A poll that is not chosen pays two comparisons, which are there when sampling is off, too. One
//! that is chosen pays one to two microseconds, [`POLLS_PER_SECOND`] times a second. The thread
//! that scans takes about 10 ns for each task, and scans more rarely when there are many, so that
//! it takes 1 % of one processor at the most. One row for each distinct stack, spawn site and scope
//! is kept for ever, up to [`MAX_ROWS`].
//!
//! Not here: how a stack is captured (`capture/`), how a chosen wait is remembered
//! (`record/sampled.rs`), any profile format.

#![allow(
    clippy::mutable_key_type,
    reason = "what a stack keeps besides its addresses is no part of a key's identity"
)]

mod histograms;
mod long_waits;
mod record;
mod run;
mod totals;

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::record::TABLES;
pub(crate) use self::run::job;
pub use crate::poll_sampler::Activity;
use crate::poll_sampler::SampleWeight;
use crate::{NoTrace, Trace};

/// Longer stretches are charged by a thread that scans all tasks: 100 ms.
pub const LONG_STRETCH: Duration = Duration::from_millis(100);

/// Polls that are chosen in a second, about, in the whole process, of each of two kinds: 1,000.
pub const POLLS_PER_SECOND: u32 = 1000;

/// Rows of sums: 16,384 at the most. Time that would need another one goes to a row without a stack
/// and a scope, one for each spawn site.
pub const MAX_ROWS: usize = 16 * 1024;

/// Upper bounds of the buckets that polls are counted in: 10 µs to 10 minutes.
pub const BOUNDS: [Duration; 24] = [
    Duration::from_micros(10),
    Duration::from_micros(20),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(60),
    Duration::from_secs(120),
    Duration::from_secs(300),
    Duration::from_secs(600),
];

/// Bounds of the buckets for waits and delays, which are measured by a clock with a resolution of a
/// millisecond: 2 ms and above.
pub const COARSE_BOUNDS: &[Duration] = BOUNDS.split_at(7).1;

/// Switches sampling on, for all tasks of the process. Returns false if it is on already, or if the
/// system has no thread for it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use taskscope::sampling::{self, Activity};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// sampling::start();
/// taskscope::spawn(tokio::time::sleep(Duration::from_millis(300))).await?;
///
/// let report = sampling::report();
/// let waited = report.rows.iter().filter(|row| row.activity == Activity::Waiting);
/// assert!(waited.map(|row| row.time).sum::<Duration>() > Duration::from_millis(50));
/// # Ok::<(), tokio::task::JoinError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Overhead
///
/// See the [module](self). The thread `taskscope-count` wakes ten times a second for it while tasks
/// are polled, and more and more rarely while none is: once a second after half a minute.
///
/// No task is polled that would not be polled otherwise: see [`poll_long_waits`].
pub fn start() -> bool {
    crate::install();
    run::start()
}

/// Sets whether a task that waits for longer than [`LONG_STRETCH`] in a place that is not known is
/// polled once more, as by a dump. The default is no.
///
/// With it, every long wait is charged to its own stack. But a poll that nothing has asked for can
/// change what a program does: a task whose wake-up was lost would go on after 100 ms, instead of
/// hanging as it does without sampling. `Builder::no_capture` keeps single tasks from it.
pub fn poll_long_waits(poll: bool) {
    long_waits::poll_long_waits(poll);
}

/// Switches sampling off. Sums stay; waits that began before count as they end. Returns true if it
/// was on.
pub fn stop() -> bool {
    run::stop()
}

/// Whether sampling is on.
#[must_use]
pub fn is_on() -> bool {
    run::is_on()
}

/// For how long sampling has been on, in all.
#[must_use]
pub fn sampled() -> Duration {
    run::sampled()
}

/// Reports the sums since sampling was first switched on, stretches that are going on included.
///
/// Numbers never get smaller from one report to the next. Blocks for as long as it takes to read
/// all tasks, and to look up the names of functions that have none yet: tens of milliseconds the
/// first time. Call it off the runtime.
#[must_use]
pub fn report() -> Report {
    run::report()
}

/// Histograms of the lengths of stretches that have ended, since sampling was first switched on.
/// Cheap: no name is looked up, and no task is read.
///
/// Numbers never get smaller from one call to the next.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use taskscope::sampling;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// sampling::start();
/// for _ in 0..10 {
///     taskscope::spawn(tokio::time::sleep(Duration::from_millis(30))).await?;
/// }
/// let waiting = sampling::histograms().waiting;
/// let long = waiting.buckets.iter().filter(|(bound, _)| *bound > Duration::from_millis(20));
/// assert!(long.map(|(_, count)| count).sum::<u64>() > 5);
/// # Ok::<(), tokio::task::JoinError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn histograms() -> Histograms {
    run::histograms()
}

/// Samples that were dropped since the process began. Cheap.
#[must_use]
pub fn dropped() -> Dropped {
    run::dropped()
}

/// Stretches of time by length, each counted as a whole when it ended: estimates, like all that is
/// sampled.
///
/// Stretches that began before sampling was switched on are left out, and so is the first poll of a
/// thread.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Histograms {
    /// Waits: from the end of a poll to the wake, or to the end of the task. In [`COARSE_BOUNDS`].
    pub waiting: Histogram,
    /// Delays: from a wake, or a spawn, to the poll. In [`COARSE_BOUNDS`].
    pub scheduled: Histogram,
    /// Polls. In [`BOUNDS`].
    pub running: Histogram,
}

/// A histogram: how often something took how long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Histogram {
    /// Upper bounds, ascending, each with the number of stretches that took up to it, and longer
    /// than the bound before. A length that is equal to a bound counts there.
    pub buckets: Vec<(Duration, u64)>,
    /// Stretches that took longer than all bounds.
    pub above: u64,
    /// For how long in all.
    pub sum: Duration,
}

impl Histogram {
    /// Number of all stretches.
    #[must_use]
    pub fn count(&self) -> u64 {
        let counts = self.buckets.iter().map(|(_, count)| *count);
        counts.fold(self.above, u64::saturating_add)
    }
}

/// Chosen polls and waits that were dropped, each standing for as many as others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Dropped {
    /// Stretches that are in no row: [`Report::lost`].
    pub rows: u64,
    /// Stretches that are in no histogram.
    pub histograms: u64,
    /// Stretches that went to a row without a stack and a scope, because there were [`MAX_ROWS`]
    /// rows.
    pub without_room: u64,
}

/// The sums of one activity at one place.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Row {
    /// The activity that the time was spent on.
    pub activity: Activity,
    /// Where the tasks waited, or why that is not known. Always [`NoTrace::Running`] for time that
    /// was not spent waiting.
    pub trace: Result<Arc<Trace>, NoTrace>,
    /// Where the tasks were spawned.
    pub site: &'static Location<'static>,
    /// The type of their future.
    pub future: &'static str,
    /// The name of their scope.
    pub scope: Option<Arc<str>>,
    /// Whether they were declared long-lived.
    pub background: bool,
    /// Whether `trace` is of an earlier poll of the tasks: where they wait this time is not known.
    pub earlier: bool,
    /// Number of stretches: an estimate, like the time. At least 1.
    pub count: u64,
    /// For how long in all.
    pub time: Duration,
}

/// The sums of all activities and places.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The sums, in no particular order.
    pub rows: Vec<Row>,
    /// For how long sampling has been on, in all.
    pub sampled: Duration,
    /// One in this many polls is chosen at the moment: of late polls, and of the others. 0 if
    /// sampling is off.
    pub sampling_rate: [u64; 2],
    /// Chosen polls that were lost, because a dump or another thread was in the way. Each stands
    /// for as many as others do.
    pub lost: u64,
}
