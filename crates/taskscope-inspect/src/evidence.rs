//! The evidence on a task, from its record alone, and the verdict that follows.
//!
//! A dump shows it and a census counts it: both go by this file, so they cannot contradict each
//! other. Not here: the meaning of a verdict and which is the strongest (`verdict.rs`), all that
//! only a dump shows (`dump/read.rs`).

use std::time::Duration;

use crate::dump::State;
use crate::record::{Extensions, Meta, Record, Traits};
use crate::verdict::{self, Evidence, SPINNING_RATE, WATCH};
use crate::{Verdict, clock, watchdog};

/// The moments that ages are computed from, in raw ticks, so that the ages in a dump can be
/// compared, whatever was read first.
#[derive(Clone, Copy)]
pub(crate) struct Moments {
    /// When the dump began: for nearly all times.
    pub(crate) began: u64,
    /// Now: for times of a task that is being polled.
    pub(crate) now: u64,
}

/// A record's moving parts, read as of one moment.
pub(crate) struct Reading {
    pub(crate) polls: u64,
    pub(crate) thread: u16,
    since: u64,
    woken_at: u64,
    pub(crate) wakers: u64,
}

impl Reading {
    /// Reads until nothing has moved meanwhile. After a few tries the task is plainly busy, and any
    /// reading is as good as another.
    pub(crate) fn steady(record: &Record) -> Reading {
        let once = || Reading {
            polls: record.polls(),
            thread: record.thread(),
            since: record.since(),
            woken_at: record.woken_at(),
            wakers: record.wakers(),
        };
        let mut reading = once();
        for _ in 0..8 {
            // Read after the rest: a poll that began meanwhile has set the thread before it cleared
            // the wake.
            if record.thread() == reading.thread && record.polls() == reading.polls {
                return reading;
            }
            reading = once();
        }
        // A reading that is not steady must never look like a task without wakers.
        Reading {
            wakers: reading.wakers.max(1),
            ..reading
        }
    }

    /// The moment that the task's ages are computed from.
    pub(crate) fn now(&self, moments: Moments) -> u64 {
        match self.thread {
            0 => moments.began,
            _ => moments.now,
        }
    }

    /// The state of the task; without the thread if it was being polled. A poll that is going on is
    /// at least `at_least` old: the watchdog may have observed more than was known at that moment.
    pub(crate) fn state(&self, moments: Moments, at_least: Duration) -> State {
        let now = self.now(moments);
        if self.thread != 0 {
            State::Running {
                thread: None,
                since: clock::between(self.since, now).max(at_least),
            }
        } else if self.woken_at != 0 {
            State::Scheduled {
                since: clock::between(self.woken_at, now),
            }
        } else {
            State::Idle {
                since: clock::between(self.since, now),
            }
        }
    }

    /// Why the task is still alive.
    pub(crate) fn verdict(
        &self,
        record: &Record,
        meta: &Meta,
        state: &State,
        scope_ended: bool,
        spinning: bool,
    ) -> Verdict {
        let traits = record.traits();
        let token = record.extensions().and_then(Extensions::token);
        verdict::of(&Evidence {
            state,
            // The wakers of an observed task are not known.
            wakers: if traits.has(Traits::OBSERVED) {
                1
            } else {
                self.wakers
            },
            spinning,
            cancelled: meta.scope.as_ref().and_then(|scope| scope.cancelled_for()),
            saw_cancelled: token.is_some_and(|token| token.saw_cancelled),
            scope_ended,
            background: traits.has(Traits::BACKGROUND),
            threshold: watchdog::threshold(),
            may_block: traits.has(Traits::BLOCKING),
        })
    }
}

/// Whether the task was polled thousands of times a second while it was watched for this long, and
/// woken only by itself.
pub(crate) fn spins(record: &Record, polls: u64, watched: Duration) -> bool {
    watched >= WATCH
        && record.only_wakes_itself()
        && polls as f64 >= SPINNING_RATE * watched.as_secs_f64()
}
