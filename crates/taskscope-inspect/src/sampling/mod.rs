//! Where the time of all tasks goes: waiting, waiting for a thread, running. Summed up since sampling was switched on, by async stack,
//! spawn site and scope.
//!
//! This is what Go's block, mutex and scheduler latency profiles show, for tasks. A dump shows what *is*; this shows what *was*, also of tasks
//! that have ended.
//!
//! # How it measures
//!
//! Every stretch of time that a task spends waiting, scheduled or running is cut in two at [`LONG_STRETCH`]:
//!
//! * **Up to [`LONG_STRETCH`]**: one poll in 2^n is chosen at random, n such that about [`POLLS_PER_SECOND`] are chosen in the process. It is timed, and it
//!   captures its async stack, in place: no poll of the task is added, but its future is polled twice in it if a leaf was left behind meanwhile,
//!   as in a dump ([`Builder::no_capture`](crate::Builder::no_capture) keeps a task from that). The delay before it, its length, and the wait after it count 2^n times each.
//!   Polls that come late (a millisecond or more after the task's last one) have an n of their own: the few tasks that really wait must not be lost among
//!   millions of polls of those that do not.
//! * **Beyond [`LONG_STRETCH`]**: a thread looks at all tasks about every [`LONG_STRETCH`], at random moments. Whoever has been at the same thing for longer than [`LONG_STRETCH`] is
//!   charged with the time since the last look. If its stack is not known, its last known one stands for it ([`Row::earlier`]), or its spawn site alone;
//!   its next poll then captures the stack, whenever that comes. No task is polled for it, unless [`poll_long_waits`] says so.
//!
//! Both are unbiased: a stretch of time is chosen, or looked at, independently of how long it is. Stretches that are still going on are included up to now.
//!
//! # Accuracy
//!
//! That of any sampling: what was met N times is right to about 1/√N. With few polls (below [`POLLS_PER_SECOND`]) every one of them is chosen.
//! Waits and delays are told by a clock with a resolution of a millisecond. That makes a single one wrong by up to that much, and a sum of many right.
//!
//! # Overhead
//!
//! For a poll that is not chosen: two comparisons, which are there when sampling is off, too. For one that is: one to two microseconds, [`POLLS_PER_SECOND`]
//! times a second. The thread that looks takes about 10 ns for each task, and looks more rarely when there are many, so that it takes 1 % of one processor at the most.
//! One row for each distinct stack, spawn site and scope is kept for ever, up to [`MAX_ROWS`].
//!
//! Not here: how a stack is captured (`capture/`), how a chosen wait is remembered (`record/chosen.rs`), any profile format.

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
pub(crate) use self::run::look;
pub use crate::poll_sampler::Activity;
use crate::poll_sampler::SampleWeight;
use crate::{NoTrace, Trace};

/// What takes longer is looked at by a thread, one by one: 100 ms.
pub const LONG_STRETCH: Duration = Duration::from_millis(100);

/// About how many polls are chosen in a second, in the whole process, of each of two kinds: 1,000.
pub const POLLS_PER_SECOND: u32 = 1000;

/// Rows that are kept: 16,384. Time that would need another one goes to a row without a stack and a scope, one for each spawn site.
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

/// Those that waits and delays are counted in, which are told by a clock with a resolution of a millisecond: 2 ms and above.
pub const COARSE_BOUNDS: &[Duration] = BOUNDS.split_at(7).1;

/// Switches sampling on, for all tasks of the process. False if it is on already, or if the system has no thread for it.
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
/// See the [module](self). The thread `taskscope-count` wakes ten times a second for it while tasks are polled, and more and more rarely while none is: once a second after half a minute.
///
/// No task is polled that would not be polled otherwise: see [`poll_long_waits`].
pub fn start() -> bool {
    crate::install();
    run::start()
}

/// Whether a task that waits for longer than [`LONG_STRETCH`] in a place that is not known is polled once more, as by a dump. The default is no.
///
/// With it, every long wait is charged to its own stack. But a poll that nothing has asked for can change what a program does: a task whose wake-up was lost
/// would go on after 100 ms, instead of hanging as it does without sampling. [`Builder::no_capture`](crate::Builder::no_capture) keeps single tasks from it.
pub fn poll_long_waits(poll: bool) {
    run::poll_long_waits(poll);
}

/// Switches sampling off. What was summed up stays; waits that began before count as they end. True if it was on.
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

/// What was summed up since sampling was first switched on, stretches that are going on included.
///
/// Numbers never get smaller from one report to the next. Blocks for as long as it takes to look at all tasks, and to look up the names of
/// functions that have none yet: tens of milliseconds the first time. Call it off the runtime.
#[must_use]
pub fn report() -> Report {
    run::report()
}

/// How long stretches of time were that have ended, since sampling was first switched on. Cheap: nothing is looked up, and no task is looked at.
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

/// What could not be kept, since the process began. Cheap.
#[must_use]
pub fn dropped() -> Dropped {
    run::dropped()
}

/// Stretches of time by length, each counted as a whole when it ended: estimates, like all that is sampled.
///
/// What began before sampling was switched on is not in it, nor is the first poll of a thread.
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

/// How often something took how long.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Histogram {
    /// Upper bounds, ascending, each with how many took up to it, and longer than the bound before. A length that is equal to a bound counts there.
    pub buckets: Vec<(Duration, u64)>,
    /// How many took longer than all bounds.
    pub above: u64,
    /// For how long in all.
    pub sum: Duration,
}

impl Histogram {
    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        let counts = self.buckets.iter().map(|(_, count)| *count);
        counts.fold(self.above, u64::saturating_add)
    }
}

/// What could not be kept of the polls and waits that were chosen. Each stood for as many as others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Dropped {
    /// Those that no row has: [`Report::lost`].
    pub rows: u64,
    /// Those that no histogram has.
    pub histograms: u64,
    /// Those that went to a row without a stack and a scope, because [`MAX_ROWS`] were there.
    pub without_room: u64,
}

/// The sums of one activity at one place.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Row {
    /// What time was spent on.
    pub activity: Activity,
    /// Where the tasks waited, or why that is not known. Always [`NoTrace::Running`] for time that was not spent waiting.
    pub trace: Result<Arc<Trace>, NoTrace>,
    /// Where the tasks were spawned.
    pub site: &'static Location<'static>,
    /// The type of their future.
    pub future: &'static str,
    /// The name of their scope.
    pub scope: Option<Arc<str>>,
    /// Declared long-lived.
    pub background: bool,
    /// `trace` is where the tasks waited in an earlier poll: where they wait this time is not known.
    pub earlier: bool,
    /// How often: an estimate, like the time. At least 1.
    pub count: u64,
    /// For how long in all.
    pub time: Duration,
}

/// What was summed up.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// The sums, in no particular order.
    pub rows: Vec<Row>,
    /// For how long sampling has been on, in all.
    pub sampled: Duration,
    /// Of so many polls one is chosen at the moment: of those that come late, and of the others. 0 if sampling is off.
    pub sampling_rate: [u64; 2],
    /// Polls that were chosen in vain, because a dump or another thread was in the way. Each stands for as many as others do.
    pub lost: u64,
}
