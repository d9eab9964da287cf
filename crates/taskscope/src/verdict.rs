//! Why a task is still alive: the strongest statement that the evidence supports.

use std::fmt;
use std::time::Duration;

use crate::dump::State;

/// A poll that takes longer than this, 100 ms, blocks its worker.
pub const BLOCKING_THRESHOLD: Duration = Duration::from_millis(100);

/// Why a task is still alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Verdict {
    /// Idle, and no waker of it exists: nothing can ever wake it.
    Stuck,
    /// In one poll for longer than [`BLOCKING_THRESHOLD`]. So is a task in `block_in_place`, which may be meant.
    Blocking,
    /// Its scope has ended.
    Outlived,
    /// None of the above, and waiting.
    Idle,
    /// None of the above: running, or about to.
    Active,
}

impl Verdict {
    /// All of them, the most urgent first.
    pub const ALL: [Verdict; 5] = [
        Verdict::Stuck,
        Verdict::Blocking,
        Verdict::Outlived,
        Verdict::Idle,
        Verdict::Active,
    ];

    /// One lower-case word, the same in every output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Stuck => "stuck",
            Verdict::Blocking => "blocking",
            Verdict::Outlived => "outlived",
            Verdict::Idle => "idle",
            Verdict::Active => "active",
        }
    }

    /// What to do about it, in one line.
    #[must_use]
    pub fn advice(self) -> &'static str {
        match self {
            Verdict::Stuck => {
                "nothing holds its waker: look for a future that returns Pending without keeping the waker, or `pending()`"
            }
            Verdict::Blocking => {
                "move blocking work to `spawn_blocking`, or split it with `yield_now`"
            }
            Verdict::Outlived => {
                "end it with its scope: select on the scope's token, or keep its handle and abort or await it"
            }
            Verdict::Idle => {
                "make whatever it waits for happen before the end, or abort it and await its handle"
            }
            Verdict::Active => "await its handle, or tell it to stop",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a verdict rests on.
pub(crate) struct Evidence<'a> {
    pub(crate) state: &'a State,
    pub(crate) wakers: u64,
    pub(crate) scope_ended: bool,
    pub(crate) background: bool,
    /// It runs where blocking is meant to happen.
    pub(crate) may_block: bool,
}

pub(crate) fn of(evidence: &Evidence<'_>) -> Verdict {
    match evidence.state {
        State::Idle { .. } if evidence.wakers == 0 => Verdict::Stuck,
        State::Running { since, .. } if *since >= BLOCKING_THRESHOLD && !evidence.may_block => {
            Verdict::Blocking
        }
        _ if evidence.scope_ended && !evidence.background => Verdict::Outlived,
        State::Idle { .. } => Verdict::Idle,
        State::Running { .. } | State::Scheduled { .. } => Verdict::Active,
    }
}
