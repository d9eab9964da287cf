//! The scan of all tasks for long stretches: a task that has been at the same thing for longer than
//! [`LONG_STRETCH`] is charged with the time since the last scan.
//!
//! The moments of scans are random ([`super::run`]), so a stretch of time is charged with its
//! length beyond [`LONG_STRETCH`], on average exactly. Not here: shorter stretches (`record.rs`).

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use callstack::Stack;

use super::totals::{Key, Rows, Sum};
use super::{Activity, LONG_STRETCH, record, totals};
use crate::record::Hold;
use crate::{NoTrace, capture, clock, pool};

/// Tasks that are polled for their stacks in one scan. The others are charged without a stack.
const CAPTURES: usize = 256;
/// How long these may take to answer.
const PATIENCE: Duration = Duration::from_millis(10);
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

static POLLS: AtomicBool = AtomicBool::new(false);

/// Sets whether tasks may be polled for the stacks of their long waits.
pub(super) fn poll_long_waits(poll: bool) {
    POLLS.store(poll, Ordering::Relaxed);
}

fn polls_long_waits() -> bool {
    POLLS.load(Ordering::Relaxed)
}

/// A task that has been waiting for long, without a known stack.
struct Unknown {
    hold: Hold,
    since: u64,
}

/// Scans all tasks. `passed` is the time since the last scan. Returns how long this one took,
/// without the time of waiting for answers.
pub(super) fn scan(passed: Duration) -> Duration {
    let begun = Instant::now();
    let mut waited = Duration::ZERO;
    let passed = Sum {
        count: 0,
        time: u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX),
    };
    let now = clock::precise();
    let is_long = |since: u64| clock::between(since, now) >= LONG_STRETCH;
    let mut rows = Rows::new();
    let mut unknown = Vec::new();
    for hold in pool::live() {
        let record = hold.record();
        let polls = record.polls();
        let (thread, since, woken_at) = (record.thread(), record.since(), record.woken_at());
        if record.polls() != polls {
            // A task that moves is not long at anything.
            continue;
        }
        let activity = if thread != 0 {
            Activity::Running
        } else if woken_at != 0 {
            Activity::Scheduled
        } else {
            Activity::Waiting
        };
        if !is_long(if activity == Activity::Scheduled {
            woken_at
        } else {
            since
        }) {
            continue;
        }
        let mut earlier = false;
        let stack = if activity != Activity::Waiting {
            Err(NoTrace::Running)
        } else if !capture::may(record) {
            Err(record.no_capture())
        } else if record.is_beyond_waking() {
            Err(NoTrace::NoWaker)
        } else if record.captured_ago(polls) == Some(0) {
            record.captured(Clone::clone).0.ok_or(NoTrace::NoWaker)
        } else if let Some(wait) = hold.sampled_wait() {
            wait.stack
        } else if record.wants_capture() {
            // It was asked before, by a scan or a dump, and its next poll will answer.
            Err(NoTrace::NoAnswer)
        } else if !polls_long_waits() {
            record.welcome_stack();
            let known = record.captured_ago(polls).is_some();
            let stack = known.then(|| record.captured(Clone::clone).0).flatten();
            earlier = stack.is_some();
            stack.ok_or(NoTrace::NotAsked)
        } else if unknown.len() < CAPTURES {
            unknown.push(Unknown { hold, since });
            continue;
        } else {
            Err(NoTrace::NotAsked)
        };
        let key = Key {
            earlier,
            ..key(&hold, activity, stack)
        };
        rows.entry(key).or_default().add(passed);
    }
    if !unknown.is_empty() {
        waited = ask(&unknown);
    }
    for Unknown { hold, since } in unknown {
        let stack = answer(&hold, since);
        rows.entry(key(&hold, Activity::Waiting, stack))
            .or_default()
            .add(passed);
    }
    totals::add_all(rows);
    begun.elapsed().saturating_sub(waited)
}

fn key(hold: &Hold, activity: Activity, stack: Result<Arc<Stack>, NoTrace>) -> Key {
    record::key(hold.record(), hold.meta(), activity, stack)
}

/// Asks these tasks for captures and waits for the answers. Returns how long it waited.
///
/// A task that has not answered by then stays marked: its next poll captures, whenever it comes, so
/// that no wait is asked twice, and tasks of a runtime that is blocked do not take up the places of
/// others.
fn ask(unknown: &[Unknown]) -> Duration {
    callstack::refresh();
    for task in unknown {
        // Another executor's waker runs other people's code. A panic in it must not end the scan.
        let asked = catch_unwind(AssertUnwindSafe(|| capture::request(&task.hold)));
        // Its destructor could panic again.
        asked.unwrap_or_else(forget);
    }
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        thread::park_timeout(CHECK_INTERVAL);
        if !unknown
            .iter()
            .any(|task| task.hold.record().wants_capture())
        {
            break;
        }
    }
    begun.elapsed()
}

/// The stack of the wait that began at `since`.
fn answer(hold: &Hold, since: u64) -> Result<Arc<Stack>, NoTrace> {
    let record = hold.record();
    let polls = record.polls();
    let goes_on = record.thread() == 0 && record.woken_at() == 0 && record.since() == since;
    if record.is_finished() || !goes_on {
        return Err(NoTrace::Ended);
    }
    if record.captured_ago(polls) != Some(0) {
        return Err(NoTrace::NoAnswer);
    }
    let stack = record.captured(Clone::clone).0.ok_or(NoTrace::NoWaker);
    if record.polls() == polls {
        stack
    } else {
        Err(NoTrace::Ended)
    }
}
