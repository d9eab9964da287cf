//! The live tasks of a scope and of those below it: how many, and, only where it is needed, which.
//!
//! Counting is all that happens to a task of an ordinary scope. Abort handles are kept under
//! [`AtEnd::Abort`](crate::AtEnd::Abort) alone, and the numbers of reported tasks only after a
//! report; both go when their task ends.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::backend::Record;
use crate::sync::lock;

#[derive(Default)]
pub(super) struct Tasks {
    live: AtomicUsize,
    /// Futures that wait for `live` to go down.
    waiting: AtomicUsize,
    /// Told when `live` goes down and somebody waits.
    ended: Notify,
    /// Whether `known` has ever held anything.
    knows: AtomicBool,
    /// Boxed, because most scopes have none.
    known: Mutex<Option<Box<Known>>>,
}

/// Facts of single tasks.
#[derive(Default)]
struct Known {
    /// By the address of the record, which is nobody else's as long as the task lives.
    handles: HashMap<usize, AbortHandle>,
    /// Everything that is still adopted is aborted at once.
    aborted: bool,
    /// Tokio's numbers of tasks that a report has named.
    reported: HashSet<u64>,
}

impl Known {
    /// Forgets a task that has ended. A burst of tasks leaves no empty table behind.
    fn forget(&mut self, record: &Record) -> Option<AbortHandle> {
        self.reported.remove(&record.id());
        let handle = self.handles.remove(&key(record));
        let (length, capacity) = (self.handles.len(), self.handles.capacity());
        if capacity > 64 && length < capacity / 8 {
            self.handles.shrink_to(2 * length);
        }
        handle
    }
}

fn key(record: &Record) -> usize {
    std::ptr::from_ref(record).addr()
}

impl Tasks {
    fn lock(&self) -> MutexGuard<'_, Option<Box<Known>>> {
        lock(&self.known)
    }

    /// Calls `f` with what is known; a lock that is held while nothing but `f` runs.
    fn known<R>(&self, f: impl FnOnce(&mut Known) -> R) -> R {
        f(self.lock().get_or_insert_default())
    }

    pub(super) fn started(&self) {
        self.live.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts a task out that has been marked as finished.
    pub(super) fn ended(&self, record: &Record) {
        // Before the count goes down: who sees that all are gone finds nothing kept.
        if self.knows.load(Ordering::SeqCst) {
            let handle = self.known(|known| known.forget(record));
            // Outside the lock: this can be the last reference to the task's memory.
            drop(handle);
        }
        // Sequentially consistent with `until_at_most`: either we see that it waits or it sees that
        // we are gone.
        let before = self.live.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.knows.load(Ordering::SeqCst) {
            self.forget_reports();
        }
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.ended.notify_waiters();
        }
    }

    /// A report that races with the end of its task leaves a number behind; it goes with the last
    /// task.
    fn forget_reports(&self) {
        self.known(|known| {
            if self.live() == 0 {
                known.reported = HashSet::new();
            }
        });
    }

    pub(super) fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    /// Waits until at most `left` tasks are alive.
    pub(super) async fn until_at_most(&self, left: usize) {
        let _waits = Waits::new(&self.waiting);
        loop {
            let ended = self.ended.notified();
            if self.live() <= left {
                return;
            }
            ended.await;
        }
    }

    /// Keeps the handle until the task has ended, or aborts it at once if it comes too late.
    pub(super) fn adopt(&self, record: &Record, handle: AbortHandle) {
        self.knows.store(true, Ordering::SeqCst);
        let returned = self.known(|known| {
            if known.aborted {
                return Err(handle);
            }
            let old = known.handles.insert(key(record), handle);
            // A task marks its end before it takes the lock in `ended`: it finds the handle, or we
            // see the mark.
            let late = if record.is_ending() {
                known.forget(record)
            } else {
                None
            };
            Ok((old, late))
        });
        if let Err(handle) = returned {
            handle.abort();
        }
    }

    /// Leaves one task out of the next [`Tasks::abort_all`].
    pub(super) fn exempt(&self, record: &Record) {
        let handle = self.known(|known| known.handles.remove(&key(record)));
        drop(handle);
    }

    pub(super) fn abort_all(&self) {
        let handles = self.known(|known| {
            known.aborted = true;
            std::mem::take(&mut known.handles)
        });
        for handle in handles.into_values() {
            handle.abort();
        }
    }

    pub(super) fn are_aborted(&self) -> bool {
        self.known(|known| known.aborted)
    }

    pub(super) fn has_handles(&self) -> bool {
        self.known(|known| !known.handles.is_empty())
    }

    /// Whether this is the first report of a task. `number` is tokio's; 0 is nobody's.
    #[cfg(feature = "enable")]
    pub(super) fn first_report(&self, number: u64) -> bool {
        self.knows.store(true, Ordering::SeqCst);
        number == 0 || self.known(|known| known.reported.insert(number))
    }
}

/// Somebody waits, until dropped.
struct Waits<'a>(&'a AtomicUsize);

impl<'a> Waits<'a> {
    fn new(waiting: &'a AtomicUsize) -> Waits<'a> {
        waiting.fetch_add(1, Ordering::SeqCst);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{AtEnd, Scope};

    /// A handle keeps the memory of its task, which nobody outside can see.
    #[test]
    fn an_abort_handle_is_kept_under_the_abort_policy_and_as_long_as_its_task_lives() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        for (policy, keeps) in [
            (AtEnd::Cancel, false),
            (
                AtEnd::Abort {
                    grace: Duration::ZERO,
                },
                true,
            ),
        ] {
            let parent = Scope::new("parent").at_end(policy);
            let scope = parent.child("child");
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let has_handles = || {
                let has_handles = |scope: &Scope| scope.inner().tasks_known().has_handles();
                (has_handles(&parent), has_handles(&scope))
            };
            runtime.block_on(async {
                let task = scope.spawn(stopped);
                assert_eq!(has_handles(), (keeps, false));
                drop(stop);
                let _ = task.await;
            });
            assert_eq!(has_handles(), (false, false));
        }
    }
}
