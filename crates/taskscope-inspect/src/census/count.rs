//! Classifies every task that has a record. Not here: when that is done (`history.rs`), how busy
//! the runtimes are (`load.rs`).

use super::Verdict;
use super::spinning::{Spinning, Suspects};
use crate::dump::State;
use crate::evidence::{Moments, Reading};
use crate::record::{Hold, Traits};
use crate::runtime::Tally;
use crate::verdict::is_suspect;
use crate::{clock, pool};

/// The verdict on one task, and whether it looks like a leak.
pub(super) struct Classified {
    pub(super) verdict: Verdict,
    pub(super) suspect: bool,
}

/// Calls `f` with every live task. Nothing is allocated for one, and no task is asked for anything.
///
/// Returns how many tasks there are on each runtime, and which may be spinning.
pub(super) fn classify_all(
    spinning: &Spinning,
    mut f: impl FnMut(&Hold, &State, &Classified),
) -> (Tally, Suspects) {
    let mut tally = Tally::default();
    let mut suspects = Suspects::new();
    let now = clock::precise_if_in_use();
    let moments = Moments { began: now, now };
    for hold in pool::live() {
        tally.add(hold.record());
        let (record, meta) = (hold.record(), hold.meta());
        let reading = Reading::steady(record);
        if record.is_finished() {
            continue;
        }
        let observed = match reading.thread {
            0 => 0,
            _ => record.seen_in_poll(reading.polls),
        };
        let state = reading.state(moments, clock::length(observed));
        if !matches!(state, State::Idle { .. }) {
            suspects.add(&hold, reading.polls);
        }
        let scope_ended = meta.scope.as_ref().is_some_and(|scope| scope.has_ended());
        let verdict = reading.verdict(record, meta, &state, scope_ended, spinning.has(record));
        let suspect = is_suspect(
            verdict,
            record.traits().has(Traits::BACKGROUND),
            scope_ended,
        );
        f(&hold, &state, &Classified { verdict, suspect });
    }
    (tally, suspects)
}
