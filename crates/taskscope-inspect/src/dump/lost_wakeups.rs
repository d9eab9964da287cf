//! Noticing tasks that ended in the extra poll of a capture, although nothing had woken them.
//!
//! Not here: where they are kept ([`crate::lost_wakeups`]).

use std::thread;
use std::time::Duration;

use super::read;
use super::trace_cache::TraceCache;
use crate::evidence::Moments;
use crate::lost_wakeups;
use crate::record::Hold;

/// Waited before a task counts as ended by its capture: a wake comes this soon after what it is
/// about, also on a machine under load.
const WAKE_FOLLOWS: Duration = Duration::from_millis(50);

/// Keeps the tasks that have ended only because they were polled for their stacks.
///
/// `since` has when each of them last did anything before.
pub(super) fn keep(holds: &[Hold], since: &[u64], began: u64) {
    let ended = |hold: &&Hold| hold.record().ended_unwoken();
    if !holds.iter().any(|hold| ended(&hold)) {
        return;
    }
    // Code that has just made a task ready is about to wake it.
    thread::sleep(WAKE_FOLLOWS);
    let moments = Moments { began, now: began };
    let mut cache = TraceCache::default();
    for (hold, since) in holds.iter().zip(since).filter(|(hold, _)| ended(hold)) {
        lost_wakeups::add(read::ended_unwoken(hold, *since, moments, &mut cache));
    }
}
