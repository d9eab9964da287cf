//! Tasks that a capture has ended, although nothing had woken them: what a look has learned by its
//! extra poll.
//!
//! A task whose wake-up was lost waits for ever. A dump polls it for its stack, and in that poll it
//! finds what it waits for, and ends: the look has healed the bug. So that this is not taken for a
//! task that has ended well, the dump keeps what was known of it here.
//!
//! Not here: how such an end is noticed (`record/`); tasks that are still alive ([`crate::dump`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::TaskDump;

/// Tasks that are kept until somebody takes them: 256. The others are only counted.
pub const MAX_KEPT: usize = 256;

static COUNT: AtomicU64 = AtomicU64::new(0);
static KEPT: Mutex<Vec<TaskDump>> = Mutex::new(Vec::new());

fn kept() -> MutexGuard<'static, Vec<TaskDump>> {
    // Tasks are only added and taken out.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many there were since the process began.
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Takes out those for which `wanted` says yes, oldest first. Their verdict is
/// [`LostWakeup`](crate::Verdict::LostWakeup); their state is that before the poll that ended them.
///
/// # Examples
///
/// ```
/// for task in taskscope::lost_wakeups::take(|_| true) {
///     println!("{}: {}", task.site, task.verdict.meaning());
/// }
/// ```
pub fn take(mut wanted: impl FnMut(&TaskDump) -> bool) -> Vec<TaskDump> {
    // Not under the lock: `wanted` is somebody else's code.
    let all = std::mem::take(&mut *kept());
    let (taken, mut rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|task| wanted(task));
    let mut kept = kept();
    rest.append(&mut kept);
    rest.truncate(MAX_KEPT);
    *kept = rest;
    taken
}

/// Keeps a task that a capture has ended.
pub(crate) fn add(task: TaskDump) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let mut kept = kept();
    if kept.len() < MAX_KEPT {
        kept.push(task);
    }
}
