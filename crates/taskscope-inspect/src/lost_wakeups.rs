//! Lost wake-ups: tasks that a capture has ended, although nothing had woken them.
//!
//! A task whose wake-up was lost waits for ever. The poll that captures its stack may find that it
//! can go on, and the task ends: the dump has hidden the bug. So that this is not taken for a task
//! that has ended well, the dump stores its description here.
//!
//! Not here: how such an end is noticed (`record/`); tasks that are still alive ([`crate::dump`]).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::TaskDump;

/// Tasks that are stored until they are taken: 256. Further ones are only counted.
pub const MAX_STORED: usize = 256;

static COUNT: AtomicU64 = AtomicU64::new(0);
static STORED: Mutex<Vec<TaskDump>> = Mutex::new(Vec::new());

fn stored() -> MutexGuard<'static, Vec<TaskDump>> {
    // Tasks are only added and taken out.
    STORED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Number of such tasks since the process began.
#[must_use]
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

/// Takes out the tasks that `filter` accepts, oldest first. Their verdict is
/// [`LostWakeup`](crate::Verdict::LostWakeup); their state is the one before the poll that ended
/// them.
///
/// # Examples
///
/// ```
/// for task in taskscope::lost_wakeups::take(|_| true) {
///     println!("{}: {}", task.site, task.verdict.meaning());
/// }
/// ```
pub fn take(mut filter: impl FnMut(&TaskDump) -> bool) -> Vec<TaskDump> {
    // Not under the lock: `filter` is somebody else's code.
    let all = std::mem::take(&mut *stored());
    let (taken, mut rest): (Vec<_>, Vec<_>) = all.into_iter().partition(|task| filter(task));
    let mut stored = stored();
    rest.append(&mut stored);
    rest.truncate(MAX_STORED);
    *stored = rest;
    taken
}

/// Stores a task that a capture has ended.
pub(crate) fn add(task: TaskDump) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let mut stored = stored();
    if stored.len() < MAX_STORED {
        stored.push(task);
    }
}
