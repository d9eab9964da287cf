//! The watchdog's work on the watch thread of the core: takes stacks of blocked threads.
//!
//! It notices a poll that takes too long, takes the native stack of the thread while it is blocked,
//! once for each such poll, and stores it with the task. So a dump that comes later still shows
//! what blocked. A thread that is in a system call is not interrupted: the call could return early.
//!
//! The watch thread does nothing that takes long, so that it is prompt. Not here: counts
//! ([`crate::long_jobs`]).

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use callstack::thread::{self, ClaimError, Signal, Tid};
use callstack::{Completeness, Stack};

use super::Watchdog;
use crate::clock;
use crate::record::{LongPoll, Record, Traits};
use crate::threads::{self, Polling};
use crate::verdict::BLOCKING_THRESHOLD;

/// How long the blocked thread may take to answer.
const ANSWER: Duration = Duration::from_millis(100);

/// How long one round of stacks may take.
const PATIENCE: Duration = Duration::from_secs(1);

static THRESHOLD: AtomicU64 = AtomicU64::new(BLOCKING_THRESHOLD.as_nanos() as u64);
static STACKS: AtomicBool = AtomicBool::new(true);
static SIGNAL: OnceLock<Result<Signal, ClaimError>> = OnceLock::new();

/// Applies the configuration to the whole process, also to polls that are going on.
pub(super) fn apply(config: &Watchdog) -> Result<(), ClaimError> {
    if config.stacks {
        let claimed = match config.signal {
            Some(number) => Signal::claim_number(number)?,
            None => Signal::claim()?,
        };
        // If it was claimed before, it was the same one: a process has one at most.
        let _ = SIGNAL.set(Ok(claimed));
    }
    let threshold = u64::try_from(config.threshold.as_nanos()).unwrap_or(u64::MAX);
    THRESHOLD.store(threshold, Ordering::Relaxed);
    STACKS.store(config.stacks, Ordering::Relaxed);
    Ok(())
}

/// How long a poll may take.
pub(crate) fn threshold() -> Duration {
    Duration::from_nanos(THRESHOLD.load(Ordering::Relaxed))
}

/// Whether the record's task is in a poll that takes too long, as of that moment.
fn is_late(record: &Record, now: u64) -> bool {
    record.thread() != 0
        && !record.traits().has(Traits::BLOCKING)
        && clock::between(record.since(), now) >= threshold()
}

/// Takes the stacks of threads that are in a poll for too long. Cheap if none is. For the watch
/// thread.
pub(crate) fn check() {
    let now = clock::precise();
    let threshold = threshold();
    let is_late = |since: u64| clock::between(since, now) >= threshold;
    let polling = threads::polling();
    if polling.iter().filter_map(Polling::since).any(is_late) {
        catch_late(now, Instant::now() + PATIENCE);
    }
}

/// Takes the stacks of all threads whose poll takes too long as of `by`, unless this poll's stack
/// was taken already.
pub(crate) fn catch_late(by: u64, deadline: Instant) {
    for polling in threads::polling() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        let Some(hold) = polling.hold() else {
            continue;
        };
        let record = hold.record();
        let polls = record.polls();
        if !is_late(record, by) || record.thread() != polling.index {
            continue;
        }
        let lasted = || clock::precise().saturating_sub(record.since());
        let tried_after = lasted();
        if record.update_long_poll(polls, tried_after) {
            continue;
        }
        let stack = take_stack(polling.os_id, left.min(ANSWER));
        // The watch thread advances the clock, and it may have been here meanwhile.
        clock::advance();
        let same = record.polls() == polls && record.thread() == polling.index;
        record.set_long_poll(LongPoll {
            polls,
            seen_at: clock::precise(),
            lasted: lasted(),
            tried_after,
            stack: if same {
                stack
            } else {
                Err("it went on before its stack was taken".into())
            },
        });
    }
}

fn take_stack(os_id: u32, timeout: Duration) -> Result<Arc<Stack>, Arc<str>> {
    if !STACKS.load(Ordering::Relaxed) {
        return Err("switched off".into());
    }
    if os_id == 0 {
        return Err("the kernel's number of the thread is not known".into());
    }
    callstack::refresh();
    let thread = Tid::from_raw(os_id);
    let mut frames = Vec::new();
    match thread::capture_blocked(thread, &mut frames) {
        Ok(blocked) if blocked.completeness == Completeness::Complete => {
            return Ok(Stack::intern(&frames));
        }
        // The signal may show more, if the call allows it; else there is nothing more.
        _ => frames.clear(),
    }
    let signal = SIGNAL
        .get_or_init(Signal::claim)
        .as_ref()
        .map_err(|error| Arc::from(error.to_string()))?;
    signal
        .capture_thread(thread, timeout, &mut frames)
        .map_err(|error| Arc::from(error.to_string()))?;
    Ok(Stack::intern(&frames))
}
