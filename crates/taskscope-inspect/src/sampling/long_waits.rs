//! One look at all tasks: whoever has been at the same thing for longer than [`LONG_STRETCH`] is charged with the time since the last look.
//!
//! The moments of looks are random ([`super::run`]), so a stretch of time is charged with its length beyond [`LONG_STRETCH`], on average exactly.
//! Not here: stretches that are shorter (`charge.rs`).

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use callstack::Stack;

use super::totals::{Key, Rows, Sum};
use super::{Activity, LONG_STRETCH, record, run, totals};
use crate::record::Hold;
use crate::{NoTrace, capture, clock, pool};

/// Tasks that are polled for their stacks in one look. The others are charged without.
const CAPTURES: usize = 256;
/// How long they may take to answer.
const PATIENCE: Duration = Duration::from_millis(10);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A task that has been waiting for long, and nobody knows where.
struct Unknown {
    hold: Hold,
    since: u64,
}

/// Looks at all tasks. `passed` is the time since the last look. The answer is how long this one took, without waiting for others.
pub(super) fn sweep(passed: Duration) -> Duration {
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
            // It is not long at anything.
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
            // It was asked before, by us or by a dump, and its next poll will tell.
            Err(NoTrace::NoAnswer)
        } else if !run::polls_long_waits() {
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

/// Has them polled for their stacks, and waits for that: so long.
///
/// Who has not answered by then stays marked: its next poll captures, whenever it comes, so that no wait is asked twice, and tasks of a
/// runtime that is blocked do not take up the places of others.
fn ask(unknown: &[Unknown]) -> Duration {
    callstack::refresh();
    for task in unknown {
        // Another executor's waker runs other people's code. One that panics must not end the look.
        let asked = catch_unwind(AssertUnwindSafe(|| capture::request(&task.hold)));
        // Its destructor could panic again.
        asked.unwrap_or_else(forget);
    }
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        thread::park_timeout(LOOK_AGAIN);
        if !unknown
            .iter()
            .any(|task| task.hold.record().wants_capture())
        {
            break;
        }
    }
    begun.elapsed()
}

/// The stack of the wait that began then.
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
