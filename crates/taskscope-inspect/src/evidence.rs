//! What can be told of a task from its record alone, and the verdict that follows.
//!
//! A dump shows it and a census counts it: both go by what is here, so they cannot contradict each other.
//! Not here: what a verdict means and which is the strongest (`verdict.rs`), everything that only a dump shows (`dump/read.rs`).

use std::time::Duration;

use crate::dump::State;
use crate::record::{Extensions, Meta, Record, Traits};
use crate::verdict::{self, Evidence, SPINNING_RATE, WATCH};
use crate::{Verdict, clock, watchdog};

/// The moments that times are told by, in raw ticks. So the ages in a dump can be compared, whatever was read first.
#[derive(Clone, Copy)]
pub(crate) struct Moments {
    /// When the dump began: nearly everything.
    pub(crate) began: u64,
    /// Now: what is going on right now, which is a task that is being polled.
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
    /// Reads until nothing has moved meanwhile. After a few tries the task is plainly busy, and any reading is as good.
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
            // After the rest: a poll that began meanwhile has set the thread before it took the wake away.
            if record.thread() == reading.thread && record.polls() == reading.polls {
                return reading;
            }
            reading = once();
        }
        // Not steady: never take this one for a task without wakers.
        Reading {
            wakers: reading.wakers.max(1),
            ..reading
        }
    }

    /// The moment that the task's times are told by.
    pub(crate) fn now(&self, moments: Moments) -> u64 {
        match self.thread {
            0 => moments.began,
            _ => moments.now,
        }
    }

    /// What the task was doing; of one that was being polled, without the thread. `seen`: for how long the watchdog has seen this very poll go on,
    /// which may be more than what was known at that moment.
    pub(crate) fn state(&self, moments: Moments, seen: Duration) -> State {
        let now = self.now(moments);
        if self.thread != 0 {
            State::Running {
                thread: None,
                since: clock::between(self.since, now).max(seen),
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
        let looks = record.extensions().and_then(Extensions::token);
        verdict::of(&Evidence {
            state,
            // Nothing is known of the wakers of a task that others spawned.
            wakers: if traits.has(Traits::OBSERVED) {
                1
            } else {
                self.wakers
            },
            spinning,
            cancelled: meta.scope.as_ref().and_then(|scope| scope.cancelled_for()),
            saw_cancelled: looks.is_some_and(|looks| looks.saw_cancelled),
            scope_ended,
            background: traits.has(Traits::BACKGROUND),
            threshold: watchdog::threshold(),
            may_block: traits.has(Traits::BLOCKING),
        })
    }
}

/// Whether the task was polled thousands of times a second while it was watched for so long, by nobody's doing but its own.
pub(crate) fn spins(record: &Record, polls: u64, watched: Duration) -> bool {
    watched >= WATCH
        && record.only_wakes_itself()
        && polls as f64 >= SPINNING_RATE * watched.as_secs_f64()
}
